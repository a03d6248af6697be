#include "compare/text.h"

#include <algorithm>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "compare/format.h"
#include "compare/names.h"

namespace ringecho::compare {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kGap = 2;

std::vector<size_t> Widths(const Table& table) {
  std::vector<size_t> widths;
  for (size_t i = 0; i < table.headers.size(); ++i) {
    widths.push_back(Width(table.headers[i]));
    for (const auto& row : table.rows) widths[i] = std::max(widths[i], Width(row[i]));
  }
  return widths;
}

// Words read from the left, numbers by their last digit.
bool IsLeft(const std::string& header) { return header == "verdict" || header == "change"; }

void AddRow(const Table& table, const std::vector<size_t>& widths, size_t from,
            const std::vector<std::string>& row, std::string& out) {
  std::string line;
  for (size_t i = from; i < row.size(); ++i) {
    const std::string pad(widths[i] - Width(row[i]), ' ');
    line += std::string(kGap, ' ');
    line += IsLeft(table.headers[i]) ? row[i] + pad : pad + row[i];
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  absl::StrAppend(&out, line, "\n");
}

std::string LabelText(const Table& table, const std::vector<std::string>& row) {
  std::string text;
  for (size_t i = 0; i < table.labels; ++i) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", table.headers[i], " ", row[i]);
  }
  return text;
}

// What does not fit beside each other: one line for each value.
void AddTall(const Table& table, std::string& out) {
  for (const auto& row : table.rows) {
    absl::StrAppend(&out, Wrap("  " + LabelText(table, row), kColumns, 4), "\n");
    for (size_t i = table.labels; i < row.size(); ++i) {
      absl::StrAppend(&out, Wrap(absl::StrCat("    ", table.headers[i], ": ", row[i]), kColumns, 6),
                      "\n");
    }
  }
}

void AddTable(const Table& table, std::string& out) {
  absl::StrAppend(&out, "\n", Wrap(table.title, kColumns, 2), "\n");
  const std::vector<size_t> widths = Widths(table);
  auto total = [&widths](size_t from) {
    size_t sum = 0;
    for (size_t i = from; i < widths.size(); ++i) sum += widths[i] + kGap;
    return sum;
  };
  if (total(0) <= kColumns) {
    AddRow(table, widths, 0, table.headers, out);
    for (const auto& row : table.rows) AddRow(table, widths, 0, row, out);
  } else if (total(table.labels) <= kColumns) {
    AddRow(table, widths, table.labels, table.headers, out);
    for (const auto& row : table.rows) {
      absl::StrAppend(&out, Wrap("  " + LabelText(table, row), kColumns, 4), "\n");
      AddRow(table, widths, table.labels, row, out);
    }
  } else {
    AddTall(table, out);
  }
}

std::string LeftOutText(const Comparison& comparison, const LeftOut& left) {
  return absl::StrCat("left out: ", comparison.measurements[left.measurement].name, ": ",
                      left.reason);
}

std::vector<std::string> ClosingLines(const Comparison& comparison) {
  std::vector<std::string> lines = comparison.notes;
  for (const LeftOut& left : comparison.left_out) lines.push_back(LeftOutText(comparison, left));
  for (std::string& line : DifferenceLines(comparison)) lines.push_back(std::move(line));
  return lines;
}

std::vector<std::string> VerdictLines(const Comparison& comparison) {
  std::vector<std::string> lines;
  for (size_t side = 1; side < comparison.sides.size(); ++side) {
    lines.push_back(absl::StrCat(comparison.sides[side], ": ", CountJudgements(comparison, side)));
  }
  return lines;
}

// Heading, and names by which the tables call what has too long a name; each once.
std::vector<std::string> OpeningLines(const Comparison& comparison, std::vector<Table> tables) {
  std::vector<std::string> lines = HeadingLines(comparison);
  tables.push_back(OverallTable(comparison));
  for (const Table& table : tables) {
    for (const std::string& line : table.legend) {
      if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
    }
  }
  return lines;
}

// Characters that would be markup, and line breaks, escaped.
std::string Escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\n' || c == '\r') {
      out += ' ';
      continue;
    }
    if (std::string_view("\\`*_{}[]<>#|!~&").find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

void AddMarkdownTable(const Table& table, std::string& out) {
  absl::StrAppend(&out, "\n**", Escaped(table.title), "**\n\n|");
  for (const std::string& header : table.headers) absl::StrAppend(&out, " ", Escaped(header), " |");
  out += "\n|";
  for (const std::string& header : table.headers) out += IsLeft(header) ? "---|" : "---:|";
  out += '\n';
  for (const auto& row : table.rows) {
    out += '|';
    for (const std::string& cell : row) absl::StrAppend(&out, " ", Escaped(cell), " |");
    out += '\n';
  }
}

}  // namespace

std::string ToText(const Comparison& comparison, const std::vector<Table>& tables) {
  std::string out = Wrap(Title(comparison), kColumns, 2) + "\n";
  for (const std::string& line : OpeningLines(comparison, tables)) {
    absl::StrAppend(&out, Wrap(line, kColumns, 2), "\n");
  }
  for (const Table& table : tables) AddTable(table, out);
  const Table overall = OverallTable(comparison);
  if (!overall.rows.empty()) AddTable(overall, out);
  out += '\n';
  for (const std::string& line : VerdictLines(comparison)) {
    absl::StrAppend(&out, Wrap(line, kColumns, 2), "\n");
  }
  const std::vector<std::string> closing = ClosingLines(comparison);
  if (!closing.empty() && comparison.sides.size() > 1) out += '\n';
  for (const std::string& line : closing) {
    absl::StrAppend(&out, Wrap("* " + line, kColumns, 2), "\n");
  }
  return out;
}

std::string ToMarkdown(const Comparison& comparison, const std::vector<Table>& tables) {
  std::string out = absl::StrCat("### ", Escaped(Title(comparison)), "\n\n");
  for (const std::string& line : OpeningLines(comparison, tables)) {
    absl::StrAppend(&out, Escaped(line), "  \n");
  }
  for (const Table& table : tables) AddMarkdownTable(table, out);
  const Table overall = OverallTable(comparison);
  if (!overall.rows.empty()) AddMarkdownTable(overall, out);
  out += '\n';
  for (const std::string& line : VerdictLines(comparison)) {
    absl::StrAppend(&out, "* **", Escaped(line), "**\n");
  }
  for (const std::string& line : ClosingLines(comparison)) {
    absl::StrAppend(&out, "* ", Escaped(line), "\n");
  }
  return out;
}

}  // namespace ringecho::compare

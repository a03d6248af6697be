#include "compare/tables.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "compare/format.h"
#include "compare/judge.h"
#include "compare/keys.h"
#include "compare/names.h"
#include "compare/statistics.h"

namespace ringecho::compare {
namespace {

std::string MetricTitle(const Metric& metric) {
  return absl::StrCat(metric.title,
                      metric.better == Better::kHigher ? ", higher is better" : ", lower is better",
                      metric.judged ? "" : ", not judged");
}

std::string ValueText(std::string_view key, const std::string& value) {
  return key == "size_bytes" || key == "duration_ns" || key == "warmup_ns" ? Phrase(key, value)
                                                                           : value;
}

std::vector<std::string> CellTexts(const Comparison& comparison, const Cell& cell) {
  std::vector<std::string> out;
  for (size_t i = 0; i < cell.values.size(); ++i) {
    out.push_back(comparison.axes[i] == "size_bytes" ? ValueText("size_bytes", cell.values[i])
                                                     : cell.values[i]);
  }
  return out;
}

Table ComparedTable(const Comparison& comparison, size_t metric) {
  const Metric& what = comparison.metrics[metric];
  const bool two = comparison.sides.size() == 2;
  Table table{.title = MetricTitle(what), .headers = comparison.axes};
  const std::vector<std::string> names = ShortNames(comparison.sides, table.legend);
  if (two) table.legend.clear();  // its rows do not name them
  if (!two) table.headers.push_back(comparison.vary);
  table.labels = table.headers.size();
  constexpr size_t kHeaderMax = 12;
  const bool fits =
      two && comparison.sides[0].size() <= kHeaderMax && comparison.sides[1].size() <= kHeaderMax;
  table.headers.push_back(fits ? comparison.sides[0] : "base");
  table.headers.push_back(fits ? comparison.sides[1] : "new");
  table.headers.emplace_back("change");
  if (what.judged) {
    table.headers.emplace_back("p");
    table.headers.emplace_back("verdict");
  }
  for (const Finding& finding : comparison.findings) {
    if (finding.metric != metric) continue;
    std::vector<std::string> row = CellTexts(comparison, comparison.cells[finding.cell]);
    if (!two) row.push_back(names[finding.side]);
    row.push_back(FormatValue(what.unit, finding.base.value));
    row.push_back(FormatValue(what.unit, finding.median.value));
    row.push_back(FormatChange(finding.change));
    if (what.judged) {
      row.push_back(FormatP(finding.p_adjusted));
      row.emplace_back(Name(finding.judgement));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

std::string MedianText(const Comparison& comparison, const Cell& cell, size_t side,
                       const Metric& metric) {
  return FormatValue(metric.unit, Median(Samples(comparison, cell.by_side[side], metric)));
}

Table MedianTable(const Comparison& comparison, const Metric& metric) {
  Table table{
      .title = MetricTitle(metric), .headers = comparison.axes, .labels = comparison.axes.size()};
  for (const char* header : {"median", "from", "to", "repeats"}) table.headers.emplace_back(header);
  for (const Cell& cell : comparison.cells) {
    const std::vector<double> samples = Samples(comparison, cell.by_side[0], metric);
    const Estimate median = BootstrapMedian(samples);
    std::vector<std::string> row = CellTexts(comparison, cell);
    for (double value : {median.value, median.low, median.high}) {
      row.push_back(FormatValue(metric.unit, value));
    }
    row.push_back(absl::StrCat(samples.size()));
    table.rows.push_back(std::move(row));
  }
  return table;
}

class MatrixMaker {
 public:
  MatrixMaker(const Comparison& comparison, std::string row, std::string col)
      : in_(comparison),
        row_(std::move(row)),
        col_(std::move(col)),
        medians_(comparison.sides.size() == 1 || row_ == comparison.vary ||
                 col_ == comparison.vary) {}

  absl::StatusOr<std::vector<Table>> Run() {
    for (const std::string& axis : in_.axes) {
      if (axis == row_ || axis == col_) continue;
      return absl::InvalidArgumentError(absl::StrCat("--row, --col: ", axis, " varies, too (",
                                                     ValuesText(axis), "); keep one with --filter ",
                                                     axis, "=VALUE"));
    }
    std::vector<Table> out;
    for (const Metric& metric : in_.metrics) {
      const size_t first = medians_ ? 0 : 1;
      const size_t last = medians_ ? 1 : in_.sides.size();
      for (size_t side = first; side < last; ++side) out.push_back(Matrix(metric, side));
    }
    return out;
  }

 private:
  std::string ValueOfKey(const Cell& cell, size_t side, const std::string& key) const {
    if (key == in_.vary) return in_.sides[side];
    const auto axis = std::find(in_.axes.begin(), in_.axes.end(), key);
    return axis == in_.axes.end() ? std::string(kConstant)
                                  : cell.values[static_cast<size_t>(axis - in_.axes.begin())];
  }

  std::vector<std::string> KeyValuesOf(const std::string& key) const {
    if (key == in_.vary) return in_.sides;
    std::vector<std::string> out;
    for (const Cell& cell : in_.cells) {
      const std::string value = ValueOfKey(cell, 0, key);
      if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
    }
    std::sort(out.begin(), out.end(), NaturalLess);
    return out;
  }

  std::string ValuesText(const std::string& key) const {
    std::string out;
    for (const std::string& value : KeyValuesOf(key)) {
      absl::StrAppend(&out, out.empty() ? "" : ", ", value);
    }
    return out;
  }

  std::string Entry(const Metric& metric, size_t cell, size_t side) const {
    if (medians_) return MedianText(in_, in_.cells[cell], side, metric);
    for (const Finding& finding : in_.findings) {
      if (finding.cell != cell || finding.side != side ||
          in_.metrics[finding.metric].id != metric.id) {
        continue;
      }
      const bool told = metric.judged && (finding.judgement == Judgement::kFaster ||
                                          finding.judgement == Judgement::kSlower);
      return FormatChange(finding.change.value) + (told ? " *" : "  ");
    }
    return "-";
  }

  // `side` of changes; medians may be of every side.
  std::string At(const Metric& metric, size_t side, const std::string& row,
                 const std::string& col) const {
    for (size_t cell = 0; cell < in_.cells.size(); ++cell) {
      const size_t sides = medians_ ? in_.sides.size() : side + 1;
      for (size_t s = medians_ ? 0 : side; s < sides; ++s) {
        if (ValueOfKey(in_.cells[cell], s, row_) == row &&
            ValueOfKey(in_.cells[cell], s, col_) == col) {
          return Entry(metric, cell, s);
        }
      }
    }
    return "-";
  }

  Table Matrix(const Metric& metric, size_t side) const {
    Table table;
    table.title = medians_
                      ? absl::StrCat(metric.title, ", median")
                      : absl::StrCat(metric.title, ", change of ", in_.sides[side], " against ",
                                     in_.sides[0], metric.judged ? " (* faster or slower)" : "");
    table.headers.push_back(absl::StrCat(row_, " \\ ", col_));
    table.labels = 1;
    const std::vector<std::string> cols = KeyValuesOf(col_);
    for (const std::string& col : Names(col_, cols, table)) table.headers.push_back(col);
    const std::vector<std::string> rows = KeyValuesOf(row_);
    const std::vector<std::string> names = Names(row_, rows, table);
    for (size_t i = 0; i < rows.size(); ++i) {
      std::vector<std::string>& out = table.rows.emplace_back();
      out.push_back(names[i]);
      for (const std::string& col : cols) out.push_back(At(metric, side, rows[i], col));
    }
    return table;
  }

  static std::vector<std::string> Names(const std::string& key,
                                        const std::vector<std::string>& values, Table& table) {
    std::vector<std::string> names = ShortNames(values, table.legend);
    for (std::string& name : names) name = ValueText(key, name);
    return names;
  }

  static constexpr char kConstant[] = "all";

  const Comparison& in_;
  const std::string row_;
  const std::string col_;
  const bool medians_;
};

}  // namespace

std::vector<Table> MetricTables(const Comparison& comparison) {
  std::vector<Table> out;
  for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
    Table table = comparison.sides.size() == 1 ? MedianTable(comparison, comparison.metrics[metric])
                                               : ComparedTable(comparison, metric);
    if (!table.rows.empty()) out.push_back(std::move(table));
  }
  return out;
}

Table OverallTable(const Comparison& comparison) {
  Table table{.title = "geometric mean of the ratios to the base",
              .headers = {comparison.vary},
              .labels = 1};
  const std::vector<std::string> names = ShortNames(comparison.sides, table.legend);
  for (const Metric& metric : comparison.metrics) {
    if (metric.judged) table.headers.push_back(metric.title);
  }
  for (size_t side = 1; side < comparison.sides.size(); ++side) {
    std::vector<std::string> row = {names[side]};
    for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
      if (!comparison.metrics[metric].judged) continue;
      std::string text = "-";
      for (const Overall& overall : comparison.overall) {
        if (overall.side == side && overall.metric == metric) {
          text = FormatChange(overall.ratio - 1);
        }
      }
      row.push_back(std::move(text));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

absl::StatusOr<std::vector<Table>> Matrices(const Comparison& comparison, const std::string& row,
                                            const std::string& col) {
  return MatrixMaker(comparison, row, col).Run();
}

}  // namespace ringecho::compare

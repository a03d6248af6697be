#include "compare/format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/units.h"
#include "compare/keys.h"
#include "compare/names.h"
#include "report/one_line.h"

namespace ringecho::compare {
namespace {

// `key` of every measurement that is in a cell, each value once.
std::string OverAll(const Comparison& comparison, std::string_view key) {
  std::set<std::string> seen;
  std::vector<std::string> values;
  for (const Cell& cell : comparison.cells) {
    for (const std::vector<size_t>& members : cell.by_side) {
      for (size_t member : members) {
        std::string value = KeysOf(comparison.measurements[member]).Find(key);
        if (!value.empty() && seen.insert(value).second) values.push_back(std::move(value));
      }
    }
  }
  constexpr size_t kMost = 3;
  if (values.size() > kMost) return absl::StrCat(values.size(), " of them");
  return absl::StrJoin(values, " / ");
}

bool IsAxis(const Comparison& comparison, std::string_view key) {
  if (comparison.vary == key) return true;
  for (const std::string& axis : comparison.axes) {
    if (axis == key) return true;
  }
  return false;
}

std::string MachineLine(const Comparison& comparison) {
  const auto get = [&comparison](std::string_view key) { return OverAll(comparison, key); };
  std::string line =
      absl::StrCat(get("host.environment.cpu.count"), " x ", get("host.environment.cpu.model"));
  if (get("host.environment.virtualization.hypervisor") == "true") line += ", virtual";
  if (const std::string container = get("host.environment.virtualization.container");
      !container.empty()) {
    absl::StrAppend(&line, ", in ", container);
  }
  if (!IsAxis(comparison, "kernel")) absl::StrAppend(&line, ", Linux ", get("kernel"));
  return line;
}

std::string ThreadsText(const std::string& threads, const std::string& cpus) {
  std::string text = absl::StrCat(threads, threads == "1" ? " thread" : " threads");
  if (!cpus.empty() && cpus != "any") absl::StrAppend(&text, " on CPU ", cpus);
  return text;
}

std::string ProgramsLine(const Comparison& comparison) {
  const auto get = [&comparison](std::string_view key) { return OverAll(comparison, key); };
  std::vector<std::string> parts;
  if (!IsAxis(comparison, "version")) parts.push_back(absl::StrCat("ringecho ", get("version")));
  if (const std::string threads = get("server.threads"); !threads.empty()) {
    const std::string engine = IsAxis(comparison, "engine") ? "" : get("engine") + ", ";
    parts.push_back(absl::StrCat("server: ", engine, ThreadsText(threads, get("server.cpus"))));
  }
  if (const std::string threads = get("threads"); !threads.empty()) {
    const std::string engine =
        IsAxis(comparison, "loader_engine") ? "" : get("loader_engine") + ", ";
    parts.push_back(absl::StrCat("loader: ", engine, ThreadsText(threads, get("cpus"))));
  }
  return absl::StrJoin(parts, "; ");
}

std::string LoadLine(const Comparison& comparison) {
  constexpr std::string_view kKeys[] = {
      "connections",       "size_bytes", "depth",       "mode",
      "rate_target_per_s", "transport",  "duration_ns", "messages_per_connection"};
  std::vector<std::string> parts;
  for (std::string_view wanted : kKeys) {
    for (const auto& [key, value] : comparison.common) {
      if (key == wanted) parts.push_back(Phrase(key, value));
    }
  }
  return absl::StrJoin(parts, ", ");
}

std::string SamplesLine(const Comparison& comparison) {
  std::set<size_t> counts;
  for (const Finding& finding : comparison.findings) {
    counts.insert(finding.base_samples);
    counts.insert(finding.samples);
  }
  if (counts.empty()) return {};
  const std::string what =
      absl::StrCat(comparison.by_boot ? "boot" : "repeat", *counts.rbegin() == 1 ? "" : "s");
  return absl::StrCat(*counts.begin(),
                      counts.size() == 1 ? "" : absl::StrCat(" to ", *counts.rbegin()), " ", what,
                      " of each; 95% intervals; a change counts from ",
                      absl::StrFormat("%.3g%%", comparison.min_effect * 100));
}

// Rounded once, from the number itself: 7784.6 ns are 7.78 us, as the table of a series has it, and
// not 7785 ns first. For the same reason halves go to the even number, here and for counts.
std::string DurationText(double ns) {
  constexpr std::pair<double, const char*> kUnits[] = {{1, "ns"}, {1e3, "us"}, {1e6, "ms"}};
  double value = ns / 1e9;
  const char* unit = "s";
  for (const auto& [length, name] : kUnits) {
    if (ns >= length * 1e3) continue;
    value = ns / length;
    unit = name;
    break;
  }
  const int digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return absl::StrFormat("%.*f %s", digits, value, unit);
}

std::string Percent(double ratio) { return absl::StrFormat("%+.1f", ratio * 100); }

}  // namespace

std::string FormatValue(Unit unit, double value) {
  if (!std::isfinite(value)) return "-";
  switch (unit) {
    case Unit::kPerSecond:
    case Unit::kCount:
      return base::FormatThousands(std::llrint(value));
    case Unit::kNanoseconds:
      return DurationText(value);
    case Unit::kBytes:
      return base::FormatBytes(std::llround(value));
    case Unit::kRatio:
      break;
  }
  return absl::StrFormat("%.3g", value);
}

std::string FormatChange(double change) {
  return std::isfinite(change) ? Percent(change) + "%" : "-";
}

std::string FormatChange(const Estimate& change) {
  std::string text = FormatChange(change.value);
  if (std::isfinite(change.low) && std::isfinite(change.high)) {
    absl::StrAppend(&text, " (", Percent(change.low), " to ", Percent(change.high), ")");
  }
  return text;
}

std::string FormatP(double p) {
  if (!std::isfinite(p)) return "-";
  if (p < 0.0001) return "<0.0001";
  return p < 0.01 ? absl::StrFormat("%.4f", p) : absl::StrFormat("%.3f", p);
}

std::string Phrase(std::string_view key, std::string_view value) {
  std::string text(value);
  int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  if (key == "size_bytes" && is_number) return base::FormatBytes(number);
  if (key == "mode") return text + " loop";
  if (key == "transport") return text;
  if (key == "connections" && is_number) {
    return base::FormatThousands(number) + (number == 1 ? " connection" : " connections");
  }
  if (key == "duration_ns" && is_number) return base::FormatDuration(number) + " measured";
  if (key == "rate_target_per_s") return text + " messages/s offered";
  if (key == "messages_per_connection") return text + " messages per connection";
  return absl::StrCat(base::ToAbsl(key), " ", text);
}

std::string Title(const Comparison& comparison) {
  if (comparison.sides.size() == 1) return "medians";
  std::vector<std::string> sides = comparison.sides;
  sides.front() += " (base)";
  return absl::StrCat(comparison.vary, ": ", absl::StrJoin(sides, ", "));
}

std::vector<std::string> HeadingLines(const Comparison& comparison) {
  std::vector<std::string> lines;
  for (std::string line : {MachineLine(comparison), ProgramsLine(comparison), LoadLine(comparison),
                           SamplesLine(comparison)}) {
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

std::string CountJudgements(const Comparison& comparison, size_t side) {
  std::vector<std::string> parts;
  for (Judgement judgement :
       {Judgement::kFaster, Judgement::kSlower, Judgement::kSame, Judgement::kInconclusive}) {
    size_t count = 0;
    for (const Finding& finding : comparison.findings) {
      if (finding.side == side && comparison.metrics[finding.metric].judged &&
          finding.judgement == judgement) {
        ++count;
      }
    }
    if (count != 0) parts.push_back(absl::StrCat(count, " ", base::ToAbsl(Name(judgement))));
  }
  return parts.empty() ? "nothing to judge" : absl::StrJoin(parts, ", ");
}

std::vector<std::string> DifferenceLines(const Comparison& comparison) {
  constexpr size_t kValueMax = 60;
  std::vector<std::string> lines;
  std::vector<std::string> expected;
  for (const Difference& difference : comparison.differences) {
    if (difference.expected) {
      expected.push_back(difference.key);
      continue;
    }
    std::vector<std::string> values;
    for (const std::string& value : difference.values) {
      values.push_back(report::OneLine(value, kValueMax));
    }
    lines.push_back(
        absl::StrCat("NOT EQUAL: ", difference.key, ": ", absl::StrJoin(values, " | ")));
  }
  if (!expected.empty()) {
    constexpr size_t kMost = 6;
    const size_t more = expected.size() > kMost ? expected.size() - kMost : 0;
    expected.resize(expected.size() - more);
    lines.push_back(absl::StrCat("with ", comparison.vary,
                                 " differ, as expected: ", absl::StrJoin(expected, ", "),
                                 more == 0 ? "" : absl::StrCat(" and ", more, " more")));
  }
  return lines;
}

std::string Wrap(std::string_view text, size_t columns, size_t indent) {
  const size_t first = std::min(text.find_first_not_of(' '), text.size());
  std::string out;
  std::string line(first, ' ');
  bool fresh = true;  // no word in this line yet
  for (absl::string_view split : absl::StrSplit(base::ToAbsl(text.substr(first)), ' ')) {
    std::string_view word = base::ToStd(split);
    if (!fresh && Width(line) + 1 + Width(word) > columns) {
      absl::StrAppend(&out, line, "\n");
      line = std::string(indent, ' ');
      fresh = true;
    }
    if (!fresh) line += ' ';
    // A single word that is too long is broken where it has to be.
    while (Width(line) + Width(word) > columns) {
      const std::string_view fits = Head(word, columns - std::min(columns, Width(line)));
      absl::StrAppend(&out, line, base::ToAbsl(fits), "\n");
      word.remove_prefix(fits.size());
      line = std::string(indent, ' ');
    }
    line += word;
    fresh = false;
  }
  return out + line;
}

}  // namespace ringecho::compare

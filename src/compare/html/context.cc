// What was measured, where the sides differ, and which runs may be believed.
#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/units.h"
#include "compare/html/format.h"
#include "compare/html/tables.h"
#include "compare/html/view.h"

namespace ringecho::compare::html {
namespace {

// What people ask first. The rest is a click away.
constexpr std::string_view kMainKeys[] = {"connections", "size_bytes",        "depth",
                                          "mode",        "rate_target_per_s", "engine",
                                          "duration_ns", "server.threads",    "threads"};

// Every different text once; more than a line holds are counted.
std::string Distinct(const std::set<std::string>& texts) {
  if (texts.size() > 3) return absl::StrCat(texts.size(), " different ones");
  return absl::StrJoin(texts, ", ");
}

void AddEntry(std::string& out, std::string_view key, std::string_view value) {
  if (value.empty()) return;
  absl::StrAppend(&out, "<div><dt>", Escape(key), "</dt><dd>", Escape(value), "</dd></div>\n");
}

void AddMachine(std::string& out, const Comparison& comparison) {
  std::set<std::string> kernels, cpus, versions;
  for (const Measurement& measurement : comparison.measurements) {
    const auto& result = measurement.load ? measurement.load : measurement.server;
    if (!result) continue;
    const report::Environment& environment = result->host.environment;
    kernels.insert(environment.kernel_release);
    cpus.insert(absl::StrCat(environment.cpu.count, " x ", environment.cpu.model));
    versions.insert(absl::StrCat(result->tool.version, " ", result->tool.git_commit));
  }
  AddEntry(out, "kernel", Distinct(kernels));
  AddEntry(out, "CPU", Distinct(cpus));
  AddEntry(out, "ringecho", Distinct(versions));
}

struct CheckCount {
  std::vector<size_t> by_side;  // runs in which it failed
  std::string example;          // the message of the first
};

void CountChecks(const report::Result& result, size_t side, size_t sides,
                 std::map<std::string, CheckCount>& counts, std::set<std::string>& counted) {
  for (const report::Check& check : result.validity.checks) {
    if (check.ok || !counted.insert(check.id).second) continue;
    CheckCount& count = counts[check.id];
    if (count.by_side.empty()) count.by_side.resize(sides);
    ++count.by_side[side];
    if (count.example.empty()) count.example = check.message;
  }
}

std::map<std::string, CheckCount> FailedChecks(const Comparison& comparison) {
  std::map<std::string, CheckCount> counts;
  for (const Cell& cell : comparison.cells) {
    for (size_t side = 0; side < cell.by_side.size(); ++side) {
      for (const size_t index : cell.by_side[side]) {
        const Measurement& measurement = comparison.measurements[index];
        std::set<std::string> counted;  // a check that failed on both ends is one run
        for (const auto* result : {&measurement.load, &measurement.server}) {
          if (!*result) continue;
          CountChecks(**result, side, comparison.sides.size(), counts, counted);
        }
      }
    }
  }
  return counts;
}

std::string Badges(const Comparison& comparison) {
  std::array<size_t, 2> counts = {};  // valid, suspect
  for (const Cell& cell : comparison.cells) {
    for (const auto& side : cell.by_side) {
      for (const size_t index : side) {
        const bool valid = VerdictOf(comparison.measurements[index]) == report::Verdict::kValid;
        ++counts[valid ? 0 : 1];
      }
    }
  }
  std::string out = "<p class=\"badges\">";
  absl::StrAppend(&out, "<span class=\"badge valid\">", counts[0], " valid</span> ");
  absl::StrAppend(&out, "<span class=\"badge", counts[1] > 0 ? " suspect" : "", "\">", counts[1],
                  " suspect</span> ");
  absl::StrAppend(&out, "<span class=\"badge\">", comparison.left_out.size(),
                  " left out</span></p>\n");
  return out;
}

std::string CheckTable(const Comparison& comparison) {
  const auto checks = FailedChecks(comparison);
  if (checks.empty()) return "<p>No check failed in a run that counts.</p>\n";
  std::string out =
      OpenScroll("Failed checks") +
      "<table id=\"checks\"><caption>Failed checks, in how many runs of each side</caption>"
      "<thead><tr><th scope=\"col\">check</th>";
  for (const std::string& side : comparison.sides) {
    absl::StrAppend(&out, "<th scope=\"col\" class=\"number\">", Escape(side), "</th>");
  }
  out += "<th scope=\"col\">for example</th></tr></thead><tbody>\n";
  for (const auto& [id, count] : checks) {
    absl::StrAppend(&out, "<tr><th scope=\"row\">", Escape(id), "</th>");
    for (const size_t runs : count.by_side) {
      absl::StrAppend(&out, "<td class=\"number\">", runs, "</td>");
    }
    absl::StrAppend(&out, "<td class=\"prose\">", Escape(count.example), "</td></tr>\n");
  }
  return out + "</tbody></table></div>\n";
}

std::string LeftOutTable(const Comparison& comparison) {
  if (comparison.left_out.empty()) return "";
  std::string out =
      OpenScroll("Runs left out") +
      "<table id=\"left-out\"><caption>Runs that are left "
      "out</caption><thead><tr><th scope=\"col\">run</th><th scope=\"col\">series</th>"
      "<th scope=\"col\">why</th></tr></thead><tbody>\n";
  for (const LeftOut& left_out : comparison.left_out) {
    const Measurement& measurement = comparison.measurements[left_out.measurement];
    absl::StrAppend(&out, "<tr><th scope=\"row\">", Escape(measurement.name), "</th><td>",
                    Escape(measurement.series), "</td><td class=\"prose\">",
                    Escape(left_out.reason), "</td></tr>\n");
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string CommonList(const Comparison& comparison) {
  std::string main, rest;
  for (const auto& [key, value] : comparison.common) {
    const bool is_main =
        std::find(std::begin(kMainKeys), std::end(kMainKeys), key) != std::end(kMainKeys);
    AddEntry(is_main ? main : rest, AxisTitle(key), AxisValue(key, value));
  }
  AddMachine(main, comparison);
  std::string out = absl::StrCat("<dl class=\"common\">\n", main, "</dl>\n");
  if (rest.empty()) return out;
  return absl::StrCat(out, "<details><summary>What else all runs have in common</summary>",
                      "<dl class=\"common\">\n", rest, "</dl></details>\n");
}

std::string DifferenceTable(const Comparison& comparison) {
  std::string out;
  if (comparison.forced) {
    out +=
        "<p class=\"warning\"><strong>Compared in spite of the differences below:</strong> "
        "what is not expected may be the cause of any change.</p>\n";
  }
  if (comparison.differences.empty()) {
    return out + "<p>The sides differ in nothing but what is compared.</p>\n";
  }
  out += OpenScroll("Differences") +
         "<table id=\"differences\"><caption>Where the sides "
         "differ</caption><thead><tr><th scope=\"col\">key</th>";
  for (const std::string& side : comparison.sides) {
    absl::StrAppend(&out, "<th scope=\"col\">", Escape(side), "</th>");
  }
  out += "<td></td></tr></thead><tbody>\n";
  for (const Difference& difference : comparison.differences) {
    absl::StrAppend(&out, "<tr><th scope=\"row\">", Escape(difference.key), "</th>");
    for (const std::string& value : difference.values) {
      absl::StrAppend(&out, "<td class=\"prose\">", Escape(value), "</td>");
    }
    out += difference.expected ? "<td><span class=\"badge\">expected</span></td></tr>\n"
                               : "<td><span class=\"badge suspect\">unexpected</span></td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string Trust(const Comparison& comparison) {
  std::string out = Badges(comparison);
  if (comparison.notes.empty()) return out;
  out += "<ul class=\"notes\">";
  for (const std::string& note : comparison.notes) {
    absl::StrAppend(&out, "<li>", Escape(note), "</li>\n");
  }
  return out + "</ul>\n";
}

std::string ValidityTables(const Comparison& comparison) {
  return CheckTable(comparison) + LeftOutTable(comparison);
}

}  // namespace ringecho::compare::html

// The answer and the verdict table.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/units.h"
#include "compare/html/format.h"
#include "compare/html/tables.h"
#include "compare/html/view.h"

namespace ringecho::compare::html {
namespace {

using base::ToAbsl;

// A name that CSS can have.
std::string_view ClassOf(Judgement judgement) {
  return judgement == Judgement::kSame ? "same" : Name(judgement);
}

const Overall* OverallOf(const Comparison& comparison, size_t side, size_t metric) {
  for (const Overall& overall : comparison.overall) {
    if (overall.side == side && overall.metric == metric) return &overall;
  }
  return nullptr;
}

// As it stands in a sentence; "~" is for the table, below what explains it.
std::string VerdictSpan(Judgement judgement) {
  const std::string_view words =
      judgement == Judgement::kSame ? "no difference told" : Name(judgement);
  return absl::StrCat("<span class=\"verdict ", ToAbsl(ClassOf(judgement)), "\">", ToAbsl(words),
                      "</span>");
}

// "faster in 3 of 4 (geometric mean +6.2%)", of a single cell "faster (+6.2%)"; empty without
// findings.
std::string MetricAnswer(const Comparison& comparison, size_t side, size_t metric) {
  std::map<Judgement, size_t> counts;
  size_t cells = 0;
  for (const Finding& finding : comparison.findings) {
    if (finding.side != side || finding.metric != metric) continue;
    ++counts[finding.judgement];
    ++cells;
  }
  if (cells == 0) return "";
  std::vector<std::string> parts;
  parts.reserve(counts.size());
  for (const auto& [judgement, count] : counts) {
    parts.push_back(VerdictSpan(judgement));
    if (cells > 1) absl::StrAppend(&parts.back(), " in ", count);
  }
  std::string out = absl::StrJoin(parts, ", ");
  if (cells > 1) absl::StrAppend(&out, " of ", cells);
  if (const Overall* overall = OverallOf(comparison, side, metric)) {
    absl::StrAppend(&out, cells > 1 ? " (geometric mean " : " (",
                    Format(overall->ratio - 1, Quantity::kChange), ")");
  }
  return out;
}

// The change and its interval on a scale from -extent to +extent, as a picture of the numbers
// beside it. Attributes, not styles: the page's policy forbids inline style.
std::string ChangePlot(const Estimate& change, double extent) {
  if (!std::isfinite(change.value)) return "";
  const auto x = [extent](double value) { return 60 + std::clamp(value / extent, -1.0, 1.0) * 56; };
  std::string out =
      "<svg viewBox=\"0 0 120 16\" width=\"120\" height=\"16\" aria-hidden=\"true\">"
      "<line class=\"zero\" x1=\"60\" x2=\"60\" y1=\"0\" y2=\"16\"/>";
  if (std::isfinite(change.low) && std::isfinite(change.high)) {
    absl::StrAppendFormat(&out, "<line class=\"range\" x1=\"%.1f\" x2=\"%.1f\" y1=\"8\" y2=\"8\"/>",
                          x(change.low), x(change.high));
  }
  absl::StrAppendFormat(&out, "<circle cx=\"%.1f\" cy=\"8\" r=\"3.5\"/></svg>", x(change.value));
  return out;
}

// The largest change of a metric or end of an interval: what its plots have to hold, up to +-100%.
double ExtentOf(const Comparison& comparison, size_t metric) {
  double extent = 0.05;
  for (const Finding& finding : comparison.findings) {
    if (finding.metric != metric) continue;
    for (const double end : {finding.change.value, finding.change.low, finding.change.high}) {
      if (std::isfinite(end)) extent = std::max(extent, std::abs(end));
    }
  }
  return std::min(extent, 1.0);
}

std::string EstimateField(const Estimate& estimate, size_t samples, const Metric& metric) {
  const Quantity quantity = QuantityOf(metric.unit);
  const std::string range = FormatRange(estimate.low, estimate.high, quantity);
  return absl::StrCat("<td class=\"number\">", Format(estimate.value, quantity), "<small>",
                      range.empty() ? "" : absl::StrCat(range, ", "), "n=", samples,
                      "</small></td>");
}

std::string FindingRow(const Comparison& comparison, const Finding& finding, double extent) {
  const Metric& metric = comparison.metrics[finding.metric];
  std::string out = "<tr>";
  const std::vector<std::string>& values = comparison.cells[finding.cell].values;
  const bool many = comparison.sides.size() > 2;
  if (values.empty() && !many) out += "<th scope=\"row\">all runs</th>";
  for (size_t axis = 0; axis < values.size(); ++axis) {
    absl::StrAppend(&out, axis == 0 ? "<th scope=\"row\">" : "<td>",
                    Escape(AxisValue(comparison.axes[axis], values[axis])),
                    axis == 0 ? "</th>" : "</td>");
  }
  if (many) {
    absl::StrAppend(&out, values.empty() ? "<th scope=\"row\">" : "<td>",
                    Escape(comparison.sides[finding.side]), values.empty() ? "</th>" : "</td>");
  }
  absl::StrAppend(&out, EstimateField(finding.base, finding.base_samples, metric),
                  EstimateField(finding.median, finding.samples, metric),
                  "<td class=\"number change\">", Format(finding.change.value, Quantity::kChange),
                  "<small>",
                  FormatRange(finding.change.low, finding.change.high, Quantity::kChange),
                  "</small></td><td class=\"plot\">", ChangePlot(finding.change, extent), "</td>");
  if (!metric.judged) return absl::StrCat(out, "</tr>\n");
  absl::StrAppend(
      &out, "<td><span class=\"verdict ", ToAbsl(ClassOf(finding.judgement)), "\">",
      ToAbsl(Name(finding.judgement)), "</span><small>",
      std::isfinite(finding.p_adjusted) ? absl::StrFormat("p = %.2g", finding.p_adjusted) : "",
      finding.note.empty() ? "" : "; ", Escape(finding.note), "</small></td></tr>\n");
  return out;
}

std::string OverallRow(const Comparison& comparison, const Overall& overall, size_t columns) {
  const bool many = comparison.sides.size() > 2;
  const bool judged = comparison.metrics[overall.metric].judged;
  return absl::StrCat(
      "<tr class=\"overall\"><th scope=\"row\" colspan=\"", columns - (judged ? 3 : 2),
      "\">geometric mean", many ? absl::StrCat(" of ", Escape(comparison.sides[overall.side])) : "",
      ", ", overall.cells, overall.cells == 1 ? " cell" : " cells",
      "</th><td class=\"number change\">", Format(overall.ratio - 1, Quantity::kChange),
      "</td><td class=\"plot\"></td>", judged ? "<td></td>" : "", "</tr>\n");
}

std::string MetricRows(const Comparison& comparison, size_t metric, size_t columns) {
  const double extent = ExtentOf(comparison, metric);
  std::string rows;
  for (const Finding& finding : comparison.findings) {
    if (finding.metric == metric) rows += FindingRow(comparison, finding, extent);
  }
  if (rows.empty()) return "";
  for (size_t side = 1; side < comparison.sides.size(); ++side) {
    const Overall* overall = OverallOf(comparison, side, metric);
    // Of a single cell it would say the same again.
    if (overall != nullptr && overall->cells > 1) rows += OverallRow(comparison, *overall, columns);
  }
  const Metric& described = comparison.metrics[metric];
  return absl::StrCat("<tbody><tr class=\"metric\"><th scope=\"rowgroup\" colspan=\"", columns,
                      "\">", Escape(described.title), " <small>",
                      described.better == Better::kHigher ? "higher" : "lower",
                      " is better</small></th></tr>\n", rows, "</tbody>\n");
}

// Column heads; an empty one has no text to be a head with.
std::vector<std::string> Heads(const Comparison& comparison, bool judged) {
  const bool many = comparison.sides.size() > 2;
  std::vector<std::string> heads;
  for (const std::string& axis : comparison.axes) heads.push_back(AxisTitle(axis));
  if (heads.empty() && !many) heads.emplace_back("runs");
  if (many) heads.push_back(comparison.vary);
  heads.insert(heads.end(),
               {comparison.sides[0], many ? "compared" : comparison.sides[1], "change", ""});
  if (judged) heads.emplace_back("verdict");
  return heads;
}

// Of the metrics that are judged or of the others; empty when there is no finding of such.
std::string MetricsTable(const Comparison& comparison, bool judged, std::string_view id) {
  if (comparison.findings.empty()) return "";
  const std::vector<std::string> heads = Heads(comparison, judged);
  std::string rows;
  for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
    if (comparison.metrics[metric].judged != judged) continue;
    rows += MetricRows(comparison, metric, heads.size());
  }
  if (rows.empty()) return "";
  std::string out =
      absl::StrCat(OpenScroll(judged ? "Verdicts" : "Further metrics"),
                   "<table class=\"findings\" id=\"", ToAbsl(id), "\"><caption>Every cell against ",
                   Escape(comparison.sides[0]), "</caption>\n<thead><tr>");
  const size_t plot = heads.size() - (judged ? 2 : 1);
  for (size_t i = 0; i < heads.size(); ++i) {
    if (i == plot) {
      out += "<td class=\"plot\"></td>";
    } else {
      absl::StrAppend(&out, "<th scope=\"col\"",
                      i + 3 >= plot && i < plot ? " class=\"number\"" : "", ">", Escape(heads[i]),
                      "</th>");
    }
  }
  return absl::StrCat(out, "</tr></thead>\n", rows, "</table></div>\n");
}

// What a side is against the base, over its judged findings.
enum class Standing : uint8_t { kFaster, kSlower, kMixed, kSame, kInconclusive };

struct Stood {
  size_t side = 0;
  Standing standing = Standing::kInconclusive;
  const Finding* most = nullptr;  // of those that say faster or slower the largest change
};

// nullopt where nothing was judged.
std::optional<Stood> StoodOf(const Comparison& comparison, size_t side) {
  std::map<Judgement, size_t> counts;
  Stood stood{side, Standing::kInconclusive, nullptr};
  const auto size = [](const Finding& finding) {
    return std::abs(std::log1p(finding.change.value));
  };
  for (const Finding& finding : comparison.findings) {
    if (finding.side != side || !comparison.metrics[finding.metric].judged) continue;
    ++counts[finding.judgement];
    if (finding.judgement != Judgement::kFaster && finding.judgement != Judgement::kSlower)
      continue;
    if (stood.most == nullptr || size(finding) > size(*stood.most)) stood.most = &finding;
  }
  if (counts.empty()) return std::nullopt;
  if (counts.contains(Judgement::kFaster)) {
    stood.standing = counts.contains(Judgement::kSlower) ? Standing::kMixed : Standing::kFaster;
  } else if (counts.contains(Judgement::kSlower)) {
    stood.standing = Standing::kSlower;
  } else if (counts.contains(Judgement::kSame)) {
    stood.standing = Standing::kSame;
  }
  return stood;
}

std::string StandingSpan(Standing standing) {
  switch (standing) {
    case Standing::kFaster:
      return VerdictSpan(Judgement::kFaster) + " in something";
    case Standing::kSlower:
      return VerdictSpan(Judgement::kSlower) + " in something";
    case Standing::kMixed:
      return "faster in one thing and slower in another";
    case Standing::kSame:
      return VerdictSpan(Judgement::kSame);
    case Standing::kInconclusive:
      break;
  }
  return VerdictSpan(Judgement::kInconclusive);
}

std::string Named(const Comparison& comparison, const Stood& stood) {
  std::string name = Escape(comparison.sides[stood.side]);
  if (stood.most == nullptr) return name;
  return absl::StrCat(name, " (", Escape(comparison.metrics[stood.most->metric].title), " ",
                      Format(stood.most->change.value, Quantity::kChange), ")");
}

// "14 slower in something, most of all minimal (p99 +246%), a and b"
std::string StandingAnswer(const Comparison& comparison, Standing standing,
                           std::vector<Stood> all) {
  constexpr size_t kNamed = 3;
  std::erase_if(all, [&](const Stood& one) { return one.standing != standing; });
  if (all.empty()) return "";
  const size_t count = all.size();
  const auto size = [](const Stood& one) {
    return one.most != nullptr ? std::abs(std::log1p(one.most->change.value)) : 0;
  };
  std::stable_sort(all.begin(), all.end(),
                   [&](const Stood& a, const Stood& b) { return size(a) > size(b); });
  std::string out = absl::StrCat(count, " ", StandingSpan(standing));
  // Of those that do not stand out there is nothing to choose some by.
  if (count > kNamed && all[0].most == nullptr) return out;
  all.resize(std::min(count, kNamed));
  std::vector<std::string> names;
  names.reserve(all.size());
  for (const Stood& one : all) names.push_back(Named(comparison, one));
  return absl::StrCat(out, count > kNamed ? ", most of all " : ": ", absl::StrJoin(names, ", "));
}

// One sentence for all sides.
std::string Summary(const Comparison& comparison) {
  std::vector<Stood> all;
  for (size_t side = 1; side < comparison.sides.size(); ++side) {
    if (const auto stood = StoodOf(comparison, side)) all.push_back(*stood);
  }
  if (all.empty()) return "";
  std::vector<std::string> parts;
  for (const Standing standing : {Standing::kFaster, Standing::kSlower, Standing::kMixed,
                                  Standing::kSame, Standing::kInconclusive}) {
    std::string part = StandingAnswer(comparison, standing, all);
    if (!part.empty()) parts.push_back(std::move(part));
  }
  return absl::StrCat("<p class=\"answer\"><strong>", all.size(), "</strong> compared with ",
                      Escape(comparison.sides[0]), ": ", absl::StrJoin(parts, "; "), ".</p>\n");
}

// One sentence for each side.
std::string Sentences(const Comparison& comparison) {
  std::string out;
  for (size_t side = 1; side < comparison.sides.size(); ++side) {
    std::vector<std::string> parts;
    for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
      const Metric& described = comparison.metrics[metric];
      if (!described.judged) continue;
      const std::string answer = MetricAnswer(comparison, side, metric);
      if (!answer.empty()) parts.push_back(absl::StrCat(Escape(described.title), " ", answer));
    }
    if (parts.empty()) continue;
    absl::StrAppend(&out, "<p class=\"answer\"><strong>", Escape(comparison.sides[side]),
                    "</strong> against ", Escape(comparison.sides[0]), ": ",
                    absl::StrJoin(parts, "; "), ".</p>\n");
  }
  return out;
}

}  // namespace

std::string Title(const Comparison& comparison) {
  if (comparison.sides.empty()) return "Nothing to compare";
  std::vector<std::string> others(comparison.sides.begin() + 1, comparison.sides.end());
  if (others.empty()) return comparison.sides[0];
  if (others.size() > 3) return absl::StrCat(others.size(), " against ", comparison.sides[0]);
  return absl::StrCat(absl::StrJoin(others, ", "), " against ", comparison.sides[0]);
}

std::string Answer(const Comparison& comparison) {
  constexpr size_t kSentences = 3;
  std::string out =
      comparison.sides.size() > kSentences ? Summary(comparison) : Sentences(comparison);
  if (!out.empty()) return out;
  return "<p class=\"answer\">There is nothing to judge: no cell has runs of both sides.</p>\n";
}

std::string VerdictTables(const Comparison& comparison) {
  std::string out = MetricsTable(comparison, true, "verdict");
  if (!out.empty()) {
    out = absl::StrCat("<p>Medians with 95% intervals; n is the number of ",
                       comparison.by_boot ? "boots" : "repeats",
                       ". A change is faster or slower when it is at least ",
                       absl::StrFormat("%.3g", comparison.min_effect * 100),
                       "% and not chance (p below ", absl::StrFormat("%.3g", comparison.alpha),
                       " after Holm's correction); ~ is no difference that can be told from "
                       "noise.</p>\n",
                       out);
  }
  const std::string further = MetricsTable(comparison, false, "further");
  if (further.empty()) return out;
  return absl::StrCat(out, "<details><summary>Further metrics, which are not judged</summary>\n",
                      further, "</details>\n");
}

}  // namespace ringecho::compare::html

#include "compare/judge.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "compare/cells.h"
#include "compare/keys.h"
#include "compare/metrics.h"
#include "compare/rank_test.h"
#include "compare/statistics.h"

namespace ringecho::compare {
namespace {

std::string BootOf(const Measurement& measurement, bool of_loader) {
  const auto& first = of_loader ? measurement.load : measurement.server;
  for (const auto* result : {&first, &measurement.load}) {
    if (*result && (*result)->run.boot_id) return *(*result)->run.boot_id;
  }
  return {};  // unknown ones count as one boot: fewer samples, never more than there are
}

bool AnyHas(const Comparison& comparison, const Metric& metric) {
  for (const Cell& cell : comparison.cells) {
    for (const std::vector<size_t>& members : cell.by_side) {
      for (size_t member : members) {
        if (ValueOf(comparison.measurements[member], metric)) return true;
      }
    }
  }
  return false;
}

// A side that has results but not this of what they are judged by.
void NoteLost(const Cell& where, size_t side, const Metric& metric, Comparison& out) {
  if (!metric.judged || where.by_side[side].empty()) return;
  const std::string cell = where.values.empty() ? "" : Describe(out, where) + ": ";
  out.lost.push_back(
      absl::StrCat(cell, "no ", metric.title, " of ", out.sides[side], ", not compared"));
  out.notes.push_back(out.lost.back());
}

void CompareCell(size_t resamples, size_t cell, size_t metric, Comparison& out) {
  const Cell& where = out.cells[cell];
  const std::vector<double> base = Samples(out, where.by_side[0], out.metrics[metric]);
  for (size_t side = 1; side < out.sides.size(); ++side) {
    const std::vector<double> samples = Samples(out, where.by_side[side], out.metrics[metric]);
    if (!base.empty() && samples.empty()) NoteLost(where, side, out.metrics[metric], out);
    if (base.empty() || samples.empty()) continue;
    Finding finding;
    finding.cell = cell;
    finding.side = side;
    finding.metric = metric;
    finding.base_samples = base.size();
    finding.samples = samples.size();
    finding.base = BootstrapMedian(base, resamples);
    finding.median = BootstrapMedian(samples, resamples);
    finding.change = BootstrapChange(base, samples, resamples);
    finding.p = finding.p_adjusted = MannWhitneyP(base, samples);
    finding.judgement = Judgement::kSame;
    out.findings.push_back(std::move(finding));
  }
}

void Decide(size_t family, const Comparison& comparison, Finding& finding) {
  const double level = comparison.alpha / static_cast<double>(family);
  if (SmallestP(finding.base_samples, finding.samples) >= level) {
    finding.judgement = Judgement::kInconclusive;
    finding.note = absl::StrCat("too few ", comparison.by_boot ? "boots" : "repeats", ": ",
                                finding.base_samples, " and ", finding.samples, "; with ", family,
                                family == 1 ? " answer" : " answers", " in all it takes ",
                                SamplesFor(level), " of each");
    return;
  }
  const Metric& metric = comparison.metrics[finding.metric];
  if (finding.p_adjusted < comparison.alpha &&
      std::abs(finding.change.value) >= comparison.min_effect) {
    finding.judgement = Worsening(finding, metric) > 0 ? Judgement::kSlower : Judgement::kFaster;
  }
}

void Judge(Comparison& out) {
  std::vector<Finding*> family;
  std::vector<double> p;
  for (Finding& finding : out.findings) {
    if (!out.metrics[finding.metric].judged) continue;
    family.push_back(&finding);
    p.push_back(finding.p);
  }
  const std::vector<double> adjusted = HolmAdjusted(p);
  for (size_t i = 0; i < family.size(); ++i) {
    family[i]->p_adjusted = adjusted[i];
    Decide(family.size(), out, *family[i]);
  }
}

void AddOverall(Comparison& out) {
  for (size_t side = 1; side < out.sides.size(); ++side) {
    for (size_t metric = 0; metric < out.metrics.size(); ++metric) {
      std::vector<double> ratios;
      for (const Finding& finding : out.findings) {
        if (finding.side != side || finding.metric != metric) continue;
        ratios.push_back(1 + finding.change.value);
      }
      if (ratios.empty()) continue;
      out.overall.push_back(
          {.side = side, .metric = metric, .cells = ratios.size(), .ratio = GeometricMean(ratios)});
    }
  }
}

}  // namespace

std::vector<double> Samples(const Comparison& comparison, const std::vector<size_t>& measurements,
                            const Metric& metric) {
  std::vector<double> values;
  std::vector<std::pair<std::string, std::vector<double>>> boots;  // in the order made
  for (size_t index : measurements) {
    const Measurement& measurement = comparison.measurements[index];
    const std::optional<double> value = ValueOf(measurement, metric);
    if (!value) continue;
    values.push_back(*value);
    const std::string boot = BootOf(measurement, IsLoaderKey(comparison.vary));
    auto it = std::find_if(boots.begin(), boots.end(),
                           [&boot](const auto& known) { return known.first == boot; });
    if (it == boots.end()) it = boots.insert(boots.end(), {boot, {}});
    it->second.push_back(*value);
  }
  if (!comparison.by_boot) return values;
  std::vector<double> medians;
  medians.reserve(boots.size());
  for (const auto& [boot, of_boot] : boots) medians.push_back(Median(of_boot));
  return medians;
}

double Worsening(const Finding& finding, const Metric& metric) {
  return metric.better == Better::kHigher ? -finding.change.value : finding.change.value;
}

std::map<std::string, size_t> InconclusiveNotes(const Comparison& comparison) {
  std::map<std::string, size_t> notes;
  for (const Finding& finding : comparison.findings) {
    const bool judged = comparison.metrics[finding.metric].judged;
    if (judged && finding.judgement == Judgement::kInconclusive) ++notes[finding.note];
  }
  return notes;
}

void JudgeCells(size_t resamples, Comparison& comparison) {
  comparison.metrics = AllMetrics();
  std::erase_if(comparison.metrics,
                [&comparison](const Metric& metric) { return !AnyHas(comparison, metric); });
  for (size_t cell = 0; cell < comparison.cells.size(); ++cell) {
    for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
      CompareCell(resamples, cell, metric, comparison);
    }
  }
  std::stable_sort(comparison.findings.begin(), comparison.findings.end(),
                   [](const Finding& a, const Finding& b) {
                     return a.cell != b.cell ? a.cell < b.cell : a.side < b.side;
                   });
  Judge(comparison);
  AddOverall(comparison);
}

}  // namespace ringecho::compare

#include "compare/noise.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "compare/cells.h"
#include "compare/format.h"
#include "compare/judge.h"
#include "compare/metrics.h"
#include "compare/statistics.h"
#include "compare/trend.h"
#include "report/one_line.h"
#include "report/validity.h"

namespace ringecho::compare {
namespace {

using report::Result;

const char* SampleName(const Comparison& comparison) {
  return comparison.by_boot ? "boot" : "repeat";
}

// Standard deviation over mean; 0 for fewer than two.
double Variation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const auto n = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (double value : values) squares += (value - mean) * (value - mean);
  return std::sqrt(squares / (n - 1)) / mean;
}

// A "~" among samples that are all over the place says little.
void NoteVariation(Comparison& comparison) {
  constexpr double kQuiet = 0.05;
  double most = 0;
  const Metric* noisiest = nullptr;
  for (const Metric& metric : comparison.metrics) {
    if (!metric.judged) continue;
    for (const Cell& cell : comparison.cells) {
      for (const std::vector<size_t>& members : cell.by_side) {
        const double variation = Variation(Samples(comparison, members, metric));
        if (variation <= most) continue;
        most = variation;
        noisiest = &metric;
      }
    }
  }
  if (noisiest == nullptr || most <= kQuiet) return;
  comparison.notes.push_back(absl::StrFormat(
      "noisy: %s varied by up to %.0f%% (standard deviation) among %ss of the same thing, so that "
      "only larger changes can be told from chance",
      noisiest->title, most * 100, SampleName(comparison)));
}

// RFC 3339 in UTC, as results have it: what sorts as text sorts as time.
const std::string& StartOf(const Measurement& measurement) {
  return (measurement.load ? measurement.load : measurement.server)->run.start_time;
}

// Samples in the order in which they were made: a side may be of several folders.
std::vector<double> SamplesInTime(const Comparison& comparison, std::vector<size_t> members,
                                  const Metric& metric) {
  std::stable_sort(members.begin(), members.end(), [&comparison](size_t a, size_t b) {
    return StartOf(comparison.measurements[a]) < StartOf(comparison.measurements[b]);
  });
  return Samples(comparison, members, metric);
}

struct Drift {
  std::string what;  // "p99 of epoll, connections 64"
  Trend trend;
};

// Of every side and judged metric: over all cells together, and in each of several.
std::vector<Drift> Drifts(const Comparison& comparison) {
  std::vector<Drift> out;
  for (size_t side = 0; side < comparison.sides.size(); ++side) {
    for (const Metric& metric : comparison.metrics) {
      if (!metric.judged) continue;
      const std::string what = absl::StrCat(metric.title, " of ", comparison.sides[side]);
      std::vector<std::vector<double>> groups;
      for (const Cell& cell : comparison.cells) {
        groups.push_back(SamplesInTime(comparison, cell.by_side[side], metric));
      }
      out.push_back({what, FindTrend(groups)});
      if (groups.size() == 1) continue;
      for (size_t cell = 0; cell < groups.size(); ++cell) {
        const std::string where = Describe(comparison, comparison.cells[cell]);
        out.push_back({absl::StrCat(what, ", ", where), FindTrend({&groups[cell], 1})});
      }
    }
  }
  return out;
}

void NoteDrift(Comparison& comparison) {
  const std::vector<Drift> drifts = Drifts(comparison);
  std::vector<double> p;
  p.reserve(drifts.size());
  for (const Drift& drift : drifts) p.push_back(drift.trend.p);
  const std::vector<double> adjusted = HolmAdjusted(p);
  const Drift* most = nullptr;
  double most_p = 1;
  for (size_t i = 0; i < drifts.size(); ++i) {
    const double change = std::abs(drifts[i].trend.change);
    if (adjusted[i] >= comparison.alpha || change < comparison.min_effect) continue;
    if (most != nullptr && change <= std::abs(most->trend.change)) continue;
    most = &drifts[i];
    most_p = adjusted[i];
  }
  if (most == nullptr) return;
  comparison.notes.push_back(absl::StrFormat(
      "drift: %s %s by %.0f%% from the first %s to the last (Mann-Kendall, p %s), so what was "
      "measured at another time may differ by as much",
      most->what, most->trend.change > 0 ? "rose" : "fell", std::abs(most->trend.change) * 100,
      SampleName(comparison), FormatP(most_p)));
}

// Calls `see` with every result that counts.
template <class See>
void ForEachResult(const Comparison& comparison, See see) {
  for (const Cell& cell : comparison.cells) {
    for (const std::vector<size_t>& members : cell.by_side) {
      for (size_t member : members) {
        const Measurement& measurement = comparison.measurements[member];
        for (const auto* result : {&measurement.load, &measurement.server}) {
          if (*result) see(**result);
        }
      }
    }
  }
}

void NoteSteal(Comparison& comparison) {
  double most = 0;
  ForEachResult(comparison, [&most](const Result& result) {
    most = std::max(most, result.resources.steal_share.value_or(0));
  });
  if (most <= report::kStealShareMax) return;
  comparison.notes.push_back(absl::StrFormat(
      "steal: the hypervisor took up to %.1f%% of the CPU time from a run", most * 100));
}

void NoteFrequency(Comparison& comparison) {
  std::set<std::string> governors;
  ForEachResult(comparison, [&governors](const Result& result) {
    const auto& governor = result.host.environment.cpu.governor;
    if (governor && *governor != "performance") governors.insert(report::OneLine(*governor));
  });
  if (governors.empty()) return;
  comparison.notes.push_back(absl::StrCat("frequency: the governor was ",
                                          absl::StrJoin(governors, ", "),
                                          ", so clocks may have followed the load"));
}

// Runs of one cell whose server's CPU time was found in another way than that of its other runs: of
// the whole run it is dearer by connecting and warm-up.
void NoteMixedCosts(Comparison& comparison) {
  size_t whole_runs = 0;
  size_t runs = 0;
  size_t mixed = 0;
  for (const Cell& cell : comparison.cells) {
    std::vector<CostOf> ways;
    for (const std::vector<size_t>& members : cell.by_side) {
      for (size_t member : members) {
        const Measurement& measurement = comparison.measurements[member];
        if (measurement.server) ways.push_back(ServerCpuIsOf(measurement));
      }
    }
    if (std::adjacent_find(ways.begin(), ways.end(), std::not_equal_to<>()) == ways.end()) continue;
    ++mixed;
    runs += ways.size();
    whole_runs += static_cast<size_t>(std::count(ways.begin(), ways.end(), CostOf::kWholeRun));
  }
  if (mixed == 0) return;
  comparison.notes.push_back(absl::StrCat(
      "server CPU/msg was not found in one way in ", mixed, mixed == 1 ? " cell" : " cells",
      ": in ", whole_runs, " of ", runs, " runs it is that of the whole run, with connecting and ",
      "warm-up, as no interval of the server lies in the measure phase or io_uring had kernel ",
      "threads; what differs in it may be that"));
}

}  // namespace

void NoteNoise(Comparison& comparison) {
  NoteVariation(comparison);
  NoteDrift(comparison);
  NoteSteal(comparison);
  NoteFrequency(comparison);
  NoteMixedCosts(comparison);
}

}  // namespace ringecho::compare

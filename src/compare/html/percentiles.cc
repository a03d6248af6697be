// Response time by percentile. Histograms are merged, percentiles never averaged.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compare/html/figures.h"
#include "report/latency.h"
#include "stats/histogram.h"
#include "stats/histogram_codec.h"

namespace ringecho::compare::html {
namespace {

// Of one side in one cell.
struct Merged {
  std::optional<stats::Histogram> histogram;
  size_t runs = 0;      // that have a histogram
  size_t unusable = 0;  // of these: not to be decoded, or of another layout
};

void AddRun(const Measurement& measurement, Merged& merged) {
  if (!measurement.load || !measurement.load->latency) return;
  const auto& response = measurement.load->latency->response;
  if (!response || response->count == 0) return;
  ++merged.runs;
  auto decoded = stats::DecodeV2Base64(response->hdr_v2);
  if (decoded.ok() && !merged.histogram) {
    merged.histogram = *std::move(decoded);
  } else if (!decoded.ok() || !merged.histogram->Add(*decoded).ok()) {
    ++merged.unusable;
  }
}

// Where curves have points, as 1 / (1 - p): 32 to the decade, and what results list anyway. About
// 200 up to the resolution of `count` samples.
std::vector<double> Grid(double count) {
  constexpr int kPerDecade = 32;
  std::vector<double> grid;
  for (int i = 0;; ++i) {
    const double x = std::pow(10, static_cast<double>(i) / kPerDecade);
    if (x > count) break;
    grid.push_back(x);
  }
  for (const double percent : report::kPercentiles) {
    const double x = 100 / (100 - percent);
    if (x <= count) grid.push_back(x);
  }
  std::sort(grid.begin(), grid.end());
  const auto same = [](double a, double b) { return std::abs(a - b) < a * 1e-6; };
  grid.erase(std::unique(grid.begin(), grid.end(), same), grid.end());
  return grid;
}

Series CurveOf(const Comparison& comparison, size_t side, const Merged& merged) {
  Series series{comparison.sides[side], side, false, {}};
  if (merged.unusable > 0) {
    absl::StrAppend(&series.name, " (", merged.runs - merged.unusable, " of ", merged.runs,
                    " runs)");
  }
  for (const double x : Grid(static_cast<double>(merged.histogram->count()))) {
    const uint64_t value = merged.histogram->ValueAtPercentile(100 - 100 / x);
    series.points.push_back({x, static_cast<double>(value), kNan, kNan, false, ""});
  }
  return series;
}

}  // namespace

Figure PercentileFigure(const Comparison& comparison) {
  Figure figure;
  figure.id = "percentiles";
  figure.title = "Response time by percentile";
  figure.caption =
      "Every step to the right has ten times fewer messages beyond it. The histograms of all "
      "repeats are merged; lower is better.";
  figure.choice = "Show";
  for (const Cell& cell : comparison.cells) {
    Chart chart;
    chart.label = CellLabel(comparison, cell);
    chart.x = {"percentile", Scale::kLog, Quantity::kTail};
    chart.y = {"response time", Scale::kLog, Quantity::kNanoseconds};
    for (size_t side = 0; side < cell.by_side.size(); ++side) {
      Merged merged;
      for (const size_t index : cell.by_side[side]) {
        AddRun(comparison.measurements[index], merged);
      }
      if (merged.histogram) chart.series.push_back(CurveOf(comparison, side, merged));
    }
    if (!chart.series.empty()) figure.charts.push_back(std::move(chart));
  }
  return figure;
}

}  // namespace ringecho::compare::html

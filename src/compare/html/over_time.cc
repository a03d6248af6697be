// Time series: the intervals of every repeat, counted from the start of its measure phase.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compare/html/figures.h"

namespace ringecho::compare::html {
namespace {

// More points to a line than this are drawn as fewer, each of several intervals.
constexpr size_t kPointsMax = 150;

enum class Shown : uint8_t { kRate, kP99 };

struct Window {
  int64_t begin_ns = 0;  // the first that is shown: the warm-up if there is one
  int64_t measure_ns = 0;
};

std::optional<Window> WindowOf(const report::Result& result) {
  std::optional<Window> window;
  for (const report::Phase& phase : result.phases) {
    if (phase.name == report::PhaseName::kMeasure) window = {phase.start_ns, phase.start_ns};
  }
  if (!window) return window;
  for (const report::Phase& phase : result.phases) {
    if (phase.name == report::PhaseName::kWarmup) window->begin_ns = phase.start_ns;
  }
  return window;
}

// Several intervals as one: the rate is that of all, the p99 the highest, because percentiles do
// not add up.
std::optional<Point> PointOf(const std::vector<report::Interval>& intervals, int64_t origin_ns,
                             Shown shown) {
  const int64_t from = intervals.front().t_start_ns;
  const int64_t to = intervals.back().t_end_ns;
  if (to <= from) return std::nullopt;
  const double middle = (static_cast<double>(from) + static_cast<double>(to)) / 2;
  Point point;
  point.x = (middle - static_cast<double>(origin_ns)) / 1e9;
  if (shown == Shown::kRate) {
    double messages = 0;
    for (const report::Interval& one : intervals) messages += static_cast<double>(one.messages);
    point.y = messages / (static_cast<double>(to - from) / 1e9);
    return point;
  }
  std::optional<int64_t> highest;
  for (const report::Interval& one : intervals) {
    if (one.p99_ns) highest = std::max(highest.value_or(0), *one.p99_ns);
  }
  if (!highest) return std::nullopt;
  point.y = static_cast<double>(*highest);
  return point;
}

std::vector<Point> PointsOf(const report::Result& result, const Window& window, Shown shown) {
  std::vector<report::Interval> kept;
  for (const report::Interval& interval : result.intervals) {
    if (interval.t_start_ns >= window.begin_ns) kept.push_back(interval);
  }
  const size_t step = (kept.size() + kPointsMax - 1) / kPointsMax;
  std::vector<Point> points;
  for (size_t first = 0; first < kept.size(); first += step) {
    const size_t last = std::min(first + step, kept.size());
    const auto point = PointOf(
        {kept.begin() + static_cast<ptrdiff_t>(first), kept.begin() + static_cast<ptrdiff_t>(last)},
        window.measure_ns, shown);
    if (point) points.push_back(*point);
  }
  return points;
}

Chart ChartOf(const Comparison& comparison, const Cell& cell, Shown shown) {
  Chart chart;
  chart.label = CellLabel(comparison, cell);
  chart.x = {"time since the measurement began", Scale::kLinear, Quantity::kSeconds};
  chart.y = shown == Shown::kRate
                ? Axis{"messages/s", Scale::kLinear, Quantity::kPerSecond}
                : Axis{"p99 of the interval", Scale::kLog, Quantity::kNanoseconds};
  double warmup_s = 0;
  for (size_t side = 0; side < cell.by_side.size(); ++side) {
    size_t repeat = 0;
    for (const size_t index : cell.by_side[side]) {
      const Measurement& measurement = comparison.measurements[index];
      const auto& result = measurement.load ? measurement.load : measurement.server;
      ++repeat;
      if (!result) continue;
      const auto window = WindowOf(*result);
      if (!window) continue;
      auto points = PointsOf(*result, *window, shown);
      if (points.empty()) continue;
      warmup_s =
          std::max(warmup_s, static_cast<double>(window->measure_ns - window->begin_ns) / 1e9);
      const std::string name = absl::StrCat(comparison.sides[side], " ", repeat);
      chart.series.push_back({name, side, false, std::move(points)});
    }
  }
  if (warmup_s > 0) chart.bands.push_back({-warmup_s, 0, "warm-up"});
  return chart;
}

size_t MeasuredIntervals(const Measurement& measurement) {
  const auto& result = measurement.load ? measurement.load : measurement.server;
  const auto window = result ? WindowOf(*result) : std::nullopt;
  if (!window) return 0;
  return static_cast<size_t>(std::count_if(
      result->intervals.begin(), result->intervals.end(),
      [&](const report::Interval& one) { return one.t_start_ns >= window->measure_ns; }));
}

// Of one point for each run nothing can be seen that the other charts do not show.
bool TooShort(const Comparison& comparison) {
  size_t longest = 0;
  for (const Cell& cell : comparison.cells) {
    for (const auto& side : cell.by_side) {
      for (const size_t index : side) {
        longest = std::max(longest, MeasuredIntervals(comparison.measurements[index]));
      }
    }
  }
  return longest == 1;
}

Figure OverTime(const Comparison& comparison, Shown shown) {
  Figure figure;
  figure.choice = "Show";
  if (TooShort(comparison)) return figure;
  for (const Cell& cell : comparison.cells) {
    Chart chart = ChartOf(comparison, cell, shown);
    if (!chart.series.empty()) figure.charts.push_back(std::move(chart));
  }
  return figure;
}

}  // namespace

Figure RateOverTimeFigure(const Comparison& comparison) {
  Figure figure = OverTime(comparison, Shown::kRate);
  figure.id = "rate-over-time";
  figure.title = "Throughput over time";
  figure.caption = "A line per repeat, a point per interval. The warm-up, shaded, does not count.";
  if (TooShort(comparison)) {
    figure.instead =
        "The runs are too short for a time series: each has a single interval. Take longer runs, "
        "or shorter intervals (-i).";
  }
  return figure;
}

Figure LatencyOverTimeFigure(const Comparison& comparison) {
  Figure figure = OverTime(comparison, Shown::kP99);
  figure.id = "latency-over-time";
  figure.title = "p99 over time";
  figure.caption =
      "A line per repeat, a point per interval: spikes that come back are something the machine "
      "does, one that stands alone is an accident.";
  return figure;
}

}  // namespace ringecho::compare::html

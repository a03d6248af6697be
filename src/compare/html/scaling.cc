// Charts of medians with intervals: against connections, against the offered load.
#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "compare/html/figures.h"

namespace ringecho::compare::html {
namespace {

// The axis that charts run along; empty when no number varies.
std::string_view NumericAxis(const Comparison& comparison) {
  for (const std::string_view axis : {"connections", "size_bytes", "depth", "threads"}) {
    if (std::find(comparison.axes.begin(), comparison.axes.end(), axis) != comparison.axes.end()) {
      return axis;
    }
  }
  return "";
}

Axis YAxis(const Metric& metric) { return {metric.title, Scale::kLinear, QuantityOf(metric.unit)}; }

// One line per side over these cells, each cell at its x.
std::vector<Series> SeriesOf(const Comparison& comparison, size_t metric,
                             const std::vector<std::pair<double, size_t>>& cells_at) {
  std::vector<Series> all;
  for (size_t side = 0; side < comparison.sides.size(); ++side) {
    Series series{comparison.sides[side], side, false, {}};
    for (const auto& [x, cell] : cells_at) {
      const auto estimate = EstimateOf(comparison, cell, side, metric);
      if (!estimate) continue;
      series.points.push_back({x, estimate->value, estimate->low, estimate->high, false, ""});
    }
    if (!series.points.empty()) all.push_back(std::move(series));
  }
  return all;
}

std::vector<std::pair<double, size_t>> CellsAlong(const Comparison& comparison,
                                                  const std::vector<size_t>& cells,
                                                  std::string_view axis) {
  std::vector<std::pair<double, size_t>> cells_at;
  for (const size_t cell : cells) {
    const auto x = ConfiguredValue(comparison, comparison.cells[cell], axis);
    if (x) cells_at.emplace_back(*x, cell);
  }
  std::sort(cells_at.begin(), cells_at.end());
  return cells_at;
}

Chart ChartPerCell(const Comparison& comparison, size_t metric) {
  Chart chart;
  chart.label = "all";
  chart.x = {"cell", Scale::kCategory, Quantity::kCount};
  chart.y = YAxis(comparison.metrics[metric]);
  std::vector<std::pair<double, size_t>> cells_at;
  for (size_t cell = 0; cell < comparison.cells.size(); ++cell) {
    cells_at.emplace_back(static_cast<double>(cell), cell);
    chart.categories.push_back(CellLabel(comparison, comparison.cells[cell]));
  }
  chart.series = SeriesOf(comparison, metric, cells_at);
  return chart;
}

// Latencies spread over decades, and overload is where they do.
constexpr std::pair<std::string_view, bool> kLoadMetrics[] = {{"p50_ns", true}, {"p99_ns", false}};

Chart OfferedLoadChart(const Comparison& comparison, const CellGroup& group) {
  Chart chart;
  chart.label = group.label.empty() ? "all" : group.label;
  chart.x = {"offered, messages/s", Scale::kLinear, Quantity::kPerSecond};
  chart.y = {"response time", Scale::kLog, Quantity::kNanoseconds};
  const auto cells_at = CellsAlong(comparison, group.cells, "rate_target_per_s");
  std::set<double> rates;
  for (const auto& [rate, cell] : cells_at) rates.insert(rate);
  if (rates.size() < 2) return chart;
  for (const auto& [id, dashed] : kLoadMetrics) {
    const auto metric = MetricIndex(comparison, id);
    if (!metric) continue;
    for (Series& series : SeriesOf(comparison, *metric, cells_at)) {
      absl::StrAppend(&series.name, ", ", comparison.metrics[*metric].title);
      series.dashed = dashed;
      chart.series.push_back(std::move(series));
    }
  }
  return chart;
}

// Points of rates that were not reached: the latency there grows with the length of the run.
void MarkOverload(const Comparison& comparison, const CellGroup& group, Chart& chart) {
  constexpr double kReached = 0.99;
  const auto metric = MetricIndex(comparison, "messages_per_s");
  if (!metric) return;
  const auto cells_at = CellsAlong(comparison, group.cells, "rate_target_per_s");
  for (Series& series : chart.series) {
    for (Point& point : series.points) {
      for (const auto& [rate, cell] : cells_at) {
        if (rate != point.x) continue;
        const auto achieved = EstimateOf(comparison, cell, series.side, *metric);
        if (achieved && achieved->value < rate * kReached) point.hollow = true;
      }
    }
  }
}

}  // namespace

Figure ScalingFigure(const Comparison& comparison, std::string_view metric, std::string_view id) {
  Figure figure;
  figure.id = id;
  const auto index = MetricIndex(comparison, metric);
  if (!index) return figure;
  const Metric& described = comparison.metrics[*index];
  const std::string_view axis = NumericAxis(comparison);
  figure.caption =
      absl::StrCat("Medians over the repeats with 95% intervals; ",
                   described.better == Better::kHigher ? "higher" : "lower", " is better.");
  if (axis.empty()) {
    figure.title = described.title;
    figure.draw = Draw::kDots;
    Chart chart = ChartPerCell(comparison, *index);
    if (!chart.series.empty()) figure.charts.push_back(std::move(chart));
    if (HasManySides(comparison)) {
      figure.charts = Turned(figure.charts, comparison.vary, comparison.sides[0]);
      figure.choice = "Show";
    }
    return figure;
  }
  figure.title = absl::StrCat(described.title, " against ", AxisTitle(axis));
  figure.choice = "Show";
  for (const CellGroup& group : GroupCells(comparison, axis)) {
    Chart chart;
    chart.label = group.label;
    chart.x = {AxisTitle(axis), Scale::kLog, Quantity::kCount};
    chart.y = YAxis(described);
    chart.series = SeriesOf(comparison, *index, CellsAlong(comparison, group.cells, axis));
    if (!chart.series.empty()) figure.charts.push_back(std::move(chart));
  }
  return figure;
}

Figure OfferedLoadFigure(const Comparison& comparison) {
  Figure figure;
  figure.id = "offered-load";
  figure.title = "Response time against offered load";
  figure.caption =
      "Open loop: messages are sent on a schedule and timed from the moment they were meant to be "
      "sent. Solid: p99; dashed: p50. Medians over the repeats with 95% intervals; lower is "
      "better.";
  figure.choice = "Show";
  figure.hollow = "the offered rate was not reached, so the response time grows with the run.";
  for (const CellGroup& group : GroupCells(comparison, "rate_target_per_s")) {
    Chart chart = OfferedLoadChart(comparison, group);
    if (chart.series.empty()) continue;
    MarkOverload(comparison, group, chart);
    figure.charts.push_back(std::move(chart));
  }
  return figure;
}

}  // namespace ringecho::compare::html

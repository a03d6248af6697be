// Every repeat as a dot.
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>

#include "compare/html/figures.h"

namespace ringecho::compare::html {
namespace {

// Cells differ by orders of magnitude, so every dot stands at its distance from the base's median
// in its cell; the table has the values themselves.
void AddDots(const Comparison& comparison, size_t metric, size_t cell, Series& series) {
  const auto base = EstimateOf(comparison, cell, 0, metric);
  const bool relative = base && std::isfinite(base->value) && base->value != 0;
  for (const size_t index : comparison.cells[cell].by_side[series.side]) {
    const Measurement& measurement = comparison.measurements[index];
    const auto value = ValueOf(measurement, comparison.metrics[metric]);
    if (!value) continue;
    Point point;
    point.x = static_cast<double>(cell);
    point.y = relative ? *value / base->value - 1 : kNan;
    point.hollow = VerdictOf(measurement) != report::Verdict::kValid;
    point.text = Format(*value, QuantityOf(comparison.metrics[metric].unit));
    series.points.push_back(std::move(point));
  }
}

}  // namespace

Figure RepeatsFigure(const Comparison& comparison) {
  Figure figure;
  figure.id = "repeats";
  figure.title = "Every repeat";
  figure.caption =
      "A dot per run, relative to the median of the base in the same cell: what the medians and "
      "intervals are made of.";
  figure.choice = "Metric";
  figure.hollow = "the run is suspect.";
  figure.draw = Draw::kDots;
  for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
    Chart chart;
    chart.label = comparison.metrics[metric].title;
    chart.x = {"cell", Scale::kCategory, Quantity::kCount};
    chart.y = {chart.label + " against the base's median", Scale::kLinear, Quantity::kChange};
    chart.reference = 0;
    chart.reference_label = comparison.sides.empty() ? "" : comparison.sides[0];
    for (const Cell& cell : comparison.cells) {
      chart.categories.push_back(CellLabel(comparison, cell));
    }
    for (size_t side = 0; side < comparison.sides.size(); ++side) {
      Series series{comparison.sides[side], side, false, {}};
      for (size_t cell = 0; cell < comparison.cells.size(); ++cell) {
        AddDots(comparison, metric, cell, series);
      }
      if (!series.points.empty()) chart.series.push_back(std::move(series));
    }
    if (!chart.series.empty()) figure.charts.push_back(std::move(chart));
  }
  if (HasManySides(comparison)) {
    figure.charts = Turned(figure.charts, comparison.vary, comparison.sides[0]);
    figure.choice = "Show";
  }
  return figure;
}

}  // namespace ringecho::compare::html

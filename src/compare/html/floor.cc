// What the server costs next to the two things that bound it: the kernel's floor and epoll.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "compare/html/figures.h"

namespace ringecho::compare::html {
namespace {

constexpr std::string_view kCost = "server_cpu_ns_per_message";

// A side of a cell, and what its cost is divided by.
struct Compared {
  size_t cell = 0;
  size_t side = 0;
  double cost_ns = 0;
  double reference_ns = 0;
};

// Of the floors of one run the one of the nearest size, then the nearest number of connections, by
// ratio: floors grow with the logarithm of either.
std::optional<double> NearestFloor(const report::Calibration& calibration, double connections,
                                   double size_bytes) {
  const report::EchoFloor* nearest = nullptr;
  std::pair<double, double> distance;
  for (const report::EchoFloor& floor : calibration.loopback_echo_floor) {
    if (!std::isfinite(floor.ns_per_echo) || floor.ns_per_echo <= 0) continue;
    const auto far = [](int64_t a, double b) {
      return std::abs(std::log(static_cast<double>(a) / b));
    };
    const std::pair here = {far(floor.size_bytes, size_bytes), far(floor.connections, connections)};
    if (nearest != nullptr && here >= distance) continue;
    nearest = &floor;
    distance = here;
  }
  return nearest != nullptr ? std::optional(nearest->ns_per_echo) : std::nullopt;
}

// The median of what the runs of a cell's side measured.
double FloorOf(const Comparison& comparison, const Cell& cell, size_t side) {
  const double connections = ConfiguredValue(comparison, cell, "connections").value_or(1);
  const double size_bytes = ConfiguredValue(comparison, cell, "size_bytes").value_or(64);
  std::vector<double> floors;
  for (const size_t index : cell.by_side[side]) {
    const Measurement& measurement = comparison.measurements[index];
    for (const auto* result : {&measurement.server, &measurement.load}) {
      if (!*result || !(*result)->calibration) continue;
      const auto floor = NearestFloor(*(*result)->calibration, connections, size_bytes);
      if (!floor) continue;
      floors.push_back(*floor);
      break;  // the other end measured the same machine
    }
  }
  return Median(std::move(floors));
}

bool IsEpoll(const Comparison& comparison, const Cell& cell, size_t side) {
  return !cell.by_side[side].empty() &&
         EngineOf(comparison.measurements[cell.by_side[side][0]]) == "epoll";
}

// The side of this cell that is epoll, or this side of the cell that differs in the engine alone.
std::optional<std::pair<size_t, size_t>> EpollBeside(const Comparison& comparison, size_t cell,
                                                     size_t side) {
  for (size_t other = 0; other < comparison.sides.size(); ++other) {
    if (IsEpoll(comparison, comparison.cells[cell], other)) return std::pair(cell, other);
  }
  for (const CellGroup& group : GroupCells(comparison, "engine")) {
    if (std::find(group.cells.begin(), group.cells.end(), cell) == group.cells.end()) continue;
    for (const size_t other : group.cells) {
      if (IsEpoll(comparison, comparison.cells[other], side)) return std::pair(other, side);
    }
  }
  return std::nullopt;
}

double EpollCost(const Comparison& comparison, size_t cell, size_t side, size_t metric) {
  if (IsEpoll(comparison, comparison.cells[cell], side)) return kNan;
  const auto beside = EpollBeside(comparison, cell, side);
  if (!beside) return kNan;
  const auto cost = EstimateOf(comparison, beside->first, beside->second, metric);
  return cost ? cost->value : kNan;
}

// `name` is what the reference is. `reference(cell, side)` is NaN where there is none.
template <class Reference>
void AddChart(const Comparison& comparison, std::string_view name, Reference reference,
              Figure& figure) {
  const auto metric = MetricIndex(comparison, kCost);
  if (!metric) return;
  Chart chart;
  chart.x = {"cell", Scale::kCategory, Quantity::kCount};
  chart.y = {absl::StrCat("multiple of ", base::ToAbsl(name)), Scale::kLinear, Quantity::kTimes};
  chart.reference = 1;
  chart.reference_label = name;
  for (const Cell& cell : comparison.cells) chart.categories.push_back(CellLabel(comparison, cell));
  for (size_t side = 0; side < comparison.sides.size(); ++side) {
    Series series{comparison.sides[side], side, false, {}};
    for (size_t cell = 0; cell < comparison.cells.size(); ++cell) {
      const auto cost = EstimateOf(comparison, cell, side, *metric);
      const double against = cost ? reference(cell, side, *metric) : kNan;
      if (!std::isfinite(against) || against <= 0) continue;
      const double times = cost->value / against;
      series.points.push_back({static_cast<double>(cell), times, kNan, kNan, false,
                               Format(times, Quantity::kTimes) + " (" +
                                   Format(cost->value, Quantity::kNanoseconds) + " / " +
                                   Format(against, Quantity::kNanoseconds) + ")"});
    }
    if (!series.points.empty()) chart.series.push_back(std::move(series));
  }
  if (!chart.series.empty()) figure.charts.push_back(std::move(chart));
  if (HasManySides(comparison)) {
    figure.charts = Turned(figure.charts, comparison.vary, comparison.sides[0]);
    figure.choice = "Show";
  }
}

}  // namespace

Figure FloorFigure(const Comparison& comparison) {
  Figure figure;
  figure.id = "floor";
  figure.title = "Server CPU per message against the floor";
  figure.caption =
      "The floor is one echo over loopback on this kernel without any engine, measured beside the "
      "runs by one thread that is both ends and never waits. The server is one end: what it takes "
      "beyond half of the floor is the price of waiting and of many connections. Lower is better.";
  figure.draw = Draw::kBars;
  AddChart(
      comparison, "the floor",
      [&](size_t cell, size_t side, size_t) {
        return FloorOf(comparison, comparison.cells[cell], side);
      },
      figure);
  return figure;
}

Figure EpollFigure(const Comparison& comparison) {
  Figure figure;
  figure.id = "epoll";
  figure.title = "Server CPU per message against epoll";
  figure.caption =
      "Below 1 the server takes less CPU time per message than epoll does in the same "
      "cell; lower is better.";
  figure.draw = Draw::kBars;
  AddChart(
      comparison, "epoll",
      [&](size_t cell, size_t side, size_t metric) {
        return EpollCost(comparison, cell, side, metric);
      },
      figure);
  return figure;
}

}  // namespace ringecho::compare::html

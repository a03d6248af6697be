#include "compare/html/view.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "base/units.h"

namespace ringecho::compare::html {
namespace {

using base::ToAbsl;

const report::Result* LoadOrServer(const Measurement& measurement) {
  if (measurement.load) return &*measurement.load;
  return measurement.server ? &*measurement.server : nullptr;
}

template <class T>
std::optional<double> AsDouble(const std::optional<T>& value) {
  return value ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
}

// Whose a key is that both ends have. The other's has it in its name: "server.threads",
// "loader_engine".
constexpr std::string_view kOfLoadGenerator[] = {"threads",           "cpus",    "wait",
                                                 "buffer_size_bytes", "buffers", "interval_ns"};
constexpr std::string_view kOfServer[] = {"engine", "features", "features_requested"};

template <class Keys>
bool IsOneOf(const Keys& keys, std::string_view key) {
  return std::find(std::begin(keys), std::end(keys), key) != std::end(keys);
}

std::string_view OwnerOf(std::string_view& key) {
  if (key.starts_with("loader_")) {
    key.remove_prefix(std::string_view("loader_").size());
    return "load generator ";
  }
  if (IsOneOf(kOfLoadGenerator, key)) return "load generator ";
  return IsOneOf(kOfServer, key) ? "server " : "";
}

}  // namespace

std::string AxisTitle(std::string_view axis) {
  if (axis == "rate_target_per_s") return "offered rate";
  if (axis.starts_with("label.")) return std::string(axis);
  const std::string_view owner = OwnerOf(axis);
  for (const std::string_view unit : {"_bytes", "_ns"}) {
    if (axis.ends_with(unit)) axis.remove_suffix(unit.size());
  }
  return absl::StrCat(ToAbsl(owner), absl::StrReplaceAll(ToAbsl(axis), {{"_", " "}, {".", " "}}));
}

std::string AxisValue(std::string_view axis, std::string_view value) {
  if (axis == "mode") return absl::StrCat(ToAbsl(value), " loop");
  int64_t number = 0;
  if (!absl::SimpleAtoi(ToAbsl(value), &number) || number < 0) return std::string(value);
  if (axis.ends_with("_ns")) return base::FormatDuration(number);
  return absl::StrCat(base::FormatThousands(number), axis.ends_with("_bytes") ? " B" : "");
}

std::string CellLabel(const Comparison& comparison, const Cell& cell,
                      const std::vector<size_t>& axes) {
  std::string label;
  for (const size_t axis : axes) {
    const std::string title = AxisTitle(comparison.axes[axis]);
    const std::string value = AxisValue(comparison.axes[axis], cell.values[axis]);
    absl::StrAppend(&label, label.empty() ? "" : ", ");
    if (title == "mode") {
      absl::StrAppend(&label, value);
    } else if (title != "connections") {
      absl::StrAppend(&label, title, " ", value);
    } else {
      absl::StrAppend(&label, value, value == "1" ? " connection" : " connections");
    }
  }
  return label.empty() ? "all runs" : label;
}

std::string CellLabel(const Comparison& comparison, const Cell& cell) {
  std::vector<size_t> all(comparison.axes.size());
  for (size_t axis = 0; axis < all.size(); ++axis) all[axis] = axis;
  return CellLabel(comparison, cell, all);
}

std::optional<size_t> MetricIndex(const Comparison& comparison, std::string_view id) {
  for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
    if (comparison.metrics[metric].id == id) return metric;
  }
  return std::nullopt;
}

std::optional<Estimate> EstimateOf(const Comparison& comparison, size_t cell, size_t side,
                                   size_t metric) {
  for (const Finding& finding : comparison.findings) {
    if (finding.cell != cell || finding.metric != metric) continue;
    if (side == 0) return finding.base;
    if (finding.side == side) return finding.median;
  }
  std::vector<double> values;
  for (const size_t measurement : comparison.cells[cell].by_side[side]) {
    const auto value = ValueOf(comparison.measurements[measurement], comparison.metrics[metric]);
    if (value) values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  return Estimate{Median(std::move(values)), kNan, kNan};
}

std::optional<double> ConfiguredValue(const Comparison& comparison, const Cell& cell,
                                      std::string_view axis) {
  for (const std::vector<size_t>& side : cell.by_side) {
    for (const size_t measurement : side) {
      const report::Result* result = LoadOrServer(comparison.measurements[measurement]);
      if (result == nullptr) continue;
      const report::Config& config = result->config;
      if (axis == "connections") return static_cast<double>(config.connections);
      if (axis == "threads") return static_cast<double>(config.threads);
      if (axis == "size_bytes") return AsDouble(config.size_bytes);
      if (axis == "depth") return AsDouble(config.depth);
      if (axis == "rate_target_per_s" && config.mode == report::Mode::kOpen) {
        return config.rate_target_per_s;
      }
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::string_view EngineOf(const Measurement& measurement) {
  if (measurement.server) return measurement.server->config.engine.name;
  return measurement.load ? std::string_view(measurement.load->config.engine.name) : "";
}

report::Verdict VerdictOf(const Measurement& measurement) {
  auto worst = report::Verdict::kValid;
  if (measurement.load) worst = measurement.load->validity.verdict;
  if (measurement.server) worst = std::max(worst, measurement.server->validity.verdict);
  return worst;
}

std::vector<CellGroup> GroupCells(const Comparison& comparison, std::string_view free) {
  std::vector<size_t> kept;
  for (size_t axis = 0; axis < comparison.axes.size(); ++axis) {
    if (comparison.axes[axis] != free) kept.push_back(axis);
  }
  std::vector<CellGroup> groups;
  for (size_t cell = 0; cell < comparison.cells.size(); ++cell) {
    const std::string label =
        kept.empty() ? "" : CellLabel(comparison, comparison.cells[cell], kept);
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const CellGroup& group) { return group.label == label; });
    if (found != groups.end()) {
      found->cells.push_back(cell);
    } else {
      groups.push_back({label, {cell}});
    }
  }
  return groups;
}

bool HasManySides(const Comparison& comparison) { return comparison.sides.size() > kColors; }

std::vector<std::optional<size_t>> ColorsOf(const Comparison& comparison) {
  const size_t sides = comparison.sides.size();
  std::vector<double> change(sides, 0);
  for (const Overall& overall : comparison.overall) {
    if (!comparison.metrics[overall.metric].judged || !(overall.ratio > 0)) continue;
    change[overall.side] = std::max(change[overall.side], std::abs(std::log(overall.ratio)));
  }
  std::vector<size_t> ranked;
  for (size_t side = 1; side < sides; ++side) ranked.push_back(side);
  std::stable_sort(ranked.begin(), ranked.end(),
                   [&](size_t a, size_t b) { return change[a] > change[b]; });
  if (HasManySides(comparison)) ranked.resize(kColors - 1);
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::optional<size_t>> colors(sides);
  if (sides > 0) colors[0] = 0;
  for (size_t i = 0; i < ranked.size(); ++i) colors[ranked[i]] = i + 1;
  return colors;
}

double Median(std::vector<double> values) {
  if (values.empty()) return kNan;
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace ringecho::compare::html

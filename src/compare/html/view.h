// Questions that several parts of the page have about a comparison.
#ifndef RINGECHO_COMPARE_HTML_VIEW_H_
#define RINGECHO_COMPARE_HTML_VIEW_H_

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compare/comparison.h"

namespace ringecho::compare::html {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// "size_bytes" -> "size", "server.cpus" -> "server cpus", "rate_target_per_s" -> "offered rate";
// units go because AxisValue writes them. Of what both ends have it says whose it is: "cpus" ->
// "load generator cpus". Labels keep their names.
std::string AxisTitle(std::string_view axis);

// A value of such a key as people read it: "10000" connections -> "10,000", "4096" of size_bytes ->
// "4,096 B", nanoseconds as a duration, "closed" of mode -> "closed loop". What is no number stays
// as it is.
std::string AxisValue(std::string_view axis, std::string_view value);

// "64 connections, size 4,096 B": the values of a cell on the given axes; "all runs" without axes.
std::string CellLabel(const Comparison& comparison, const Cell& cell,
                      const std::vector<size_t>& axes);
std::string CellLabel(const Comparison& comparison, const Cell& cell);  // on all axes

std::optional<size_t> MetricIndex(const Comparison& comparison, std::string_view id);

// What a cell's side has in a metric: from its finding, with the interval. A side that could not be
// compared (the other has nothing in this cell) has the median of its measurements and no interval;
// nullopt when it has no measurement with that metric either.
std::optional<Estimate> EstimateOf(const Comparison& comparison, size_t cell, size_t side,
                                   size_t metric);

// What the measurements of a cell were configured to: "connections", "size_bytes", "depth",
// "threads" or "rate_target_per_s" (of open loops only). nullopt for other axes and empty cells.
std::optional<double> ConfiguredValue(const Comparison& comparison, const Cell& cell,
                                      std::string_view axis);

// The engine of the server where there is one of ours, of the load generator otherwise.
std::string_view EngineOf(const Measurement& measurement);

// valid, suspect or invalid: the worse of both ends.
report::Verdict VerdictOf(const Measurement& measurement);

// Cells that differ only in the axis `free`, as indices in the order of the cells.
struct CellGroup {
  std::string label;  // what they have in common; empty when `free` is all they differ in
  std::vector<size_t> cells;
};
std::vector<CellGroup> GroupCells(const Comparison& comparison, std::string_view free);

// charts.js has so many colours.
inline constexpr size_t kColors = 7;

// More sides than colours: they are told apart by their names or not at all.
bool HasManySides(const Comparison& comparison);

// The colour of each side, an index. Of many sides only the base and those that differ most from it
// in a judged metric have one, the others are background.
std::vector<std::optional<size_t>> ColorsOf(const Comparison& comparison);

// The median; NaN of nothing.
double Median(std::vector<double> values);

}  // namespace ringecho::compare::html

#endif  // RINGECHO_COMPARE_HTML_VIEW_H_

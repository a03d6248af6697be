// What a comparison found, as plain data: text, markdown, JSON and HTML are written from it alone.
//
// Two or more *sides* (two engines, two kernels, two builds; the first is the base) are compared
// cell by cell. A *cell* is everything else that was configured: connections, size, depth, ... A
// *measurement* is one run: what a load generator wrote and, where there was one of ours, what the
// server wrote of the same run. For every cell, side and metric there is one *finding*.
//
// Indices refer to the vectors of this struct. No invariants beyond those stated; compare.h makes
// it, everything else reads it.
#ifndef RINGECHO_COMPARE_COMPARISON_H_
#define RINGECHO_COMPARE_COMPARISON_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/result.h"

namespace ringecho::compare {

struct Measurement {
  std::string name;    // for people: the files' common name, without folder and ".load.json"
  std::string series;  // for people: the folder it came from, as given
  std::optional<report::Result> load;
  std::optional<report::Result> server;  // at least one of the two
};

enum class Better : uint8_t { kHigher, kLower };
enum class Unit : uint8_t { kPerSecond, kNanoseconds, kBytes, kRatio, kCount };

// A number that every measurement may have one of.
struct Metric {
  std::string id;     // "messages_per_s", "server_cpu_ns_per_message", "p99_ns", ...
  std::string title;  // "messages/s", "server CPU/msg", "p99"
  Unit unit = Unit::kCount;
  Better better = Better::kHigher;
  bool judged = true;  // takes part in the verdict and in Holm's correction
};

// A value with its interval; low <= value <= high unless there is no interval (both NaN).
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

enum class Judgement : uint8_t {
  kFaster,        // better by the minimum effect or more, and not by chance
  kSlower,        // worse likewise
  kSame,          // "~": no difference that matters can be told from noise
  kInconclusive,  // too few samples for an answer whatever they say; `note` says how many it takes
};

// One side of one cell against the base, in one metric.
struct Finding {
  size_t cell = 0;
  size_t side = 0;  // from 1: side 0 is the base
  size_t metric = 0;
  size_t base_samples = 0;  // repeats, or boots where the kernel is what varies
  size_t samples = 0;
  Estimate base;          // median over the samples, 95% bootstrap interval
  Estimate median;        // of this side
  Estimate change;        // median / base median - 1, 95% bootstrap interval of it
  double p = 1;           // Mann-Whitney U, two-sided
  double p_adjusted = 1;  // Holm, over all judged findings of the comparison
  Judgement judgement = Judgement::kInconclusive;
  std::string note;  // one line, or empty
};

// Over all cells in which both sides have the metric: geometric mean of the ratios of medians.
struct Overall {
  size_t side = 0;
  size_t metric = 0;
  size_t cells = 0;
  double ratio = 1;
};

// Measurements of one side in one cell that count, in the order in which they were made. Those
// left out (invalid, interrupted) are in Comparison::left_out.
struct Cell {
  std::vector<std::string> values;           // one per Comparison::axes, for people
  std::vector<std::vector<size_t>> by_side;  // measurement indices
};

// A key in which the sides differ, or in which measurements of one cell differ.
struct Difference {
  std::string key;                  // "host.environment.kernel_release"
  std::vector<std::string> values;  // one per side; several values of one side joined by ", "
  bool expected = false;            // follows from what is varied
};

struct LeftOut {
  size_t measurement = 0;
  std::string reason;  // one line
};

struct Comparison {
  std::string vary;                // "engine", "kernel", "features", "version", "label.NAME", ...
  std::vector<std::string> sides;  // the value of `vary` of each; [0] is the base
  std::vector<std::string> axes;   // config keys in which the cells differ: "connections", ...
  // Config keys that are equal in all cells, with the value; for the heading.
  std::vector<std::pair<std::string, std::string>> common;
  std::vector<Measurement> measurements;
  std::vector<Metric> metrics;
  std::vector<Cell> cells;        // in the natural order of their values
  std::vector<Finding> findings;  // by cell, then side, then metric
  std::vector<Overall> overall;
  std::vector<Difference> differences;
  std::vector<LeftOut> left_out;
  // One line each, in the notes too: what the base has and another side has not, a cell, a judged
  // metric or every result. Nothing can be said of it, least of all that it is no worse.
  std::vector<std::string> lost;
  bool forced = false;       // differences that would have been refused were overridden
  bool by_boot = false;      // samples are boots
  double min_effect = 0.02;  // a ratio: 2%
  double alpha = 0.05;
  std::vector<std::string> notes;  // one line each: what a reader has to know of the whole
};

// The value of a metric, if this measurement has it.
std::optional<double> ValueOf(const Measurement& measurement, const Metric& metric);

// "faster", "slower", "~", "inconclusive".
std::string_view Name(Judgement judgement);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_COMPARISON_H_

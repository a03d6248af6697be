// What the engines of a run were and did, in the form results have.
#ifndef RINGECHO_APP_ENGINE_REPORT_H_
#define RINGECHO_APP_ENGINE_REPORT_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/choice.h"
#include "engine/counters.h"
#include "engine/features.h"
#include "report/live.h"
#include "report/result.h"
#include "stats/intervals.h"

namespace ringecho::app {

// A plain copy of counters, to be added up over workers and subtracted over phases.
class CounterSums {
 public:
  CounterSums() = default;
  // Thread-safe while the engine runs; then a recent value of each.
  explicit CounterSums(const engine::Counters& counters);

  CounterSums& operator+=(const CounterSums& other);
  // What was counted since; gauges stay what they are.
  CounterSums operator-(const CounterSums& earlier) const;

  int64_t Get(stats::Counter engine::Counters::*member) const;
  int64_t GetByIndex(size_t field) const { return values_[field]; }

 private:
  std::array<int64_t, engine::kCounterFields.size()> values_{};
};

// "engine_stats" of a result: the counters, and for `messages` > 0 the measured ratios
// completions_per_enter and syscalls_per_message.
report::NamedNumbers EngineStats(const CounterSums& sums, int64_t messages);

// What all engines of a run, at least one, have in use. Memory may run out between one and the
// next; then the reason says how many lack a feature.
engine::Features InAll(const std::vector<engine::Features>& engines);

// "engine" of a result's config. `features` as InAll has them.
report::Engine DescribeEngine(engine::EngineKind requested, const engine::EngineChoice& choice,
                              const engine::Features& features);

// Adds "buffers" and "buffer_size_bytes" as the engine uses them: 0 buffers where it has none of
// its own; and "buffer_size_requested_bytes". 0 asked for means the engine's default, which depends
// on `features`.
void DescribeBuffers(engine::EngineKind kind, const engine::Features& features, int64_t buffers,
                     int64_t buffer_bytes, report::NamedValues& extra);

// For the environment of a result: what io_uring offers on this kernel.
report::IoUring DescribeIoUring();

// What live lines tell of an interval, and the same in the form results have.
report::EngineWork WorkOf(const stats::IntervalCounts& counts);
void DescribeWork(const report::EngineWork& work, report::Interval& interval);

// For SIGUSR1: "accepted 12, open 3, ..." of the counters that are not 0 and, as EngineStats, what
// they were per message and enter, and the io-wq workers there are now; wrapped at 80 columns.
std::string SnapshotText(std::string_view heading, const CounterSums& sums, int64_t messages);

}  // namespace ringecho::app

#endif  // RINGECHO_APP_ENGINE_REPORT_H_

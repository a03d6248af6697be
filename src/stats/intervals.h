// The board on which workers post what they did in each interval of a run (--interval), and from
// which the coordinator takes the intervals, in order, for live lines and results.
//
// A worker closes its interval by its own clock and pays for a post with one uncontended lock and
// the exchange of a pointer: its histogram is handed over, not merged, and it gets an empty one
// back. The coordinator merges, outside the lock, when it takes the interval; what it gets holds
// percentiles and no histogram, so a run's intervals cost the same however long it lasts.
//
// Bounds: an interval that waits for its last worker or for the coordinator keeps one histogram
// for each post. At most kPendingMax intervals wait. When a worker is further ahead than that
// (another worker or the coordinator has been stuck for so long), its counts go to the newest
// interval that is kept, its latencies are dropped, and dropped() counts it. Workers never wait.
#ifndef RINGECHO_STATS_INTERVALS_H_
#define RINGECHO_STATS_INTERVALS_H_

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "stats/histogram.h"

namespace ringecho::stats {

// What one worker did in one interval: counts of that interval, not since the start.
struct IntervalCounts {
  int64_t start_ns = 0;  // monotonic, when the worker really began and ended it
  int64_t end_ns = 0;
  uint64_t messages = 0;
  uint64_t errors = 0;
  uint64_t bytes = 0;
  int64_t cpu_ns = 0;            // of the worker's thread
  int64_t open_connections = 0;  // at the end of the interval
  uint64_t syscalls = 0;         // of the engine, as are the next two
  uint64_t enter_calls = 0;
  uint64_t completions = 0;
};

// All workers' counts added up; start_ns is the earliest of theirs and end_ns the latest.
struct Interval {
  int64_t index = 0;
  int workers = 0;  // how many posts are in it
  IntervalCounts counts;
  uint64_t samples = 0;  // latencies recorded; without any there are no percentiles
  std::optional<uint64_t> p50_ns;
  std::optional<uint64_t> p99_ns;
};

// Thread-safe. Each worker posts and finishes from one thread; one thread takes.
class IntervalBoard {
 public:
  static constexpr int64_t kPendingMax = 16;

  // `workers` at least 1. All histograms posted must have `layout`.
  explicit IntervalBoard(int workers, const HistogramLayout& layout = HistogramLayout());

  IntervalBoard(const IntervalBoard&) = delete;
  IntervalBoard& operator=(const IntervalBoard&) = delete;

  // An empty histogram for a worker's first interval; call it once for each worker. Makes another
  // one for the worker's first exchange, so that no post allocates while the coordinator keeps up.
  std::unique_ptr<Histogram> NewHistogram();

  // Worker `worker` (from 0) has ended interval `index`. The indices of a worker ascend, from 0 or
  // more; one that is left out (the worker slept through it) is not waited for. `latency` holds
  // what was recorded in this interval, or is null in a role without latencies. Returns an empty
  // histogram for the next one, or null when null was given.
  std::unique_ptr<Histogram> Post(int worker, int64_t index, const IntervalCounts& counts,
                                  std::unique_ptr<Histogram> latency);

  // Nothing more comes from this worker; nobody waits for it any more.
  void Finish(int worker);

  // The next interval in order, once every worker has posted it, left it out or finished; nothing
  // when there is none yet or any more. Never waits. Intervals without any post are skipped.
  std::optional<Interval> Take();

  // Posts whose latencies were dropped because kPendingMax intervals were waiting.
  uint64_t dropped() const;

 private:
  // An interval that is not taken yet.
  struct Pending {
    IntervalCounts counts;
    int workers = 0;
    std::vector<std::unique_ptr<Histogram>> latencies;
  };

  Pending& At(int64_t index) { return pending_[static_cast<size_t>(index % kPendingMax)]; }
  // Moves the next complete interval to `out` and answers its index, or -1. Needs mutex_.
  int64_t PopComplete(Pending& out);

  const HistogramLayout layout_;

  mutable std::mutex mutex_;
  std::vector<int64_t> next_index_;                // by worker: the lowest index it may still post
  std::array<Pending, kPendingMax> pending_;       // those in [first_, first_ + kPendingMax)
  int64_t first_ = 0;                              // the oldest interval that is not taken
  int64_t end_ = 0;                                // one past the newest that was posted and kept
  std::vector<std::unique_ptr<Histogram>> spare_;  // empty, for the next posts
  uint64_t dropped_ = 0;
};

}  // namespace ringecho::stats

#endif  // RINGECHO_STATS_INTERVALS_H_

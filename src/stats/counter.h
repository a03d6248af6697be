// A counter that one thread writes and any thread may read while it runs.
#ifndef RINGECHO_STATS_COUNTER_H_
#define RINGECHO_STATS_COUNTER_H_

#include <atomic>
#include <cstdint>

namespace ringecho::stats {

// Costs what a plain integer costs (relaxed load and store, no locked instruction) as long as a
// single thread writes it; readers get some recent value. Cache-line placement is the owner's
// business: keep the counters of one worker together and apart from another's.
class Counter {
 public:
  void Add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  void Sub(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
  }
  void Increment() { Add(1); }
  void Set(uint64_t n) { value_.store(n, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace ringecho::stats

#endif  // RINGECHO_STATS_COUNTER_H_

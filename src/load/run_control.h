// What the coordinator of a run and its workers tell each other. Everything else of a worker is its
// own.
#ifndef RINGECHO_LOAD_RUN_CONTROL_H_
#define RINGECHO_LOAD_RUN_CONTROL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/clock.h"

namespace ringecho::load {

// Thread-safe. After go_ns, stop or abort was set, the engines must be woken to see it.
class RunControl {
 public:
  // `sessions` is how many connections are made in all; `notify` tells the coordinator to look
  // at what workers have announced, and is called by any of them.
  RunControl(uint64_t sessions, std::function<void()> notify)
      : notify_(std::move(notify)), sessions_(sessions) {}

  // Coordinator to workers. When sending starts (base::kNever: not yet); all phases follow from it
  // by the clock, so that the threads change together without being told again.
  std::atomic<int64_t> go_ns{base::kNever};
  // No new messages and connections; end when nothing is outstanding.
  std::atomic<bool> stop{false};
  // End now, whatever is open.
  std::atomic<bool> abort{false};

  // Worker to coordinator, once each: its connections are made, or given up.
  void AnnounceSettled() {
    settled_.fetch_add(1);
    notify_();
  }
  int settled() const { return settled_.load(); }

  // The number of the next session, counted over all workers, which is also the number of its
  // payload stream; false when all have been given out.
  bool TakeSession(uint64_t* number) {
    *number = next_session_.fetch_add(1, std::memory_order_relaxed);
    return *number < sessions_;
  }

 private:
  const std::function<void()> notify_;
  const uint64_t sessions_;
  std::atomic<int> settled_{0};
  std::atomic<uint64_t> next_session_{0};
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_RUN_CONTROL_H_

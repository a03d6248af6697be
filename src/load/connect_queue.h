// Which connection is made next, and when: new ones and retries, under the connect rate and the
// limit of connects in flight.
#ifndef RINGECHO_LOAD_CONNECT_QUEUE_H_
#define RINGECHO_LOAD_CONNECT_QUEUE_H_

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/clock.h"
#include "load/backoff.h"

namespace ringecho::load {

// Connects in flight of one process: below the backlog of the servers one meets (Python's asyncio
// listens with 100), because a SYN that finds the backlog full waits a second for its repetition.
// On loopback 64 in flight make more connects per second than any kernel manages.
inline constexpr uint32_t kConnectingMax = 64;

// Not thread-safe. Times are monotonic nanoseconds.
class ConnectQueue {
 public:
  // `per_s` 0: no limit.
  ConnectQueue(uint32_t connecting_max, double per_s)
      : connecting_max_(connecting_max),
        gap_ns_(per_s > 0 ? static_cast<int64_t>(static_cast<double>(base::kNsPerSec) / per_s)
                          : 0) {}

  void Add(uint32_t item) { ready_.push_back(item); }
  void AddAt(int64_t due_ns, uint32_t item) { retries_.Push(due_ns, item); }

  // True, and the item to connect, when one may start now. Finished() must follow.
  bool Next(int64_t now_ns, uint32_t* item) {
    if (connecting_ >= connecting_max_ || now_ns < next_ns_) return false;
    if (retries_.NextNs() <= now_ns) {
      *item = retries_.Pop();
    } else if (!ready_.empty()) {
      *item = ready_.front();
      ready_.pop_front();
    } else {
      return false;
    }
    ++connecting_;
    // What a late wake-up missed is caught up with, but not what a stall of seconds missed.
    next_ns_ = std::max(next_ns_, now_ns - kCatchUpNs) + gap_ns_;
    return true;
  }

  // A connect that Next started has succeeded or failed.
  void Finished() { --connecting_; }

  // When to ask Next again: 0 for now, base::kNever when it takes a Finished() or an Add first.
  int64_t NextNs() const {
    if (connecting_ >= connecting_max_) return base::kNever;
    if (!ready_.empty()) return next_ns_;
    return retries_.empty() ? base::kNever : std::max(next_ns_, retries_.NextNs());
  }

  // Takes out everything that has not been started.
  std::vector<uint32_t> Clear() {
    std::vector<uint32_t> items(ready_.begin(), ready_.end());
    ready_.clear();
    while (!retries_.empty()) items.push_back(retries_.Pop());
    return items;
  }

 private:
  static constexpr int64_t kCatchUpNs = 10 * base::kNsPerMs;

  uint32_t connecting_max_;
  int64_t gap_ns_;
  uint32_t connecting_ = 0;
  int64_t next_ns_ = 0;
  std::deque<uint32_t> ready_;
  RetryQueue retries_;
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_CONNECT_QUEUE_H_

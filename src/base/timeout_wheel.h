// Watching many items for a timeout that nearly always does not happen.
//
// Progress is made per message and must cost nothing here, so an item's deadline is not moved when
// it makes progress: the item is looked at once when its old deadline comes, and moved on by what
// is then left. That is one look per item and timeout, whatever the message rate.
#ifndef RINGECHO_BASE_TIMEOUT_WHEEL_H_
#define RINGECHO_BASE_TIMEOUT_WHEEL_H_

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/clock.h"

namespace ringecho::base {

// Not thread-safe. Items are numbers below the count given; nothing is allocated later. An item is
// looked at no earlier than it is due and at most timeout/32 (or 1 ms, whichever is more) later.
class TimeoutWheel {
 public:
  TimeoutWheel(uint32_t items, int64_t timeout_ns)
      : tick_ns_(std::max(timeout_ns / 32, kNsPerMs)), next_(items, kUnwatched) {
    heads_.fill(kEnd);
  }

  // Looks at `item` when `due_ns` has come; nothing if it is watched already.
  void Watch(uint32_t item, int64_t due_ns) {
    if (next_[item] != kUnwatched) return;
    // Rounded up: never early. Too far away: looked at before its time and moved on.
    const int64_t tick = std::clamp(due_ns / tick_ns_ + 1, tick_ + 1, tick_ + kBuckets - 1);
    const auto bucket = static_cast<uint32_t>(tick % kBuckets);
    next_[item] = heads_[bucket];
    heads_[bucket] = item;
    occupied_ |= uint64_t{1} << bucket;
  }

  // When Expire has something to do; kNever when nothing is watched.
  int64_t NextNs() const {
    if (occupied_ == 0) return kNever;
    const int behind = static_cast<int>((tick_ + 1) % kBuckets);
    return (tick_ + 1 + std::countr_zero(std::rotr(occupied_, behind))) * tick_ns_;
  }

  // Calls due(item) for every item whose bucket has come: it returns the time the item is due
  // next, later than `now_ns`, or kNever when the item need not be watched any longer.
  template <class F>
  void Expire(int64_t now_ns, F due) {
    const int64_t now_tick = now_ns / tick_ns_;
    // After a pause longer than one turn every bucket has come, and one turn visits them all.
    tick_ = std::max(tick_, now_tick - kBuckets);
    while (tick_ < now_tick) {
      ++tick_;
      const auto bucket = static_cast<uint32_t>(tick_ % kBuckets);
      uint32_t item = heads_[bucket];
      heads_[bucket] = kEnd;
      occupied_ &= ~(uint64_t{1} << bucket);
      while (item != kEnd) {
        const uint32_t after = next_[item];
        next_[item] = kUnwatched;
        const int64_t due_ns = due(item);
        if (due_ns != kNever) Watch(item, due_ns);
        item = after;
      }
    }
  }

 private:
  static constexpr int64_t kBuckets = 64;
  static constexpr uint32_t kEnd = std::numeric_limits<uint32_t>::max();
  static constexpr uint32_t kUnwatched = kEnd - 1;

  int64_t tick_ns_;
  int64_t tick_ = 0;  // the last tick whose bucket was emptied
  uint64_t occupied_ = 0;
  std::array<uint32_t, kBuckets> heads_;
  std::vector<uint32_t> next_;
};

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_TIMEOUT_WHEEL_H_

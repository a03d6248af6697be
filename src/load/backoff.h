// When to try again after a failed connect.
#ifndef RINGECHO_LOAD_BACKOFF_H_
#define RINGECHO_LOAD_BACKOFF_H_

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/random.h"

namespace ringecho::load {

// Exponential backoff with equal jitter: half of the doubled delay is certain and half is random.
// Full jitter would do as well against synchronised retries, but may retry at once several times
// in a row, and the number of retries here must outlast a server's restart.
struct Backoff {
  int64_t base_ns = 20 * base::kNsPerMs;
  int64_t cap_ns = base::kNsPerSec;

  // Before retry number `retry` (0 is the first): in [d/2, d) for d = min(cap, base x 2^retry).
  int64_t DelayNs(int retry, base::SplitMix64* random) const;
};

// Items that wait for a time, taken in the order of their times. Not thread-safe; allocates only
// when more items wait than ever before.
class RetryQueue {
 public:
  void Push(int64_t due_ns, uint32_t item);
  // base::kNever when nothing waits.
  int64_t NextNs() const { return heap_.empty() ? base::kNever : heap_.front().due_ns; }
  // Requires a waiting item.
  uint32_t Pop();
  bool empty() const { return heap_.empty(); }

 private:
  struct Waiting {
    int64_t due_ns;
    uint32_t item;
  };
  static bool Later(const Waiting& a, const Waiting& b) { return a.due_ns > b.due_ns; }

  std::vector<Waiting> heap_;
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_BACKOFF_H_

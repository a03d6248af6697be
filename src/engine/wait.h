// How an engine's thread waits for events: asleep in the kernel, looking again and again, first
// the one and then the other, or asleep until there may be several.
//
// A thread that sleeps has to be woken, which costs the sender of the event an interrupt and the
// sleeper a switch: on a quiet connection more than TCP itself. One that spins answers at once and
// takes a CPU for it, whether or not there is something to do. One that gathers is woken less often
// and answers later.
#ifndef RINGECHO_ENGINE_WAIT_H_
#define RINGECHO_ENGINE_WAIT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "stats/counter.h"

namespace ringecho::engine {

struct WaitPolicy {
  // Looks without sleeping until so long after the last event. 0 always sleeps ("block"),
  // base::kNever never does ("spin"), between them is "hybrid:TIME".
  int64_t spin_ns = 0;

  // Above 0 ("batch:TIME"; spin_ns is 0): each wait is at least so long, and only then looks at
  // what has come; if nothing has, it lasts until something does. It ends early for a deadline, and
  // in io_uring when half the completion queue is full. What comes to a thread that has slept
  // longer than TIME is served at once. io_uring does it in one call (min_wait) or waits twice;
  // epoll, which can only wait for the first event, sleeps before it waits.
  int64_t gather_ns = 0;

  bool operator==(const WaitPolicy&) const = default;
};

// "block", "spin", "hybrid:50us" (1 us to 1 s) or "batch:20us" (1 us to 10 ms). INVALID_ARGUMENT
// says what it takes.
absl::StatusOr<WaitPolicy> ParseWait(std::string_view text);

// The same text back.
std::string WaitName(WaitPolicy policy);

// Decides before each wait, and keeps the time that was spent looking in vain: what is left of the
// thread's CPU time is work. One thread; a blocking one reads no clock.
class Spinner {
 public:
  Spinner(WaitPolicy policy, stats::Counter& spun_ns) : policy_(policy), spun_ns_(spun_ns) {}

  // Whether the wait that follows must not sleep.
  bool Spins() {
    spins_ = false;
    if (policy_.spin_ns == 0) return false;
    looked_at_ns_ = base::NowNs();
    spins_ = policy_.spin_ns == base::kNever || looked_at_ns_ - last_event_ns_ < policy_.spin_ns;
    return spins_;
  }

  // How many events it brought.
  void Saw(uint64_t events) {
    if (policy_.spin_ns == 0) return;
    int64_t now_ns = base::NowNs();
    if (events > 0) {
      last_event_ns_ = now_ns;
    } else if (spins_) {
      spun_ns_.Add(static_cast<uint64_t>(now_ns - looked_at_ns_));
    }
  }

 private:
  const WaitPolicy policy_;
  stats::Counter& spun_ns_;
  bool spins_ = false;
  int64_t looked_at_ns_ = 0;
  int64_t last_event_ns_ = 0;
};

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_WAIT_H_

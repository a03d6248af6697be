// The epoll descriptor: what is watched, and waiting with nanosecond deadlines.
#ifndef RINGECHO_ENGINE_EPOLL_POLLER_H_
#define RINGECHO_ENGINE_EPOLL_POLLER_H_

#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <vector>

#include "base/unique_fd.h"
#include "engine/counters.h"

namespace ringecho::engine::epoll {

// Not thread-safe. Counts every call it makes in `counters`, which it does not own.
class Poller {
 public:
  // Returns an invalid descriptor, with errno, when there is none to have.
  static base::UniqueFd NewDescriptor() { return base::UniqueFd(epoll_create1(EPOLL_CLOEXEC)); }

  Poller(base::UniqueFd epoll_fd, uint32_t max_events, Counters& counters)
      : fd_(std::move(epoll_fd)), events_(max_events), counters_(counters) {}

  // Each returns 0 or a positive errno of epoll_ctl(2).
  int Add(int fd, uint64_t data, uint32_t events) {
    return Control(EPOLL_CTL_ADD, fd, data, events);
  }
  int Modify(int fd, uint64_t data, uint32_t events) {
    return Control(EPOLL_CTL_MOD, fd, data, events);
  }
  int Remove(int fd) { return Control(EPOLL_CTL_DEL, fd, 0, 0); }

  static constexpr int64_t kForever = -1;

  // Waits up to `timeout_ns` (0: only looks; kForever) and returns how many events there are, valid
  // until the next call; 0 also when a signal interrupted it; a negative errno when epoll itself is
  // broken. Never returns early without an event or a signal.
  int Wait(int64_t timeout_ns);
  const epoll_event& event(int index) const { return events_[static_cast<size_t>(index)]; }

 private:
  int Control(int operation, int fd, uint64_t data, uint32_t events);
  int Call(int64_t timeout_ns);

  base::UniqueFd fd_;
  std::vector<epoll_event> events_;
  Counters& counters_;
  // Linux 5.11: epoll_pwait2. Detect: try. Otherwise: milliseconds, rounded up.
  bool have_pwait2_ = true;
};

}  // namespace ringecho::engine::epoll

#endif  // RINGECHO_ENGINE_EPOLL_POLLER_H_

#include "engine/epoll/poller.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <ctime>

#include "base/clock.h"

namespace ringecho::engine::epoll {
namespace {

// One number on every architecture; C libraries before glibc 2.35 have no wrapper.
#ifndef SYS_epoll_pwait2
#define SYS_epoll_pwait2 441
#endif

int RoundedUpMs(int64_t ns) {
  int64_t ms = ns / base::kNsPerMs + (ns % base::kNsPerMs != 0 ? 1 : 0);
  return static_cast<int>(std::min<int64_t>(ms, INT_MAX));
}

}  // namespace

int Poller::Control(int operation, int fd, uint64_t data, uint32_t events) {
  epoll_event event{.events = events, .data = {.u64 = data}};
  counters_.syscalls.Increment();
  return epoll_ctl(fd_.get(), operation, fd, &event) == 0 ? 0 : errno;
}

int Poller::Call(int64_t timeout_ns) {
  int max_events = static_cast<int>(events_.size());
  counters_.syscalls.Increment();
  counters_.enter_calls.Increment();
  if (timeout_ns <= 0) {
    return epoll_wait(fd_.get(), events_.data(), max_events, timeout_ns == kForever ? -1 : 0);
  }
  if (!have_pwait2_) {
    return epoll_wait(fd_.get(), events_.data(), max_events, RoundedUpMs(timeout_ns));
  }
  timespec timeout{.tv_sec = timeout_ns / base::kNsPerSec, .tv_nsec = timeout_ns % base::kNsPerSec};
  return static_cast<int>(
      syscall(SYS_epoll_pwait2, fd_.get(), events_.data(), max_events, &timeout, nullptr, 0));
}

int Poller::Wait(int64_t timeout_ns) {
  int count = Call(timeout_ns);
  // Seccomp filters written before the call existed answer EPERM.
  if (count < 0 && (errno == ENOSYS || errno == EPERM) && have_pwait2_) {
    have_pwait2_ = false;
    count = Call(timeout_ns);
  }
  if (count < 0) return errno == EINTR ? 0 : -errno;
  counters_.completions.Add(static_cast<uint64_t>(count));
  return count;
}

}  // namespace ringecho::engine::epoll

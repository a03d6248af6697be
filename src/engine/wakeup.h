// An eventfd that other threads and signal handlers write to wake an engine.
#ifndef RINGECHO_ENGINE_WAKEUP_H_
#define RINGECHO_ENGINE_WAKEUP_H_

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace ringecho::engine {

class Wakeup {
 public:
  // `flags` as for eventfd(2): EFD_NONBLOCK for epoll, 0 for io_uring, whose reads of a
  // non-blocking file fail with EAGAIN instead of waiting.
  static absl::StatusOr<Wakeup> Create(int flags) {
    base::UniqueFd fd(eventfd(0, EFD_CLOEXEC | flags));
    if (!fd.valid()) return base::ErrnoStatus(errno, "eventfd");
    return Wakeup(std::move(fd));
  }

  int fd() const { return fd_.get(); }

  // Thread-safe and async-signal-safe. The counter cannot overflow: it is reset by every read and
  // would need 2^64 writes; so the result of write(2) carries no news.
  void Signal() const {
    uint64_t one = 1;
    [[maybe_unused]] ssize_t written = write(fd_.get(), &one, sizeof(one));
  }

  // For EFD_NONBLOCK: takes all pending signals.
  void Clear() const {
    uint64_t count;
    [[maybe_unused]] ssize_t got = read(fd_.get(), &count, sizeof(count));
  }

 private:
  explicit Wakeup(base::UniqueFd fd) : fd_(std::move(fd)) {}

  base::UniqueFd fd_;
};

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_WAKEUP_H_

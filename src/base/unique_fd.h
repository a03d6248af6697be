// Sole owner of a file descriptor; closes it on destruction.
#ifndef RINGECHO_BASE_UNIQUE_FD_H_
#define RINGECHO_BASE_UNIQUE_FD_H_

#include <unistd.h>

#include <utility>

namespace ringecho::base {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.Release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) Reset(other.Release());
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { Reset(); }

  // -1 when empty.
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

  // Hands the descriptor to the caller, who must close it.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }

  // close(2) is never retried: Linux frees the descriptor even when it reports EINTR.
  void Reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_UNIQUE_FD_H_

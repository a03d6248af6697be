#include "engine/epoll/acceptor.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/status.h"

namespace ringecho::engine::epoll {
namespace {

// Failed accepts in a row before other work gets its turn.
constexpr int kAttempts = 64;

// accept(2): errors of the connection that was waiting, which is gone now; the next may be fine.
bool IsOfTheConnection(int error) {
  switch (error) {
    case EINTR:
    case ECONNABORTED:
    case EPROTO:
    case EPERM:
    case ETIMEDOUT:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return true;
    default:
      return false;
  }
}

}  // namespace

absl::Status Acceptor::Add(base::UniqueFd listener) {
  int flags = fcntl(listener.get(), F_GETFL);
  counters_.syscalls.Add(2);
  if (flags < 0 || fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return base::ErrnoStatus(errno, "fcntl of a listening socket");
  }
  listeners_.push_back(std::move(listener));
  if (int error = Register(listeners_.size() - 1); error != 0) {
    return base::ErrnoStatus(error, "epoll_ctl of a listening socket");
  }
  return absl::OkStatus();
}

// Linux 4.5: EPOLLEXCLUSIVE wakes one of the threads that share a (duplicated) unix listener, not
// all. It forbids EPOLL_CTL_MOD, hence pausing by removal.
int Acceptor::Register(size_t index) {
  return poller_.Add(listeners_[index].get(), data_base_ | index, EPOLLIN | EPOLLEXCLUSIVE);
}

int Acceptor::Accept(size_t index, bool table_full) {
  // What a batch still says about a listener may be older than what was done to it since.
  if (paused_ || index >= listeners_.size()) return -1;
  if (table_full) {
    Pause(base::kNever);
    return -1;
  }
  int listener = listeners_[index].get();
  if (gate_ == nullptr) return AcceptCall(listener);
  if (!gate_->TryEnter()) {
    Pause(AcceptGate::kRetryNs);
    return -1;
  }
  int fd = AcceptCall(listener);
  if (fd < 0) gate_->Leave();
  return fd;
}

int Acceptor::AcceptCall(int listener) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    counters_.syscalls.Increment();
    int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) return fd;
    if (errno == EAGAIN) return -1;
    if (IsOfTheConnection(errno)) {
      if (errno != EINTR) counters_.accept_errors.Increment();
      continue;
    }
    bool no_descriptors = errno == EMFILE || errno == ENFILE;
    (no_descriptors ? counters_.accept_emfile : counters_.accept_errors).Increment();
    Pause(kErrorRetryNs);
    return -1;
  }
  return -1;
}

void Acceptor::Pause(int64_t retry_after_ns) {
  counters_.accept_pauses.Increment();
  paused_ = true;
  retry_at_ns_ = retry_after_ns == base::kNever ? base::kNever : base::NowNs() + retry_after_ns;
  for (const base::UniqueFd& listener : listeners_) poller_.Remove(listener.get());
}

void Acceptor::Resume() {
  if (gate_ != nullptr) {
    // Only looks: coming back to find the gate closed would cost a call for each listener.
    if (!gate_->TryEnter()) {
      retry_at_ns_ = base::NowNs() + AcceptGate::kRetryNs;
      return;
    }
    gate_->Leave();
  }
  paused_ = false;
  retry_at_ns_ = base::kNever;
  for (size_t i = 0; i < listeners_.size(); ++i) {
    if (Register(i) != 0) {
      Pause(kErrorRetryNs);
      return;
    }
  }
}

void Acceptor::StopListening() {
  // Removed by hand: closing one of several duplicates would leave the registration alive.
  for (const base::UniqueFd& listener : listeners_) {
    if (!paused_) poller_.Remove(listener.get());
  }
  counters_.syscalls.Add(listeners_.size());
  listeners_.clear();
  paused_ = false;
  retry_at_ns_ = base::kNever;
}

}  // namespace ringecho::engine::epoll

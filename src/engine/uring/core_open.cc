// Core: how connections come to be, by accept and by connect.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/clock.h"
#include "base/status.h"
#include "engine/uring/core.h"
#include "net/socket.h"

namespace ringecho::engine::uring {
namespace {

// How long accepting rests after the kernel refused for want of descriptors or memory. A close of
// one of our own connections ends the rest early.
constexpr int64_t kAcceptRestNs = 100 * base::kNsPerMs;

// accept(2): errors of the connection that was about to be accepted, not of the listener.
bool IsPeersError(int error) {
  switch (error) {
    case ECONNABORTED:
    case EPROTO:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case EPERM:
    case ETIMEDOUT:
    case EINTR:
      return true;
    default:
      return false;
  }
}

ConnectResult NotOpened(CloseReason why) { return {.ok = false, .id = {}, .error = why}; }

}  // namespace

absl::Status Core::Listen(base::UniqueFd listener) {
  // accept4 must not wait for a client that has gone meanwhile.
  if (options_.accept_gate != nullptr && fcntl(listener.get(), F_SETFL, O_NONBLOCK) != 0) {
    return base::ErrnoStatus(errno, "fcntl O_NONBLOCK on a listener");
  }
  listeners_.push_back({.fd = std::move(listener)});
  if (!ArmAccept(listeners_.size() - 1)) accept_again_ = more_work_ = true;
  return absl::OkStatus();
}

void Core::StopListening() {
  stop_listening_ = true;
  accept_again_ = true;
  accept_retry_at_ = base::kNever;
  ArmAccepts(0);
}

// Arms what should be armed; cancels and closes when listening has been stopped. A listener is
// closed only after its accept's last completion.
void Core::ArmAccepts(int64_t now_ns) {
  if (now_ns >= accept_retry_at_) {
    accept_retry_at_ = base::kNever;
    accept_again_ = true;
  }
  if (!accept_again_) return;
  accept_again_ = false;
  accept_retry_at_ = base::kNever;
  for (size_t i = 0; i < listeners_.size(); ++i) {
    Listener& listener = listeners_[i];
    if (!listener.fd.valid()) continue;
    bool wants_cancel = stop_listening_ || (Uses(FeatureId::kMultishotAccept) && table_.full());
    if (listener.armed && wants_cancel && !listener.cancelled) {
      io_uring_sqe* sqe = Sqe();
      if (sqe == nullptr) {
        accept_again_ = more_work_ = true;
        continue;
      }
      io_uring_prep_cancel64(sqe, UserData::Pack(Op::kAccept, static_cast<uint32_t>(i), 0), 0);
      sqe->user_data =
          UserData::PackCancel(UserData::Pack(Op::kAccept, static_cast<uint32_t>(i), 0));
      listener.cancelled = true;
    } else if (!listener.armed && stop_listening_) {
      listener.fd.Reset();
    } else if (!listener.armed && !ArmAccept(i)) {
      accept_again_ = more_work_ = true;
    }
  }
}

// False when the submission queue is full. With no place left for a connection it pauses instead.
bool Core::ArmAccept(size_t index) {
  Listener& listener = listeners_[index];
  if (table_.full()) {
    // The close that makes room sets accept_again_.
    NotePause(listener);
    return true;
  }
  io_uring_sqe* sqe = Sqe();
  if (sqe == nullptr) return false;
  if (options_.accept_gate != nullptr) {
    io_uring_prep_poll_add(sqe, listener.fd.get(), POLLIN);
  } else {
    io_uring_prep_accept(sqe, listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (Uses(FeatureId::kMultishotAccept)) sqe->ioprio |= IORING_ACCEPT_MULTISHOT;
  }
  sqe->user_data = UserData::Pack(Op::kAccept, static_cast<uint32_t>(index), 0);
  listener.armed = true;
  listener.cancelled = false;
  if (options_.accept_gate == nullptr) listener.paused = false;
  return true;
}

// A pause is counted once, however often it is found to last.
void Core::NotePause(Listener& listener) {
  if (!listener.paused) counters_.accept_pauses.Increment();
  listener.paused = true;
}

void Core::PauseAccepting(int64_t until_ns) {
  accept_retry_at_ = std::min(accept_retry_at_, until_ns);
}

std::optional<ConnId> Core::OnAccept(const io_uring_cqe& cqe) {
  uint32_t index = UserData::Slot(cqe.user_data);
  if (index >= listeners_.size()) {
    counters_.stale_completions.Increment();
    return std::nullopt;
  }
  Listener& listener = listeners_[index];
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
    listener.armed = false;
    if (cqe.res >= 0) accept_again_ = true;
    if (cqe.res >= 0 && Uses(FeatureId::kMultishotAccept)) counters_.multishot_rearms.Increment();
  }
  if (cqe.res < 0) {
    OnAcceptError(listener, -cqe.res);
    return std::nullopt;
  }
  if (options_.accept_gate != nullptr) return AcceptWithinLimit(listener);
  return Adopt(cqe.res, false);
}

// With a limit the ring only says that somebody waits; a place is taken when it is needed, or one
// engine's idle accept would keep it from another that has clients.
std::optional<ConnId> Core::AcceptWithinLimit(Listener& listener) {
  if (stop_listening_) return std::nullopt;
  if (!options_.accept_gate->TryEnter()) {
    NotePause(listener);
    accept_again_ = false;
    PauseAccepting(base::NowNs() + AcceptGate::kRetryNs);
    return std::nullopt;
  }
  counters_.syscalls.Increment();
  int fd = accept4(listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    listener.paused = false;
    return Adopt(fd, true);
  }
  int error = errno;
  options_.accept_gate->Leave();
  // Somebody else was faster, or the client has gone.
  if (error != EAGAIN) OnAcceptError(listener, error);
  return std::nullopt;
}

void Core::OnAcceptError(Listener& listener, int error) {
  if (error == ECANCELED || stop_listening_) {
    accept_again_ = true;
  } else if (IsPeersError(error)) {
    counters_.accept_errors.Increment();
    accept_again_ = true;
  } else {
    (error == EMFILE || error == ENFILE ? counters_.accept_emfile : counters_.accept_errors)
        .Increment();
    NotePause(listener);
    PauseAccepting(base::NowNs() + kAcceptRestNs);
  }
}

std::optional<ConnId> Core::Adopt(int fd, bool holds_place) {
  uint32_t slot = table_.Allocate();
  if (slot == kNoSlot) {
    base::UniqueFd closes(fd);
    counters_.rejected.Increment();
    counters_.syscalls.Increment();
    if (holds_place) options_.accept_gate->Leave();
    accept_again_ = true;
    return std::nullopt;
  }
  Connection& c = table_[slot];
  c.fd = fd;
  c.holds_place = holds_place;
  counters_.accepted.Increment();
  counters_.open.Increment();
  // A multishot accept is stopped before it brings more than the table holds.
  if (table_.full()) accept_again_ = true;
  return Id(slot);
}

ConnectResult Core::Connect(const net::Address& to, const net::Address* from) {
  if (table_.full()) return NotOpened(CloseReason::kNoMemory);
  counters_.syscalls.Add(static_cast<uint64_t>(net::NewConnectSocketCalls(to, from)));
  // A unix socket connects at once or not at all. Left to the ring, one whose listener's backlog is
  // full would sit in an io-wq thread until there is room.
  bool at_once = to.is_unix();
  int fd = net::NewConnectSocket(to, from, SOCK_CLOEXEC | (at_once ? SOCK_NONBLOCK : 0));
  if (fd < 0) return NotOpened(ReasonFromErrno(-fd));
  uint32_t slot = table_.Allocate();
  Connection& c = table_[slot];
  c.fd = fd;
  c.state = State::kConnecting;
  counters_.open.Increment();
  if (at_once) {
    counters_.syscalls.Add(2);
    if (connect(fd, to.get(), to.length()) != 0 || fcntl(fd, F_SETFL, 0) != 0) {
      TerminateWithErrno(slot, c, errno);
      return {.ok = true, .id = Id(slot), .error = CloseReason::kOther};
    }
  }
  io_uring_sqe* sqe = Sqe();
  if (sqe == nullptr) {
    // The queue is full and the kernel takes nothing: undo, the caller tries later.
    base::UniqueFd closes(fd);
    table_.Free(slot);
    counters_.open.Sub(1);
    return NotOpened(CloseReason::kNoMemory);
  }
  if (at_once) {
    io_uring_prep_nop(sqe);  // OnOpen comes from the loop all the same
  } else {
    io_uring_prep_connect(sqe, fd, to.get(), to.length());
  }
  sqe->user_data = Tag(Op::kConnect, slot);
  c.connect_armed = true;
  return {.ok = true, .id = Id(slot)};
}

std::optional<ConnId> Core::OnConnect(const io_uring_cqe& cqe) {
  Connection* c = FindFor(cqe);
  if (c == nullptr) return std::nullopt;
  uint32_t slot = UserData::Slot(cqe.user_data);
  c->connect_armed = false;
  if (c->state != State::kConnecting) {
    Pump(slot, *c);
    return std::nullopt;
  }
  if (cqe.res < 0) {
    TerminateWithErrno(slot, *c, -cqe.res);
    return std::nullopt;
  }
  c->state = State::kOpen;
  counters_.connected.Increment();
  return Id(slot);
}

}  // namespace ringecho::engine::uring

// Core: how connections come to be, by accept and by connect.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
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

bool IsUnixSocket(int fd) {
  int domain = 0;
  socklen_t length = sizeof(domain);
  return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX;
}

// Not accept4(3): what is opened here the ring closes. A thread sanitizer would see the one and not
// the other, and take the next owner of the number for a race.
int AcceptNow(int listener) {
  return static_cast<int>(syscall(SYS_accept4, listener, nullptr, nullptr, SOCK_CLOEXEC));
}

ConnectResult NotOpened(CloseReason why) { return {.ok = false, .id = {}, .error = why}; }

}  // namespace

absl::Status Core::Listen(base::UniqueFd listener) {
  // An accept must not wait for a client that has gone meanwhile, or been taken by somebody else.
  if (polls_first() && fcntl(listener.get(), F_SETFL, O_NONBLOCK) != 0) {
    return base::ErrnoStatus(errno, "fcntl O_NONBLOCK on a listener");
  }
  bool is_unix = IsUnixSocket(listener.get());
  listeners_.push_back({.fd = std::move(listener), .is_unix = is_unix});
  size_t index = listeners_.size() - 1;
  bool queued = accepts_direct() ? ArmDirectAccepts(index) : ArmOrdinaryAccept(index);
  if (!queued) accept_again_ = more_work_ = true;
  return absl::OkStatus();
}

void Core::StopListening() {
  stop_listening_ = true;
  counters_.rejected.Add(parked_.size());
  counters_.syscalls.Add(parked_.size());
  parked_.clear();
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
  // Another one comes first each time, or the first would take every place that becomes free.
  ++first_listener_;
  for (size_t n = 0; n < listeners_.size(); ++n) {
    size_t i = (first_listener_ + n) % listeners_.size();
    Listener& listener = listeners_[i];
    if (!listener.fd.valid()) continue;
    bool wants_cancel = stop_listening_ || (Uses(FeatureId::kMultishotAccept) && table_.full());
    bool queued = true;
    if (listener.accepts > 0 && wants_cancel) {
      queued = listener.cancelled || CancelAccepts(i);
    } else if (listener.accepts == 0 && stop_listening_) {
      listener.fd.Reset();
    } else {
      queued = accepts_direct() ? ArmDirectAccepts(i) : ArmOrdinaryAccept(i);
    }
    if (!queued) accept_again_ = more_work_ = true;
  }
}

// False when the submission queue is full, like those below.
bool Core::CancelAccepts(size_t index) {
  Listener& listener = listeners_[index];
  io_uring_sqe* sqe = Sqe();
  if (sqe == nullptr) return false;
  uint64_t tag = UserData::Pack(Op::kAccept, static_cast<uint32_t>(index), 0);
  if (accepts_direct()) {
    io_uring_prep_cancel_fd(sqe, listener.fd.get(), IORING_ASYNC_CANCEL_ALL);
  } else {
    io_uring_prep_cancel64(sqe, tag, 0);
  }
  sqe->user_data = UserData::PackCancel(tag);
  listener.cancelled = true;
  return true;
}

// How many direct accepts a listener has in flight. Each keeps a place of the table, which the
// kernel fills: it would accept and drop a client it has no place for. Fewer as places run out, so
// that one listener's idle accepts take little from the others. One more after each that was
// refused: those in flight do not hear of a client that waits already.
uint32_t Core::DirectAcceptsWanted(const Listener& listener) const {
  constexpr uint32_t kMost = 32;
  auto listeners = static_cast<uint32_t>(listeners_.size());
  uint32_t left = table_.capacity() - table_.size();
  uint32_t usual = std::clamp(left / (8 * listeners), 1U, kMost);
  return std::max(usual, std::min(listener.accepts + listener.refused, kMost));
}

bool Core::ArmDirectAccepts(size_t index) {
  Listener& listener = listeners_[index];
  for (uint32_t wanted = DirectAcceptsWanted(listener); listener.accepts < wanted;) {
    uint32_t slot = table_.Allocate();
    if (slot == kNoSlot) {
      // The close that makes room sets accept_again_.
      if (listener.accepts == 0) NotePause(listener);
      return true;
    }
    io_uring_sqe* sqe = Sqe();
    if (sqe == nullptr) {
      table_.Free(slot);
      return false;
    }
    Connection& c = table_[slot];
    c.state = State::kAccepting;
    c.listener = static_cast<uint32_t>(index);
    c.is_unix = listener.is_unix;
    c.fd = static_cast<int>(slot);
    // A direct descriptor has no close-on-exec: asking for it is an error.
    io_uring_prep_accept_direct(sqe, listener.fd.get(), nullptr, nullptr, 0, slot);
    sqe->user_data = Tag(Op::kAccept, slot);
    ++listener.accepts;
    ++places_kept_;
    listener.refused -= std::min(listener.refused, 1U);
    listener.cancelled = listener.paused = false;
  }
  return true;
}

// A multishot accept or, without that and with a limit, a poll that says when somebody waits. Not
// an accept for one client: one in each turn of the loop would let clients wait for seconds behind
// the traffic of those who came first, and of several at a time all wake up for one client before
// Linux 5.18, and those of an idle listener take places from the others. With no place left for a
// connection it pauses instead.
bool Core::ArmOrdinaryAccept(size_t index) {
  Listener& listener = listeners_[index];
  if (listener.accepts > 0) return true;
  if (table_.full() || !parked_.empty()) {
    // The close that makes room sets accept_again_.
    NotePause(listener);
    return true;
  }
  io_uring_sqe* sqe = Sqe();
  if (sqe == nullptr) return false;
  if (polls_first()) {
    io_uring_prep_poll_add(sqe, listener.fd.get(), POLLIN);
  } else {
    io_uring_prep_multishot_accept(sqe, listener.fd.get(), nullptr, nullptr, SOCK_CLOEXEC);
  }
  sqe->user_data = UserData::Pack(Op::kAccept, static_cast<uint32_t>(index), 0);
  listener.accepts = 1;
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

std::optional<ConnId> Core::OnDirectAccept(const io_uring_cqe& cqe) {
  Connection* c = FindFor(cqe);
  if (c == nullptr || c->state != State::kAccepting) return std::nullopt;
  uint32_t slot = UserData::Slot(cqe.user_data);
  Listener& listener = listeners_[c->listener];
  --listener.accepts;
  --places_kept_;
  if (cqe.res < 0) {
    table_.Free(slot);
    OnAcceptError(listener, -cqe.res);
    return std::nullopt;
  }
  accept_again_ = true;
  return Adopted(slot);
}

std::optional<ConnId> Core::OnAccept(const io_uring_cqe& cqe) {
  if (accepts_direct()) return OnDirectAccept(cqe);
  uint32_t index = UserData::Slot(cqe.user_data);
  if (index >= listeners_.size() || listeners_[index].accepts == 0) {
    counters_.stale_completions.Increment();
    return std::nullopt;
  }
  Listener& listener = listeners_[index];
  bool ended = (cqe.flags & IORING_CQE_F_MORE) == 0;
  if (ended) listener.accepts = 0;
  if (cqe.res < 0) {
    OnAcceptError(listener, -cqe.res);
    return std::nullopt;
  }
  if (polls_first()) {
    accepted_in_turn_ = 0;
    return AcceptWaiting(listener);
  }
  if (ended) {
    accept_again_ = true;
    counters_.multishot_rearms.Increment();
  }
  if (table_.full() || !parked_.empty()) {
    Park(base::UniqueFd(cqe.res), listener.is_unix);
    return std::nullopt;
  }
  return Adopt(cqe.res, false, listener.is_unix);
}

// The ring has said that somebody waits. With a limit a place is taken now and not before, or one
// engine's idle accept would keep it from another that has clients.
std::optional<ConnId> Core::AcceptWaiting(Listener& listener) {
  AcceptGate* gate = options_.accept_gate;
  if (stop_listening_) {
    accept_again_ = true;
    return std::nullopt;
  }
  if (table_.full()) {
    // The close that makes room sets accept_again_.
    NotePause(listener);
    return std::nullopt;
  }
  if (gate != nullptr && !gate->TryEnter()) {
    // A close of our own in this batch has set accept_again_, and may have made room.
    NotePause(listener);
    PauseAccepting(base::NowNs() + AcceptGate::kRetryNs);
    return std::nullopt;
  }
  counters_.syscalls.Increment();
  int fd = AcceptNow(listener.fd.get());
  int error = errno;
  if (fd < 0) {
    if (gate != nullptr) gate->Leave();
    // Somebody else was faster, or the client has gone.
    if (error == EAGAIN) {
      accept_again_ = true;
    } else {
      OnAcceptError(listener, error);
    }
    return std::nullopt;
  }
  listener.paused = false;
  std::optional<ConnId> id = Adopt(fd, gate != nullptr, listener.is_unix);
  if (!id) accept_again_ = true;
  return id;
}

// Others may wait behind the one of whom the ring told. Not without end, for those who have been
// taken wait as well.
std::optional<ConnId> Core::NextWaiting(const io_uring_cqe& cqe) {
  constexpr uint32_t kMostInTurn = 64;
  if (++accepted_in_turn_ == kMostInTurn) {
    accept_again_ = true;
    return std::nullopt;
  }
  return AcceptWaiting(listeners_[UserData::Slot(cqe.user_data)]);
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
    if (accepts_direct()) ++listener.refused;
    NotePause(listener);
    PauseAccepting(base::NowNs() + kAcceptRestNs);
  }
}

// There must be a place in the table.
std::optional<ConnId> Core::Adopt(int fd, bool holds_place, bool is_unix) {
  uint32_t slot = table_.Allocate();
  Connection& c = table_[slot];
  if (int error = TakeOver(slot, fd); error != 0) {
    table_.Free(slot);
    counters_.accept_errors.Increment();
    if (holds_place) options_.accept_gate->Leave();
    return std::nullopt;
  }
  c.holds_place = holds_place;
  c.is_unix = is_unix;
  return Adopted(slot);
}

// A multishot accept takes who comes until its cancel is heard. Closing those for whom there is no
// place would lose clients who would have waited; so they wait here instead of in the backlog. They
// are few: the table is as large as the limit of descriptors lets it be.
void Core::Park(base::UniqueFd fd, bool is_unix) {
  accept_again_ = true;
  if (stop_listening_) {
    counters_.rejected.Increment();
    counters_.syscalls.Increment();
    return;
  }
  parked_.push_back({std::move(fd), is_unix});
}

std::optional<ConnId> Core::AdoptParked() {
  Parked client = std::move(parked_.front());
  parked_.pop_front();
  return Adopt(client.fd.Release(), false, client.is_unix);
}

// Makes the descriptor the connection's, or closes it and returns the errno.
int Core::TakeOver(uint32_t slot, int fd) {
  Connection& c = table_[slot];
  c.fd = fd;
  if (!Uses(FeatureId::kDirectDescriptors)) return 0;
  c.plain_fd.Reset(fd);
  c.fd = static_cast<int>(slot);
  counters_.syscalls.Increment();
  int error = -ring_->InstallFile(slot, fd);
  // To be asked for its name, which takes a descriptor.
  if (error != 0 || !c.may_meet_itself) PlainDescriptorDone(c);
  return error;
}

std::optional<ConnId> Core::Adopted(uint32_t slot) {
  table_[slot].state = State::kOpen;
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
  table_[slot].may_meet_itself = net::MayMeetItself(to, from);
  int failed = 0;
  if (at_once) {
    counters_.syscalls.Add(2);
    if (connect(fd, to.get(), to.length()) != 0 || fcntl(fd, F_SETFL, 0) != 0) failed = errno;
  }
  if (int error = TakeOver(slot, fd); error != 0) {
    table_.Free(slot);
    return NotOpened(ReasonFromErrno(error));
  }
  Connection& c = table_[slot];
  c.state = State::kConnecting;
  c.is_unix = at_once;
  counters_.open.Increment();
  if (failed != 0) {
    TerminateWithErrno(slot, c, failed);
    return {.ok = true, .id = Id(slot), .error = CloseReason::kOther};
  }
  io_uring_sqe* sqe = SqeFor(slot);
  if (sqe == nullptr) {
    // The queue is full and the kernel takes nothing.
    Terminate(slot, c, CloseReason::kNoMemory);
    return {.ok = true, .id = Id(slot), .error = CloseReason::kOther};
  }
  if (at_once) {
    io_uring_prep_nop(sqe);  // OnOpen comes from the loop all the same
  } else {
    io_uring_prep_connect(sqe, c.fd, to.get(), to.length());
    Address(sqe, Op::kConnect, slot);
  }
  sqe->user_data = Tag(Op::kConnect, slot);
  c.connect_armed = true;
  return {.ok = true, .id = Id(slot)};
}

bool Core::MetItself(Connection& c) {
  if (!c.may_meet_itself) return false;
  counters_.syscalls.Add(2);
  bool met = net::MeetsItself(Uses(FeatureId::kDirectDescriptors) ? c.plain_fd.get() : c.fd);
  PlainDescriptorDone(c);
  return met;
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
  int error = cqe.res < 0 ? -cqe.res : MetItself(*c) ? ECONNREFUSED : 0;
  if (error != 0) {
    TerminateWithErrno(slot, *c, error);
    return std::nullopt;
  }
  c->state = State::kOpen;
  counters_.connected.Increment();
  return Id(slot);
}

}  // namespace ringecho::engine::uring

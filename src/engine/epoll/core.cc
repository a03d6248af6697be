#include "engine/epoll/core.h"

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>

#include "base/status.h"
#include "engine/defaults.h"
#include "net/socket.h"

namespace ringecho::engine::epoll {
namespace {

// After Finish: how long a peer that does not acknowledge may keep the connection.
constexpr int64_t kLingerNs = base::kNsPerSec;

// Reads thrown away in one go while lingering.
constexpr int kDiscardRounds = 16;

}  // namespace

absl::StatusOr<Core::Descriptors> Core::Open() {
  base::UniqueFd epoll = Poller::NewDescriptor();
  if (!epoll.valid()) return base::ErrnoStatus(errno, "epoll_create1");
  absl::StatusOr<Wakeup> wakeup = Wakeup::Create(EFD_NONBLOCK);
  if (!wakeup.ok()) return wakeup.status();
  epoll_event event{.events = EPOLLIN, .data = {.u64 = kWakeupData}};
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wakeup->fd(), &event) != 0) {
    return base::ErrnoStatus(errno, "epoll_ctl of an eventfd");
  }
  return Descriptors{std::move(epoll), *std::move(wakeup)};
}

Core::Core(const Options& options, Descriptors descriptors)
    : options_(options),
      spinner_(options.wait, counters_.spun_ns),
      scratch_(options.buffer_bytes != 0 ? options.buffer_bytes : kDefaultEpollReadBytes),
      wakeup_(std::move(descriptors.wakeup)),
      poller_(std::move(descriptors.epoll), options.max_events, counters_),
      acceptor_(poller_, options.accept_gate, kListenerBase, counters_),
      table_(options.max_connections) {
  assert(options.max_connections < kListenerBase && options.max_events > 0);
  counters_.syscalls.Add(3);  // those of Open
}

Core::~Core() {
  table_.ForEach([this](uint32_t, Connection& c) {
    if (c.holds_place) options_.accept_gate->Leave();
  });
}

ConnectResult Core::Connect(const net::Address& to, const net::Address* from) {
  uint32_t slot = table_.Allocate();
  if (slot == table_.kNone) return {.ok = false, .id = {}, .error = CloseReason::kNoMemory};
  int fd = net::NewConnectSocket(to, from, SOCK_NONBLOCK);
  counters_.syscalls.Add(static_cast<uint64_t>(net::NewConnectSocketCalls(to, from)));
  if (fd < 0) {
    table_.Free(slot);
    return {.ok = false, .id = {}, .error = ReasonFromErrno(-fd)};
  }
  Connection& c = table_[slot];
  c.fd.Reset(fd);
  c.may_meet_itself = net::MayMeetItself(to, from);
  counters_.syscalls.Increment();
  if (connect(c.fd.get(), to.get(), to.length()) == 0) {
    if (MetItself(c)) {
      CloseForErrno(slot, c, ECONNREFUSED);
    } else {
      c.state = State::kOpening;
      List(slot, c);
    }
  } else if (errno == EINPROGRESS) {
    c.state = State::kConnecting;
  } else {
    CloseForErrno(slot, c, errno);
  }
  UpdateInterest(slot, c);
  return {.ok = true, .id = Id(slot), .error = CloseReason::kOther};
}

bool Core::CanSend(ConnId id) {
  const Connection* c = Find(id);
  return c != nullptr && c->state == State::kOpen && c->payload_bytes == 0 && c->out_left == 0;
}

void Core::Send(ConnId id, std::span<const std::byte> payload) {
  Connection* c = Find(id);
  if (c == nullptr || c->state != State::kOpen) return;
  assert(CanSend(id) && !payload.empty());
  c->payload_bytes = payload.size();
  size_t taken = SendSome(id.slot, *c, payload);
  if (c->state == State::kClosing) return;
  c->out = payload.data() + taken;
  c->out_left = payload.size() - taken;
  if (c->out_left == 0) {
    List(id.slot, *c);
  } else {
    UpdateInterest(id.slot, *c);
  }
}

void Core::Close(ConnId id, CloseReason reason) {
  Connection* c = Find(id);
  if (c != nullptr && c->state != State::kClosing) StartClosing(id.slot, *c, reason);
}

// What this engine holds for the peer, and what the kernel does until it is acknowledged.
std::optional<int64_t> Core::Undelivered(ConnId id) {
  Connection* c = Find(id);
  if (c == nullptr) return 0;
  return static_cast<int64_t>(c->out_left) + Unacknowledged(*c);
}

void Core::Finish(ConnId id, CloseReason reason) {
  Connection* c = Find(id);
  if (c == nullptr) return;
  if (c->state == State::kConnecting || c->state == State::kOpening) {
    StartClosing(id.slot, *c, reason);
  } else if (c->state == State::kOpen) {
    c->state = State::kFinishing;
    c->reason = reason;
    UpdateInterest(id.slot, *c);
    List(id.slot, *c);
  }
}

void Core::ClearWakeup() {
  counters_.syscalls.Increment();
  wakeup_.Clear();
}

int64_t Core::NextTimerNs() const {
  int64_t timer = acceptor_.retry_at_ns();
  if (!lingering_.empty()) timer = std::min(timer, lingering_.front().until_ns);
  return timer;
}

void Core::RunTimers(int64_t now_ns) {
  if (acceptor_.retry_at_ns() <= now_ns) acceptor_.Retry();
  while (!lingering_.empty() && lingering_.front().until_ns <= now_ns) {
    ConnId id = lingering_.front().id;
    lingering_.pop_front();
    Connection* c = Find(id);
    if (c != nullptr && c->state == State::kLingering) StartClosing(id.slot, *c, c->reason);
  }
}

int Core::Wait(int64_t deadline_ns, bool poll_only) {
  bool sleeps = !poll_only && !spinner_.Spins();
  int64_t wait_ns = WaitNs(deadline_ns, sleeps);
  if (options_.wait.gather_ns != 0 && wait_ns != 0) wait_ns = Gather(wait_ns);
  int events = poller_.Wait(wait_ns);
  spinner_.Saw(events > 0 ? static_cast<uint64_t>(events) : 0);
  return events;
}

// Lets events come together for as long as the policy says, and returns how long to wait then.
int64_t Core::Gather(int64_t wait_ns) {
  bool forever = wait_ns == Poller::kForever;
  int64_t rest_ns = forever ? options_.wait.gather_ns : std::min(options_.wait.gather_ns, wait_ns);
  timespec rest{.tv_sec = rest_ns / base::kNsPerSec, .tv_nsec = rest_ns % base::kNsPerSec};
  counters_.syscalls.Increment();
  int64_t until_ns = forever ? 0 : base::NowNs() + wait_ns;
  // A signal ends it early, which costs no more than a smaller batch.
  nanosleep(&rest, nullptr);
  return forever ? Poller::kForever : std::max<int64_t>(until_ns - base::NowNs(), 0);
}

// How long to wait, after what is due has been done.
int64_t Core::WaitNs(int64_t deadline_ns, bool sleeps) {
  int64_t timer_ns = NextTimerNs();
  if (timer_ns != base::kNever && timer_ns <= base::NowNs()) {
    RunTimers(base::NowNs());
    timer_ns = NextTimerNs();
  }
  if (!sleeps || due() != 0) return 0;
  int64_t until_ns = std::min(deadline_ns, timer_ns);
  if (until_ns == base::kNever) return Poller::kForever;
  return std::max<int64_t>(until_ns - base::NowNs(), 0);
}

Connection* Core::Find(uint64_t event_data) {
  Connection* c = table_.Find(SlotOf(event_data), static_cast<uint32_t>(event_data >> 32));
  if (c == nullptr) counters_.stale_completions.Increment();
  return c;
}

uint32_t Core::Accept(size_t index) {
  base::UniqueFd fd(acceptor_.Accept(index, table_.full()));
  if (!fd.valid()) return kNoSlot;
  uint32_t slot = table_.Allocate();
  Connection& c = table_[slot];
  c.fd = std::move(fd);
  c.accepted = true;
  c.holds_place = options_.accept_gate != nullptr;
  MarkOpen(c);
  return slot;
}

void Core::MarkOpen(Connection& c) {
  c.state = State::kOpen;
  c.was_open = true;
  counters_.open.Increment();
  (c.accepted ? counters_.accepted : counters_.connected).Increment();
}

bool Core::MetItself(const Connection& c) {
  if (!c.may_meet_itself) return false;
  counters_.syscalls.Add(2);
  return net::MeetsItself(c.fd.get());
}

bool Core::FinishConnect(uint32_t slot, Connection& c) {
  int error = 0;
  socklen_t length = sizeof(error);
  counters_.syscalls.Increment();
  if (getsockopt(c.fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) error = errno;
  if (error == 0 && MetItself(c)) error = ECONNREFUSED;
  if (error != 0) {
    CloseForErrno(slot, c, error);
    return false;
  }
  MarkOpen(c);
  return true;
}

Core::Input Core::Receive(uint32_t slot, Connection& c) {
  ssize_t got;
  do {
    counters_.syscalls.Increment();
    got = recv(c.fd.get(), scratch_.data(), scratch_.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) {
    size_t bytes = static_cast<size_t>(got);
    counters_.receives.Increment();
    counters_.bytes_received.Add(bytes);
    return {.data = {scratch_.data(), bytes}, .full = bytes == scratch_.size()};
  }
  // End of stream: what came before has been echoed already, or we would not be reading.
  if (got == 0) {
    StartClosing(slot, c, CloseReason::kEof);
  } else if (errno != EAGAIN) {
    CloseForErrno(slot, c, errno);
  }
  return {};
}

size_t Core::SendSome(uint32_t slot, Connection& c, std::span<const std::byte> data) {
  ssize_t sent;
  do {
    counters_.syscalls.Increment();
    sent = send(c.fd.get(), data.data(), data.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (errno != EAGAIN) CloseForErrno(slot, c, errno);
    return 0;
  }
  size_t bytes = static_cast<size_t>(sent);
  counters_.sends.Increment();
  counters_.bytes_sent.Add(bytes);
  if (bytes < data.size()) counters_.short_sends.Increment();
  return bytes;
}

size_t Core::Echo(uint32_t slot, Connection& c, std::span<const std::byte> data) {
  // A handler either echoes or sends on a connection; and nothing is read while an echo waits.
  assert(c.out_left == 0 && c.payload_bytes == 0);
  size_t taken = SendSome(slot, c, data);
  if (taken == data.size() || c.state == State::kClosing) return taken;
  std::span<const std::byte> rest = data.subspan(taken);
  c.tail.reset(new (std::nothrow) std::byte[rest.size()]);
  if (c.tail == nullptr) {
    CloseForErrno(slot, c, ENOMEM);
    return taken;
  }
  std::memcpy(c.tail.get(), rest.data(), rest.size());
  c.out = c.tail.get();
  c.out_left = rest.size();
  counters_.backpressure_pauses.Increment();
  return taken;
}

size_t Core::Flush(uint32_t slot, Connection& c) {
  size_t taken = SendSome(slot, c, {c.out, c.out_left});
  if (c.state == State::kClosing) return 0;
  c.out += taken;
  c.out_left -= taken;
  if (c.out_left == 0) {
    c.tail.reset();
    if (c.state == State::kFinishing) List(slot, c);
  }
  return c.payload_bytes == 0 ? taken : TakeSent(c);
}

Core::Rest Core::DiscardInput(uint32_t slot, Connection& c) {
  for (int round = 0; round < kDiscardRounds; ++round) {
    counters_.syscalls.Increment();
    ssize_t got = recv(c.fd.get(), scratch_.data(), scratch_.size(), 0);
    if (got > 0 || (got < 0 && errno == EINTR)) continue;
    if (got < 0 && errno == EAGAIN) return Rest::kNothingNow;
    if (got == 0) {
      StartClosing(slot, c, c.reason);
    } else {
      CloseForErrno(slot, c, errno);
    }
    return Rest::kOver;
  }
  return Rest::kMore;
}

int Core::Unacknowledged(const Connection& c) {
  int bytes = 0;
  counters_.syscalls.Increment();
  return ioctl(c.fd.get(), SIOCOUTQ, &bytes) == 0 ? bytes : 0;
}

// close(2) with input unread resets the connection, and a reset destroys what the peer's kernel has
// not acknowledged yet: bytes that Finish promised to deliver.
void Core::FinishOutput(uint32_t slot, Connection& c) {
  Rest rest = DiscardInput(slot, c);
  if (rest == Rest::kOver) return;
  if (rest == Rest::kNothingNow && Unacknowledged(c) == 0) {
    StartClosing(slot, c, c.reason);
    return;
  }
  counters_.syscalls.Increment();
  if (shutdown(c.fd.get(), SHUT_WR) != 0) {
    CloseForErrno(slot, c, errno);
    return;
  }
  c.state = State::kLingering;
  lingering_.push_back({Id(slot), base::NowNs() + kLingerNs});
  UpdateInterest(slot, c);
}

uint32_t Core::WantedInterest(const Connection& c) const {
  switch (c.state) {
    case State::kConnecting:
      return EPOLLOUT;
    case State::kOpening:
    case State::kOpen:
      // A peer that does not read is not read from: its backlog stays in its own memory. Without
      // EPOLLRDHUP too, which would be reported again and again until the input is read.
      if (c.echo_blocked()) return EPOLLOUT;
      return EPOLLIN | EPOLLRDHUP | (c.out_left != 0 ? uint32_t{EPOLLOUT} : 0);
    case State::kFinishing:
      return c.out_left != 0 ? uint32_t{EPOLLOUT} : c.interest;
    case State::kLingering:
      return EPOLLIN | EPOLLRDHUP;
    case State::kClosing:
      return c.interest;
  }
  return c.interest;
}

void Core::UpdateInterest(uint32_t slot, Connection& c) {
  uint32_t wanted = WantedInterest(c);
  if (wanted == c.interest) return;
  int error = c.interest == 0 ? poller_.Add(c.fd.get(), DataOf(slot), wanted)
                              : poller_.Modify(c.fd.get(), DataOf(slot), wanted);
  if (error != 0) {
    CloseForErrno(slot, c, error);
    return;
  }
  c.interest = wanted;
}

void Core::StartClosing(uint32_t slot, Connection& c, CloseReason reason) {
  c.state = State::kClosing;
  c.reason = reason;
  List(slot, c);
}

void Core::CloseForErrno(uint32_t slot, Connection& c, int error) {
  CloseReason reason = ReasonFromErrno(error);
  if (reason == CloseReason::kOther) {
    counters_.last_errno.Add(static_cast<uint64_t>(error) - counters_.last_errno.Get());
  }
  StartClosing(slot, c, reason);
}

void Core::List(uint32_t slot, Connection& c) {
  if (c.listed) return;
  c.listed = true;
  c.next_listed = kNoSlot;
  (due_tail_ == kNoSlot ? due_head_ : table_[due_tail_].next_listed) = slot;
  due_tail_ = slot;
  ++due_count_;
}

uint32_t Core::TakeDue() {
  uint32_t slot = due_head_;
  Connection& c = table_[slot];
  c.listed = false;
  due_head_ = c.next_listed;
  if (due_head_ == kNoSlot) due_tail_ = kNoSlot;
  --due_count_;
  return slot;
}

bool Core::Settle(uint32_t slot, CloseReason& reason) {
  Connection& c = table_[slot];
  if (c.state == State::kFinishing && c.out_left == 0) FinishOutput(slot, c);
  // On the list again: its turn will come.
  if (c.state != State::kClosing || c.listed) return false;
  reason = c.reason;
  if (c.was_open) counters_.open.Sub(1);
  if (c.holds_place) options_.accept_gate->Leave();
  counters_.syscalls.Increment();  // close(2)
  table_.Free(slot);
  acceptor_.PlaceFreed();
  return true;
}

}  // namespace ringecho::engine::epoll

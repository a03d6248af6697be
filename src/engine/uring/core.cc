#include "engine/uring/core.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/status.h"
#include "engine/defaults.h"
#include "engine/uring/plan.h"

namespace ringecho::engine::uring {
namespace {

// Before something that came to nothing is tried again.
constexpr int64_t kRestNs = base::kNsPerMs;

// A ring's table of files, and so that of its connections, is limited like descriptors are.
uint32_t TableEntries(const Options& options, const FeaturePlan& plan) {
  if (!plan.use.Has(FeatureId::kDirectDescriptors)) return options.max_connections;
  return static_cast<uint32_t>(std::min<int64_t>(options.max_connections, base::DescriptorLimit()));
}

}  // namespace

Core::Core(const Options& options, const Capabilities& caps, std::unique_ptr<Ring> ring,
           std::unique_ptr<WritableSet> writable, Wakeup wakeup)
    : options_(options),
      plan_(PlanFeatures(options, caps)),
      wait_all_((caps.setup_flags & IORING_SETUP_DEFER_TASKRUN) != 0 ? MSG_WAITALL : 0),
      spinner_(options.wait, counters_.spun_ns),
      table_(TableEntries(options, plan_)),
      wakeup_(std::move(wakeup)),
      writable_(std::move(writable)),
      ring_(std::move(ring)),
      starved_(table_),
      holding_(table_),
      wants_pump_(table_),
      resting_(table_) {}

Core::~Core() {
  // The ring closes what is in its table.
  if (Uses(FeatureId::kDirectDescriptors)) return;
  // A close in flight has had its descriptor; the number may be somebody else's by now.
  table_.ForEach([](uint32_t, Connection& c) {
    if (c.state != State::kClosing) base::UniqueFd closes(c.fd);
  });
}

absl::StatusOr<std::unique_ptr<Core>> Core::Create(const Options& options, const Capabilities& caps,
                                                   std::unique_ptr<Ring> ring,
                                                   std::unique_ptr<WritableSet> writable) {
  // Linux 5.1 to now: a read of a non-blocking file fails with EAGAIN instead of waiting, so the
  // eventfd is a blocking one.
  absl::StatusOr<Wakeup> wakeup = Wakeup::Create(0);
  if (!wakeup.ok()) return wakeup.status();
  std::unique_ptr<Core> core(
      new Core(options, caps, std::move(ring), std::move(writable), *std::move(wakeup)));
  core->SetUpFiles();
  RINGECHO_RETURN_IF_ERROR(core->SetUpBuffers());
  core->SetUpZeroCopy(caps);
  if (core->own_buffers_ != nullptr) {
    core->counters_.buffers_fixed.Set(core->own_buffers_->registered_slots());
  }
  RINGECHO_RETURN_IF_ERROR(CheckRequired(options.features, core->plan_));
  core->features_ = DescribePlan(options.features, core->plan_);
  return core;
}

// Not being allowed a table of files costs the feature, not the run.
void Core::SetUpFiles() {
  if (!Uses(FeatureId::kDirectDescriptors)) return;
  int error = ring_->RegisterFileTable(table_.capacity());
  if (error == 0) return;
  plan_.Drop(FeatureId::kDirectDescriptors,
             absl::StrCat("a table of ", table_.capacity(), " files: ", base::ErrnoText(-error)));
}

absl::Status Core::SetUpBuffers() {
  if (Uses(FeatureId::kRegisteredRing) && !ring_->registered()) {
    plan_.Drop(FeatureId::kRegisteredRing, "the kernel did not register it");
  }
  if (Uses(FeatureId::kNapi) && !ring_->has_napi()) {
    plan_.Drop(FeatureId::kNapi, "the kernel did not register it");
  }
  uint32_t bytes = EffectiveBufferBytes(EngineKind::kUring, options_.buffer_bytes, plan_.use);
  if (Uses(FeatureId::kBufferRing)) {
    bool incremental = Uses(FeatureId::kIncrementalBuffers);
    uint32_t count = EffectiveBuffers(EngineKind::kUring, options_.buffers, plan_.use);
    absl::StatusOr<std::unique_ptr<BufferRing>> buffers = BufferRing::Create(
        *ring_, count, bytes, incremental ? BufferUse::kIncremental : BufferUse::kWhole);
    if (!buffers.ok()) return buffers.status();
    buffers_ = *std::move(buffers);
    pieces_.Reserve(count);
  } else {
    absl::StatusOr<std::unique_ptr<ConnectionBuffers>> own =
        ConnectionBuffers::Create(options_.max_connections, bytes);
    if (!own.ok()) return own.status();
    own_buffers_ = *std::move(own);
    if (Uses(FeatureId::kFixedBuffers)) {
      // Not being allowed to pin memory costs the feature, not the run.
      absl::Status status = own_buffers_->Register(*ring_, options_.payload_region);
      if (!status.ok()) plan_.Drop(FeatureId::kFixedBuffers, std::string(status.message()));
    }
  }
  return absl::OkStatus();
}

bool Core::CanSend(ConnId id) {
  Connection* c = Find(id);
  return c != nullptr && c->state == State::kOpen && !c->send_armed &&
         c->source == SendSource::kNone && c->queue_head == kNoPiece && c->spill == nullptr;
}

void Core::Send(ConnId id, std::span<const std::byte> payload) {
  assert(CanSend(id) && !payload.empty() && payload.size() <= UINT32_MAX);
  Connection* c = Find(id);
  if (c == nullptr) return;
  c->source = SendSource::kPayload;
  c->send_at = payload.data();
  c->send_left = c->send_total = static_cast<uint32_t>(payload.size());
  Pump(id.slot, *c);
}

void Core::Close(ConnId id, CloseReason reason) {
  if (Connection* c = Find(id)) Terminate(id.slot, *c, reason);
}

void Core::Finish(ConnId id, CloseReason reason) {
  Connection* c = Find(id);
  if (c == nullptr) return;
  if (c->state == State::kConnecting) {
    Terminate(id.slot, *c, reason);
  } else if (c->state == State::kOpen) {
    c->state = State::kDraining;
    c->reason = reason;
    Pump(id.slot, *c);
  }
}

void Core::Pump(ConnId id) {
  if (Connection* c = Find(id)) Pump(id.slot, *c);
}

absl::Status Core::Wait(int64_t deadline_ns) {
  int64_t timeout = base::kNever;
  if (more_work_ || spinner_.Spins()) {
    timeout = 0;
  } else if (deadline_ns != base::kNever) {
    timeout = std::max<int64_t>(0, deadline_ns - base::NowNs());
  }
  more_work_ = false;
  if (ring_->overflowed()) counters_.cq_overflows.Increment();
  int result = Enter(timeout);
  // EBUSY and EAGAIN ask for completions to be taken first, which is what comes next.
  if (result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY ||
      result == -EAGAIN) {
    return absl::OkStatus();
  }
  return base::ErrnoStatus(-result, "io_uring_enter");
}

int Core::Enter(int64_t timeout_ns) {
  int result;
  if (options_.wait.gather_ns != 0 && timeout_ns != 0) {
    result = ring_->SubmitAndGather(timeout_ns, {.gather_ns = options_.wait.gather_ns,
                                                 .most = ring_->cq_entries() / 2,
                                                 .by_kernel = Uses(FeatureId::kMinWait)});
  } else {
    result = ring_->SubmitAndWait(timeout_ns);
  }
  counters_.enter_calls.Add(ring_->calls());
  counters_.syscalls.Add(ring_->calls());
  return result;
}

// The time of the kernel's SQPOLL thread, which works for this engine alone.
void Core::AccountPoller(int64_t now_ns) {
  constexpr int64_t kEveryNs = base::kNsPerMs;
  if (!Uses(FeatureId::kSqpoll) || now_ns < poller_accounted_ns_ + kEveryNs) return;
  poller_accounted_ns_ = now_ns;
  counters_.syscalls.Increment();
  auto used_ns = static_cast<uint64_t>(ring_->PollerCpuNs());
  if (uint64_t known_ns = counters_.sq_thread_ns.Get(); used_ns > known_ns) {
    counters_.sq_thread_ns.Add(used_ns - known_ns);
  }
}

void Core::EndBatch(int64_t now_ns) {
  AccountPoller(now_ns);
  if (buffers_ != nullptr) {
    ServeStarved();
    buffers_->Publish();
    counters_.buffers_held.Set(buffers_->count() - buffers_->free());
  }
  recycled_in_batch_ = 0;
  ArmAccepts(now_ns);
  ArmOwnPolls();
  EndLingering(now_ns);
  if (now_ns >= rest_until_) {
    rest_until_ = base::kNever;
    while (!resting_.empty()) {
      uint32_t slot = resting_.PopFront();
      Pump(slot, table_[slot]);
    }
  }
  // Each is pumped once: one that finds the queue full again is back at the end of the list.
  for (uint32_t n = wants_pump_.size(); n > 0 && !wants_pump_.empty(); --n) {
    uint32_t slot = wants_pump_.PopFront();
    Pump(slot, table_[slot]);
  }
  if (!wants_pump_.empty()) more_work_ = true;
}

// The engine's own requests: the wake-up, and the set of half-closed peers.
void Core::ArmOwnPolls() {
  if (!wake_armed_) {
    if (io_uring_sqe* sqe = Sqe()) {
      io_uring_prep_read(sqe, wakeup_.fd(), &wake_count_, sizeof(wake_count_), 0);
      sqe->user_data = UserData::Pack(Op::kWake, 0, 0);
      wake_armed_ = true;
    } else {
      more_work_ = true;
    }
  }
  if (!writable_armed_ && writable_->fd() >= 0) {
    if (io_uring_sqe* sqe = Sqe()) {
      io_uring_prep_poll_add(sqe, writable_->fd(), POLLIN);
      sqe->user_data = UserData::Pack(Op::kWritable, 0, 0);
      writable_armed_ = true;
    } else {
      more_work_ = true;
    }
  }
}

io_uring_sqe* Core::Sqe() {
  io_uring_sqe* sqe = ring_->GetSqe();
  if (sqe == nullptr) {
    int result = ring_->Submit();
    counters_.enter_calls.Add(ring_->calls());
    counters_.syscalls.Add(ring_->calls());
    if (result < 0) return nullptr;
    sqe = ring_->GetSqe();
    if (sqe == nullptr) return nullptr;
  }
  counters_.submissions.Increment();
  return sqe;
}

io_uring_sqe* Core::SqeFor(uint32_t slot) {
  io_uring_sqe* sqe = Sqe();
  if (sqe == nullptr) wants_pump_.PushBack(slot);
  return sqe;
}

Connection* Core::FindFor(const io_uring_cqe& cqe) {
  Connection* c = table_.Find(UserData::Slot(cqe.user_data), UserData::Generation(cqe.user_data),
                              UserData::kMask24);
  if (c == nullptr) counters_.stale_completions.Increment();
  return c;
}

void Core::Address(io_uring_sqe* sqe, Op op, uint32_t slot) const {
  if (Uses(FeatureId::kDirectDescriptors)) sqe->flags |= IOSQE_FIXED_FILE;
  sqe->user_data = Tag(op, slot);
}

bool Core::CancelOp(uint32_t slot, Op op) {
  io_uring_sqe* sqe = SqeFor(slot);
  if (sqe == nullptr) return false;
  io_uring_prep_cancel64(sqe, op == Op::kSend ? SendTag(slot, table_[slot]) : Tag(op, slot), 0);
  sqe->user_data = UserData::PackCancel(Tag(op, slot));
  return true;
}

// A cancel that found nothing may have come while its target was on the way from one place in the
// kernel to another (from the poll to an io-wq thread), where it cannot be found [seen on Linux
// 6.18]. If the target is still in flight when this is known, it is cancelled again a little later.
void Core::OnCancel(const io_uring_cqe& cqe) {
  uint32_t slot = UserData::Slot(cqe.user_data);
  Op target = UserData::CancelTarget(cqe.user_data);
  // That of all direct accepts tells how many it found, not whether it missed one.
  bool may_have_missed = target == Op::kAccept && accepts_direct();
  if (!may_have_missed && cqe.res != -ENOENT && cqe.res != -EALREADY) return;
  if (target == Op::kAccept) {
    if (slot >= listeners_.size() || listeners_[slot].accepts == 0) return;
    listeners_[slot].cancelled = false;
    PauseAccepting(base::NowNs() + kRestNs);
    return;
  }
  Connection* c = table_.Find(slot, UserData::Generation(cqe.user_data), UserData::kMask24);
  if (c == nullptr) return;
  bool in_flight = false;
  if (target == Op::kConnect) {
    c->connect_cancelled = false;
    in_flight = c->connect_armed;
  } else if (target == Op::kReceive) {
    c->receive_cancelled = false;
    in_flight = c->receive_armed;
  } else if (target == Op::kSend) {
    c->send_cancelled = false;
    in_flight = c->send_armed;
  } else if (target == Op::kWatch) {
    c->watch_cancelled = false;
    in_flight = c->watch_armed;
  }
  if (in_flight) RestBeforePump(slot);
}

void Core::RestBeforePump(uint32_t slot) {
  resting_.PushBack(slot);
  rest_until_ = std::min(rest_until_, base::NowNs() + kRestNs);
}

// What this engine holds for the peer, and what the kernel does until it is acknowledged.
std::optional<int64_t> Core::Undelivered(ConnId id) {
  Connection* c = Find(id);
  if (c == nullptr || c->state == State::kClosing || c->state == State::kConnecting) return 0;
  int fd = PlainDescriptor(id.slot, *c);
  if (fd < 0) return std::nullopt;
  int in_kernel = 0;
  counters_.syscalls.Increment();
  if (ioctl(fd, SIOCOUTQ, &in_kernel) != 0) in_kernel = 0;
  PlainDescriptorDone(*c);
  return int64_t{c->queued_bytes} + in_kernel;
}

void Core::Pump(uint32_t slot, Connection& c) {
  switch (c.state) {
    case State::kAccepting:
    case State::kConnecting:
    case State::kClosing:
      return;
    case State::kOpen:
    case State::kDraining:
      if (!PumpSend(slot, c) || !PumpReceive(slot, c) || !PumpWatch(slot, c)) return;
      if (c.state == State::kDraining && !c.receive_armed && !c.delivering && NothingToSend(c)) {
        EndOutput(slot, c);
      }
      return;
    case State::kLingering:
      PumpReceive(slot, c);
      return;
    case State::kTerminating:
      PumpTermination(slot, c);
      return;
  }
}

// Everything is handed to the kernel; what is left is to close without destroying it.
void Core::EndOutput(uint32_t slot, Connection& c) {
  constexpr int64_t kLingerNs = base::kNsPerSec;
  int unread = 0;
  int unacknowledged = 0;
  if (c.reason == CloseReason::kEof) {
    Terminate(slot, c, c.reason);
    return;
  }
  int fd = PlainDescriptor(slot, c);
  if (fd < 0) return;
  counters_.syscalls.Add(2);
  bool all_done = ioctl(fd, FIONREAD, &unread) == 0 && unread == 0 &&
                  ioctl(fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
  if (!all_done) {
    counters_.syscalls.Increment();
    // Not IORING_OP_SHUTDOWN: that one always goes to an io-wq thread.
    bool ended = shutdown(fd, SHUT_WR) == 0;
    PlainDescriptorDone(c);
    if (ended) {
      c.state = State::kLingering;
      c.paused = false;
      lingering_.push_back({Id(slot), base::NowNs() + kLingerNs});
      Pump(slot, c);
      return;
    }
  }
  Terminate(slot, c, c.reason);
}

// A peer that neither reads nor ends may not keep the connection for ever.
void Core::EndLingering(int64_t now_ns) {
  while (!lingering_.empty() && lingering_.front().until_ns <= now_ns) {
    ConnId id = lingering_.front().id;
    lingering_.pop_front();
    Connection* c = Find(id);
    if (c != nullptr && c->state == State::kLingering) Terminate(id.slot, *c, c->reason);
  }
}

void Core::Terminate(uint32_t slot, Connection& c, CloseReason reason) {
  if (c.state == State::kTerminating || c.state == State::kClosing) return;
  c.state = State::kTerminating;
  c.reason = reason;
  starved_.Remove(slot);
  PumpTermination(slot, c);
}

void Core::TerminateWithErrno(uint32_t slot, Connection& c, int error) {
  CloseReason reason = ReasonFromErrno(error);
  if (reason == CloseReason::kOther) {
    counters_.last_errno.Sub(counters_.last_errno.Get());
    counters_.last_errno.Add(static_cast<uint64_t>(error));
  }
  Terminate(slot, c, reason);
}

// The join: cancel each request once, wait for all of them, then close.
void Core::PumpTermination(uint32_t slot, Connection& c) {
  if (c.connect_armed && !c.connect_cancelled) {
    if (!CancelOp(slot, Op::kConnect)) return;
    c.connect_cancelled = true;
  }
  if (c.receive_armed && !c.receive_cancelled) {
    if (!CancelOp(slot, Op::kReceive)) return;
    c.receive_cancelled = true;
  }
  if (c.send_armed && !c.send_cancelled) {
    if (!CancelOp(slot, Op::kSend)) return;
    c.send_cancelled = true;
  }
  if (c.watch_armed && !c.watch_cancelled) {
    if (!CancelOp(slot, Op::kWatch)) return;
    c.watch_cancelled = true;
  }
  if (c.connect_armed || c.receive_armed || c.send_armed || c.watch_armed || c.install_armed) {
    return;
  }
  CloseNow(slot, c);
}

void Core::CloseNow(uint32_t slot, Connection& c) {
  io_uring_sqe* sqe = SqeFor(slot);
  if (sqe == nullptr) return;
  RecycleQueue(slot, c);
  Ungather(c);
  c.spill.reset();
  c.source = SendSource::kNone;
  if (Uses(FeatureId::kDirectDescriptors)) {
    PlainDescriptorDone(c);
    io_uring_prep_close_direct(sqe, static_cast<unsigned>(c.fd));
  } else {
    if (c.was_in_set) {
      counters_.syscalls.Increment();
      writable_->Remove(c.fd);
    }
    io_uring_prep_close(sqe, c.fd);
  }
  sqe->user_data = Tag(Op::kClose, slot);
  c.state = State::kClosing;
}

std::optional<Closed> Core::OnClose(const io_uring_cqe& cqe) {
  Connection* c = FindFor(cqe);
  if (c == nullptr) return std::nullopt;
  // Linux frees the descriptor whatever close reports.
  uint32_t slot = UserData::Slot(cqe.user_data);
  Closed closed{Id(slot), c->reason};
  if (c->holds_place) options_.accept_gate->Leave();
  counters_.open.Sub(1);
  c->closed = true;
  ++closed_slots_;
  // The kernel may still send from the slot's own buffer, to a peer that takes its time. The
  // connection has ended all the same; only the slot waits.
  if (c->own_buffer_sends == 0) FreeSlot(slot);
  return closed;
}

void Core::FreeSlot(uint32_t slot) {
  wants_pump_.Remove(slot);
  resting_.Remove(slot);
  table_.Free(slot);
  --closed_slots_;
  accept_again_ = true;
}

void Core::TerminateAll() {
  StopListening();
  table_.ForEach([this](uint32_t slot, Connection& c) {
    if (c.state != State::kAccepting) Terminate(slot, c, CloseReason::kInterrupted);
  });
}

bool Core::idle() const {
  bool accepting = std::any_of(listeners_.begin(), listeners_.end(),
                               [](const Listener& l) { return l.accepts > 0; });
  return table_.size() == closed_slots_ && !accepting;
}

}  // namespace ringecho::engine::uring

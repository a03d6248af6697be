// Core: bytes in, bytes out.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/uring/core.h"

namespace ringecho::engine::uring {

// ---- Receiving ------------------------------------------------------------------------------

// False when it found the submission queue full.
bool Core::PumpReceive(uint32_t slot, Connection& c) {
  if (c.queued_bytes <= options_.low_water_bytes) {
    c.paused = false;
  } else if (!c.paused && (c.queued_bytes > options_.high_water_bytes || PoolIsLow())) {
    c.paused = true;
    counters_.backpressure_pauses.Increment();
  }
  bool wanted = WantsToReceive(c);
  if (c.receive_armed) {
    if (wanted || c.receive_cancelled) return true;
    if (!CancelOp(slot, Op::kReceive)) return false;
    c.receive_cancelled = true;
    return true;
  }
  // Not while the handler looks at bytes that the next receive might overwrite.
  if (!wanted || c.starved.linked || c.delivering) return true;
  // Without provided buffers a connection has one, which is free again once it is sent.
  if (buffers_ == nullptr && (c.source == SendSource::kOwn || c.own_buffer_sends > 0)) return true;
  return ArmReceive(slot, c);
}

// The watch tells of the peer's half-close while no receive does. A send that waits in the kernel
// must be taken out of it then (writable_set.h). False when it found the submission queue full.
bool Core::PumpWatch(uint32_t slot, Connection& c) {
  bool receives_all_the_time = buffers_ != nullptr;
  bool blind = !receives_all_the_time || (c.send_armed && !c.receive_armed);
  if (c.watch_armed || c.half_closed || !blind) return true;
  io_uring_sqe* sqe = SqeFor(slot);
  if (sqe == nullptr) return false;
  io_uring_prep_poll_add(sqe, c.fd, POLLRDHUP);
  Address(sqe, Op::kWatch, slot);
  c.watch_armed = true;
  c.watch_cancelled = false;
  return true;
}

void Core::OnWatch(const io_uring_cqe& cqe) {
  Connection* c = FindFor(cqe);
  if (c == nullptr) return;
  c->watch_armed = false;
  // An error leaves us blind: then the careful way of sending is taken without being told.
  if (cqe.res != -ECANCELED) c->half_closed = true;
  Pump(UserData::Slot(cqe.user_data), *c);
}

bool Core::ArmReceive(uint32_t slot, Connection& c) {
  io_uring_sqe* sqe = SqeFor(slot);
  if (sqe == nullptr) return false;
  if (buffers_ != nullptr) {
    // A multishot takes as much as the buffer holds; other lengths than 0 are refused before 6.17.
    bool multishot = Uses(FeatureId::kMultishotRecv);
    io_uring_prep_rw(IORING_OP_RECV, sqe, c.fd, nullptr, multishot ? 0 : buffers_->bytes(), 0);
    if (multishot) sqe->ioprio = IORING_RECV_MULTISHOT;
    if (Uses(FeatureId::kRecvBundle)) sqe->ioprio |= IORING_RECVSEND_BUNDLE;
    // A multishot one on a unix socket that waits first is never told of an end of stream that was
    // there before it [seen on Linux 6.18].
    if (Uses(FeatureId::kPollFirst) && !(multishot && c.is_unix)) {
      sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    }
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = BufferRing::kGroup;
  } else if (int index = own_buffers_->SlotIndex(slot);
             index != ConnectionBuffers::kNotRegistered && Uses(FeatureId::kFixedBuffers)) {
    io_uring_prep_read_fixed(sqe, c.fd, own_buffers_->Data(slot), own_buffers_->bytes(), 0, index);
  } else {
    io_uring_prep_rw(IORING_OP_RECV, sqe, c.fd, own_buffers_->Data(slot), own_buffers_->bytes(), 0);
  }
  Address(sqe, Op::kReceive, slot);
  c.receive_armed = true;
  c.receive_cancelled = false;
  return true;
}

Received Core::OnReceive(const io_uring_cqe& cqe) {
  uint32_t slot = UserData::Slot(cqe.user_data);
  Received received = TakeReceived(slot, cqe);
  Connection* c = FindFor(cqe);
  if (c == nullptr) {
    Drop(received);
    return {};
  }
  // Without F_MORE the request is over, whatever its result; with data it is simply armed again.
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
    c->receive_armed = false;
    if (cqe.res > 0 && Uses(FeatureId::kMultishotRecv)) counters_.multishot_rearms.Increment();
  }
  if (cqe.res > 0 && (c->state == State::kOpen || c->state == State::kDraining)) {
    if (!received.data.empty()) {
      counters_.receives.Increment();
      if (received.rest_bytes > 0) counters_.bundles.Increment();
      received.id = Id(slot);
      // Linux 5.19: SOCK_NONEMPTY. Detect: it is never set before. Otherwise: sends go out at once.
      constexpr unsigned kMoreComes = IORING_CQE_F_MORE | IORING_CQE_F_SOCK_NONEMPTY;
      received.more_waits = (cqe.flags & kMoreComes) == kMoreComes;
      BeginDelivery(slot, *c, received);
      return received;
    }
    TerminateWithErrno(slot, *c, EIO);
  }
  // Only data for a living connection keeps its buffer.
  Drop(received);
  if (cqe.res == 0) {
    OnPeerEof(slot, *c);
  } else if (cqe.res < 0) {
    OnReceiveError(slot, *c, -cqe.res);
  } else {
    Pump(slot, *c);
  }
  return {};
}

// What a completion brought; no data when it brought none, or cannot be true.
Received Core::TakeReceived(uint32_t slot, const io_uring_cqe& cqe) {
  if (buffers_ != nullptr) return TakeProvided(cqe);
  Received out;
  if (cqe.res <= 0 || static_cast<uint32_t>(cqe.res) > own_buffers_->bytes()) return out;
  out.data = {own_buffers_->Data(slot), static_cast<size_t>(cqe.res)};
  return out;
}

void Core::BeginDelivery(uint32_t slot, Connection& c, const Received& received) {
  counters_.bytes_received.Add(received.data.size());
  c.delivering = true;
  // Asked for while it idled; when it does again, so is this.
  PlainDescriptorDone(c);
  if (received.rest_bytes == 0) StarveAfterBundle(slot, c);
}

void Core::Resolve(const Received& received, Verdict verdict) {
  uint32_t slot = received.id.slot;
  Connection* c = Find(received.id);
  bool rest_follows = received.rest_bytes > 0;
  if (c != nullptr) c->delivering = rest_follows;
  bool alive = c != nullptr && (c->state == State::kOpen || c->state == State::kDraining);
  if (verdict == Verdict::kEcho && alive) {
    auto bytes = static_cast<uint32_t>(received.data.size());
    c->queued_bytes += bytes;
    if (received.buffer != kNoBuffer) {
      Enqueue(slot, *c, received);
    } else {
      c->source = SendSource::kOwn;
      c->send_at = received.data.data();
      c->send_left = c->send_total = bytes;
    }
  } else {
    GiveBack(received.buffer);
  }
  if (c == nullptr) return;
  if (verdict == Verdict::kClose) {
    Terminate(slot, *c, CloseReason::kLocal);
  } else if ((rest_follows || received.more_waits) && Uses(FeatureId::kVectoredSend)) {
    // A long message comes in many buffers, and its last one sends them all; at the latest the end
    // of the batch does.
    wants_pump_.PushBack(slot);
  } else {
    Pump(slot, *c);
  }
}

void Core::OnPeerEof(uint32_t slot, Connection& c) {
  c.half_closed = true;
  if (c.state == State::kLingering) Terminate(slot, c, c.reason);
  if (c.state == State::kOpen) {
    c.state = State::kDraining;
    c.reason = CloseReason::kEof;
    if (c.source == SendSource::kPayload) {
      Terminate(slot, c, CloseReason::kEof);
      return;
    }
  }
  Pump(slot, c);
}

void Core::OnReceiveError(uint32_t slot, Connection& c, int error) {
  switch (error) {
    case ENOBUFS:
      if (buffers_ == nullptr) break;
      // The pool was empty. The connection waits its turn for a buffer; it must not wait for a
      // send of its own, because it may have none.
      counters_.buffers_starved.Increment();
      if (c.state == State::kOpen || c.state == State::kLingering) starved_.PushBack(slot);
      Pump(slot, c);
      return;
    case ECANCELED:
    case EINTR:
      Pump(slot, c);
      return;
    case EAGAIN:
      // Not what a blocking socket says; whatever makes it so must not make us spin.
      RestBeforePump(slot);
      return;
    default:
      break;
  }
  TerminateWithErrno(slot, c, error);
  Pump(slot, c);
}

// ---- Sending --------------------------------------------------------------------------------

bool Core::NothingToSend(const Connection& c) const {
  return !c.send_armed && c.source == SendSource::kNone && c.queue_head == kNoPiece &&
         c.spill == nullptr;
}

// One send at a time: two in flight on a socket may be reordered. False when it found the
// submission queue full.
bool Core::PumpSend(uint32_t slot, Connection& c) {
  if (c.send_armed) {
    bool take_back = c.spill_wanted || (c.half_closed && c.send_may_wait);
    if (!take_back || c.send_cancelled) return true;
    if (!CancelOp(slot, Op::kSend)) return false;
    c.send_cancelled = true;
    return true;
  }
  SelectSource(slot, c);
  if (c.enters_set) EnterWritableSet(slot, c);
  if (c.source == SendSource::kNone || c.waits_writable) return true;
  io_uring_sqe* sqe = SqeFor(slot);
  if (sqe == nullptr) return false;
  if (!PrepareZeroCopy(slot, c, sqe)) PrepareSend(slot, c, sqe);
  Address(sqe, Op::kSend, slot);
  sqe->user_data = SendTag(slot, c);
  c.send_armed = true;
  c.send_cancelled = false;
  return true;
}

// What is spilled came before what is queued.
void Core::SelectSource(uint32_t slot, Connection& c) {
  if (c.spill_wanted) Spill(slot, c);
  if (c.source != SendSource::kNone) return;
  if (c.spill != nullptr) {
    c.source = SendSource::kSpill;
    c.send_at = c.spill->rest().data();
    c.send_left = c.send_total = static_cast<uint32_t>(c.spill->rest().size());
  } else if (c.queue_head != kNoPiece) {
    const Piece& head = pieces_[c.queue_head];
    c.source = SendSource::kProvided;
    c.send_at = DataOf(head) + c.head_sent;
    c.send_left = c.send_total = head.bytes - c.head_sent;
    if (head.next != kNoPiece && Uses(FeatureId::kVectoredSend)) Gather(c);
  }
}

// The backlog, or as much of it as one call takes.
void Core::Gather(Connection& c) {
  c.vector = vectors_.Take();
  c.vector->Add(c.send_at, c.send_left);
  for (uint32_t next = pieces_[c.queue_head].next; next != kNoPiece && !c.vector->full();
       next = pieces_[next].next) {
    c.vector->Add(DataOf(pieces_[next]), pieces_[next].bytes);
  }
  c.send_left = c.send_total = c.vector->bytes();
  counters_.vectored_sends.Increment();
}

void Core::Ungather(Connection& c) {
  if (c.vector == nullptr) return;
  vectors_.GiveBack(c.vector);
  c.vector = nullptr;
}

void Core::PrepareSend(uint32_t slot, Connection& c, io_uring_sqe* sqe) const {
  c.send_may_wait = !c.half_closed;
  // MSG_WAITALL: the kernel finishes a short send itself instead of reporting it. Short ones are
  // dealt with all the same.
  int flags = MSG_NOSIGNAL | (c.half_closed ? MSG_DONTWAIT : wait_all_);
  if (c.vector != nullptr) {
    io_uring_prep_sendmsg(sqe, c.fd, c.vector->message(), static_cast<unsigned>(flags));
    return;
  }
  if (c.half_closed) {
    io_uring_prep_send(sqe, c.fd, c.send_at, c.send_left, flags);
    return;
  }
  int index = ConnectionBuffers::kNotRegistered;
  if (own_buffers_ != nullptr && Uses(FeatureId::kFixedBuffers)) {
    if (c.source == SendSource::kOwn) index = own_buffers_->SlotIndex(slot);
    if (c.source == SendSource::kPayload) index = own_buffers_->payload_index();
  }
  if (index != ConnectionBuffers::kNotRegistered) {
    // write(2) semantics: no MSG_NOSIGNAL, so both programs ignore SIGPIPE.
    io_uring_prep_write_fixed(sqe, c.fd, c.send_at, c.send_left, 0, index);
  } else {
    io_uring_prep_send(sqe, c.fd, c.send_at, c.send_left, flags);
  }
}

Sent Core::OnSend(const io_uring_cqe& cqe) {
  Connection* c = FindFor(cqe);
  if (c == nullptr) return {};
  return EndSend(UserData::Slot(cqe.user_data), *c, cqe.res);
}

Sent Core::EndSend(uint32_t slot, Connection& c, int result) {
  ConnId id = Id(slot);
  c.send_armed = false;
  size_t done = 0;
  if (result > 0) {
    auto taken = std::min(static_cast<uint32_t>(result), c.send_left);
    counters_.sends.Increment();
    counters_.bytes_sent.Add(taken);
    done = AccountSent(slot, c, taken);
  } else if (result == 0) {
    // A stream socket never takes nothing of something; retrying could go on for ever.
    TerminateWithErrno(slot, c, EIO);
  } else {
    OnSendFailed(slot, c, -result);
  }
  bool alive = c.state == State::kOpen || c.state == State::kDraining;
  Pump(slot, c);
  return alive ? Sent{id, done} : Sent{};
}

void Core::OnSendFailed(uint32_t slot, Connection& c, int error) {
  if (error == EAGAIN && !c.send_may_wait) {
    WaitWritable(slot, c);
  } else if (error != ECANCELED && error != EAGAIN && error != EINTR) {
    TerminateWithErrno(slot, c, error);
  }
}

void Core::WaitWritable(uint32_t slot, Connection& c) {
  if (c.state == State::kTerminating) return;
  if (c.turned_writable) {
    c.turned_writable = false;  // after the send had failed, as likely as not: it is tried again
    return;
  }
  c.waits_writable = true;
  EnterWritableSet(slot, c);
}

// A direct descriptor enters for good, with an ordinary one that is not kept: peers that do not
// read would hold as many as there are otherwise, and nobody else could enter.
void Core::EnterWritableSet(uint32_t slot, Connection& c) {
  const bool direct = Uses(FeatureId::kDirectDescriptors);
  if (direct && c.was_in_set) return;
  int fd = PlainDescriptor(slot, c);
  c.enters_set = fd < 0;
  if (fd < 0) return;
  counters_.syscalls.Increment();
  uint64_t tag = Tag(Op::kWritable, slot);
  int result = direct         ? writable_->AddForGood(fd, tag)
               : c.was_in_set ? writable_->AddAgain(fd, tag)
                              : writable_->Add(fd, tag);
  PlainDescriptorDone(c);
  if (result < 0) {
    TerminateWithErrno(slot, c, -result);
    return;
  }
  c.was_in_set = true;
}

void Core::OnWritable() {
  writable_armed_ = false;
  std::array<uint64_t, 64> tags;
  size_t count;
  do {
    counters_.syscalls.Increment();
    count = writable_->Take(tags);
    for (size_t i = 0; i < count; ++i) {
      Connection* c =
          table_.Find(UserData::Slot(tags[i]), UserData::Generation(tags[i]), UserData::kMask24);
      if (c == nullptr) continue;
      // The completion of a send that found no room may still be behind us in the queue.
      c->turned_writable = !c->waits_writable;
      c->waits_writable = false;
      Pump(UserData::Slot(tags[i]), *c);
    }
  } while (count == tags.size());
}

// The kernel has taken so many bytes of the send. Returns how many the handler is told of: of a
// payload all of them once it is whole, of an echo each part.
size_t Core::AccountSent(uint32_t slot, Connection& c, uint32_t taken) {
  c.send_at += taken;
  c.send_left -= taken;
  bool whole = c.send_left == 0;
  if (!whole) counters_.short_sends.Increment();
  if (c.source == SendSource::kPayload) {
    if (whole) c.source = SendSource::kNone;
    return whole ? c.send_total : 0;
  }
  c.queued_bytes -= taken;
  if (c.source == SendSource::kProvided) {
    ReleaseSent(slot, c, taken);
    return taken;
  }
  if (c.source == SendSource::kSpill) c.spill->Sent(taken);
  if (whole) {
    c.spill.reset();
    c.source = SendSource::kNone;
  }
  return taken;
}

// Provided buffers go back one by one as they are through; the next send starts within the first
// that is not.
void Core::ReleaseSent(uint32_t slot, Connection& c, uint32_t taken) {
  while (taken > 0) {
    uint32_t rest = pieces_[c.queue_head].bytes - c.head_sent;
    if (taken < rest) {
      c.head_sent += taken;
      break;
    }
    taken -= rest;
    PopPiece(slot, c);
  }
  Ungather(c);
  c.source = SendSource::kNone;
}

}  // namespace ringecho::engine::uring

// Core: provided buffers, from the completion that names one until the kernel has it back, and what
// happens when they run out.
#include <cassert>
#include <cerrno>
#include <memory>
#include <utility>

#include "engine/uring/core.h"

namespace ringecho::engine::uring {

// What a completion brought into provided buffers: the first part of it, in a buffer that is now
// the application's.
Received Core::TakeProvided(const io_uring_cqe& cqe) {
  Received out;
  if ((cqe.flags & IORING_CQE_F_BUFFER) == 0) return out;
  auto buffer = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
  if (!buffers_->IsKernels(buffer)) return out;
  uint32_t bytes = cqe.res > 0 ? static_cast<uint32_t>(cqe.res) : 0;
  if (bytes > 0 && Uses(FeatureId::kRecvBundle)) {
    out.rest_bytes = bytes;
    out.rest_position = buffers_->Position(buffer);
    TakeNextBuffer(out);
    return out;
  }
  // Linux 6.12: a buffer of a ring that is consumed incrementally is used on while F_BUF_MORE says
  // so; of other rings a buffer is used once.
  bool whole = !Uses(FeatureId::kIncrementalBuffers) || (cqe.flags & IORING_CQE_F_BUF_MORE) == 0;
  bool fits = bytes <= buffers_->Room(buffer);
  out.buffer = buffer;
  out.at = buffers_->Take(buffer, fits ? bytes : 0, whole);
  if (fits) out.data = {buffers_->Data(buffer) + out.at, bytes};
  return out;
}

// Goes on to the buffer that has the next bytes of a bundle. False when the ring has none that
// could: then there is no rest and no data.
bool Core::TakeNextBuffer(Received& bundle) {
  BufferRing::Part part = buffers_->TakeOfBundle(bundle.rest_position, bundle.rest_bytes);
  bool taken = part.bytes > 0;
  bundle.buffer = taken ? part.id : kNoBuffer;
  bundle.at = 0;
  bundle.data = {buffers_->Data(taken ? part.id : 0), part.bytes};
  bundle.rest_bytes = taken ? bundle.rest_bytes - part.bytes : 0;
  ++bundle.rest_position;
  return taken;
}

Received Core::NextOfBundle(const Received& received) {
  Received next = received;
  next.buffer = kNoBuffer;
  Connection* c = Find(received.id);
  if (c == nullptr || (c->state != State::kOpen && c->state != State::kDraining)) {
    Drop(next);
    return {};
  }
  if (!TakeNextBuffer(next)) {
    TerminateWithErrno(received.id.slot, *c, EIO);
    return {};
  }
  BeginDelivery(received.id.slot, *c, next);
  return next;
}

// A bundle that takes the last buffer ends its receive, and no ENOBUFS tells of it: the connection
// waits its turn like one that got that.
void Core::StarveAfterBundle(uint32_t slot, Connection& c) {
  if (c.receive_armed || c.state != State::kOpen || !Uses(FeatureId::kRecvBundle)) return;
  if (buffers_->free() > 0) return;
  counters_.buffers_starved.Increment();
  starved_.PushBack(slot);
}

// Nobody wants these bytes: their buffers go back, those of the rest of a bundle, too.
void Core::Drop(Received received) {
  GiveBack(received.buffer);
  while (received.rest_bytes > 0 && TakeNextBuffer(received)) GiveBack(received.buffer);
}

void Core::GiveBack(uint16_t buffer) {
  if (buffer == kNoBuffer) return;
  if (notifications_ != nullptr && notifications_->Defer(buffer)) return;
  if (buffers_->Release(buffer)) ++recycled_in_batch_;
}

void Core::Enqueue(uint32_t slot, Connection& c, const Received& received) {
  uint32_t piece = pieces_.Take({.next = kNoPiece,
                                 .at = received.at,
                                 .bytes = static_cast<uint32_t>(received.data.size()),
                                 .buffer = received.buffer});
  if (c.queue_tail == kNoPiece) {
    c.queue_head = piece;
    holding_.PushBack(slot);
  } else {
    pieces_[c.queue_tail].next = piece;
  }
  c.queue_tail = piece;
}

void Core::PopPiece(uint32_t slot, Connection& c) {
  assert(c.queue_head != kNoPiece);
  uint32_t piece = c.queue_head;
  uint16_t buffer = pieces_[piece].buffer;
  c.queue_head = pieces_[piece].next;
  c.head_sent = 0;
  pieces_.GiveBack(piece);
  if (c.queue_head == kNoPiece) {
    c.queue_tail = kNoPiece;
    c.spill_wanted = false;
    holding_.Remove(slot);
  }
  GiveBack(buffer);
}

void Core::RecycleQueue(uint32_t slot, Connection& c) {
  while (c.queue_head != kNoPiece) PopPiece(slot, c);
}

// Copies the first of what the connection holds in provided buffers to memory of its own, and gives
// those buffers back. No send of it may be in flight. Not more than is short: a bundle can have
// brought the whole pool, and if it all came back the next peer that does not read could take it
// again. So memory grows by what somebody else has a use for.
void Core::Spill(uint32_t slot, Connection& c) {
  assert(!c.send_armed && c.source != SendSource::kPayload);
  c.spill_wanted = false;
  const uint32_t enough = SpillAtOnce(buffers_->count());
  if (c.queue_head == kNoPiece || buffers_->free() >= enough) return;
  counters_.sends_spilled.Increment();
  if (c.spill == nullptr) c.spill = std::make_unique<CopiedBacklog>();
  // Buffers that others have a part of do not come back: then it is the bytes that tell when it is
  // somebody else's turn.
  uint64_t most_bytes = uint64_t{enough} * buffers_->bytes();
  uint64_t copied = 0;
  while (c.queue_head != kNoPiece && buffers_->free() < enough && copied < most_bytes) {
    const Piece& head = pieces_[c.queue_head];
    uint32_t left = head.bytes - c.head_sent;
    c.spill->Append({DataOf(head) + c.head_sent, left});
    copied += left;
    PopPiece(slot, c);
  }
  Ungather(c);
  c.source = SendSource::kNone;
}

// A free buffer goes to the connection that has waited longest. No more are armed than there are
// buffers, so one that idles cannot fail again at once and spin.
void Core::ServeStarved() {
  if (starved_.empty()) return;
  for (uint32_t free = buffers_->free(); free > 0 && !starved_.empty(); --free) {
    uint32_t slot = starved_.PopFront();
    Pump(slot, table_[slot]);
  }
  // Those who have stopped receiving meanwhile have no use for one; they are armed when they have.
  while (!starved_.empty() && !WantsToReceive(table_[starved_.front()])) starved_.PopFront();
  if (starved_.empty()) return;
  if (buffers_->free() == 0 && recycled_in_batch_ == 0) {
    uint64_t spilled = counters_.sends_spilled.Get();
    ReclaimBuffers();
    // A buffer that several hold, or that a zero-copy send still reads, comes back with the last of
    // them, whose turn may be the next one.
    if (counters_.sends_spilled.Get() > spilled) more_work_ = true;
  }
  // Those just armed may stay idle and leave their buffers free: the others get their turn without
  // waiting for an event that may never come.
  if (buffers_->free() > 0) more_work_ = true;
}

// Every buffer is held for a peer that is slow to read, and somebody is waiting for one. The oldest
// holders' sends are cancelled; of what is left of them some moves to private memory, and those
// buffers come back. A send that was about to finish anyway loses nothing: the cancel comes too
// late. Without this, peers that never read could take the whole pool, and everybody else with it.
void Core::ReclaimBuffers() {
  constexpr int kAtOnce = 16;
  uint32_t slot = holding_.front();
  for (int n = 0; n < kAtOnce && slot != kNoSlot; ++n) {
    uint32_t next = holding_.next(slot);
    Connection& c = table_[slot];
    if (c.state == State::kOpen || c.state == State::kDraining) {
      c.spill_wanted = true;
      Pump(slot, c);
    }
    slot = next;
  }
}

}  // namespace ringecho::engine::uring

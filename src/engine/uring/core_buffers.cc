// Core: provided buffers, from the completion that names one until the kernel has it back, and what
// happens when they run out.
#include <cassert>
#include <memory>
#include <utility>
#include <vector>

#include "engine/uring/core.h"

namespace ringecho::engine::uring {

// The provided buffer a completion names, now the application's; kNoBuffer when it names none, or
// one that does not exist.
uint16_t Core::TakeBuffer(const io_uring_cqe& cqe) {
  if (buffers_ == nullptr || (cqe.flags & IORING_CQE_F_BUFFER) == 0) return kNoBuffer;
  auto buffer = static_cast<uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
  if (buffer >= buffers_->count() || buffers_->free() == 0) return kNoBuffer;
  buffers_->Take();
  return buffer;
}

void Core::GiveBack(uint16_t buffer) {
  if (buffer == kNoBuffer) return;
  buffers_->Recycle(buffer);
  ++recycled_in_batch_;
}

void Core::Enqueue(uint32_t slot, Connection& c, uint16_t buffer, uint32_t bytes) {
  queued_[buffer] = {.next = kNoBuffer, .bytes = bytes};
  if (c.queue_tail == kNoBuffer) {
    c.queue_head = buffer;
    holding_.PushBack(slot);
  } else {
    queued_[c.queue_tail].next = buffer;
  }
  c.queue_tail = buffer;
}

void Core::PopBuffer(uint32_t slot, Connection& c) {
  assert(c.queue_head != kNoBuffer);
  uint16_t buffer = c.queue_head;
  c.queue_head = queued_[buffer].next;
  c.head_sent = 0;
  if (c.queue_head == kNoBuffer) {
    c.queue_tail = kNoBuffer;
    c.spill_wanted = false;
    holding_.Remove(slot);
  }
  GiveBack(buffer);
}

void Core::RecycleQueue(uint32_t slot, Connection& c) {
  while (c.queue_head != kNoBuffer) PopBuffer(slot, c);
}

// Copies what the connection holds in provided buffers to memory of its own and gives the buffers
// back. No send of it may be in flight. The copy is bounded by the high-water mark plus what one
// multishot receive brings before its cancel takes effect.
void Core::Spill(uint32_t slot, Connection& c) {
  assert(!c.send_armed);
  c.spill_wanted = false;
  if (c.queue_head == kNoBuffer) return;
  counters_.sends_spilled.Increment();
  auto rest = std::make_unique<std::vector<std::byte>>();
  rest->reserve(c.queued_bytes);
  if (c.source == SendSource::kSpill) {
    rest->insert(rest->end(), c.send_at, c.send_at + c.send_left);
  }
  uint32_t skip = c.head_sent;
  while (c.queue_head != kNoBuffer) {
    const std::byte* data = buffers_->Data(c.queue_head);
    rest->insert(rest->end(), data + skip, data + queued_[c.queue_head].bytes);
    skip = 0;
    PopBuffer(slot, c);
  }
  Ungather(c);
  c.spill = std::move(rest);
  c.spill_at = 0;
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
  if (starved_.empty()) return;
  if (buffers_->free() == 0 && recycled_in_batch_ == 0) ReclaimBuffers();
  // Those just armed may stay idle and leave their buffers free: the others get their turn without
  // waiting for an event that may never come.
  if (buffers_->free() > 0) more_work_ = true;
}

// Every buffer is held for a peer that is slow to read, and somebody is waiting for one. The
// oldest holders' sends are cancelled; what is left of them moves to private memory and the
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

// Provided buffers: memory the kernel picks from when data arrives, so that an idle connection
// holds none.
#ifndef RINGECHO_ENGINE_URING_BUFFER_RING_H_
#define RINGECHO_ENGINE_URING_BUFFER_RING_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "engine/uring/compat.h"
#include "engine/uring/ring.h"

namespace ringecho::engine::uring {

// Owns the memory of the buffers and of the ring that lists them, its registration, and the count
// of buffers that are the application's at the moment. Linux 5.19 (IORING_REGISTER_PBUF_RING);
// detect: registering one. Not thread-safe. Must outlive the Ring's use of it: destroy the Ring
// first.
class BufferRing {
 public:
  static constexpr uint16_t kGroup = 0;
  static constexpr uint32_t kMaxBuffers = 32768;  // the kernel's limit of entries

  // `count` buffers of `bytes` each, 1 to kMaxBuffers; the ring itself has the next power of two.
  static absl::StatusOr<std::unique_ptr<BufferRing>> Create(Ring& ring, uint32_t count,
                                                            uint32_t bytes);
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  uint32_t count() const { return count_; }
  uint32_t bytes() const { return bytes_; }

  // Buffers the kernel can pick (once published).
  uint32_t free() const { return count_ - held_; }

  std::byte* Data(uint16_t id) const { return memory_ + size_t{id} * bytes_; }

  // A completion named a buffer: it is the application's until Recycle.
  void Take() {
    assert(held_ < count_);
    ++held_;
  }

  // Gives a buffer back; the kernel sees it after the next Publish.
  void Recycle(uint16_t id) {
    assert(held_ > 0 && id < count_);
    --held_;
    io_uring_buf_ring_add(ring_, Data(id), bytes_, id, static_cast<int>(mask_), unpublished_++);
  }

  // One release store for all buffers recycled since the last call.
  void Publish() {
    if (unpublished_ == 0) return;
    io_uring_buf_ring_advance(ring_, unpublished_);
    unpublished_ = 0;
  }

 private:
  BufferRing(uint32_t count, uint32_t bytes);

  uint32_t count_;
  uint32_t bytes_;
  uint32_t entries_;
  uint32_t mask_;
  uint32_t held_;
  int unpublished_ = 0;
  io_uring_buf_ring* ring_ = nullptr;  // mapped
  std::byte* memory_ = nullptr;        // mapped
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_BUFFER_RING_H_

// Provided buffers: memory the kernel picks from when data arrives, so that an idle connection
// holds none.
#ifndef RINGECHO_ENGINE_URING_BUFFER_RING_H_
#define RINGECHO_ENGINE_URING_BUFFER_RING_H_

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/uring/compat.h"
#include "engine/uring/ring.h"

namespace ringecho::engine::uring {

// How the kernel consumes a buffer: all of it with one receive, however little came; or
// (incremental_buffers) as much as came, so that several receives share it.
enum class BufferUse : uint8_t { kWhole, kIncremental };

// Owns the memory of the buffers and of the ring that lists them, its registration, and the account
// of who has what. Linux 5.19 (IORING_REGISTER_PBUF_RING); detect: registering one. Not
// thread-safe. Must outlive the Ring's use of it: destroy the Ring first.
//
// A completion that fills a part of a buffer is followed by Take, and when those bytes are dealt
// with by Release. A buffer goes back to the kernel when the kernel is done with it and every part
// has been released.
class BufferRing {
 public:
  static constexpr uint16_t kGroup = 0;
  static constexpr uint32_t kMaxBuffers = 32768;  // the kernel's limit of entries

  // `count` buffers of `bytes` each, 1 to kMaxBuffers; the ring itself has the next power of two.
  static absl::StatusOr<std::unique_ptr<BufferRing>> Create(Ring& ring, uint32_t count,
                                                            uint32_t bytes,
                                                            BufferUse use = BufferUse::kWhole);
  ~BufferRing();
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  uint32_t count() const { return count_; }
  uint32_t bytes() const { return bytes_; }

  // Buffers the kernel can pick (once published).
  uint32_t free() const { return count_ - held_; }

  // That of all buffers.
  std::span<const std::byte> memory() const { return {memory_, size_t{count_} * bytes_}; }

  std::byte* Data(uint16_t id) const { return memory_ + size_t{id} * bytes_; }

  // Whether a completion may name it: there is such a buffer, and it is the kernel's.
  bool IsKernels(uint32_t id) const { return id < count_ && buffers_[id].is_kernels; }

  // Bytes that the next receive into this buffer of the kernel's can bring.
  uint32_t Room(uint16_t id) const { return bytes_ - buffers_[id].filled; }

  // Where in the ring it is, or was last, counted on and on.
  uint16_t Position(uint16_t id) const { return buffers_[id].position; }

  // The kernel has put `bytes`, at most the room there was, into a buffer of its own. Returns where
  // in the buffer they begin; they are the application's until Release. `whole`: and will not use
  // the rest of it.
  uint32_t Take(uint16_t id, uint32_t bytes, bool whole) {
    assert(IsKernels(id) && bytes <= Room(id));
    Buffer& buffer = buffers_[id];
    if (whole) {
      buffer.is_kernels = false;
      ++held_;
    }
    ++buffer.parts;
    uint32_t at = buffer.filled;
    buffer.filled += bytes;
    return at;
  }

  // What a bundle (recv_bundle) has in the buffer at that place of the ring.
  struct Part {
    uint16_t id = 0;
    uint32_t bytes = 0;  // 0: the kernel can have brought nothing there
  };

  // Takes the first of what is left of a bundle, which fills buffers in ring order, each to the
  // length its entry has. The kernel shortens that length where it expects less, also of a buffer
  // that it then does not use, so the entry is asked.
  Part TakeOfBundle(uint16_t position, uint32_t bytes_left) {
    const io_uring_buf& entry = ring_->bufs[position & mask_];
    uint16_t id = entry.bid;
    if (!IsKernels(id) || buffers_[id].position != position) return {};
    uint32_t bytes = std::min({bytes_left, bytes_, entry.len});
    if (bytes > 0) Take(id, bytes, /*whole=*/true);
    return {id, bytes};
  }

  // One of its parts is dealt with. Whether that gave the buffer back; the kernel sees it after the
  // next Publish.
  bool Release(uint16_t id) {
    Buffer& buffer = buffers_[id];
    assert(buffer.parts > 0);
    if (--buffer.parts > 0 || buffer.is_kernels) return false;
    Add(id);
    return true;
  }

  // One release store for all buffers given back since the last call.
  void Publish() {
    if (unpublished_ == 0) return;
    io_uring_buf_ring_advance(ring_, unpublished_);
    unpublished_ = 0;
  }

 private:
  struct Buffer {
    uint32_t filled = 0;    // bytes the kernel has used of it since it was given it
    uint32_t parts = 0;     // taken and not released
    uint16_t position = 0;  // in the ring, counted on and on
    bool is_kernels = false;
  };

  BufferRing(uint32_t count, uint32_t bytes);

  void Add(uint16_t id) {
    assert(held_ > 0);
    --held_;
    buffers_[id] = {.filled = 0, .parts = 0, .position = next_position_++, .is_kernels = true};
    io_uring_buf_ring_add(ring_, Data(id), bytes_, id, static_cast<int>(mask_), unpublished_++);
  }

  uint32_t count_;
  uint32_t bytes_;
  uint32_t entries_;
  uint32_t mask_;
  uint32_t held_;
  int unpublished_ = 0;
  uint16_t next_position_ = 0;
  std::vector<Buffer> buffers_;        // by id
  io_uring_buf_ring* ring_ = nullptr;  // mapped
  std::byte* memory_ = nullptr;        // mapped
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_BUFFER_RING_H_

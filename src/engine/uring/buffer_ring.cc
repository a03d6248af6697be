#include "engine/uring/buffer_ring.h"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status.h"

namespace ringecho::engine::uring {
namespace {

void* Map(size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory == MAP_FAILED ? nullptr : memory;
}

// The kernel gives back a closed ring's share of the locked-memory limit some time later: that of
// the rings which found out what it can do may be missing for a moment.
int Register(Ring& ring, io_uring_buf_ring* entries, uint32_t count, uint16_t group,
             unsigned flags) {
  constexpr useconds_t kRestUs = 10'000;
  constexpr int kTries = 20;
  for (int tries = 1;; ++tries) {
    int error = ring.RegisterBufferRing(entries, count, group, flags);
    if (error != -ENOMEM || tries == kTries) return error;
    usleep(kRestUs);
  }
}

}  // namespace

// All buffers start as the application's; Create adds each once to list it.
BufferRing::BufferRing(uint32_t count, uint32_t bytes)
    : count_(count),
      bytes_(bytes),
      entries_(std::bit_ceil(count)),
      mask_(entries_ - 1),
      held_(count),
      buffers_(count) {}

BufferRing::~BufferRing() {
  if (ring_ != nullptr) munmap(ring_, entries_ * sizeof(io_uring_buf));
  if (memory_ != nullptr) munmap(memory_, size_t{count_} * bytes_);
}

absl::StatusOr<std::unique_ptr<BufferRing>> BufferRing::Create(Ring& ring, uint32_t count,
                                                               uint32_t bytes, BufferUse use) {
  assert(count >= 1 && count <= kMaxBuffers && bytes >= 1);
  std::unique_ptr<BufferRing> self(new BufferRing(count, bytes));
  // Page-aligned, as the kernel requires of the ring.
  self->ring_ = static_cast<io_uring_buf_ring*>(Map(self->entries_ * sizeof(io_uring_buf)));
  self->memory_ = static_cast<std::byte*>(Map(size_t{count} * bytes));
  if (self->ring_ == nullptr || self->memory_ == nullptr) {
    return base::ErrnoStatus(ENOMEM, absl::StrCat("mmap of ", count, " buffers of ", bytes, " B"));
  }
  unsigned flags = use == BufferUse::kIncremental ? IOU_PBUF_RING_INC : 0;
  if (int error = Register(ring, self->ring_, self->entries_, kGroup, flags); error < 0) {
    return base::ErrnoStatus(-error, "io_uring_register PBUF_RING",
                             error == -ENOMEM && base::LockedMemoryLimit() != base::kUnlimited
                                 ? "this kernel charges it to the locked-memory limit: raise that "
                                   "(ulimit -l, LimitMEMLOCK=) or take fewer --buffers"
                                 : "");
  }
  io_uring_buf_ring_init(self->ring_);
  for (uint32_t id = 0; id < count; ++id) self->Add(static_cast<uint16_t>(id));
  self->Publish();
  return self;
}

}  // namespace ringecho::engine::uring

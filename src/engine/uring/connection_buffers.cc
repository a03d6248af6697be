#include "engine/uring/connection_buffers.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/units.h"

namespace ringecho::engine::uring {

absl::StatusOr<std::unique_ptr<ConnectionBuffers>> ConnectionBuffers::Create(uint32_t slots,
                                                                             uint32_t bytes) {
  std::unique_ptr<ConnectionBuffers> self(new ConnectionBuffers(slots, bytes));
  void* memory = mmap(nullptr, size_t{slots} * bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    return base::ErrnoStatus(errno, absl::StrCat("mmap of ", slots, " buffers of ", bytes, " B"));
  }
  self->memory_ = static_cast<std::byte*>(memory);
  // A huge page would be memory for many places, of whom one has received a few bytes.
  madvise(memory, size_t{slots} * bytes, MADV_NOHUGEPAGE);
  return self;
}

ConnectionBuffers::~ConnectionBuffers() {
  if (memory_ != nullptr) munmap(memory_, size_t{slots_} * bytes_);
}

absl::Status ConnectionBuffers::Register(Ring& ring, std::span<const std::byte> payload_region) {
  auto slots = static_cast<uint32_t>(std::min<size_t>(slots_, kMaxPinnedBytes / bytes_));
  const bool payload = !payload_region.empty() && payload_region.size() <= kMaxRegisteredBytes;
  // The kernel only reads it; iovec has no const.
  iovec buffers[2] = {{memory_, 0},
                      {const_cast<std::byte*>(payload_region.data()), payload_region.size()}};
  int error = 0;
  do {
    buffers[0].iov_len = size_t{slots} * bytes_;
    error = ring.RegisterBuffers(buffers, payload ? 2 : 1);
    if (error >= 0) {
      registered_slots_ = slots;
      if (payload) payload_index_ = 1;
      return absl::OkStatus();
    }
    // As many as may be pinned are worth having.
    slots /= 2;
  } while (error == -ENOMEM && slots > 0);
  const size_t pinned = buffers[0].iov_len + (payload ? payload_region.size() : 0);
  return base::ErrnoStatus(
      -error, absl::StrCat("registering ", base::FormatBytes(static_cast<int64_t>(pinned))),
      error == -ENOMEM ? "raise the locked-memory limit (ulimit -l, LimitMEMLOCK=)" : "");
}

}  // namespace ringecho::engine::uring

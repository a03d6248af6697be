// One buffer per connection slot: the receive memory of the rungs below provided buffers.
#ifndef RINGECHO_ENGINE_URING_CONNECTION_BUFFERS_H_
#define RINGECHO_ENGINE_URING_CONNECTION_BUFFERS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "engine/uring/ring.h"

namespace ringecho::engine::uring {

// Owns `slots` buffers; address space is reserved at once, memory touched as slots are used. With
// Register, the first buffers and the payload region become fixed buffers, which the kernel pins
// (so they are all touched) and, for users without CAP_IPC_LOCK, charges to RLIMIT_MEMLOCK.
class ConnectionBuffers {
 public:
  // Pinning is bounded; slots beyond it use ordinary recv and send.
  static constexpr size_t kMaxPinnedBytes = 64 << 20;

  // Linux 5.1: IORING_REGISTER_BUFFERS. One registered buffer may span 1 GiB.
  static constexpr size_t kMaxRegisteredBytes = 1 << 30;

  static absl::StatusOr<std::unique_ptr<ConnectionBuffers>> Create(uint32_t slots, uint32_t bytes);
  ~ConnectionBuffers();
  ConnectionBuffers(const ConnectionBuffers&) = delete;
  ConnectionBuffers& operator=(const ConnectionBuffers&) = delete;

  // Of half as many, and half of these, where more memory is to be pinned than the limit allows.
  // Fails with ENOMEM when it allows not even one; then nothing is registered and everything else
  // still works.
  absl::Status Register(Ring& ring, std::span<const std::byte> payload_region);

  std::byte* Data(uint32_t slot) const { return memory_ + size_t{slot} * bytes_; }
  uint32_t bytes() const { return bytes_; }
  // Those of the first so many slots.
  uint32_t registered_slots() const { return registered_slots_; }

  static constexpr int kNotRegistered = -1;
  // Index of the registered buffer that holds the slot's memory, or kNotRegistered.
  int SlotIndex(uint32_t slot) const { return slot < registered_slots_ ? 0 : kNotRegistered; }
  // Index of the payload region, or kNotRegistered.
  int payload_index() const { return payload_index_; }

 private:
  ConnectionBuffers(uint32_t slots, uint32_t bytes) : slots_(slots), bytes_(bytes) {}

  uint32_t slots_;
  uint32_t bytes_;
  uint32_t registered_slots_ = 0;
  int payload_index_ = kNotRegistered;
  std::byte* memory_ = nullptr;  // mapped
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_CONNECTION_BUFFERS_H_

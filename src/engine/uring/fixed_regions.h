// Memory that is mapped for the kernel once instead of with every zero-copy send.
#ifndef RINGECHO_ENGINE_URING_FIXED_REGIONS_H_
#define RINGECHO_ENGINE_URING_FIXED_REGIONS_H_

#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "engine/uring/ring.h"

namespace ringecho::engine::uring {

// Regions registered as fixed buffers, which the kernel pins and, for users without CAP_IPC_LOCK,
// charges to RLIMIT_MEMLOCK. They must outlive the ring's use of them. Linux 5.1; detect: Register.
class FixedRegions {
 public:
  static constexpr int kNotRegistered = -1;

  // Those that are not empty and no larger than one registered buffer may be. NOT_FOUND when that
  // leaves none; RESOURCE_EXHAUSTED when more is to be pinned than the limit allows.
  absl::Status Register(Ring& ring, std::initializer_list<std::span<const std::byte>> regions);

  // Index of the registered buffer that has these bytes, or kNotRegistered.
  int IndexOf(std::span<const std::byte> bytes) const;

 private:
  std::vector<std::span<const std::byte>> regions_;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_FIXED_REGIONS_H_

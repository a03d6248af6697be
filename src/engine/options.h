// What a role asks of an engine. Plain data; validated by the role's command line.
#ifndef RINGECHO_ENGINE_OPTIONS_H_
#define RINGECHO_ENGINE_OPTIONS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/defaults.h"
#include "engine/feature_set.h"
#include "engine/wait.h"

namespace ringecho::engine {

// Shared by the engines of one process: how many accepted connections may be open at once. An
// engine takes a place before it accepts for good and gives it back when the connection is closed;
// with no place left it stops accepting (clients wait in the kernel's backlog) and looks again
// when one of its own connections closes or kRetryNs have passed.
class AcceptGate {
 public:
  static constexpr int64_t kRetryNs = 10'000'000;

  explicit AcceptGate(int64_t limit) : places_(limit) {}

  bool TryEnter() {
    if (places_.fetch_sub(1, std::memory_order_relaxed) > 0) return true;
    Leave();
    return false;
  }
  void Leave() { places_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> places_;
};

struct Options {
  // Slots of the connection table of this engine: 1 to 2^24.
  uint32_t max_connections = 1024;

  // When set, accepted connections are limited across the engines that share it. Not owned.
  AcceptGate* accept_gate = nullptr;

  // Provided buffers of the io_uring engine: 1 to 32,768; and bytes of one buffer, which for epoll
  // is the size of one read: 16 to 16 MiB. 0 takes the engine's default (see engine/defaults.h).
  uint32_t buffers = 0;
  uint32_t buffer_bytes = 0;

  // io_uring: bytes queued for a peer that does not read beyond which the engine stops receiving
  // from it, and at which it starts again. While few provided buffers are left, whoever has more
  // than the low mark stops, so that the heaviest give way first.
  uint32_t high_water_bytes = kDefaultHighWaterBytes;
  uint32_t low_water_bytes = LowWaterBytes(kDefaultHighWaterBytes);

  // Memory that Send may point into; registered with the kernel where that helps. Must outlive the
  // engine. Empty for a handler that only echoes.
  std::span<const std::byte> payload_region = {};

  WaitPolicy wait = {};

  // io_uring: what may be used and what must be, and what the role has no use for, whoever wants
  // it.
  FeatureRequest features = {};
  FeatureReasons no_use = {};

  // io_uring: ring sizes. CQ 0 sizes it for max_connections.
  uint32_t sq_entries = 4096;
  uint32_t cq_entries = 0;

  // epoll: events taken by one epoll_wait.
  uint32_t max_events = 1024;
};

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_OPTIONS_H_

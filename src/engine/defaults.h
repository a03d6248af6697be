// Sizes an engine takes when Options leaves them 0, with the reason for each.
#ifndef RINGECHO_ENGINE_DEFAULTS_H_
#define RINGECHO_ENGINE_DEFAULTS_H_

#include <cstdint>

#include "engine/choice.h"
#include "engine/feature_set.h"

namespace ringecho::engine {

// Measured: 256 to 4,096 provided buffers of 256 B to 4 KiB make no difference beyond noise for
// small messages. 4,096 x 4 KiB also holds what 4,096 peers send at once, in 16 MiB.
inline constexpr uint32_t kDefaultBuffers = 4096;
inline constexpr uint32_t kDefaultBufferBytes = 4096;

// incremental_buffers: receives share a buffer, so a few large ones take what many small ones do,
// in the same 16 MiB, and a long message is in one or two of them.
inline constexpr uint32_t kDefaultIncrementalBuffers = 256;
inline constexpr uint32_t kDefaultIncrementalBufferBytes = 64 * 1024;

// Without a buffer ring each place in the table has a buffer of its own: with a smaller one a long
// message takes as many turns as it is times longer. Pages are touched as bytes come, so for small
// messages it is a page all the same.
inline constexpr uint32_t kDefaultOwnBufferBytes = 64 * 1024;

// One read of the epoll engine goes to scratch space that is reused for every connection, so a
// large one costs nothing for small messages and saves calls for large ones.
inline constexpr uint32_t kDefaultEpollReadBytes = 64 * 1024;

// A message of 64 KiB can be echoed without a pause. The backlog of one peer that does not read is
// a 256th of the pool.
inline constexpr uint32_t kDefaultHighWaterBytes = 64 * 1024;
constexpr uint32_t LowWaterBytes(uint32_t high_water_bytes) { return high_water_bytes / 4; }

// Provided buffers left below which the heaviest connections stop receiving.
constexpr uint32_t PoolLowWater(uint32_t buffers) { return buffers / 8; }

// When no provided buffer is left, those held for peers that do not read are taken back until so
// many are free, however many hold some: a 256th of the pool, like one backlog.
constexpr uint32_t SpillAtOnce(uint32_t buffers) { return buffers < 512 ? 2 : buffers / 256; }

// What an engine makes of Options::buffers and Options::buffer_bytes with these features.
constexpr uint32_t EffectiveBuffers(EngineKind kind, uint32_t asked, FeatureSet in_use) {
  if (kind == EngineKind::kEpoll) return 0;
  if (asked != 0) return asked;
  return in_use.Has(FeatureId::kIncrementalBuffers) ? kDefaultIncrementalBuffers : kDefaultBuffers;
}
constexpr uint32_t EffectiveBufferBytes(EngineKind kind, uint32_t asked, FeatureSet in_use) {
  if (asked != 0) return asked;
  if (kind == EngineKind::kEpoll) return kDefaultEpollReadBytes;
  if (!in_use.Has(FeatureId::kBufferRing)) return kDefaultOwnBufferBytes;
  return in_use.Has(FeatureId::kIncrementalBuffers) ? kDefaultIncrementalBufferBytes
                                                    : kDefaultBufferBytes;
}

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_DEFAULTS_H_

// The engine configurations that every engine test runs against.
#ifndef RINGECHO_SUPPORT_ENGINE_CONFIG_H_
#define RINGECHO_SUPPORT_ENGINE_CONFIG_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "engine/feature_set.h"
#include "engine/options.h"

namespace ringecho::support {

enum class EngineKind : uint8_t { kEpoll, kUring };

struct EngineConfig {
  std::string name;  // letters, digits and '_': part of a test's name
  EngineKind kind = EngineKind::kEpoll;
  engine::FeatureSet features = engine::kDefaultFeatures;  // wanted
  engine::FeatureSet missing = {};                         // as if the kernel had not these
  uint32_t buffers = 0;                                    // 0: the engine's default
  uint32_t buffer_bytes = 0;                               // likewise
  uint32_t sq_entries = 0;                                 // likewise
  uint32_t cq_entries = 0;                                 // likewise
  int64_t gather_ns = 0;                                   // --wait batch:TIME

  // Lays this configuration over what a test asks for.
  void Apply(engine::Options& options) const {
    options.features.wanted = features;
    if (buffers != 0) options.buffers = buffers;
    if (buffer_bytes != 0) options.buffer_bytes = buffer_bytes;
    if (sq_entries != 0) options.sq_entries = sq_entries;
    if (cq_entries != 0) options.cq_entries = cq_entries;
    if (options.wait == engine::WaitPolicy{}) options.wait.gather_ns = gather_ns;
  }
};

inline std::ostream& operator<<(std::ostream& out, const EngineConfig& config) {
  return out << config.name;
}

// Whether received bytes go to provided buffers.
inline bool UsesBufferRing(const EngineConfig& config) {
  return config.kind == EngineKind::kUring &&
         (config.features - config.missing).Has(engine::FeatureId::kBufferRing);
}

// Whether connections take no descriptors of the process.
inline bool UsesDirectDescriptors(const EngineConfig& config) {
  return config.kind == EngineKind::kUring &&
         (config.features - config.missing).Has(engine::FeatureId::kDirectDescriptors);
}

// What the tests of an ordinary run go through: epoll and the rungs of io_uring. Starved sizes are
// there because everything that is rare with ample ones (waiting for a buffer, a full queue, a
// partial read) then happens all the time.
std::vector<EngineConfig> OrdinaryEngineConfigs();

// The presets; what is left when the kernel lacks each feature that is on by default, and each two
// of them; and what is off by default switched on: each, with the rest and without each feature
// that decides where received bytes are, and all that go together.
std::vector<EngineConfig> LadderEngineConfigs();

// All there are, on by default or not, without each of them and each two: what excludes each other
// gets its turn when the other is taken away. Takes long.
std::vector<EngineConfig> WholeLadderEngineConfigs();

// The whole ladder if RINGECHO_LADDER is "all", the ladder if it is anything else, otherwise the
// ordinary ones.
std::vector<EngineConfig> AllEngineConfigs();

}  // namespace ringecho::support

#endif  // RINGECHO_SUPPORT_ENGINE_CONFIG_H_

#include "support/engine_config.h"

#include <cstdlib>
#include <utility>

namespace ringecho::support {

using engine::FeatureId;
using engine::FeatureSet;
using engine::kDefaultFeatures;

std::vector<EngineConfig> OrdinaryEngineConfigs() {
  const FeatureSet kIncremental = With(kDefaultFeatures, FeatureId::kIncrementalBuffers);
  const FeatureSet kDirect = With(kDefaultFeatures, FeatureId::kDirectDescriptors);
  std::vector<EngineConfig> epoll = {{.name = "epoll"},
                                     {.name = "epoll_small_reads", .buffer_bytes = 300}};
  if (!RINGECHO_HAVE_URING) return epoll;
  std::vector<EngineConfig> uring = {
      {.name = "multishot"},
      {.name = "multishot_starved", .buffers = 2, .cq_entries = 4},
      {.name = "without_bundles",
       .features = kDefaultFeatures - FeatureSet{FeatureId::kRecvBundle}},
      {.name = "incremental", .features = kIncremental},
      // Small ones: most receives use a part of a buffer, and many the last of it.
      {.name = "incremental_starved",
       .features = kIncremental,
       .buffers = 2,
       .buffer_bytes = 1000,
       .cq_entries = 4},
      {.name = "one_shot_incremental",
       .features = kIncremental - FeatureSet{FeatureId::kMultishotRecv},
       .buffers = 8,
       .buffer_bytes = 5000},
      {.name = "one_shot_ring",
       .features = kDefaultFeatures - FeatureSet{FeatureId::kMultishotRecv},
       .buffers = 8},
      {.name = "direct", .features = kDirect},
      {.name = "direct_fixed_buffers", .features = kDirect - FeatureSet{FeatureId::kBufferRing}},
      {.name = "baseline", .features = engine::kBaselineFeatures},
      {.name = "minimal", .features = {}},
  };
  for (EngineConfig& config : uring) {
    config.kind = EngineKind::kUring;
    epoll.push_back(std::move(config));
  }
  return epoll;
}

std::vector<EngineConfig> LadderEngineConfigs() {
  std::vector<EngineConfig> out = {
      {.name = "best", .kind = EngineKind::kUring},
      {.name = "baseline", .kind = EngineKind::kUring, .features = engine::kBaselineFeatures},
      {.name = "minimal", .kind = EngineKind::kUring, .features = {}},
  };
  for (const engine::FeatureInfo& one : engine::kFeatureTable) {
    if (!kDefaultFeatures.Has(one.id)) {
      out.push_back({.name = "with_" + std::string(one.name),
                     .kind = EngineKind::kUring,
                     .features = With(kDefaultFeatures, one.id)});
    }
    std::string name = "no_" + std::string(one.name);
    out.push_back({.name = name, .kind = EngineKind::kUring, .missing = {one.id}});
    for (const engine::FeatureInfo& other : engine::kFeatureTable) {
      if (other.id <= one.id) continue;
      out.push_back({.name = name + "_no_" + std::string(other.name),
                     .kind = EngineKind::kUring,
                     .missing = {one.id, other.id}});
    }
  }
  return out;
}

std::vector<EngineConfig> AllEngineConfigs() {
  return std::getenv("RINGECHO_LADDER") != nullptr ? LadderEngineConfigs()
                                                   : OrdinaryEngineConfigs();
}

}  // namespace ringecho::support

#include "support/engine_config.h"

#include <cstdlib>
#include <utility>

namespace ringecho::support {

using engine::FeatureId;
using engine::FeatureSet;
using engine::kDefaultFeatures;

std::vector<EngineConfig> OrdinaryEngineConfigs() {
  std::vector<EngineConfig> epoll = {{.name = "epoll"},
                                     {.name = "epoll_small_reads", .buffer_bytes = 300}};
  if (!RINGECHO_HAVE_URING) return epoll;
  std::vector<EngineConfig> uring = {
      {.name = "multishot"},
      {.name = "multishot_starved", .buffers = 2, .cq_entries = 4},
      {.name = "one_shot_ring",
       .features = kDefaultFeatures - FeatureSet{FeatureId::kMultishotRecv},
       .buffers = 8},
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

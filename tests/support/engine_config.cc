#include "support/engine_config.h"

#include <cstdlib>

#include "base/clock.h"

namespace ringecho::support {

using engine::FeatureId;
using engine::FeatureSet;
using engine::kDefaultFeatures;

std::vector<EngineConfig> OrdinaryEngineConfigs() {
  return {
    {.name = "epoll"},
        {.name = "epoll_small_reads",
         .wait = {.spin_ns = 200 * base::kNsPerUs},
         .buffer_bytes = 300},
#if RINGECHO_HAVE_URING
        {.name = "multishot", .kind = EngineKind::kUring},
        {.name = "multishot_starved", .kind = EngineKind::kUring, .buffers = 2, .cq_entries = 4},
        {.name = "one_shot_ring",
         .kind = EngineKind::kUring,
         .features = kDefaultFeatures - FeatureSet{FeatureId::kMultishotRecv},
         .wait = {.spin_ns = base::kNever},
         .buffers = 8},
        {.name = "baseline", .kind = EngineKind::kUring, .features = engine::kBaselineFeatures},
        {.name = "minimal", .kind = EngineKind::kUring, .features = {}},
#endif
  };
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

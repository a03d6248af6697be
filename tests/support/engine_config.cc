#include "support/engine_config.h"

#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

namespace ringecho::support {

using engine::FeatureId;
using engine::FeatureSet;
using engine::kDefaultFeatures;

namespace {

constexpr int64_t kGatherNs = 20'000;
constexpr FeatureSet kZeroCopy = {FeatureId::kSendZc, FeatureId::kSendZcFixed};

}  // namespace

std::vector<EngineConfig> OrdinaryEngineConfigs() {
  const FeatureSet kIncremental = With(kDefaultFeatures, FeatureId::kIncrementalBuffers);
  const FeatureSet kDirect = With(kDefaultFeatures, FeatureId::kDirectDescriptors);
  std::vector<EngineConfig> epoll = {{.name = "epoll"},
                                     {.name = "epoll_small_reads", .buffer_bytes = 300},
                                     {.name = "epoll_batch", .gather_ns = kGatherNs}};
  if (!RINGECHO_HAVE_URING) return epoll;
  std::vector<EngineConfig> uring = {
      {.name = "multishot"},
      {.name = "multishot_starved", .buffers = 2, .cq_entries = 4},
      // Small ones: most receives use a part of a buffer, and many the last of it.
      {.name = "incremental_starved",
       .features = kIncremental,
       .buffers = 2,
       .buffer_bytes = 1000,
       .cq_entries = 4},
      {.name = "zero_copy_starved",
       .features = kDefaultFeatures | kZeroCopy,
       .buffers = 4,
       .cq_entries = 4},
      {.name = "one_shot_ring",
       .features = kDefaultFeatures - FeatureSet{FeatureId::kMultishotRecv},
       .buffers = 8},
      {.name = "direct", .features = kDirect},
      {.name = "baseline", .features = engine::kBaselineFeatures},
      {.name = "minimal", .features = {}},
      // Full queues, a pool that is mostly empty, and late looks.
      {.name = "sqpoll",
       .features = kDefaultFeatures | FeatureSet{FeatureId::kSqpoll},
       .sq_entries = 8},
      {.name = "poll_first_batch",
       .features = kDefaultFeatures | FeatureSet{FeatureId::kPollFirst},
       .buffers = 2,
       .gather_ns = kGatherNs},
  };
  for (EngineConfig& config : uring) {
    config.kind = EngineKind::kUring;
    epoll.push_back(std::move(config));
  }
  return epoll;
}

namespace {

// What decides where received bytes are.
constexpr FeatureSet kReceiving = {FeatureId::kMultishotRecv, FeatureId::kBufferRing};

// A feature that is off by default, with the rest and with each of those missing.
void AddWith(const engine::FeatureInfo& one, FeatureSet features, std::vector<EngineConfig>& out) {
  std::string name = "with_" + std::string(one.name);
  out.push_back({.name = name, .kind = EngineKind::kUring, .features = features});
  for (const engine::FeatureInfo& other : engine::kFeatureTable) {
    if (other.id == one.id || !(features & kReceiving).Has(other.id)) continue;
    out.push_back({.name = name + "_no_" + std::string(other.name),
                   .kind = EngineKind::kUring,
                   .features = features,
                   .missing = {other.id}});
  }
}

// `features` without each of them, and without each two.
void AddWithout(FeatureSet features, const std::string& prefix, std::vector<EngineConfig>& out) {
  for (const engine::FeatureInfo& one : engine::kFeatureTable) {
    if (!features.Has(one.id)) continue;
    std::string name = prefix + "no_" + std::string(one.name);
    EngineConfig config = {
        .name = name, .kind = EngineKind::kUring, .features = features, .missing = {one.id}};
    out.push_back(config);
    for (const engine::FeatureInfo& other : engine::kFeatureTable) {
      if (other.id <= one.id || !features.Has(other.id)) continue;
      config.name = name + "_no_" + std::string(other.name);
      config.missing = {one.id, other.id};
      out.push_back(config);
    }
  }
}

}  // namespace

std::vector<EngineConfig> LadderEngineConfigs() {
  std::vector<EngineConfig> out = {
      {.name = "best", .kind = EngineKind::kUring},
      {.name = "baseline", .kind = EngineKind::kUring, .features = engine::kBaselineFeatures},
      {.name = "minimal", .kind = EngineKind::kUring, .features = {}},
      {.name = "with_all", .kind = EngineKind::kUring, .features = engine::kAllFeatures},
  };
  AddWithout(kDefaultFeatures, "", out);
  for (const engine::FeatureInfo& one : engine::kFeatureTable) {
    if (kDefaultFeatures.Has(one.id)) continue;
    FeatureSet features = With(kDefaultFeatures, one.id);
    if (kZeroCopy.Has(one.id)) features.Add(FeatureId::kSendZc);
    AddWith(one, features, out);
  }
  FeatureSet min_wait = {FeatureId::kMinWait};
  for (EngineConfig batch : {
           EngineConfig{.name = "batch"},
           EngineConfig{.name = "batch_no_min_wait", .missing = min_wait},
           EngineConfig{.name = "batch_minimal", .features = {}},
           EngineConfig{.name = "batch_with_all", .features = engine::kAllFeatures},
       }) {
    batch.kind = EngineKind::kUring;
    batch.gather_ns = kGatherNs;
    out.push_back(std::move(batch));
  }
  return out;
}

std::vector<EngineConfig> WholeLadderEngineConfigs() {
  std::vector<EngineConfig> out;
  AddWithout(engine::kAllFeatures, "all_", out);
  return out;
}

std::vector<EngineConfig> AllEngineConfigs() {
  const char* ladder = std::getenv("RINGECHO_LADDER");
  if (ladder == nullptr) return OrdinaryEngineConfigs();
  return ladder == std::string_view("all") ? WholeLadderEngineConfigs() : LadderEngineConfigs();
}

}  // namespace ringecho::support

#include "app/connection_limit.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status.h"

namespace ringecho::app {
namespace {

// With direct descriptors each engine takes one for a moment now and then.
constexpr int64_t kPassingPerEngine = 4;

absl::Status NoRoom(const ConnectionDemand& demand) {
  absl::Status status =
      base::CheckDescriptorLimit(demand.connections + demand.others, demand.descriptor_limit,
                                 absl::StrCat(demand.connections, " connections"));
  if (status.ok() || !demand.direct_available) return status;
  int64_t threads = (demand.connections + demand.descriptor_limit - 1) / demand.descriptor_limit;
  return absl::ResourceExhaustedError(absl::StrCat(
      status.message(), "; or take --features +direct_descriptors and -t ",
      std::max(threads, demand.threads), ": each thread carries ", demand.descriptor_limit));
}

}  // namespace

absl::StatusOr<ConnectionRoom> FindRoom(const ConnectionDemand& demand,
                                        const engine::FeatureRequest& features) {
  const int64_t limit = demand.descriptor_limit;
  const int64_t passing = demand.threads * kPassingPerEngine + demand.connecting;
  bool fits = demand.connections + demand.others <= limit;
  bool asked = features.wanted.Has(engine::FeatureId::kDirectDescriptors);
  if (demand.direct_available && (asked || (!fits && !features.asked))) {
    RINGECHO_RETURN_IF_ERROR(
        base::CheckDescriptorLimit(demand.others + passing, limit, "the engines"));
    if (demand.connections > limit * demand.threads) return NoRoom(demand);
    return ConnectionRoom{.per_engine = limit, .direct = true};
  }
  RINGECHO_RETURN_IF_ERROR(base::CheckDescriptorLimit(demand.others + 1, limit, "the engines"));
  RINGECHO_RETURN_IF_ERROR(NoRoom(demand));
  return ConnectionRoom{.per_engine = limit - demand.others, .direct = false};
}

}  // namespace ringecho::app

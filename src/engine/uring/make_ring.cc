#include "engine/uring/make_ring.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "engine/uring/absence.h"
#include "engine/uring/plan.h"

namespace ringecho::engine::uring {
namespace {

constexpr uint32_t kMinCompletionEntries = 1024;
constexpr uint32_t kMaxCompletionEntries = 65536;

// Where rings are charged to a locked-memory limit, a smaller one may still fit, and one that was
// just closed may not have been given back.
int CreateWithinLimits(RingConfig config, std::unique_ptr<KernelRing>* ring) {
  constexpr useconds_t kRestUs = 10'000;
  constexpr int kTriesOfSmallest = 5;
  for (int tries_of_smallest = 0;;) {
    int error = KernelRing::Create(config, ring);
    if (config.cq_entries <= kSmallestRing.cq_entries) ++tries_of_smallest;
    if (error != ENOMEM || tries_of_smallest == kTriesOfSmallest) return error;
    usleep(kRestUs);
    config.cq_entries = std::max(config.cq_entries / 4, kSmallestRing.cq_entries);
    config.sq_entries = std::max(config.sq_entries / 4, kSmallestRing.sq_entries);
    config.sq_entries = std::min(config.sq_entries, config.cq_entries);
  }
}

}  // namespace

uint32_t CompletionEntries(uint32_t max_connections) {
  uint64_t wanted = std::bit_ceil(2 * uint64_t{max_connections});
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(wanted, kMinCompletionEntries, kMaxCompletionEntries));
}

absl::StatusOr<std::unique_ptr<Ring>> MakeRing(const Options& options, const Capabilities& caps) {
  if (!caps.available) return absl::UnavailableError(caps.why_not);
  RingConfig config;
  config.sq_entries = options.sq_entries;
  config.cq_entries =
      options.cq_entries != 0 ? options.cq_entries : CompletionEntries(options.max_connections);
  // The kernel wants at least as many completion as submission entries.
  config.sq_entries = std::min(config.sq_entries, config.cq_entries);
  FeatureSet use = PlanFeatures(options, caps).use;
  config.flags = SetupFlags(use);
  std::unique_ptr<KernelRing> ring;
  int error = CreateWithinLimits(config, &ring);
  if (error == 0) {
    if (use.Has(FeatureId::kRegisteredRing)) ring->RegisterRing();
    if (use.Has(FeatureId::kNapi)) ring->RegisterNapi(kNapiBusyPollUs);
    return ring;
  }
  SystemFacts facts = ReadSystemFacts();
  bool limited = error == ENOMEM && facts.memlock_bytes >= 0;
  Absence why = limited ? Absence::kLockedMemory : DiagnoseAbsence(error, facts);
  return absl::Status(absl::ErrnoToStatusCode(error), ExplainAbsence(why, error, facts));
}

}  // namespace ringecho::engine::uring

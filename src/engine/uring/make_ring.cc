#include "engine/uring/make_ring.h"

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
  int error = KernelRing::Create(config, &ring);
  if (error == 0) {
    if (use.Has(FeatureId::kRegisteredRing)) ring->RegisterRing();
    return ring;
  }
  SystemFacts facts = ReadSystemFacts();
  return absl::Status(absl::ErrnoToStatusCode(error),
                      ExplainAbsence(DiagnoseAbsence(error, facts), error, facts));
}

}  // namespace ringecho::engine::uring

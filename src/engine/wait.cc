#include "engine/wait.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/units.h"

namespace ringecho::engine {
namespace {

constexpr std::string_view kHybrid = "hybrid:";
constexpr int64_t kHybridMaxNs = base::kNsPerSec;

}  // namespace

absl::StatusOr<WaitPolicy> ParseWait(std::string_view text) {
  if (text == "block") return WaitPolicy{.spin_ns = 0};
  if (text == "spin") return WaitPolicy{.spin_ns = base::kNever};
  if (text.substr(0, kHybrid.size()) == kHybrid) {
    absl::StatusOr<int64_t> spin_ns = base::ParseDuration(text.substr(kHybrid.size()));
    if (spin_ns.ok() && *spin_ns >= base::kNsPerUs && *spin_ns <= kHybridMaxNs) {
      return WaitPolicy{.spin_ns = *spin_ns};
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "got \"", base::ToAbsl(text), "\", takes block, spin or hybrid:TIME with 1us to 1s"));
}

std::string WaitName(WaitPolicy policy) {
  if (policy.spin_ns == 0) return "block";
  if (policy.spin_ns == base::kNever) return "spin";
  if (policy.spin_ns % base::kNsPerUs != 0) {
    return absl::StrCat(base::ToAbsl(kHybrid), policy.spin_ns, "ns");
  }
  return absl::StrCat(base::ToAbsl(kHybrid), policy.spin_ns / base::kNsPerUs, "us");
}

}  // namespace ringecho::engine

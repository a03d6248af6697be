#include "engine/wait.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/units.h"

namespace ringecho::engine {
namespace {

constexpr std::string_view kHybrid = "hybrid:";
constexpr std::string_view kBatch = "batch:";
constexpr int64_t kHybridMaxNs = base::kNsPerSec;
constexpr int64_t kBatchMaxNs = 10 * base::kNsPerMs;

// The TIME of "NAME:TIME", 0 for anything else.
int64_t ParseTime(std::string_view text, std::string_view name, int64_t max_ns) {
  if (text.substr(0, name.size()) != name) return 0;
  absl::StatusOr<int64_t> ns = base::ParseDuration(text.substr(name.size()));
  return ns.ok() && *ns >= base::kNsPerUs && *ns <= max_ns ? *ns : 0;
}

std::string WithTime(std::string_view name, int64_t ns) {
  if (ns % base::kNsPerUs != 0) return absl::StrCat(base::ToAbsl(name), ns, "ns");
  return absl::StrCat(base::ToAbsl(name), ns / base::kNsPerUs, "us");
}

}  // namespace

absl::StatusOr<WaitPolicy> ParseWait(std::string_view text) {
  if (text == "block") return WaitPolicy{};
  if (text == "spin") return WaitPolicy{.spin_ns = base::kNever};
  if (int64_t ns = ParseTime(text, kHybrid, kHybridMaxNs); ns > 0) return WaitPolicy{.spin_ns = ns};
  if (int64_t ns = ParseTime(text, kBatch, kBatchMaxNs); ns > 0) return WaitPolicy{.gather_ns = ns};
  return absl::InvalidArgumentError(
      absl::StrCat("got \"", base::ToAbsl(text),
                   "\", takes block, spin, hybrid:TIME with 1us to 1s or batch:TIME with 1us to "
                   "10ms"));
}

std::string WaitName(WaitPolicy policy) {
  if (policy.gather_ns != 0) return WithTime(kBatch, policy.gather_ns);
  if (policy.spin_ns == 0) return "block";
  if (policy.spin_ns == base::kNever) return "spin";
  return WithTime(kHybrid, policy.spin_ns);
}

}  // namespace ringecho::engine

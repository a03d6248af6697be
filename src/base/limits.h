// Descriptor limits: raised where possible, explained where not.
#ifndef RINGECHO_BASE_LIMITS_H_
#define RINGECHO_BASE_LIMITS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ringecho::base {

inline constexpr int64_t kUnlimited = INT64_MAX;

// Raises the soft RLIMIT_NOFILE to the hard one and returns the limit now in force.
absl::StatusOr<int64_t> RaiseDescriptorLimit();

// The soft RLIMIT_NOFILE; kUnlimited when there is none.
int64_t DescriptorLimit();

// OK when `needed` descriptors fit into `limit`; otherwise a RESOURCE_EXHAUSTED status that names
// the number needed, the one there is, and how to get it (ulimit, systemd, container). `what`
// names who needs them: "10000 connections".
absl::Status CheckDescriptorLimit(int64_t needed, int64_t limit, std::string_view what);

// Soft RLIMIT_MEMLOCK in bytes; kUnlimited when there is none, or CAP_IPC_LOCK is held.
int64_t LockedMemoryLimit();

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_LIMITS_H_

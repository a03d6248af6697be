// CPU lists and pinning.
#ifndef RINGECHO_BASE_CPUS_H_
#define RINGECHO_BASE_CPUS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ringecho::base {

// The kernel's list format: "0,2-3". Order is kept, duplicates are refused; each in [0, 1023].
absl::StatusOr<std::vector<int>> ParseCpuList(std::string_view text);

// {0,2,3} -> "0,2-3".
std::string FormatCpuList(const std::vector<int>& cpus);

// CPUs the calling thread may run on (sched_getaffinity), ascending.
std::vector<int> AllowedCpus();

// INVALID_ARGUMENT naming the first of `cpus` that is outside AllowedCpus().
absl::Status CheckCpus(const std::vector<int>& cpus);

// Restricts the calling thread, and every thread it starts later, to `cpus`. Fails with what
// sched_setaffinity(2) says, and as CheckCpus even when other CPUs are fine, because a silently
// smaller set would falsify a result.
absl::Status PinThread(const std::vector<int>& cpus);

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_CPUS_H_

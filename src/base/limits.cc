#include "base/limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace ringecho::base {
namespace {

// CapEff of /proc/self/status; 0 when unreadable.
uint64_t EffectiveCapabilities() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    uint64_t caps = 0;
    if (absl::StartsWith(line, "CapEff:") && absl::SimpleHexAtoi(line.substr(7), &caps)) {
      return caps;
    }
  }
  return 0;
}

// No process may have a higher limit than fs.nr_open.
std::string NrOpenAdvice(int64_t needed) {
  int64_t most = 0;
  if (!(std::ifstream("/proc/sys/fs/nr_open") >> most) || needed <= most) return "";
  return absl::StrCat("; first `sysctl -w fs.nr_open=", needed, "`, which is ", most);
}

constexpr int kCapIpcLock = 14;  // linux/capability.h

}  // namespace

absl::StatusOr<int64_t> RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus(errno, "getrlimit RLIMIT_NOFILE");
  if (limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
      return ErrnoStatus(errno, "setrlimit RLIMIT_NOFILE");
    }
  }
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX));
}

int64_t DescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kUnlimited;
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX));
}

absl::Status CheckDescriptorLimit(int64_t needed, int64_t limit, std::string_view what) {
  if (needed <= limit) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(ToAbsl(what), " need ", needed, " descriptors, the limit is ", limit,
                   ": raise it with `ulimit -n ", needed, "` (as root: `ulimit -Hn ", needed,
                   "`), LimitNOFILE=", needed, " in the systemd unit, or --ulimit nofile=", needed,
                   " for the container", NrOpenAdvice(needed)));
}

int64_t LockedMemoryLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      (EffectiveCapabilities() >> kCapIpcLock & 1) != 0) {
    return kUnlimited;
  }
  return static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, INT64_MAX));
}

}  // namespace ringecho::base

#include "engine/uring/absence.h"

#include <cerrno>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/units.h"

namespace ringecho::engine::uring {
namespace {

// The smallest engine takes about 150 KiB on kernels that charge rings to RLIMIT_MEMLOCK, and what
// was just closed may be charged a little longer; a limit above this is not what stopped us.
constexpr long long kSmallEngineBytes = 512 << 10;

}  // namespace

std::string_view AbsenceName(Absence absence) {
  switch (absence) {
    case Absence::kNoKernelSupport:
      return "no_kernel_support";
    case Absence::kDisabledUnprivileged:
      return "io_uring_disabled_1";
    case Absence::kDisabled:
      return "io_uring_disabled_2";
    case Absence::kSeccomp:
      return "seccomp";
    case Absence::kSecurityModule:
      return "security_module";
    case Absence::kLockedMemory:
      return "locked_memory";
    case Absence::kTooOld:
      return "too_old";
    case Absence::kOutOfResources:
      return "out_of_resources";
    case Absence::kOther:
      return "other";
  }
  return "other";
}

SystemFacts ReadSystemFacts() {
  SystemFacts facts;
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> facts.io_uring_disabled;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, "Seccomp:")) {
      (void)absl::SimpleAtoi(line.substr(8), &facts.seccomp);
    }
  }
  if (int64_t limit = base::LockedMemoryLimit(); limit != base::kUnlimited) {
    facts.memlock_bytes = limit;
  }
  return facts;
}

Absence DiagnoseAbsence(int error, const SystemFacts& facts) {
  switch (error) {
    case ENOSYS:
      return facts.seccomp != 0 ? Absence::kSeccomp : Absence::kNoKernelSupport;
    case EPERM:
    case EACCES:
      // The kernel's own switch is looked at first: it says EPERM whatever filters there are.
      if (facts.io_uring_disabled == 2) return Absence::kDisabled;
      if (facts.io_uring_disabled == 1) return Absence::kDisabledUnprivileged;
      return facts.seccomp != 0 ? Absence::kSeccomp : Absence::kSecurityModule;
    case ENOMEM:
      if (facts.memlock_bytes >= 0 && facts.memlock_bytes < kSmallEngineBytes) {
        return Absence::kLockedMemory;
      }
      return Absence::kOutOfResources;
    case EMFILE:
    case ENFILE:
      return Absence::kOutOfResources;
    default:
      return Absence::kOther;
  }
}

std::string ExplainAbsence(Absence absence, int error, const SystemFacts& facts,
                           std::string_view call) {
  std::string answer = absl::StrCat(base::ToAbsl(call), ": ", base::ErrnoText(error));
  switch (absence) {
    case Absence::kNoKernelSupport:
      return absl::StrCat(answer, "; this kernel (or sandbox) has no io_uring");
    case Absence::kDisabledUnprivileged:
      return absl::StrCat(answer,
                          "; kernel.io_uring_disabled = 1 reserves it for privileged users and "
                          "the group in kernel.io_uring_group: run as root or `sysctl -w "
                          "kernel.io_uring_disabled=0`");
    case Absence::kDisabled:
      return absl::StrCat(answer,
                          "; kernel.io_uring_disabled = 2 turns it off for everybody: `sysctl -w "
                          "kernel.io_uring_disabled=0`");
    case Absence::kSeccomp:
      return absl::StrCat(answer,
                          "; a seccomp filter denies it, as Docker and containerd do by default: "
                          "`docker run --security-opt seccomp=unconfined`, or a profile that "
                          "allows io_uring_setup, io_uring_enter and io_uring_register");
    case Absence::kSecurityModule:
      return absl::StrCat(answer,
                          "; neither kernel.io_uring_disabled nor seccomp explains it, so a "
                          "security module (SELinux, AppArmor) probably denies it");
    case Absence::kLockedMemory:
      return absl::StrCat(answer,
                          "; this kernel charges rings to the locked-memory limit, which "
                          "is ",
                          base::FormatBytes(facts.memlock_bytes),
                          ": raise it (ulimit -l, LimitMEMLOCK=, docker run --ulimit memlock=-1)");
    case Absence::kTooOld:
      return "this kernel's io_uring lacks operations an echo needs (Linux 5.6 has them)";
    case Absence::kOutOfResources:
      return absl::StrCat(answer, "; memory or descriptors are short, io_uring itself is there");
    case Absence::kOther:
      return answer;
  }
  return answer;
}

}  // namespace ringecho::engine::uring

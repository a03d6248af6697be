// Why io_uring is not there, in words a user can act on.
#ifndef RINGECHO_ENGINE_URING_ABSENCE_H_
#define RINGECHO_ENGINE_URING_ABSENCE_H_

#include <string>
#include <string_view>

namespace ringecho::engine::uring {

enum class Absence {
  kNoKernelSupport,       // ENOSYS and no filter: a kernel without it, or gVisor
  kDisabledUnprivileged,  // kernel.io_uring_disabled = 1 and this user is not privileged
  kDisabled,              // kernel.io_uring_disabled = 2
  kSeccomp,               // a filter answers for the kernel: Docker, containerd, systemd
  kSecurityModule,        // EPERM and none of the above: SELinux, AppArmor ...
  kLockedMemory,          // ENOMEM on a kernel that charges rings to RLIMIT_MEMLOCK (before 5.12,
                          // and again recently: seen on 6.18)
  kTooOld,                // there, but without the operations an echo needs (before 5.6)
  kOutOfResources,        // ENOMEM, EMFILE, ENFILE: not absence; never a reason to fall back
  kOther,
};

// The word used in results: "seccomp", "io_uring_disabled_2", ...
std::string_view AbsenceName(Absence absence);

// What the diagnosis looks at.
struct SystemFacts {
  int io_uring_disabled = -1;    // /proc/sys/kernel/io_uring_disabled (6.6); -1: no such file
  int seccomp = 0;               // "Seccomp:" of /proc/self/status: 0 none, 1 strict, 2 filter
  long long memlock_bytes = -1;  // soft RLIMIT_MEMLOCK; -1: none applies
};
SystemFacts ReadSystemFacts();

// `error` is the positive errno of io_uring_setup(2). Pure.
Absence DiagnoseAbsence(int error, const SystemFacts& facts);

// One clause: what is so, and what to do. `call` is the system call that answered `error`.
std::string ExplainAbsence(Absence absence, int error, const SystemFacts& facts,
                           std::string_view call = "io_uring_setup");

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_ABSENCE_H_

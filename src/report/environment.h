// The machine a result was measured on, as far as it may matter and may be shared: no host name,
// user name or address.
#ifndef RINGECHO_REPORT_ENVIRONMENT_H_
#define RINGECHO_REPORT_ENVIRONMENT_H_

#include <span>
#include <string>

#include "report/result.h"

namespace ringecho::report {

// Reads /proc, /sys and container marks below `root` ("" for the real ones; tests give a folder).
// What cannot be read is absent or empty: a machine without some file is not an error, and nothing
// here fails a run. `io_uring` is taken over, and its `disabled` is filled from the sysctl when it
// is absent. Limits are those of the calling process. Takes a few milliseconds; thread-safe.
Environment ReadEnvironment(const IoUring& io_uring = {}, const std::string& root = "");

// 16 hexadecimal digits, FNV-1a of 64 bits over the fields that must be equal for two results to
// count as taken on the same machine:
//
//   architecture, cpu.model, cpu.count, cpu.smt, cpu.governor, virtualization.hypervisor,
//   virtualization.product, virtualization.container, clocksource, limits.cgroup_cpus and
//   memory_bytes rounded up to a power of two (every kernel keeps a little more or less of it)
//
// The kernel and what follows from it (release, command line, mitigations, sysctls, io_uring) are
// not among them, so that kernels can be compared on one machine. The order and form of what is
// hashed are fixed: equal machines have equal fingerprints in all versions of this MAJOR.
std::string Fingerprint(const Environment& environment);

// Environment and fingerprint in one.
Host ReadHost(const IoUring& io_uring = {}, const std::string& root = "");

// A run that starts now: id, both clocks, boot id, cleaned arguments. Call it when the clock of
// the run starts.
Run StartRun(std::span<const char* const> argv, const std::string& root = "");

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_ENVIRONMENT_H_

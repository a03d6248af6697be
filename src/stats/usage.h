// What the process and the machine have used so far: CPU time, context switches, memory, kernel
// worker threads and stolen time. Samples are taken at the edges of a phase and subtracted.
//
// The getters may be called from any thread; they cost one or a few system calls (the ones that
// read /proc tens of microseconds), so they belong at the edges, not on the hot path. Those that
// read /proc fail where it is not mounted, with a status that names the file. The parsers are pure.
#ifndef RINGECHO_STATS_USAGE_H_
#define RINGECHO_STATS_USAGE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ringecho::stats {

// CPU time and context switches, getrusage(2). User and system are in steps of a microsecond, and
// the kernel divides the precisely known sum between them by sampling: compare total_ns().
struct CpuUsage {
  int64_t user_ns = 0;
  int64_t system_ns = 0;
  int64_t voluntary_switches = 0;    // gave the CPU up to wait
  int64_t involuntary_switches = 0;  // was preempted

  int64_t total_ns() const { return user_ns + system_ns; }
  CpuUsage& operator+=(const CpuUsage& other);
  CpuUsage operator-(const CpuUsage& earlier) const;
  bool operator==(const CpuUsage&) const = default;
};

// Of the calling thread. Work that io_uring hands to io-wq or to an SQPOLL thread is not in it.
CpuUsage ThreadCpuUsage();

// Of all threads of the process, those that have ended and the kernel's io-wq and SQPOLL threads
// of its rings among them (since Linux 5.12 they are threads of the process).
CpuUsage ProcessCpuUsage();

struct MemoryUsage {
  int64_t rss_bytes = 0;       // resident now
  int64_t rss_peak_bytes = 0;  // the most there ever was
};

// /proc/self/status, proc_pid_status(5). The kernel's own memory for sockets and rings is not in
// it.
absl::StatusOr<MemoryUsage> ParseMemoryUsage(std::string_view proc_status);
absl::StatusOr<MemoryUsage> CurrentMemoryUsage();

// Whether a thread of this name ("comm") is one of io_uring's io-wq workers, "iou-wrk-<pid>": they
// run what could not be done without blocking, and cost CPU time that no thread of ours shows.
bool IsIoWorker(std::string_view comm);

// Such threads of this process now. They end after five idle seconds or so.
absl::StatusOr<int64_t> CountIoWorkers();

// Numbers of the threads of this process that are io_uring's SQPOLL threads, "iou-sqp-<pid>", now.
absl::StatusOr<std::vector<int>> PollerThreads();

// CPU time of a thread of this process so far, ns; 0 when there is no such thread (any more).
// A system call.
int64_t CpuNsOfThread(int tid);

// CPU time of the whole machine between two samples, all CPUs added up.
struct MachineCpuSpan {
  int64_t total_ns = 0;  // busy, idle, waiting and stolen
  int64_t steal_ns = 0;  // the hypervisor ran somebody else while a CPU of ours had work
};

// The same since boot. In ticks, because nanoseconds of many CPUs over months overflow 63 bits.
struct MachineCpu {
  int64_t total_ticks = 0;
  int64_t steal_ticks = 0;
  int64_t tick_ns = 0;

  MachineCpuSpan Since(const MachineCpu& earlier) const;
};

// The line "cpu" of /proc/stat, proc_stat(5); it counts in ticks, sysconf(_SC_CLK_TCK) a second.
absl::StatusOr<MachineCpu> ParseMachineCpu(std::string_view proc_stat, int64_t ticks_per_second);
absl::StatusOr<MachineCpu> CurrentMachineCpu();

}  // namespace ringecho::stats

#endif  // RINGECHO_STATS_USAGE_H_

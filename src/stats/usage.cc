#include "stats/usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cassert>
#include <cerrno>
#include <ctime>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace ringecho::stats {
namespace {

int64_t TimevalNs(const timeval& t) {
  return t.tv_sec * base::kNsPerSec + t.tv_usec * base::kNsPerUs;
}

CpuUsage Usage(int who) {
  rusage usage{};
  // Fails only for a bad `who` or address.
  [[maybe_unused]] const int result = getrusage(who, &usage);
  assert(result == 0);
  return {.user_ns = TimevalNs(usage.ru_utime),
          .system_ns = TimevalNs(usage.ru_stime),
          .voluntary_switches = usage.ru_nvcsw,
          .involuntary_switches = usage.ru_nivcsw};
}

// A file of /proc, which has no size to ask for.
absl::StatusOr<std::string> ReadProc(const char* path) {
  base::UniqueFd fd(open(path, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return base::ErrnoStatus(errno, absl::StrCat("open ", path));
  std::string text;
  std::array<char, 4096> block;
  for (;;) {
    const ssize_t got = read(fd.get(), block.data(), block.size());
    if (got == 0) return text;
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::ErrnoStatus(errno, absl::StrCat("read ", path));
    text.append(block.data(), static_cast<size_t>(got));
  }
}

// Bytes of a line such as "VmRSS:      1996 kB".
absl::StatusOr<int64_t> FindMemoryLine(std::string_view text, absl::string_view key) {
  for (absl::string_view line : absl::StrSplit(base::ToAbsl(text), '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (words.empty() || words[0] != key) continue;
    int64_t kib = 0;
    if (words.size() != 3 || words[2] != "kB" || !absl::SimpleAtoi(words[1], &kib) || kib < 0 ||
        kib > std::numeric_limits<int64_t>::max() / 1024) {
      return absl::InvalidArgumentError(
          absl::StrCat("/proc/self/status: \"", line, "\" is not \"", key, " <number> kB\""));
    }
    return kib * 1024;
  }
  return absl::NotFoundError(absl::StrCat("/proc/self/status has no line ", key));
}

// Numbers of this process's threads whose name ("comm") is one of those asked for.
absl::StatusOr<std::vector<int>> ThreadsNamed(bool (*is_one)(std::string_view comm)) {
  constexpr char kTasks[] = "/proc/self/task";
  struct CloseDir {
    void operator()(DIR* dir) const { closedir(dir); }
  };
  const std::unique_ptr<DIR, CloseDir> tasks(opendir(kTasks));
  if (tasks == nullptr) return base::ErrnoStatus(errno, absl::StrCat("open ", kTasks));
  std::vector<int> threads;
  for (const dirent* entry = readdir(tasks.get()); entry != nullptr; entry = readdir(tasks.get())) {
    int tid = 0;
    if (!absl::SimpleAtoi(entry->d_name, &tid)) continue;
    const absl::StatusOr<std::string> comm =
        ReadProc(absl::StrCat(kTasks, "/", entry->d_name, "/comm").c_str());
    // A thread that ended since the folder was read is no news.
    if (comm.ok() && is_one(*comm)) threads.push_back(tid);
  }
  return threads;
}

}  // namespace

CpuUsage& CpuUsage::operator+=(const CpuUsage& other) {
  user_ns += other.user_ns;
  system_ns += other.system_ns;
  voluntary_switches += other.voluntary_switches;
  involuntary_switches += other.involuntary_switches;
  return *this;
}

CpuUsage CpuUsage::operator-(const CpuUsage& earlier) const {
  return {.user_ns = user_ns - earlier.user_ns,
          .system_ns = system_ns - earlier.system_ns,
          .voluntary_switches = voluntary_switches - earlier.voluntary_switches,
          .involuntary_switches = involuntary_switches - earlier.involuntary_switches};
}

CpuUsage ThreadCpuUsage() { return Usage(RUSAGE_THREAD); }

CpuUsage ProcessCpuUsage() { return Usage(RUSAGE_SELF); }

absl::StatusOr<MemoryUsage> ParseMemoryUsage(std::string_view proc_status) {
  const absl::StatusOr<int64_t> rss = FindMemoryLine(proc_status, "VmRSS:");
  if (!rss.ok()) return rss.status();
  const absl::StatusOr<int64_t> peak = FindMemoryLine(proc_status, "VmHWM:");
  if (!peak.ok()) return peak.status();
  return MemoryUsage{.rss_bytes = *rss, .rss_peak_bytes = *peak};
}

absl::StatusOr<MemoryUsage> CurrentMemoryUsage() {
  const absl::StatusOr<std::string> text = ReadProc("/proc/self/status");
  if (!text.ok()) return text.status();
  return ParseMemoryUsage(*text);
}

bool IsIoWorker(std::string_view comm) { return comm.starts_with("iou-wrk-"); }

absl::StatusOr<int64_t> CountIoWorkers() {
  const absl::StatusOr<std::vector<int>> workers = ThreadsNamed(IsIoWorker);
  if (!workers.ok()) return workers.status();
  return static_cast<int64_t>(workers->size());
}

absl::StatusOr<std::vector<int>> PollerThreads() {
  return ThreadsNamed([](std::string_view comm) { return comm.starts_with("iou-sqp-"); });
}

// The clock that pthread_getcpuclockid(3) gives for threads of the C library's, by the number the
// kernel has for a thread: its complement, and 6 for "scheduler's time of a thread".
int64_t CpuNsOfThread(int tid) {
  if (tid <= 0) return 0;
  const auto clock = static_cast<clockid_t>(~static_cast<unsigned>(tid) << 3 | 6);
  timespec time{};
  return clock_gettime(clock, &time) == 0 ? base::TimespecNs(time) : 0;
}

MachineCpuSpan MachineCpu::Since(const MachineCpu& earlier) const {
  return {.total_ns = (total_ticks - earlier.total_ticks) * tick_ns,
          .steal_ns = (steal_ticks - earlier.steal_ticks) * tick_ns};
}

absl::StatusOr<MachineCpu> ParseMachineCpu(std::string_view proc_stat, int64_t ticks_per_second) {
  // "cpu" user nice system idle iowait irq softirq steal; guest times follow, but they are part
  // of user and nice already.
  constexpr size_t kColumns = 8;
  // No machine comes near this; it keeps sums and differences from overflowing.
  constexpr int64_t kTicksMax = int64_t{1} << 58;
  const absl::string_view line = base::ToAbsl(proc_stat.substr(0, proc_stat.find('\n')));
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
  bool valid = words.size() > kColumns && words[0] == "cpu" && ticks_per_second > 0;
  MachineCpu cpu;
  for (size_t i = 1; valid && i <= kColumns; ++i) {
    int64_t ticks = 0;
    valid = absl::SimpleAtoi(words[i], &ticks) && ticks >= 0 && ticks <= kTicksMax;
    cpu.total_ticks += ticks;
    cpu.steal_ticks = ticks;  // the last one stays
  }
  if (!valid) {
    return absl::InvalidArgumentError(absl::StrCat("/proc/stat: \"", line.substr(0, 200),
                                                   "\" is not \"cpu\" and ", kColumns, " times"));
  }
  cpu.tick_ns = base::kNsPerSec / ticks_per_second;
  return cpu;
}

// Kept open: when a server's clients have taken every descriptor it is still to be had.
absl::StatusOr<MachineCpu> CurrentMachineCpu() {
  static const absl::StatusOr<base::UniqueFd> file = []() -> absl::StatusOr<base::UniqueFd> {
    base::UniqueFd opened(open("/proc/stat", O_RDONLY | O_CLOEXEC));
    if (!opened.valid()) return base::ErrnoStatus(errno, "open /proc/stat");
    return opened;
  }();
  if (!file.ok()) return file.status();
  // The first line is all that is wanted.
  std::array<char, 512> text;
  const ssize_t got = pread(file->get(), text.data(), text.size(), 0);
  if (got < 0) return base::ErrnoStatus(errno, "read /proc/stat");
  return ParseMachineCpu({text.data(), static_cast<size_t>(got)}, sysconf(_SC_CLK_TCK));
}

}  // namespace ringecho::stats

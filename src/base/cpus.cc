#include "base/cpus.h"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace ringecho::base {
namespace {

bool ParseInt(std::string_view text, int* value) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && *value >= 0 &&
         *value < CPU_SETSIZE;
}

}  // namespace

absl::StatusOr<std::vector<int>> ParseCpuList(std::string_view text) {
  std::vector<int> cpus;
  for (absl::string_view part : absl::StrSplit(ToAbsl(text), ',')) {
    std::vector<std::string> ends = absl::StrSplit(part, absl::MaxSplits('-', 1));
    int first = 0;
    int last = 0;
    if (!ParseInt(ends.front(), &first) || !ParseInt(ends.back(), &last) || last < first) {
      return absl::InvalidArgumentError(
          absl::StrCat("got \"", ToAbsl(text), "\", takes CPU numbers such as 0,2-3"));
    }
    for (int cpu = first; cpu <= last; ++cpu) {
      if (std::find(cpus.begin(), cpus.end(), cpu) != cpus.end()) {
        return absl::InvalidArgumentError(
            absl::StrCat("got \"", ToAbsl(text), "\", names CPU ", cpu, " twice"));
      }
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

std::string FormatCpuList(const std::vector<int>& cpus) {
  std::string out;
  for (size_t i = 0; i < cpus.size();) {
    size_t end = i + 1;
    while (end < cpus.size() && cpus[end] == cpus[end - 1] + 1) ++end;
    absl::StrAppend(&out, out.empty() ? "" : ",", cpus[i]);
    if (end - i > 1) absl::StrAppend(&out, "-", cpus[end - 1]);
    i = end;
  }
  return out;
}

std::vector<int> AllowedCpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

absl::Status CheckCpus(const std::vector<int>& cpus) {
  std::vector<int> allowed = AllowedCpus();
  for (int cpu : cpus) {
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat("CPU ", cpu, " is not available to this process, which may run on ",
                       FormatCpuList(allowed)));
    }
  }
  return absl::OkStatus();
}

absl::Status PinThread(const std::vector<int>& cpus) {
  RINGECHO_RETURN_IF_ERROR(CheckCpus(cpus));
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu : cpus) CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) {
    return ErrnoStatus(errno, absl::StrCat("sched_setaffinity to CPUs ", FormatCpuList(cpus)));
  }
  return absl::OkStatus();
}

}  // namespace ringecho::base

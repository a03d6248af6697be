// "resources" of a result: what lies between two moments, for the process and the machine.
#ifndef RINGECHO_APP_USAGE_H_
#define RINGECHO_APP_USAGE_H_

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/status/statusor.h"
#include "report/result.h"
#include "stats/usage.h"

namespace ringecho::app {

struct UsageSample {
  int64_t at_ns = 0;  // monotonic
  stats::CpuUsage cpu;
  absl::StatusOr<stats::MachineCpu> machine = stats::MachineCpu{};
};

// Now, for the whole process; some tens of microseconds. Any thread.
UsageSample SampleUsage();

// What a run needs besides its samples to describe its resources.
struct UsageContext {
  int threads = 1;
  int64_t messages = 0;
  int64_t rss_before_bytes = 0;  // resident before there were connections
  int64_t connections = 0;       // the most at one time
};

// Peak memory and io-wq workers are those of the process until now.
report::Resources DescribeResources(const UsageSample& from, const UsageSample& to,
                                    const UsageContext& context);

// Resident memory now in bytes, 0 when it cannot be read.
int64_t ResidentBytes();

// Where text for people goes: stderr when stdout carries the result.
std::FILE* HumanOutput(const std::string& json_path);

}  // namespace ringecho::app

#endif  // RINGECHO_APP_USAGE_H_

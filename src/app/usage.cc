#include "app/usage.h"

#include "base/clock.h"

namespace ringecho::app {

UsageSample SampleUsage() {
  return {.at_ns = base::NowNs(),
          .cpu = stats::ProcessCpuUsage(),
          .machine = stats::CurrentMachineCpu()};
}

report::Resources DescribeResources(const UsageSample& from, const UsageSample& to,
                                    const UsageContext& context) {
  report::Resources out;
  stats::CpuUsage used = to.cpu - from.cpu;
  out.user_ns = used.user_ns;
  out.system_ns = used.system_ns;
  out.voluntary_switches = used.voluntary_switches;
  out.involuntary_switches = used.involuntary_switches;
  auto cpu_ns = static_cast<double>(used.total_ns());
  if (context.messages > 0) {
    out.cpu_ns_per_message = cpu_ns / static_cast<double>(context.messages);
  }
  if (int64_t wall_ns = to.at_ns - from.at_ns; wall_ns > 0) {
    out.cpu_share = cpu_ns / static_cast<double>(wall_ns * context.threads);
  }
  if (from.machine.ok() && to.machine.ok()) {
    stats::MachineCpuSpan span = to.machine->Since(*from.machine);
    if (span.total_ns > 0) {
      out.steal_share = static_cast<double>(span.steal_ns) / static_cast<double>(span.total_ns);
    }
  }
  if (absl::StatusOr<stats::MemoryUsage> memory = stats::CurrentMemoryUsage(); memory.ok()) {
    out.rss_peak_bytes = memory->rss_peak_bytes;
    if (context.connections > 0) {
      out.bytes_per_connection =
          static_cast<double>(memory->rss_peak_bytes - context.rss_before_bytes) /
          static_cast<double>(context.connections);
    }
  }
  if (absl::StatusOr<int64_t> workers = stats::CountIoWorkers(); workers.ok()) {
    out.iou_workers = *workers;
  }
  return out;
}

int64_t ResidentBytes() {
  absl::StatusOr<stats::MemoryUsage> memory = stats::CurrentMemoryUsage();
  return memory.ok() ? memory->rss_bytes : 0;
}

std::FILE* HumanOutput(const std::string& json_path) { return json_path == "-" ? stderr : stdout; }

}  // namespace ringecho::app

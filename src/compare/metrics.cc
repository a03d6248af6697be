#include "compare/metrics.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <variant>
#include <vector>

#include "compare/statistics.h"
#include "report/result.h"

namespace ringecho::compare {
namespace {

using report::Interval;
using report::Result;

std::optional<double> Percentile(const Result& load, double percent) {
  if (!load.latency || !load.latency->response) return std::nullopt;
  for (const report::Percentile& p : load.latency->response->percentiles) {
    if (p.percent == percent) return static_cast<double>(p.value_ns);
  }
  return std::nullopt;
}

std::optional<double> EngineStat(const Result& result, std::string_view wanted) {
  for (const auto& [name, value] : result.engine_stats) {
    if (name == wanted) {
      return std::visit([](auto held) { return static_cast<double>(held); }, value);
    }
  }
  return std::nullopt;
}

// An edge on the clock that all runs of one boot share.
double Absolute(const Result& result, int64_t t_ns) {
  return static_cast<double>(result.run.start_monotonic_ns) + static_cast<double>(t_ns);
}

struct Span {
  double begin = 0;
  double end = 0;
};

std::optional<Span> MeasurePhase(const Result& load) {
  for (const report::Phase& phase : load.phases) {
    if (phase.name != report::PhaseName::kMeasure) continue;
    return Span{Absolute(load, phase.start_ns), Absolute(load, phase.end_ns)};
  }
  return std::nullopt;
}

// Messages that the load generator got back in a span: of its own intervals, as far as they
// overlap.
double MessagesWithin(const Result& load, const Span& span) {
  double messages = 0;
  for (const Interval& interval : load.intervals) {
    const double begin = Absolute(load, interval.t_start_ns);
    const double end = Absolute(load, interval.t_end_ns);
    const double shared = std::min(end, span.end) - std::max(begin, span.begin);
    if (shared > 0) messages += static_cast<double>(interval.messages) * shared / (end - begin);
  }
  return messages;
}

std::optional<double> CpuWhileMeasuring(const Result& server, const Result& load) {
  const std::optional<Span> measure = MeasurePhase(load);
  if (!measure) return std::nullopt;
  double cpu_ns = 0;
  Span window{measure->end, measure->begin};
  for (const Interval& interval : server.intervals) {
    const double begin = Absolute(server, interval.t_start_ns);
    const double end = Absolute(server, interval.t_end_ns);
    if (begin < measure->begin || end > measure->end) continue;
    cpu_ns += static_cast<double>(interval.cpu_ns);
    window = {std::min(window.begin, begin), std::max(window.end, end)};
  }
  const double messages = window.end > window.begin ? MessagesWithin(load, window) : 0;
  if (!(messages > 0)) return std::nullopt;
  return cpu_ns / messages;
}

// On two machines no clock is shared: the server's intervals at full work, which are those with at
// least half as many bytes as the middle one of those that have any.
std::optional<double> CpuAtFullWork(const Result& server, const Result& load) {
  std::vector<double> at_work;
  for (const Interval& interval : server.intervals) {
    if (interval.bytes > 0) at_work.push_back(static_cast<double>(interval.bytes));
  }
  if (at_work.empty() || load.config.size_bytes.value_or(0) <= 0) return std::nullopt;
  const double enough = Median(at_work) / 2;
  double cpu_ns = 0;
  double bytes = 0;
  for (const Interval& interval : server.intervals) {
    if (interval.bytes <= 0 || static_cast<double>(interval.bytes) < enough) continue;
    cpu_ns += static_cast<double>(interval.cpu_ns);
    bytes += static_cast<double>(interval.bytes);
  }
  return cpu_ns * static_cast<double>(*load.config.size_bytes) / bytes;
}

// What a server says "per message" is per read, of which a large message takes several.
std::optional<double> PerMessage(std::optional<double> per_read, const Result& server,
                                 const Result& load) {
  const auto reads = static_cast<double>(server.totals.messages);
  const auto bytes = static_cast<double>(server.totals.bytes_received);
  if (!per_read || load.config.size_bytes.value_or(0) <= 0 || !(bytes > 0)) return per_read;
  return *per_read * reads * static_cast<double>(*load.config.size_bytes) / bytes;
}

struct Cost {
  std::optional<double> value;
  CostOf of = CostOf::kWholeRun;
};

Cost ServerCpu(const Measurement& measurement) {
  if (!measurement.server) return {};
  const Result& server = *measurement.server;
  if (!measurement.load) return {.value = server.resources.cpu_ns_per_message};
  const Result& load = *measurement.load;
  // Time of io_uring's kernel threads is in the sum of a run only.
  if (server.resources.iou_workers.value_or(0) == 0) {
    const bool one_clock = server.run.boot_id && server.run.boot_id == load.run.boot_id;
    const Cost cost = one_clock ? Cost{CpuWhileMeasuring(server, load), CostOf::kMeasurePhase}
                                : Cost{CpuAtFullWork(server, load), CostOf::kFullWork};
    if (cost.value) return cost;
  }
  return {.value = PerMessage(server.resources.cpu_ns_per_message, server, load)};
}

std::optional<double> RawValue(const Measurement& measurement, std::string_view id) {
  if (id == "server_cpu_ns_per_message") return ServerCpu(measurement).value;
  if (measurement.server) {
    const Result& server = *measurement.server;
    if (id == "syscalls_per_message") {
      const std::optional<double> stat = EngineStat(server, id);
      return measurement.load ? PerMessage(stat, server, *measurement.load) : stat;
    }
    if (id == "bytes_per_connection") return server.resources.bytes_per_connection;
  }
  if (!measurement.load) return std::nullopt;
  const Result& load = *measurement.load;
  if (id == "messages_per_s") return load.totals.messages_per_s;
  if (id == "p50_ns") return Percentile(load, 50);
  if (id == "p99_ns") return Percentile(load, 99);
  if (id == "p99_9_ns") return Percentile(load, 99.9);
  if (id == "loader_cpu_ns_per_message") return load.resources.cpu_ns_per_message;
  return std::nullopt;
}

}  // namespace

std::vector<Metric> AllMetrics() {
  return {
      {"messages_per_s", "messages/s", Unit::kPerSecond, Better::kHigher, true},
      {"server_cpu_ns_per_message", "server CPU/msg", Unit::kNanoseconds, Better::kLower, true},
      {"p99_ns", "p99", Unit::kNanoseconds, Better::kLower, true},
      {"p50_ns", "p50", Unit::kNanoseconds, Better::kLower, false},
      {"p99_9_ns", "p99.9", Unit::kNanoseconds, Better::kLower, false},
      {"loader_cpu_ns_per_message", "loader CPU/msg", Unit::kNanoseconds, Better::kLower, false},
      {"syscalls_per_message", "syscalls/msg", Unit::kRatio, Better::kLower, false},
      {"bytes_per_connection", "memory/connection", Unit::kBytes, Better::kLower, false},
  };
}

CostOf ServerCpuIsOf(const Measurement& measurement) { return ServerCpu(measurement).of; }

std::optional<double> ValueOf(const Measurement& measurement, const Metric& metric) {
  const std::optional<double> value = RawValue(measurement, metric.id);
  if (!value || !std::isfinite(*value) || !(*value > 0)) return std::nullopt;
  return value;
}

}  // namespace ringecho::compare

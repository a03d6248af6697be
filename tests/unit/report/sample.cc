#include "sample.h"

#include "stats/histogram_codec.h"

namespace ringecho::report {
namespace {

Environment SampleEnvironment() {
  Environment e;
  e.kernel_release = "6.1.0-18-amd64";
  e.kernel_version = "#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1";
  e.kernel_cmdline = "ro quiet mitigations=auto";
  e.architecture = "x86_64";
  e.cpu.model = "Example CPU @ 3.00GHz";
  e.cpu.count = 8;
  e.cpu.smt = true;
  e.cpu.governor = "performance";
  e.cpu.mitigations = {{"meltdown", "Not affected"}, {"spectre_v2", "Mitigation: IBRS"}};
  e.virtualization.hypervisor = true;
  e.virtualization.product = "KVM";
  e.virtualization.container = "docker";
  e.clocksource = "tsc";
  e.memory_bytes = 16'000'000'000;
  e.transparent_hugepages = "madvise";
  e.limits = {1024, 1'048'576, 8'388'608, 1.5};
  e.sysctls = {{"net.core.somaxconn", "4096"}, {"net.ipv4.ip_local_port_range", "32768 60999"}};
  e.io_uring.available = true;
  e.io_uring.disabled = 0;
  e.io_uring.features = {"NODROP", "EXT_ARG"};
  e.io_uring.opcodes = {"NOP", "RECV", "SEND"};
  e.io_uring.ring_flags = {"SINGLE_ISSUER", "DEFER_TASKRUN"};
  return e;
}

Result SampleCommon() {
  Result r;
  r.tool = {"", "0.1.0", "0123abc", "release", "gcc 12.2.0", "2.3"};
  r.run.id = "20260131T120000.123Z-0011223344556677";
  r.run.series_id = "series";
  r.run.repeat = 2;
  r.run.order_index = 5;
  r.run.labels = {{"branch", "main"}, {"note", "\"quoted\" \u00e9"}};
  r.run.start_time = "2026-01-31T12:00:00.123Z";
  r.run.start_monotonic_ns = 123'456'789'012'345;
  r.run.boot_id = "5f8c2a52-0000-4000-8000-000000000000";
  r.run.seed = 18'446'744'073'709'551'615U;
  r.config.engine.name = "io_uring";
  r.config.engine.reason = "available";
  r.config.engine.requested = {{"engine", "auto"}, {"buffers", int64_t{4096}}};
  r.config.engine.effective = {{"receive", "multishot"},
                               {"defer_taskrun", true},
                               {"setup_flags", std::vector<std::string>{"SINGLE_ISSUER"}}};
  r.config.engine.declined = {{"bundle", "kernel before 6.10"}};
  r.config.transport = "tcp4";
  r.config.connections = 10'000;
  r.config.threads = 2;
  r.config.cpus = {0, 2, 3};
  r.config.duration_ns = 10'000'000'000;
  r.host.environment = SampleEnvironment();
  r.host.fingerprint = "0123456789abcdef";
  r.calibration = Calibration{85.5, 4200, {{64, 64, 9200.25}, {1000, 64, 12'000}}};
  r.phases = {{PhaseName::kConnect, 0, 1'000'000'000},
              {PhaseName::kWarmup, 1'000'000'000, 2'000'000'000},
              {PhaseName::kMeasure, 2'000'000'000, 12'000'000'000},
              {PhaseName::kDrain, 12'000'000'000, 12'001'000'000}};
  r.totals.measured_ns = 10'000'000'000;
  r.totals.messages = 1'200'000;
  r.totals.bytes_received = 76'800'000;
  r.totals.bytes_sent = 76'800'064;
  r.totals.messages_per_s = 120'000;
  r.totals.bytes_per_s = 7'680'000;
  r.totals.connections = 10'000;
  r.totals.connections_open_max = 10'000;
  r.errors = {{"connect_refused", 0}, {"reset", 3}};
  r.resources.user_ns = 2'000'000'000;
  r.resources.system_ns = 7'500'000'000;
  r.resources.cpu_ns_per_message = 7916.67;
  r.resources.cpu_share = 0.475;
  r.resources.steal_share = 0.01;
  r.resources.voluntary_switches = 1000;
  r.resources.involuntary_switches = 20;
  r.resources.rss_peak_bytes = 40'000'000;
  r.resources.bytes_per_connection = 6700.5;
  r.resources.iou_workers = 0;
  r.engine_stats = {{"submissions", int64_t{1'300'000}}, {"completions_per_enter", 17.25}};
  r.intervals = {
      {2'000'000'000, 3'000'000'000, 120'000, 7'680'000, 0, 10'000, 950'000'000, {}, {}, {}}};
  r.validity = {Verdict::kSuspect,
                {{"steal", false, 0.03, 0.02, "3.0% of the CPU time was stolen"},
                 {"exceptions", true, 0, 0, "0 exceptions"}}};
  return r;
}

LatencySummary SampleLatency() {
  LatencySummary s;
  s.count = 1'200'000;
  s.min_ns = 21'000;
  s.max_ns = 9'000'000;
  s.mean_ns = 83'000.5;
  s.stddev_ns = 1200.25;
  s.percentiles = {
      {0, 21'000}, {50, 80'000}, {99.9, 400'000}, {99.99999, 8'000'000}, {100, 9'000'000}};
  s.clamped = 0;
  stats::Histogram histogram;
  histogram.RecordN(80'000, static_cast<uint64_t>(s.count));
  s.hdr_v2 = stats::EncodeV2Base64(histogram);
  return s;
}

}  // namespace

Result SampleServerResult() {
  Result r = SampleCommon();
  r.tool.name = "ringecho-server";
  r.run.argv = {"ringecho-server", "--listen", "127.0.0.1:0"};
  r.config.role = Role::kServer;
  r.config.extra = {{"idle_timeout_ns", int64_t{0}}, {"backlog", int64_t{4096}}};
  return r;
}

Result SampleLoadResult() {
  Result r = SampleCommon();
  r.tool.name = "ringecho-load";
  r.run.argv = {"ringecho-load", "-c", "10000"};
  r.config.role = Role::kLoad;
  r.config.size_bytes = 64;
  r.config.depth = 1;
  r.config.mode = Mode::kOpen;
  r.config.rate_target_per_s = 120'000.5;
  r.config.warmup_ns = 1'000'000'000;
  r.config.messages_per_connection = 100;
  r.config.sessions = 20'000;
  r.config.extra = {{"verify", true}, {"connect_rate_per_s", 0.5}, {"payload", "random"}};
  r.totals.resolve_ns = 15'000;
  r.totals.exceptions = 3;
  r.totals.retries = 4;
  r.totals.sessions_completed = 19'997;
  r.totals.in_flight_at_end = 10'000;
  r.totals.offered_per_s = 120'000.5;
  r.totals.late_sends = 7;
  LatencySummary none;
  none.hdr_v2 = "";
  r.latency = Latency{SampleLatency(), SampleLatency(), none, SampleLatency()};
  r.intervals[0].retries = 1;
  r.intervals[0].p50_ns = 80'000;
  r.intervals[0].p99_ns = 300'000;
  r.intervals[0].syscalls = 13'000;
  r.intervals[0].enter_calls = 12'000;
  r.intervals[0].completions = 240'000;
  return r;
}

}  // namespace ringecho::report

// The fields of a result, each named once: the writer and the reader of result_json.cc both walk
// this list, so they cannot disagree. Private to that file.
//
// A visitor V offers
//   V::Ref<S>               S& when it reads a file, const S& when it writes one
//   Always(key, member)     stands in every file
//   OrNull(key, optional)   stands in every file, null when absent
//   IfSet(key, optional)    left out when absent
//   Rest(named values)      keys of this object that no other call names
#ifndef RINGECHO_REPORT_RESULT_FIELDS_H_
#define RINGECHO_REPORT_RESULT_FIELDS_H_

#include "report/result.h"

namespace ringecho::report {

// Tells the overloads below apart by the struct they list.
template <class S>
struct Of {};

template <class V>
void Fields(Of<Tool>, V& v, typename V::template Ref<Tool> s) {
  v.Always("name", s.name);
  v.Always("version", s.version);
  v.Always("git_commit", s.git_commit);
  v.Always("build_type", s.build_type);
  v.Always("compiler", s.compiler);
  v.Always("liburing_version", s.liburing_version);
}

template <class V>
void Fields(Of<Run>, V& v, typename V::template Ref<Run> s) {
  v.Always("id", s.id);
  v.IfSet("series_id", s.series_id);
  v.IfSet("repeat", s.repeat);
  v.IfSet("order_index", s.order_index);
  v.Always("labels", s.labels);
  v.Always("start_time", s.start_time);
  v.Always("start_monotonic_ns", s.start_monotonic_ns);
  v.OrNull("boot_id", s.boot_id);
  v.Always("argv", s.argv);
  v.IfSet("seed", s.seed);
  v.Always("status", s.status);
  v.Always("exit_code", s.exit_code);
  v.IfSet("error", s.error);
}

template <class V>
void Fields(Of<Engine>, V& v, typename V::template Ref<Engine> s) {
  v.Always("name", s.name);
  v.Always("reason", s.reason);
  v.Always("requested", s.requested);
  v.Always("effective", s.effective);
  v.Always("declined", s.declined);
}

template <class V>
void Fields(Of<Config>, V& v, typename V::template Ref<Config> s) {
  v.Always("role", s.role);
  v.Always("engine", s.engine);
  v.Always("transport", s.transport);
  v.Always("connections", s.connections);
  v.Always("threads", s.threads);
  v.Always("cpus", s.cpus);
  v.Always("wait", s.wait);
  v.IfSet("size_bytes", s.size_bytes);
  v.IfSet("depth", s.depth);
  v.IfSet("mode", s.mode);
  v.IfSet("rate_target_per_s", s.rate_target_per_s);
  v.IfSet("warmup_ns", s.warmup_ns);
  v.IfSet("duration_ns", s.duration_ns);
  v.IfSet("messages_per_connection", s.messages_per_connection);
  v.IfSet("sessions", s.sessions);
  v.Rest(s.extra);
}

template <class V>
void Fields(Of<Cpu>, V& v, typename V::template Ref<Cpu> s) {
  v.Always("model", s.model);
  v.Always("count", s.count);
  v.OrNull("smt", s.smt);
  v.OrNull("governor", s.governor);
  v.Always("mitigations", s.mitigations);
}

template <class V>
void Fields(Of<Virtualization>, V& v, typename V::template Ref<Virtualization> s) {
  v.Always("hypervisor", s.hypervisor);
  v.OrNull("product", s.product);
  v.OrNull("container", s.container);
}

template <class V>
void Fields(Of<Limits>, V& v, typename V::template Ref<Limits> s) {
  v.OrNull("nofile_soft", s.nofile_soft);
  v.OrNull("nofile_hard", s.nofile_hard);
  v.OrNull("memlock_bytes", s.memlock_bytes);
  v.OrNull("cgroup_cpus", s.cgroup_cpus);
}

template <class V>
void Fields(Of<IoUring>, V& v, typename V::template Ref<IoUring> s) {
  v.Always("available", s.available);
  v.OrNull("reason", s.reason);
  v.OrNull("disabled", s.disabled);
  v.Always("features", s.features);
  v.Always("opcodes", s.opcodes);
  v.Always("ring_flags", s.ring_flags);
}

template <class V>
void Fields(Of<Environment>, V& v, typename V::template Ref<Environment> s) {
  v.Always("kernel_release", s.kernel_release);
  v.Always("kernel_version", s.kernel_version);
  v.Always("kernel_cmdline", s.kernel_cmdline);
  v.Always("architecture", s.architecture);
  v.Always("cpu", s.cpu);
  v.Always("virtualization", s.virtualization);
  v.OrNull("clocksource", s.clocksource);
  v.Always("memory_bytes", s.memory_bytes);
  v.OrNull("transparent_hugepages", s.transparent_hugepages);
  v.Always("limits", s.limits);
  v.Always("sysctls", s.sysctls);
  v.Always("io_uring", s.io_uring);
}

template <class V>
void Fields(Of<Host>, V& v, typename V::template Ref<Host> s) {
  v.Always("environment", s.environment);
  v.Always("fingerprint", s.fingerprint);
}

template <class V>
void Fields(Of<EchoFloor>, V& v, typename V::template Ref<EchoFloor> s) {
  v.Always("connections", s.connections);
  v.Always("size_bytes", s.size_bytes);
  v.Always("ns_per_echo", s.ns_per_echo);
}

template <class V>
void Fields(Of<Calibration>, V& v, typename V::template Ref<Calibration> s) {
  v.Always("syscall_ns", s.syscall_ns);
  v.Always("wakeup_ns", s.wakeup_ns);
  v.Always("loopback_echo_floor", s.loopback_echo_floor);
}

template <class V>
void Fields(Of<Phase>, V& v, typename V::template Ref<Phase> s) {
  v.Always("name", s.name);
  v.Always("start_ns", s.start_ns);
  v.Always("end_ns", s.end_ns);
}

template <class V>
void Fields(Of<Totals>, V& v, typename V::template Ref<Totals> s) {
  v.Always("measured_ns", s.measured_ns);
  v.Always("messages", s.messages);
  v.Always("bytes_received", s.bytes_received);
  v.Always("bytes_sent", s.bytes_sent);
  v.Always("messages_per_s", s.messages_per_s);
  v.Always("bytes_per_s", s.bytes_per_s);
  v.Always("connections", s.connections);
  v.Always("connections_open_max", s.connections_open_max);
  v.IfSet("resolve_ns", s.resolve_ns);
  v.IfSet("exceptions", s.exceptions);
  v.IfSet("retries", s.retries);
  v.IfSet("sessions_completed", s.sessions_completed);
  v.IfSet("in_flight_at_end", s.in_flight_at_end);
  v.IfSet("offered_per_s", s.offered_per_s);
  v.IfSet("late_sends", s.late_sends);
}

// The unit stands in the key of the whole ("response_ns").
template <class V>
void Fields(Of<LatencySummary>, V& v, typename V::template Ref<LatencySummary> s) {
  v.Always("count", s.count);
  v.OrNull("min", s.min_ns);
  v.OrNull("max", s.max_ns);
  v.OrNull("mean", s.mean_ns);
  v.OrNull("stddev", s.stddev_ns);
  v.Always("percentiles", s.percentiles);
  v.IfSet("clamped", s.clamped);
  v.Always("hdr_v2", s.hdr_v2);
}

template <class V>
void Fields(Of<Latency>, V& v, typename V::template Ref<Latency> s) {
  v.IfSet("response_ns", s.response);
  v.IfSet("service_ns", s.service);
  v.IfSet("connect_ns", s.connect);
  v.IfSet("schedule_lag_ns", s.schedule_lag);
}

template <class V>
void Fields(Of<Resources>, V& v, typename V::template Ref<Resources> s) {
  v.Always("user_ns", s.user_ns);
  v.Always("system_ns", s.system_ns);
  v.OrNull("cpu_ns_per_message", s.cpu_ns_per_message);
  v.OrNull("cpu_share", s.cpu_share);
  v.OrNull("steal_share", s.steal_share);
  v.Always("voluntary_switches", s.voluntary_switches);
  v.Always("involuntary_switches", s.involuntary_switches);
  v.Always("rss_peak_bytes", s.rss_peak_bytes);
  v.OrNull("bytes_per_connection", s.bytes_per_connection);
  v.OrNull("iou_workers", s.iou_workers);
}

template <class V>
void Fields(Of<Interval>, V& v, typename V::template Ref<Interval> s) {
  v.Always("t_start_ns", s.t_start_ns);
  v.Always("t_end_ns", s.t_end_ns);
  v.Always("messages", s.messages);
  v.Always("bytes", s.bytes);
  v.Always("errors", s.errors);
  v.Always("connections_open", s.connections_open);
  v.Always("cpu_ns", s.cpu_ns);
  v.IfSet("retries", s.retries);
  v.IfSet("p50_ns", s.p50_ns);
  v.IfSet("p99_ns", s.p99_ns);
  v.IfSet("syscalls", s.syscalls);
  v.IfSet("enter_calls", s.enter_calls);
  v.IfSet("completions", s.completions);
}

template <class V>
void Fields(Of<Check>, V& v, typename V::template Ref<Check> s) {
  v.Always("id", s.id);
  v.Always("ok", s.ok);
  v.Always("value", s.value);
  v.Always("limit", s.limit);
  v.Always("message", s.message);
}

template <class V>
void Fields(Of<Validity>, V& v, typename V::template Ref<Validity> s) {
  v.Always("verdict", s.verdict);
  v.Always("checks", s.checks);
}

template <class V>
void Fields(Of<Result>, V& v, typename V::template Ref<Result> s) {
  v.Always("tool", s.tool);
  v.Always("run", s.run);
  v.Always("config", s.config);
  v.Always("host", s.host);
  v.IfSet("calibration", s.calibration);
  v.Always("phases", s.phases);
  v.Always("totals", s.totals);
  v.IfSet("latency", s.latency);
  v.Always("errors", s.errors);
  v.Always("resources", s.resources);
  v.Always("engine_stats", s.engine_stats);
  v.Always("intervals", s.intervals);
  v.Always("validity", s.validity);
}

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_RESULT_FIELDS_H_

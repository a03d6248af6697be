// The result of one run, server or load generator, as plain data. result_json.h turns it into the
// file "ringecho.result" and back; result.schema.json is the published form of the same.
//
// Conventions, here and in the file:
//   - Keys and members carry their unit. Times are integer nanoseconds; those inside a result
//     (t_..., start_ns, end_ns) count from the start of the run, Run::start_monotonic_ns.
//   - std::optional says "absent". Members marked [null] apply to every run but could not always be
//     found out, and stand in the file as null; all other optional members belong to one role or
//     mode, and are left out of the file when they do not apply.
//   - A double that is not finite is written as null and read back as NaN.
//   - No host name, user name or address belongs in here (see privacy.h for command lines).
//
// Plain data, no invariants: the schema is what holds a written file to its ranges. A Result may be
// copied and moved between threads, and used by one at a time.
#ifndef RINGECHO_REPORT_RESULT_H_
#define RINGECHO_REPORT_RESULT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ringecho::report {

inline constexpr char kSchemaName[] = "ringecho.result";
// MAJOR changes when a key is renamed or means something else, MINOR when one is added.
inline constexpr int kSchemaMajor = 1;
inline constexpr int kSchemaMinor = 2;

using Number = std::variant<int64_t, double>;
using Value = std::variant<bool, int64_t, double, std::string, std::vector<std::string>>;

// Objects whose keys are not fixed by the schema. Order is kept in the file; names are unique.
using NamedStrings = std::vector<std::pair<std::string, std::string>>;
using NamedCounts = std::vector<std::pair<std::string, int64_t>>;
using NamedNumbers = std::vector<std::pair<std::string, Number>>;
using NamedValues = std::vector<std::pair<std::string, Value>>;

struct Tool {
  std::string name;  // "ringecho-server" or "ringecho-load"
  std::string version;
  std::string git_commit;        // empty when built outside a repository
  std::string build_type;        // "release", "debug", ...
  std::string compiler;          // "gcc 12.2.0"
  std::string liburing_version;  // empty when built without io_uring
};

enum class RunStatus : uint8_t { kOk, kInterrupted, kError };

struct Run {
  std::string id;                        // unique per run (NewRunId)
  std::optional<std::string> series_id;  // common to the runs of one comparison
  std::optional<int64_t> repeat;         // from 0, within one cell of the comparison
  std::optional<int64_t> order_index;    // from 0, the order in which a series was run
  NamedStrings labels;
  std::string start_time;  // RFC 3339, UTC (base::Rfc3339)
  // CLOCK_MONOTONIC at the same moment: runs of one boot are put on a common axis by it.
  int64_t start_monotonic_ns = 0;
  std::optional<std::string> boot_id;  // [null] changes with every boot of the machine
  std::vector<std::string> argv;
  std::optional<uint64_t> seed;  // of payload, schedule and backoff; load generator
  RunStatus status = RunStatus::kOk;
  int64_t exit_code = 0;
  std::optional<std::string> error;  // one line; with kError
};

enum class Role : uint8_t { kServer, kLoad };
enum class Mode : uint8_t { kClosed, kOpen };

// What was asked of the engine, what it does, and why they differ.
struct Engine {
  std::string name;       // "io_uring" or "epoll": the one that ran
  std::string reason;     // one line: why this one
  NamedValues requested;  // "engine": "auto", "receive": "multishot", ...
  NamedValues effective;
  NamedStrings declined;  // feature -> why it is not in use
};

struct Config {
  Role role = Role::kServer;
  Engine engine;
  std::string transport;    // "tcp4", "tcp6", "unix"; several joined by "+"
  int64_t connections = 0;  // load: open at a time; server: --max-connections
  int64_t threads = 1;
  std::vector<int> cpus;       // empty: not pinned
  std::string wait = "block";  // how a thread waits: "block", "spin", "hybrid:50us", "batch:20us"
  // Load generator; left out by the server.
  std::optional<int64_t> size_bytes;
  std::optional<int64_t> depth;  // messages under way per connection
  std::optional<Mode> mode;
  std::optional<double> rate_target_per_s;  // open loop, all connections together
  std::optional<int64_t> warmup_ns;
  std::optional<int64_t> duration_ns;  // of the measure phase; server: --duration
  std::optional<int64_t> messages_per_connection;
  std::optional<int64_t> sessions;
  // Further keys of a role, each carrying its unit: "idle_timeout_ns", "verify", ... They stand
  // in the file beside the ones above and must not repeat one of their names. Of both, since 1.2:
  // "buffer_size_requested_bytes", 0 where "buffer_size_bytes" is the engine's own choice.
  NamedValues extra;
};

struct Cpu {
  std::string model;
  int64_t count = 0;                    // online
  std::optional<bool> smt;              // [null] siblings in use
  std::optional<std::string> governor;  // [null] of the first CPU; "mixed" when they differ
  NamedStrings mitigations;             // as /sys/devices/system/cpu/vulnerabilities has them
};

struct Virtualization {
  bool hypervisor = false;               // the CPU says that it is a virtual one
  std::optional<std::string> product;    // [null] what the firmware calls the machine
  std::optional<std::string> container;  // [null] "docker", "podman", "lxc", ... when inside one
};

struct Limits {
  std::optional<int64_t> nofile_soft;    // [null] RLIMIT_NOFILE; null: unlimited
  std::optional<int64_t> nofile_hard;    // [null] likewise
  std::optional<int64_t> memlock_bytes;  // [null] soft RLIMIT_MEMLOCK; null: unlimited
  std::optional<double> cgroup_cpus;     // [null] CPU quota in CPUs; null: none
};

// Filled by whoever can see the io_uring engine; default for builds without it.
struct IoUring {
  bool available = false;
  std::optional<std::string> reason;  // [null] why not, one line
  std::optional<int64_t> disabled;    // [null] sysctl kernel.io_uring_disabled: 0, 1, 2
  std::vector<std::string> features;  // names: "NODROP", "EXT_ARG", ...
  std::vector<std::string> opcodes;
  std::vector<std::string> ring_flags;  // setup flags in force
};

struct Environment {
  std::string kernel_release;
  std::string kernel_version;
  std::string kernel_cmdline;  // cleaned (privacy.h)
  std::string architecture;
  Cpu cpu;
  Virtualization virtualization;
  std::optional<std::string> clocksource;  // [null]
  int64_t memory_bytes = 0;
  std::optional<std::string> transparent_hugepages;  // [null] "always", "madvise", "never"
  Limits limits;
  NamedStrings sysctls;  // "net.core.somaxconn" -> "4096"; those that cannot be read are missing
  IoUring io_uring;
};

struct Host {
  Environment environment;
  std::string fingerprint;  // 16 hex digits; see environment.h for what goes in
};

struct EchoFloor {
  int64_t connections = 0;
  int64_t size_bytes = 0;
  double ns_per_echo = 0;
};

// What this machine's kernel costs without any engine, measured before the run.
struct Calibration {
  double syscall_ns = 0;
  double wakeup_ns = 0;  // one thread waking another, one way
  std::vector<EchoFloor> loopback_echo_floor;
};

enum class PhaseName : uint8_t { kConnect, kWarmup, kMeasure, kDrain };

struct Phase {
  PhaseName name = PhaseName::kMeasure;
  int64_t start_ns = 0;
  int64_t end_ns = 0;
};

// Counters of the measure phase, except where said otherwise.
struct Totals {
  int64_t measured_ns = 0;
  int64_t messages = 0;  // load: whole and verified; server: reads that were echoed
  int64_t bytes_received = 0;
  int64_t bytes_sent = 0;
  double messages_per_s = 0;
  double bytes_per_s = 0;  // received
  // Of the whole run.
  int64_t connections = 0;           // made (load) or accepted (server)
  int64_t connections_open_max = 0;  // at one time
  // Load generator, whole run.
  std::optional<int64_t> resolve_ns;  // name resolution, before the clock started
  std::optional<int64_t> exceptions;  // connections that ended other than they should
  std::optional<int64_t> retries;
  std::optional<int64_t> sessions_completed;
  std::optional<int64_t> in_flight_at_end;
  // Load generator, open loop.
  std::optional<double> offered_per_s;
  std::optional<int64_t> late_sends;
};

struct Percentile {
  double percent = 0;  // 0 to 100
  int64_t value_ns = 0;
};

// Of one histogram. The values are absent ([null]) when `count` is 0.
struct LatencySummary {
  int64_t count = 0;
  std::optional<int64_t> min_ns;
  std::optional<int64_t> max_ns;
  std::optional<double> mean_ns;
  std::optional<double> stddev_ns;
  std::vector<Percentile> percentiles;  // ascending
  std::optional<int64_t> clamped;  // values too large for the histogram, counted as its largest
  std::string hdr_v2;              // HdrHistogram V2, zlib, base64: merges exactly
};

struct Latency {
  std::optional<LatencySummary> response;  // from the intended send time
  std::optional<LatencySummary> service;   // from the send itself
  std::optional<LatencySummary> connect;
  std::optional<LatencySummary> schedule_lag;
};

// CPU of all threads of the process and of the kernel threads that work for it, measure phase.
struct Resources {
  int64_t user_ns = 0;
  int64_t system_ns = 0;
  std::optional<double> cpu_ns_per_message;  // [null] no messages
  // [null] CPU time over threads x measured time: of a server all of it, so beyond 1 where a kernel
  // thread works for each of its own (sqpoll); of a load generator its threads', 0 to 1.
  std::optional<double> cpu_share;
  std::optional<double> steal_share;  // [null] of all CPUs of the machine, 0 to 1
  int64_t voluntary_switches = 0;
  int64_t involuntary_switches = 0;
  int64_t rss_peak_bytes = 0;
  std::optional<double> bytes_per_connection;  // [null] memory, user and kernel
  std::optional<int64_t> iou_workers;          // [null] io-wq threads seen
};

// One live line. Counters are those of the interval, not sums. Times as in Phase. A load
// generator's are of the warm-up or of the measure phase; a server's of the whole run.
struct Interval {
  int64_t t_start_ns = 0;
  int64_t t_end_ns = 0;
  int64_t messages = 0;
  int64_t bytes = 0;  // received
  int64_t errors = 0;
  int64_t connections_open = 0;    // at its end
  int64_t cpu_ns = 0;              // of the workers and their SQPOLL threads
  std::optional<int64_t> retries;  // load
  std::optional<int64_t> p50_ns;   // load; left out when the interval had no message
  std::optional<int64_t> p99_ns;
  // Of the engines, as in engine_stats; since 1.1. Per message and per enter they are what live
  // lines show.
  std::optional<int64_t> syscalls = {};
  std::optional<int64_t> enter_calls = {};
  std::optional<int64_t> completions = {};
};

enum class Verdict : uint8_t { kValid, kSuspect, kInvalid };

struct Check {
  std::string id;
  bool ok = true;
  double value = 0;
  double limit = 0;
  std::string message;  // one line for people; says what to do when not ok
};

struct Validity {
  Verdict verdict = Verdict::kValid;
  std::vector<Check> checks;
};

struct Result {
  Tool tool;
  Run run;
  Config config;
  Host host;
  std::optional<Calibration> calibration;  // left out when not asked for
  std::vector<Phase> phases;
  Totals totals;
  std::optional<Latency> latency;  // load
  NamedCounts errors;              // connect_refused, timeout, reset, ...; zero ones may be listed
  Resources resources;
  NamedNumbers engine_stats;
  std::vector<Interval> intervals;
  Validity validity;
};

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_RESULT_H_

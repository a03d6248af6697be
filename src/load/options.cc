#include "load/options.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "app/feature_list.h"
#include "base/cpus.h"
#include "base/random.h"
#include "base/status.h"
#include "cli/options.h"
#include "load/payload.h"
#include "net/address.h"

namespace ringecho::load {
namespace {

constexpr char kFooter[] =
    "ADDR is host:port, [v6]:port or unix:/path. Counts take k and m, sizes k and m\n"
    "(1,024), times ns, us, ms, s, m and h. Every byte that comes back is compared.\n"
    "A connect that fails is tried again, and with -n or --sessions a connection\n"
    "lost before its first echoed byte; one lost later is an exception. SIGINT or\n"
    "SIGTERM waits for what is outstanding and reports, a second one aborts;\n"
    "SIGUSR1 prints a snapshot.\n"
    "Exit codes: 0 valid, 1 failed, 2 usage, 3 finished but invalid, 130 interrupted.";

constexpr int64_t kMaxInFlight = 1 << 26;  // messages; 8 bytes each for the time of sending

// A year.
constexpr int64_t kTimeMax = 31'536'000 * base::kNsPerSec;

// The options that can contradict each other.
struct Given {
  CLI::Option* duration = nullptr;
  CLI::Option* warmup = nullptr;
  CLI::Option* size = nullptr;
  CLI::Option* messages = nullptr;
  CLI::Option* sessions = nullptr;
  CLI::Option* seed = nullptr;
  CLI::Option* verify = nullptr;
  bool bytes_only = false;
};

// "50,99,99.9" in any order.
void ParsePercentiles(const std::string& text, std::vector<double>& percentiles) {
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    double percent = -1;
    const char* const end = part.data() + part.size();
    const auto [stop, error] = std::from_chars(part.data(), end, percent);
    if (error != std::errc() || stop != end || !(percent >= 0 && percent <= 100)) {
      throw CLI::ValidationError(
          "--percentiles",
          absl::StrCat("got \"", text, "\", takes numbers from 0 to 100 such as 50,99,99.9"));
    }
    percentiles.push_back(percent);
  }
  std::sort(percentiles.begin(), percentiles.end());
  percentiles.erase(std::unique(percentiles.begin(), percentiles.end()), percentiles.end());
}

// A load generator that sleeps has to be woken by the server, which pays for it: with one
// connection that is two thirds of what a message costs there. With a CPU to spare it looks on for
// a while.
engine::WaitPolicy DefaultWait() {
  constexpr int64_t kSpinNs = 50 * base::kNsPerUs;
  if (base::AllowedCpus().size() < 2) return {};
  return {.spin_ns = kSpinNs};
}

void AddLoadOptions(CLI::App& app, Options& options, Given& given) {
  constexpr char kLoad[] = "Load";
  cli::AddText(app, "--connect", options.connect, "ADDR", "the server")->group(kLoad);
  cli::AddCount(app, "-c,--connections", options.connections, {1, 1 << 24},
                "connections open at a time")
      ->group(kLoad);
  cli::AddCount(app, "--depth", options.depth, {1, static_cast<int64_t>(kMaxRunBytes)},
                "messages in flight on each connection")
      ->group(kLoad);
  given.size = cli::AddSize(app, "-s,--size", options.message_bytes,
                            {1, static_cast<int64_t>(kMaxRunBytes)}, "bytes of a message");
  given.size->group(kLoad);
  cli::AddText(app, "--payload", options.payload_path, "FILE",
               "send the lines of a file, one message each, instead of random bytes")
      ->group(kLoad);
  given.duration = cli::AddDuration(app, "-d,--duration", options.duration_ns,
                                    {base::kNsPerMs, kTimeMax}, "measure for so long");
  given.duration->group(kLoad);
  given.warmup = cli::AddDuration(app, "--warmup", options.warmup_ns, {0, kTimeMax},
                                  "run for so long before measuring");
  given.warmup->group(kLoad);
  given.messages =
      cli::AddCount(app, "-n,--messages", options.messages, {1, INT64_MAX},
                    "instead of -d: messages per connection, then close it", "1 with --sessions");
  given.messages->group(kLoad);
  given.sessions =
      cli::AddCount(app, "--sessions", options.sessions, {1, INT64_MAX},
                    "instead of -d: connections in all, -c at a time, -n messages each", "-c");
  given.sessions->group(kLoad);
}

void AddConnectionOptions(CLI::App& app, Options& options, Given& given) {
  constexpr char kConnections[] = "Connections";
  cli::AddCount(app, "--connect-rate", options.connects_per_s, {1, 1'000'000'000},
                "connects per second at most", "no limit")
      ->group(kConnections);
  cli::AddCount(app, "--retries", options.retries, {0, 1'000'000},
                "try a failed connect again so often, waiting 20 ms to 1 s in between")
      ->group(kConnections);
  cli::AddDuration(app, "--timeout", options.timeout_ns, {base::kNsPerMs, kTimeMax},
                   "give up a connect, or a connection without progress, after so long")
      ->group(kConnections);
  cli::AddText(app, "--source", options.source, "LIST",
               "connect from these addresses in turn; auto spreads over 127.0.0.0/8 where one "
               "would run out of ports")
      ->group(kConnections);
  given.verify =
      cli::AddFlag(app, "--verify", options.verify, "compare every byte that comes back [on]");
  given.verify->group(kConnections);
  cli::AddFlag(app, "--no-verify", given.bytes_only, "only count them")->group(kConnections);
  given.seed = cli::AddCount(app, "--seed", options.seed, {0, INT64_MAX}, "of payload and backoff",
                             "by the clock");
  given.seed->group(kConnections);
}

void Contradiction(const char* option, const std::string& message) {
  throw CLI::ValidationError(option, message);
}

void Check(const Options& options, const Given& given) {
  app::CheckCommonOptions(options.common);
  const bool by_count = given.messages->count() + given.sessions->count() != 0;
  const char* const counting = given.messages->count() != 0 ? "-n" : "--sessions";
  if (by_count && given.duration->count() != 0) {
    Contradiction("--duration", absl::StrCat("cannot be combined with ", counting,
                                             ", which ends the run by itself"));
  }
  if (by_count && given.warmup->count() != 0) {
    Contradiction("--warmup",
                  absl::StrCat("cannot be combined with ", counting, ", which measures all of it"));
  }
  if (given.sessions->count() != 0 && options.sessions < options.connections) {
    Contradiction("--sessions", absl::StrCat("got ", options.sessions, ", takes at least -c (",
                                             options.connections, ")"));
  }
  if (given.size->count() != 0 && !options.payload_path.empty()) {
    Contradiction("--size", "cannot be combined with --payload, whose lines have their own sizes");
  }
  if (given.verify->count() != 0 && given.bytes_only) {
    Contradiction("--verify", "cannot be combined with --no-verify");
  }
  if (options.connections < options.common.threads) {
    Contradiction("--threads",
                  absl::StrCat("got ", options.common.threads,
                               ", takes at most one per connection (", options.connections, ")"));
  }
  const auto run_max = static_cast<int64_t>(kMaxRunBytes);
  if (options.payload_path.empty() && options.depth > run_max / options.message_bytes) {
    Contradiction(
        "--depth",
        absl::StrCat("got ", options.depth, ", takes at most ", run_max / options.message_bytes,
                     " with -s ", options.message_bytes, " (16 MiB in flight per connection)"));
  }
  if (options.depth > kMaxInFlight / options.connections) {
    Contradiction("--depth",
                  absl::StrCat("got ", options.depth, ", takes at most ",
                               kMaxInFlight / options.connections, " with -c ", options.connections,
                               " (", kMaxInFlight >> 20, " Mi messages in flight)"));
  }
  const absl::StatusOr<net::HostPort> where = net::ParseHostPort(options.connect, kDefaultPort);
  if (!where.ok()) Contradiction("--connect", std::string(where.status().message()));
  if (where->unix_path.empty() && where->port == 0) {
    Contradiction("--connect", "got port 0, takes 1 to 65535");
  }
  app::CheckUse(options.common.features, NoUse(options));
}

// What follows from options that were given for others that were not.
void Complete(Options& options, const Given& given) {
  if (given.messages->count() + given.sessions->count() != 0) {
    options.duration_ns = options.warmup_ns = 0;
    if (options.messages == 0) options.messages = 1;
  }
  if (!options.payload_path.empty()) options.message_bytes = 0;
  options.verify = !given.bytes_only;
  if (given.seed->count() == 0) {
    // Another one for every run, so that bytes a server kept from the last run do not pass for this
    // run's; small enough for every reader of JSON.
    const auto now = static_cast<uint64_t>(base::WallNs()) ^ static_cast<uint64_t>(getpid());
    options.seed = static_cast<int64_t>(base::SplitMix64(now).Next() >> 32);
  }
}

}  // namespace

engine::FeatureReasons NoUse(const Options& options) {
  engine::FeatureReasons no_use;
  no_use[static_cast<size_t>(engine::FeatureId::kMultishotAccept)] =
      "a load generator accepts nothing";
  no_use[static_cast<size_t>(engine::FeatureId::kVectoredSend)] =
      "a load generator sends from one piece of memory";
  const absl::StatusOr<net::HostPort> where = net::ParseHostPort(options.connect, kDefaultPort);
  if (where.ok() && !where->unix_path.empty()) {
    app::AddNoUseOnUnix(options.common.features, no_use);
  }
  return no_use;
}

std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options) {
  CLI::App app;
  Given given;
  cli::SetUpApp(app, kProgram, "Load generator for echo servers (RFC 862) over io_uring or epoll.",
                kFooter);
  AddLoadOptions(app, options, given);
  AddConnectionOptions(app, options, given);
  options.common.wait = DefaultWait();
  app::AddCommonOptions(app, options.common);
  app.add_option_function<std::string>(
         "--percentiles",
         [&options](const std::string& text) { ParsePercentiles(text, options.percentiles); },
         "print these percentiles of all latencies too")
      ->type_name("LIST")
      ->group("Output");
  std::optional<int> code = cli::Parse(app, argc, argv, [&] { Check(options, given); });
  if (code) return code;
  if (options.common.list_features) return app::PrintFeatureList();
  Complete(options, given);
  return std::nullopt;
}

}  // namespace ringecho::load

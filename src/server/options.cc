#include "server/options.h"

#include <unistd.h>

#include <algorithm>

#include "absl/status/statusor.h"
#include "app/feature_list.h"
#include "base/clock.h"
#include "base/status.h"
#include "cli/options.h"
#include "net/address.h"

namespace ringecho::server {
namespace {

constexpr int64_t kTimeMax = 31'536'000 * base::kNsPerSec;  // a year

constexpr char kFooter[] =
    "ADDR is host:port, [v6]:port or unix:/path; port 0 picks one and prints it.\n"
    "Counts take k and m, sizes k and m (1,024), times ns, us, ms, s, m and h.\n"
    "A message, in counts and rates, is what one read brought: a whole one, or a\n"
    "part of one that is larger than a buffer.\n"
    "SIGINT or SIGTERM drains connections and reports, a second one aborts;\n"
    "SIGUSR1 prints a snapshot. Exit codes: 0 valid, 1 failed, 2 usage, 130\n"
    "interrupted (aborted, or before --duration had passed).";

void Check(const Options& options) {
  app::CheckCommonOptions(options.common);
  for (const std::string& where : options.listen) {
    absl::StatusOr<net::HostPort> parsed = net::ParseHostPort(where, kDefaultPort);
    if (!parsed.ok()) cli::Refuse("--listen", base::ToStd(parsed.status().message()));
  }
  if (options.max_connections != 0 &&
      options.common.features.required.Has(engine::FeatureId::kMultishotAccept)) {
    cli::Refuse("--features",
                "multishot_accept excludes --max-connections, which takes a place before each "
                "accept; leave one of them out");
  }
  app::CheckUse(options.common.features, NoUse(options));
}

}  // namespace

engine::FeatureReasons NoUse(const Options& options) {
  engine::FeatureReasons no_use;
  const bool all_unix =
      std::all_of(options.listen.begin(), options.listen.end(), [](const std::string& where) {
        const absl::StatusOr<net::HostPort> parsed = net::ParseHostPort(where, kDefaultPort);
        return parsed.ok() && !parsed->unix_path.empty();
      });
  if (all_unix) app::AddNoUseOnUnix(options.common.features, no_use);
  return no_use;
}

std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options) {
  CLI::App app;
  cli::SetUpApp(app, kProgram, "Echo server (RFC 862) over io_uring or epoll.", kFooter);
  constexpr char kServer[] = "Server";
  cli::AddTexts(app, "--listen", options.listen, "ADDR", "listen here; repeatable")->group(kServer);
  cli::AddCount(app, "--backlog", options.backlog, {1, INT32_MAX},
                "connections that may wait to be accepted")
      ->group(kServer);
  cli::AddCount(app, "--max-connections", options.max_connections, {1, 1 << 24},
                "at most so many open at once; further clients wait in the backlog",
                "what descriptors allow")
      ->group(kServer);
  cli::AddSize(app, "--high-water", options.high_water_bytes, {1, 1 << 30},
               "io_uring: receive no more from a peer that has more than this to read", "64k")
      ->group(kServer);
  cli::AddDuration(app, "--idle-timeout", options.idle_timeout_ns, {base::kNsPerMs, kTimeMax},
                   "close connections idle for so long", "never")
      ->group(kServer);
  cli::AddDuration(app, "--duration", options.duration_ns, {base::kNsPerMs, kTimeMax},
                   "end by itself after so long", "until a signal")
      ->group(kServer);
  app::AddCommonOptions(app, options.common);
  std::optional<int> code = cli::Parse(app, argc, argv, [&options] { Check(options); });
  if (!code && options.common.list_features) return app::PrintFeatureList();
  return code;
}

}  // namespace ringecho::server

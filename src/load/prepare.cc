#include "load/prepare.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/connection_limit.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "load/sources.h"
#include "net/socket.h"

namespace ringecho::load {
namespace {

// Descriptors besides connections: standard streams, signals and events, the result, shared
// libraries; and for each engine its ring or epoll and its eventfd.
constexpr int64_t kDescriptorsBase = 24;
constexpr int64_t kDescriptorsPerEngine = 4;

constexpr int kProbeMs = 1000;

bool Accepts(const net::Address& address) {
  const int made = net::NewConnectSocket(address, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (made < 0) return false;
  const base::UniqueFd socket(made);
  if (connect(socket.get(), address.get(), address.length()) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd ready{socket.get(), POLLOUT, 0};
  if (poll(&ready, 1, kProbeMs) != 1) return false;
  int error = 0;
  socklen_t length = sizeof(error);
  return getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0 &&
         !net::MeetsItself(socket.get());
}

absl::StatusOr<app::ConnectionRoom> FindRoom(const Options& options, engine::EngineKind engine) {
  const absl::StatusOr<int64_t> limit = base::RaiseDescriptorLimit();
  if (!limit.ok()) return limit.status();
  const int64_t others = kDescriptorsBase + options.common.threads * kDescriptorsPerEngine;
  return app::FindRoom(
      {.connections = options.connections,
       .threads = options.common.threads,
       .others = others,
       .connecting =
           std::min(options.connections, std::max<int64_t>(kConnectingMax, options.common.threads)),
       .descriptor_limit = *limit,
       .direct_available = engine::HasFeature(engine, engine::FeatureId::kDirectDescriptors)},
      options.common.features);
}

absl::StatusOr<Payload> MakePayload(const Options& options) {
  const auto depth = static_cast<uint64_t>(options.depth);
  if (!options.payload_path.empty()) {
    absl::StatusOr<Payload> lines = Payload::LinesOfFile(options.payload_path, depth);
    if (!lines.ok()) return absl::InvalidArgumentError(lines.status().message());
    return lines;
  }
  return Payload::Random(static_cast<uint64_t>(options.seed),
                         static_cast<uint64_t>(options.message_bytes), depth);
}

// What is no address of this machine would fail for every connection.
absl::Status CheckSources(const net::Address& to, const std::vector<net::Address>& sources) {
  for (const net::Address& source : sources) {
    const int made = net::NewConnectSocket(to, &source, SOCK_CLOEXEC);
    const base::UniqueFd socket(made);
    if (made >= 0) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--source: cannot connect from ", source.ToString(), ": ", base::ErrnoText(-made)));
  }
  return absl::OkStatus();
}

// Share `index` of `total` things among `shares`: the first ones get what does not divide.
int64_t Share(int64_t total, int64_t shares, int64_t index) {
  return total / shares + (index < total % shares ? 1 : 0);
}

}  // namespace

absl::StatusOr<net::Address> Resolve(const Options& options, int64_t* resolve_ns) {
  const int64_t begin_ns = base::NowNs();
  const absl::StatusOr<net::HostPort> where = net::ParseHostPort(options.connect, kDefaultPort);
  if (!where.ok()) return where.status();
  absl::StatusOr<std::vector<net::Address>> found = net::Resolve(*where);
  *resolve_ns = base::NowNs() - begin_ns;
  if (!found.ok()) return found.status();
  if (found->size() > 1) {
    const auto accepting = std::find_if(found->begin(), found->end(), Accepts);
    if (accepting != found->end()) return *accepting;
  }
  return found->front();
}

absl::StatusOr<Setup> Prepare(const Options& options, engine::EngineKind engine) {
  const absl::StatusOr<app::ConnectionRoom> room = FindRoom(options, engine);
  if (!room.ok()) return room.status();
  Setup setup;
  setup.direct_descriptors = room->direct;
  absl::StatusOr<Payload> payload = MakePayload(options);
  if (!payload.ok()) return payload.status();
  setup.payload.emplace(*std::move(payload));

  const absl::StatusOr<net::Address> to = Resolve(options, &setup.resolve_ns);
  if (!to.ok()) return to.status();
  setup.to = *to;

  absl::StatusOr<std::vector<net::Address>> sources =
      PlanSources({.to = *to,
                   .connections = options.connections,
                   .sessions = std::max(options.sessions, options.connections),
                   .list = options.source,
                   .ports = net::LocalPortRange(),
                   .start = base::SplitMix64(static_cast<uint64_t>(options.seed)).Next()});
  if (!sources.ok()) return sources.status();
  setup.sources = *std::move(sources);
  RINGECHO_RETURN_IF_ERROR(CheckSources(setup.to, setup.sources));
  return setup;
}

Plan PlanFor(const Options& options, const Setup& setup, int worker) {
  const int64_t threads = options.common.threads;
  Plan plan;
  plan.payload = &*setup.payload;
  plan.to = &setup.to;
  plan.sources = &setup.sources;
  plan.worker = worker;
  plan.lanes = static_cast<uint32_t>(Share(options.connections, threads, worker));
  plan.depth = static_cast<uint32_t>(options.depth);
  plan.verify = options.verify;
  plan.seed = base::SplitMix64(static_cast<uint64_t>(options.seed) + worker).Next();
  plan.messages = static_cast<uint64_t>(options.messages);
  plan.warmup_ns = options.warmup_ns;
  plan.duration_ns = options.duration_ns;
  plan.connecting_max =
      static_cast<uint32_t>(std::max<int64_t>(1, Share(kConnectingMax, threads, worker)));
  plan.connects_per_s = static_cast<double>(options.connects_per_s) *
                        static_cast<double>(plan.lanes) / static_cast<double>(options.connections);
  plan.retries = static_cast<int>(options.retries);
  plan.timeout_ns = options.timeout_ns;
  plan.interval_ns = options.common.interval_ns;
  if (options.common.verbose) {
    plan.log = [](const std::string& line) { std::fprintf(stderr, "%s\n", line.c_str()); };
  }
  return plan;
}

uint64_t SessionCount(const Options& options) {
  return static_cast<uint64_t>(std::max(options.sessions, options.connections));
}

}  // namespace ringecho::load

#include "load/outcome.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/units.h"
#include "engine/stream.h"
#include "load/diagnose.h"
#include "report/latency.h"
#include "report/summary.h"

namespace ringecho::load {
namespace {

int64_t Get(const stats::Counter& counter) { return static_cast<int64_t>(counter.Get()); }

template <size_t N>
void AddEach(std::array<int64_t, N>& sums, const std::array<stats::Counter, N>& counters) {
  for (size_t i = 0; i < N; ++i) sums[i] += Get(counters[i]);
}

// Listed in every result, also when 0.
bool IsUsual(engine::CloseReason reason) {
  using engine::CloseReason;
  switch (reason) {
    case CloseReason::kRefused:
    case CloseReason::kTimeout:
    case CloseReason::kReset:
    case CloseReason::kEof:
    case CloseReason::kPayloadMismatch:
    case CloseReason::kAddrNotAvail:
    case CloseReason::kNoDescriptors:
      return true;
    default:
      return false;
  }
}

void FillErrors(const Outcome& outcome, report::NamedCounts& errors) {
  const TallySums& tally = outcome.tally;
  for (size_t i = 0; i < tally.exception_reasons.size(); ++i) {
    const auto reason = static_cast<engine::CloseReason>(i);
    if (tally.exception_reasons[i] == 0 && !IsUsual(reason)) continue;
    errors.emplace_back(engine::CloseReasonName(reason), tally.exception_reasons[i]);
  }
  const bool wrong =
      tally.exception_reasons[static_cast<size_t>(engine::CloseReason::kPayloadMismatch)] != 0;
  if (wrong) {
    for (size_t i = 0; i < tally.damages.size(); ++i) {
      errors.emplace_back(DamageName(static_cast<Damage>(i)), tally.damages[i]);
    }
    errors.emplace_back("payload_undiagnosed", tally.undiagnosed);
  }
  for (size_t i = 0; i < tally.retry_reasons.size(); ++i) {
    if (tally.retry_reasons[i] == 0) continue;
    const auto reason = static_cast<engine::CloseReason>(i);
    errors.emplace_back(absl::StrCat("retried_", base::ToAbsl(engine::CloseReasonName(reason))),
                        tally.retry_reasons[i]);
  }
  errors.emplace_back("enobufs", outcome.engine.Get(&engine::Counters::buffers_starved));
  errors.emplace_back("cq_overflow", outcome.engine.Get(&engine::Counters::cq_overflows));
}

void FillLatency(const Outcome& outcome, const Options& options, report::Result& result) {
  std::vector<double> percentiles(std::begin(report::kPercentiles), std::end(report::kPercentiles));
  percentiles.insert(percentiles.end(), options.percentiles.begin(), options.percentiles.end());
  std::sort(percentiles.begin(), percentiles.end());
  percentiles.erase(std::unique(percentiles.begin(), percentiles.end()), percentiles.end());
  report::Latency& latency = result.latency.emplace();
  latency.response = report::Summarize(outcome.response, percentiles);
  latency.connect = report::Summarize(outcome.connects, percentiles);
}

}  // namespace

void TallySums::Add(const Tally& tally) {
  started += Get(tally.started);
  made += Get(tally.made);
  open += Get(tally.open);
  open_max += Get(tally.open_max);
  completed += Get(tally.completed);
  exceptions += Get(tally.exceptions);
  cut += Get(tally.cut);
  retries += Get(tally.retries);
  messages += Get(tally.messages);
  AddEach(exception_reasons, tally.exception_reasons);
  AddEach(retry_reasons, tally.retry_reasons);
  AddEach(damages, tally.damages);
  undiagnosed += Get(tally.undiagnosed);
}

Outcome CollectOutcome(const std::vector<const Sessions*>& workers) {
  Outcome out;
  for (const Sessions* worker : workers) {
    out.tally.Add(worker->tally());
    out.connects.Add(worker->connects()).IgnoreError();  // one layout everywhere
    const Measured& measured = worker->measured();
    if (measured.end_ns == 0) continue;  // interrupted before measuring
    out.start_ns =
        out.start_ns == 0 ? measured.start_ns : std::min(out.start_ns, measured.start_ns);
    out.end_ns = std::max(out.end_ns, measured.end_ns);
    out.messages += static_cast<int64_t>(measured.messages);
    out.bytes += static_cast<int64_t>(measured.bytes);
    out.in_flight_at_end += static_cast<int64_t>(worker->in_flight_at_end());
    out.response.Add(measured.response).IgnoreError();
    out.engine += measured.engine;
    out.cpu_ns += measured.cpu.total_ns();
    out.cpu_wall_ns += measured.cpu_wall_ns;
  }
  return out;
}

void FillConfig(const Options& options, const Setup& setup, report::Config& config) {
  config.role = report::Role::kLoad;
  config.transport = setup.to.is_unix() ? "unix" : setup.to.family() == AF_INET ? "tcp4" : "tcp6";
  config.connections = options.connections;
  config.threads = options.common.threads;
  config.cpus = options.common.cpus;
  config.wait = engine::WaitName(options.common.wait);
  // Of lines it is the mean size, rounded; `payload_lines` tells them from messages of one size.
  const Payload& payload = *setup.payload;
  config.size_bytes =
      payload.lines() == 0
          ? options.message_bytes
          : static_cast<int64_t>((payload.text().size() + payload.lines() / 2) / payload.lines());
  config.depth = options.depth;
  config.mode = report::Mode::kClosed;
  if (options.messages != 0) {
    config.messages_per_connection = options.messages;
  } else {
    config.warmup_ns = options.warmup_ns;
    config.duration_ns = options.duration_ns;
  }
  if (options.sessions != 0) config.sessions = options.sessions;
  config.extra.emplace_back("payload", std::string(payload.lines() == 0 ? "random" : "lines"));
  if (payload.lines() != 0) {
    config.extra.emplace_back("payload_lines", static_cast<int64_t>(payload.lines()));
    config.extra.emplace_back("payload_bytes", static_cast<int64_t>(payload.text().size()));
  }
  config.extra.emplace_back("verify", options.verify);
  config.extra.emplace_back("connect_rate_per_s", options.connects_per_s);
  config.extra.emplace_back("retries_max", options.retries);
  config.extra.emplace_back("timeout_ns", options.timeout_ns);
  config.extra.emplace_back("source_addresses", static_cast<int64_t>(setup.sources.size()));
  config.extra.emplace_back("interval_ns", options.common.interval_ns);
}

void FillOutcome(const Outcome& outcome, const Options& options, report::Result& result) {
  report::Totals& totals = result.totals;
  totals.measured_ns = outcome.end_ns - outcome.start_ns;
  totals.messages = outcome.messages;
  totals.bytes_received = outcome.bytes;
  totals.bytes_sent = outcome.engine.Get(&engine::Counters::bytes_sent);
  const double seconds = static_cast<double>(totals.measured_ns) / base::kNsPerSec;
  if (seconds > 0) {
    totals.messages_per_s = static_cast<double>(totals.messages) / seconds;
    totals.bytes_per_s = static_cast<double>(totals.bytes_received) / seconds;
  }
  totals.connections = outcome.tally.made;
  totals.connections_open_max = outcome.tally.open_max;
  totals.exceptions = outcome.tally.exceptions;
  totals.retries = outcome.tally.retries;
  if (options.messages != 0) {
    totals.sessions_completed = outcome.tally.completed;
  } else {
    totals.in_flight_at_end = outcome.in_flight_at_end;
  }
  FillLatency(outcome, options, result);
  FillErrors(outcome, result.errors);
  result.engine_stats = app::EngineStats(outcome.engine, outcome.messages);
  if (outcome.cpu_wall_ns > 0) {
    result.resources.cpu_share =
        static_cast<double>(outcome.cpu_ns) / static_cast<double>(outcome.cpu_wall_ns);
  }
}

std::optional<std::string> WhyNothingConnected(const TallySums& tally, const net::Address& to) {
  if (tally.made != 0 || tally.exceptions == 0) return std::nullopt;
  const auto most =
      std::max_element(tally.exception_reasons.begin(), tally.exception_reasons.end());
  const auto reason = static_cast<engine::CloseReason>(most - tally.exception_reasons.begin());
  std::string why = absl::StrCat("no connection to ", to.ToString(),
                                 " could be made: ", base::ToAbsl(engine::CloseReasonName(reason)),
                                 ", ", tally.retries, " retries");
  if (reason == engine::CloseReason::kRefused) why += "; is a server listening there?";
  return why;
}

std::string PercentileText(const report::Latency& latency, std::span<const double> percentiles) {
  report::Latency asked = latency;
  for (std::optional<report::LatencySummary>* summary : {&asked.response, &asked.connect}) {
    if (!*summary) continue;
    std::erase_if((*summary)->percentiles, [percentiles](const report::Percentile& p) {
      return std::find(percentiles.begin(), percentiles.end(), p.percent) == percentiles.end();
    });
  }
  return report::PercentileTable(asked);
}

std::string DescribeTally(const TallySums& tally) {
  return absl::StrCat("snapshot: ", tally.open, " connections open, ",
                      base::FormatThousands(tally.messages), " messages, ", tally.completed,
                      " completed, ", tally.exceptions, " exceptions, ", tally.retries,
                      " retries\n");
}

}  // namespace ringecho::load

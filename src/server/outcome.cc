#include "server/outcome.h"

#include <algorithm>

#include "base/clock.h"

namespace ringecho::server {
namespace {

int64_t Get(const stats::Counter& counter) { return static_cast<int64_t>(counter.Get()); }

}  // namespace

Outcome::Outcome(const HandlerCounters& handler, const engine::Counters& counters)
    : messages(Get(handler.messages)), open_max(Get(handler.open_max)), engine(counters) {
  for (size_t i = 0; i < closed.size(); ++i) closed[i] = Get(handler.closed[i]);
}

Outcome& Outcome::operator+=(const Outcome& other) {
  messages += other.messages;
  open_max += other.open_max;
  for (size_t i = 0; i < closed.size(); ++i) closed[i] += other.closed[i];
  engine += other.engine;
  return *this;
}

void FillOutcome(const Outcome& measured, const Outcome& whole, int64_t measured_ns,
                 report::Result& result) {
  using engine::Counters;
  const app::CounterSums& engine = whole.engine;
  report::Totals& totals = result.totals;
  totals.measured_ns = measured_ns;
  totals.messages = measured.messages;
  totals.bytes_received = measured.engine.Get(&Counters::bytes_received);
  totals.bytes_sent = measured.engine.Get(&Counters::bytes_sent);
  double seconds = static_cast<double>(measured_ns) / base::kNsPerSec;
  if (seconds > 0) {
    totals.messages_per_s = static_cast<double>(totals.messages) / seconds;
    totals.bytes_per_s = static_cast<double>(totals.bytes_received) / seconds;
  }
  totals.connections = engine.Get(&Counters::accepted);
  totals.connections_open_max = whole.open_max;

  for (size_t i = 0; i < whole.closed.size(); ++i) {
    auto reason = static_cast<engine::CloseReason>(i);
    // The orderly ends of a connection.
    if (reason == engine::CloseReason::kEof || reason == engine::CloseReason::kLocal) continue;
    // What only a connecting or sending role can meet.
    if (whole.closed[i] == 0 && reason != engine::CloseReason::kReset &&
        reason != engine::CloseReason::kTimeout) {
      continue;
    }
    result.errors.emplace_back(engine::CloseReasonName(reason), whole.closed[i]);
  }
  result.errors.emplace_back("accept_emfile", engine.Get(&Counters::accept_emfile));
  result.errors.emplace_back("accept_errors", engine.Get(&Counters::accept_errors));
  result.errors.emplace_back("rejected", engine.Get(&Counters::rejected));
  result.errors.emplace_back("enobufs", engine.Get(&Counters::buffers_starved));
  result.errors.emplace_back("cq_overflow", engine.Get(&Counters::cq_overflows));
  result.engine_stats = app::EngineStats(measured.engine, totals.messages);
}

report::Phase PhaseBetween(report::PhaseName name, const report::Run& run, int64_t start_ns,
                           int64_t end_ns) {
  return {.name = name,
          .start_ns = start_ns - run.start_monotonic_ns,
          .end_ns = end_ns - run.start_monotonic_ns};
}

std::string TransportName(const std::vector<net::Address>& addresses) {
  std::string out;
  for (int family : {AF_INET, AF_INET6, AF_UNIX}) {
    bool used = std::any_of(addresses.begin(), addresses.end(),
                            [family](const net::Address& a) { return a.family() == family; });
    if (!used) continue;
    if (!out.empty()) out += '+';
    out += family == AF_INET ? "tcp4" : family == AF_INET6 ? "tcp6" : "unix";
  }
  return out;
}

}  // namespace ringecho::server

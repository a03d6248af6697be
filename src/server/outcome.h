// From what the workers counted to the fields of a result. Pure.
#ifndef RINGECHO_SERVER_OUTCOME_H_
#define RINGECHO_SERVER_OUTCOME_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "app/engine_report.h"
#include "net/address.h"
#include "report/result.h"
#include "server/echo_handler.h"

namespace ringecho::server {

// What one worker, or all of them, counted up to some moment.
struct Outcome {
  Outcome() = default;
  Outcome(const HandlerCounters& handler, const engine::Counters& counters);

  Outcome& operator+=(const Outcome& other);

  int64_t messages = 0;
  int64_t open_max = 0;  // each worker's maximum added up: at least the true one
  std::array<int64_t, engine::kCloseReasonCount> closed{};
  app::CounterSums engine;
};

// Totals, errors and engine_stats: messages, bytes and engine counters of the measured time,
// connections and errors of the whole run.
void FillOutcome(const Outcome& measured, const Outcome& whole, int64_t measured_ns,
                 report::Result& result);

report::Phase PhaseBetween(report::PhaseName name, const report::Run& run, int64_t start_ns,
                           int64_t end_ns);

// "tcp4", "tcp6", "unix", or several joined by "+".
std::string TransportName(const std::vector<net::Address>& addresses);

}  // namespace ringecho::server

#endif  // RINGECHO_SERVER_OUTCOME_H_

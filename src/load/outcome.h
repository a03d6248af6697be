// From what the workers counted and measured to the fields of a result. Pure.
#ifndef RINGECHO_LOAD_OUTCOME_H_
#define RINGECHO_LOAD_OUTCOME_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "app/engine_report.h"
#include "load/options.h"
#include "load/prepare.h"
#include "load/sessions.h"
#include "load/tally.h"
#include "report/result.h"
#include "stats/histogram.h"
#include "stats/usage.h"

namespace ringecho::load {

// A plain copy of tallies, to be added up over workers. Each worker's maximum of open connections
// is added up too: the sum is at least the true one.
struct TallySums {
  int64_t started = 0;
  int64_t made = 0;
  int64_t open = 0;
  int64_t open_max = 0;
  int64_t completed = 0;
  int64_t exceptions = 0;
  int64_t cut = 0;
  int64_t retries = 0;
  int64_t messages = 0;
  std::array<int64_t, engine::kCloseReasonCount> exception_reasons{};
  std::array<int64_t, engine::kCloseReasonCount> retry_reasons{};
  std::array<int64_t, kDamageCount> damages{};
  int64_t undiagnosed = 0;

  // Thread-safe while the worker runs; then a recent value of each.
  void Add(const Tally& tally);
};

// Sums over the workers, of the measure phase unless said otherwise.
struct Outcome {
  TallySums tally;       // of the whole run
  int64_t start_ns = 0;  // monotonic; 0 when there was no measure phase
  int64_t end_ns = 0;
  int64_t messages = 0;
  int64_t bytes = 0;
  int64_t in_flight_at_end = 0;
  stats::Histogram response;
  stats::Histogram connects;  // of the whole run
  app::CounterSums engine;
  int64_t cpu_ns = 0;  // of the worker threads
  int64_t cpu_wall_ns = 0;
};

// When the workers have ended.
Outcome CollectOutcome(const std::vector<const Sessions*>& workers);

void FillConfig(const Options& options, const Setup& setup, report::Config& config);

// Totals, latency, errors, engine_stats, and the loader's CPU share.
void FillOutcome(const Outcome& outcome, const Options& options, report::Result& result);

// Why no connection at all could be made, one line; nothing when one could, or was not tried.
std::optional<std::string> WhyNothingConnected(const TallySums& tally, const net::Address& to);

// Of all latencies, these percentiles only, which FillOutcome has put into the result.
std::string PercentileText(const report::Latency& latency, std::span<const double> percentiles);

// For SIGUSR1: one line.
std::string DescribeTally(const TallySums& tally);

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_OUTCOME_H_

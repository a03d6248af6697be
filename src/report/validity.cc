#include "report/validity.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/units.h"

namespace ringecho::report {
namespace {

using base::FormatDuration;
using base::FormatThousands;

std::string Percent(double share) { return absl::StrFormat("%.1f%%", share * 100); }

// Collects checks; the verdict only ever gets worse.
class Judgement {
 public:
  void Add(const char* id, double value, double limit, bool ok, Verdict otherwise,
           std::string message) {
    validity_.checks.push_back({id, ok, value, limit, std::move(message)});
    if (!ok) validity_.verdict = std::max(validity_.verdict, otherwise);
  }

  // `value` must be 0.
  void AddNone(const char* id, int64_t value, Verdict otherwise, std::string message) {
    Add(id, static_cast<double>(value), 0, value == 0, otherwise, std::move(message));
  }

  // `value` must be at least, or at most, `limit`.
  void AddAtLeast(const char* id, int64_t value, int64_t limit, Verdict otherwise,
                  std::string message) {
    Add(id, static_cast<double>(value), static_cast<double>(limit), value >= limit, otherwise,
        std::move(message));
  }
  void AddAtMost(const char* id, double value, double limit, std::string message) {
    Add(id, value, limit, value <= limit, Verdict::kSuspect, std::move(message));
  }

  Validity Take() { return std::move(validity_); }

 private:
  Validity validity_;
};

// What went wrong, which makes the numbers worthless.
void JudgeCorrectness(const Facts& facts, Judgement& out) {
  if (facts.exceptions) {
    int64_t n = *facts.exceptions;
    out.AddNone("exceptions", n, Verdict::kInvalid,
                n == 0 ? "no connection failed"
                       : absl::StrCat(FormatThousands(n),
                                      " connections ended in an error; `errors` says which"));
  }
  if (facts.payload_mismatches) {
    int64_t n = *facts.payload_mismatches;
    out.AddNone("payload", n, Verdict::kInvalid,
                n == 0 ? "every byte came back as it was sent"
                       : absl::StrCat(FormatThousands(n),
                                      " times other bytes came back; the server is broken"));
  }
  if (facts.connections_wanted && facts.connections_made) {
    out.AddAtLeast("connections", *facts.connections_made, *facts.connections_wanted,
                   Verdict::kInvalid,
                   absl::StrCat(FormatThousands(*facts.connections_made), " of ",
                                FormatThousands(*facts.connections_wanted),
                                facts.by_sessions ? " sessions completed" : " connections made"));
  }
  if (facts.duration_ns && facts.measured_ns) {
    auto limit = static_cast<int64_t>(static_cast<double>(*facts.duration_ns) * kMeasuredShareMin);
    out.AddAtLeast("duration", *facts.measured_ns, limit, Verdict::kInvalid,
                   absl::StrCat("measured for ", FormatDuration(*facts.measured_ns), " of ",
                                FormatDuration(*facts.duration_ns)));
  }
  if (facts.messages) {
    int64_t n = *facts.messages;
    out.AddAtLeast("messages", n, kMessagesMin, n == 0 ? Verdict::kInvalid : Verdict::kSuspect,
                   absl::StrCat(FormatThousands(n), " messages measured",
                                n >= kMessagesMin ? "" : ", too few to say anything"));
  }
}

double CoefficientOfVariation(const std::vector<double>& values) {
  auto n = static_cast<double>(values.size());
  double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (double v : values) squares += (v - mean) * (v - mean);
  return std::sqrt(squares / (n - 1)) / mean;
}

// What disturbed the measurement, or may have.
void JudgeConditions(const Facts& facts, Judgement& out) {
  auto known = [](const std::optional<double>& fact) { return fact && std::isfinite(*fact); };
  if (known(facts.cpu_share)) {
    double share = *facts.cpu_share;
    out.AddAtMost(
        "loader_cpu", share, kCpuShareMax,
        absl::StrCat(
            "the load generator was busy ", Percent(share), " of the time",
            share <= kCpuShareMax ? "" : " and may be the limit; give it more threads or CPUs"));
  }
  if (known(facts.sq_thread_share)) {
    double share = *facts.sq_thread_share;
    out.Add("sq_thread", share, 1, true, Verdict::kValid,
            absl::StrCat("the kernel's SQPOLL thread took ", Percent(share),
                         " of a CPU for each thread, which the CPU times include"));
  }
  if (known(facts.steal_share)) {
    double share = *facts.steal_share;
    out.AddAtMost("steal", share, kStealShareMax,
                  absl::StrCat(Percent(share), " of the CPU time was stolen by the hypervisor"));
  }
  if (facts.interval_rates.size() >= kIntervalsForVariation) {
    double variation = CoefficientOfVariation(facts.interval_rates);
    if (std::isfinite(variation)) {
      out.AddAtMost(
          "rate_variation", variation, kRateVariationMax,
          absl::StrCat("messages/s varied by ", Percent(variation), " from interval to interval"));
    }
  }
  if (facts.clamped) {
    int64_t n = *facts.clamped;
    out.AddNone("latency_range", n, Verdict::kSuspect,
                n == 0 ? "every latency fits the histogram"
                       : absl::StrCat(FormatThousands(n),
                                      " latencies were beyond the histogram and count as its end"));
  }
}

const Phase* MeasurePhase(const Result& result) {
  for (const Phase& phase : result.phases) {
    if (phase.name == PhaseName::kMeasure) return &phase;
  }
  return nullptr;
}

// Sum over the histograms of samples taken per message; connect times are none of these.
std::optional<int64_t> Clamped(const Result& result) {
  std::optional<int64_t> sum;
  if (!result.latency) return sum;
  for (const auto* summary :
       {&result.latency->response, &result.latency->service, &result.latency->connect}) {
    if (*summary && (*summary)->clamped) sum = sum.value_or(0) + *(*summary)->clamped;
  }
  return sum;
}

// Unknown when the bytes were not compared (--no-verify).
std::optional<int64_t> PayloadMismatches(const Result& result) {
  for (const auto& [name, value] : result.config.extra) {
    if (name == "verify" && value == Value(false)) return std::nullopt;
  }
  for (const auto& [name, count] : result.errors) {
    if (name == "payload_mismatch") return count;
  }
  return 0;
}

// A time among the engine's statistics over threads x measured time; absent when it is 0.
std::optional<double> ShareOfThreads(const Result& result, std::string_view stat) {
  double threads_ns =
      static_cast<double>(result.config.threads) * static_cast<double>(result.totals.measured_ns);
  double stat_ns = 0;
  for (const auto& [name, value] : result.engine_stats) {
    if (name != stat) continue;
    stat_ns = std::visit([](auto number) { return static_cast<double>(number); }, value);
  }
  if (stat_ns <= 0 || threads_ns <= 0) return std::nullopt;
  return stat_ns / threads_ns;
}

}  // namespace

Validity Judge(const Facts& facts) {
  Judgement out;
  out.AddNone("interrupted", facts.interrupted ? 1 : 0, Verdict::kSuspect,
              facts.interrupted ? "interrupted before its end" : "ran to its end");
  JudgeCorrectness(facts, out);
  JudgeConditions(facts, out);
  return out.Take();
}

std::vector<double> MeasuredRates(const Result& result) {
  std::vector<double> rates;
  const Phase* measure = MeasurePhase(result);
  if (measure == nullptr) return rates;
  auto inside = [&](const Interval& i) {
    return i.t_start_ns >= measure->start_ns && i.t_end_ns <= measure->end_ns;
  };
  int64_t longest_ns = 0;
  for (const Interval& i : result.intervals) {
    if (inside(i)) longest_ns = std::max(longest_ns, i.t_end_ns - i.t_start_ns);
  }
  for (const Interval& i : result.intervals) {
    int64_t length_ns = i.t_end_ns - i.t_start_ns;
    if (!inside(i) || length_ns <= 0 || length_ns < longest_ns / 2) continue;
    rates.push_back(static_cast<double>(i.messages) * 1e9 / static_cast<double>(length_ns));
  }
  return rates;
}

std::optional<double> BusyShare(const Result& result) {
  if (!result.resources.cpu_share) return std::nullopt;
  std::optional<double> spun = ShareOfThreads(result, "spun_ns");
  if (!spun) return result.resources.cpu_share;
  return std::max(0.0, *result.resources.cpu_share - *spun);
}

std::optional<double> SqThreadShare(const Result& result) {
  return ShareOfThreads(result, "sq_thread_ns");
}

Facts ServerFacts(const Result& result) {
  Facts facts;
  facts.interrupted = result.run.status == RunStatus::kInterrupted;
  facts.sq_thread_share = SqThreadShare(result);
  facts.steal_share = result.resources.steal_share;
  return facts;
}

Facts LoadFacts(const Result& result) {
  Facts facts = ServerFacts(result);
  facts.exceptions = result.totals.exceptions;
  facts.payload_mismatches = PayloadMismatches(result);
  facts.by_sessions = result.config.sessions.has_value();
  if (facts.by_sessions) {
    facts.connections_wanted = result.config.sessions;
    facts.connections_made = result.totals.sessions_completed;
  } else {
    facts.connections_wanted = result.config.connections;
    facts.connections_made = result.totals.connections;
  }
  bool bounded_by_work = result.config.messages_per_connection || result.config.sessions;
  if (!bounded_by_work && !facts.interrupted) {
    facts.duration_ns = result.config.duration_ns;
    facts.measured_ns = result.totals.measured_ns;
  }
  facts.messages = result.totals.messages;
  facts.cpu_share = BusyShare(result);
  facts.interval_rates = MeasuredRates(result);
  facts.clamped = Clamped(result);
  return facts;
}

}  // namespace ringecho::report

// Whether a result may be believed: a pure function from measured facts to a verdict.
#ifndef RINGECHO_REPORT_VALIDITY_H_
#define RINGECHO_REPORT_VALIDITY_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "report/result.h"

namespace ringecho::report {

// Limits of the checks. `limit` of a check in the result repeats the one that was applied.
inline constexpr double kMeasuredShareMin = 0.99;    // of the duration asked for
inline constexpr double kCpuShareMax = 0.90;         // beyond it the loader may be what is measured
inline constexpr double kStealShareMax = 0.02;       // of all CPU time of the machine
inline constexpr int64_t kMessagesMin = 100;         // fewer say nothing about a distribution
inline constexpr double kRateVariationMax = 0.15;    // standard deviation over mean
inline constexpr size_t kIntervalsForVariation = 5;  // fewer do not show a variation

// What was measured. A fact that is absent or not finite is not checked.
struct Facts {
  bool interrupted = false;
  std::optional<int64_t> exceptions;
  std::optional<int64_t> payload_mismatches;
  std::optional<int64_t> connections_wanted, connections_made;
  bool by_sessions = false;                         // the two count sessions that ran to their end
  std::optional<int64_t> duration_ns, measured_ns;  // asked for; measured
  std::optional<int64_t> messages;
  std::optional<double> cpu_share;        // BusyShare of the loader, 0 to 1
  std::optional<double> sq_thread_share;  // of the kernel's SQPOLL threads, per thread; with sqpoll
  std::optional<double> steal_share;
  std::vector<double> interval_rates;  // messages per second, whole intervals of the measure phase
  std::optional<int64_t> clamped;      // latencies beyond the histogram's range
};

// One check per fact known, in the order of Facts:
//
//   id               ok when                              otherwise
//   interrupted      the run ended by itself              suspect
//   exceptions       value == 0                           invalid
//   payload          value == 0 mismatches                invalid
//   connections      value >= limit, all that were asked  invalid
//   duration         value >= limit, in ns                invalid
//   messages         value >= limit                       suspect; invalid when 0
//   loader_cpu       value <= limit                       suspect
//   sq_thread        always: says what the kernel's thread took, which is in all CPU times
//   steal            value <= limit                       suspect
//   rate_variation   value <= limit                       suspect
//   latency_range    value == 0 samples beyond            suspect
//
// The verdict is the worst of them. Thread-safe.
Validity Judge(const Facts& facts);

// CPU time of the program's threads over threads x measured time, without what they spent looking
// for events in vain (--wait spin): what is left is work. Absent where cpu_share is.
std::optional<double> BusyShare(const Result& result);

// CPU time of the kernel's SQPOLL threads over threads x measured time. Absent without them.
std::optional<double> SqThreadShare(const Result& result);

// The facts that a load generator's result holds; call it when everything but `validity` is
// filled. Left unchecked: `payload` when config.verify is false, `duration` when the run was
// bounded by messages or sessions or was interrupted. A server knows less: how it ended (a role
// that is meant to be stopped by a signal says kOk then) and what the machine did.
Facts LoadFacts(const Result& result);
Facts ServerFacts(const Result& result);

// Messages per second of the intervals that lie within the measure phase; an interval less than
// half as long as the longest one (the last before the end) is left out.
std::vector<double> MeasuredRates(const Result& result);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_VALIDITY_H_

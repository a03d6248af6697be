#include "report/live.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/units.h"

namespace ringecho::report {
namespace {

using base::FormatDuration;
using base::FormatThousands;

double PerSecond(int64_t count, int64_t ns) {
  return ns > 0 ? static_cast<double>(count) * 1e9 / static_cast<double>(ns) : 0;
}

std::string DurationOrDash(const std::optional<int64_t>& ns) {
  return ns ? FormatDuration(*ns) : "-";
}

std::string Seconds(int64_t ns) { return absl::StrFormat("%.1f s", static_cast<double>(ns) / 1e9); }

// Thousands below a billion; above it a shorter, rounded number keeps the column.
std::string Whole(double value) {
  if (!std::isfinite(value)) return "-";
  return value < 1e9 ? FormatThousands(std::llround(value)) : FormatRate(value);
}

// "12.3", or "-" where there is nothing to divide by. At most two decimals: a ratio of counts that
// began and ended at slightly different moments has no more to tell.
std::string Ratio(int64_t part, int64_t whole) {
  if (whole <= 0) return "-";
  const double ratio = static_cast<double>(part) / static_cast<double>(whole);
  return ratio < 99.95 ? absl::StrFormat("%.2f", ratio) : FormatRate(ratio);
}

}  // namespace

std::string FormatRate(double per_second) {
  if (!std::isfinite(per_second)) return "-";
  constexpr std::string_view kUnits[] = {"", "k", "M", "G", "T"};
  size_t unit = 0;
  while (per_second >= 999.5 && unit + 1 < std::size(kUnits)) {
    per_second /= 1000;
    ++unit;
  }
  // Without a unit the number is a count, and a count has no decimals.
  int decimals = unit == 0 || per_second >= 99.95 ? 0 : per_second >= 9.995 ? 1 : 2;
  return absl::StrFormat("%.*f%s", decimals, per_second, base::ToAbsl(kUnits[unit]));
}

std::string LiveHeader(Role role) {
  std::string head =
      absl::StrFormat("%9s %11s %11s %8s", "time", "connections", "messages/s", "MB/s");
  if (role == Role::kLoad) {
    absl::StrAppendFormat(&head, " %8s %8s %7s %7s", "p50", "p99", "errors", "retries");
  } else {
    absl::StrAppendFormat(&head, " %7s %13s %12s", "errors", "calls/message", "events/enter");
  }
  return head;
}

std::string LiveLine(Role role, const Interval& interval, const EngineWork& work) {
  int64_t length_ns = interval.t_end_ns - interval.t_start_ns;
  std::string line =
      absl::StrFormat("%9s %11s %11s %8s", Seconds(interval.t_end_ns),
                      Whole(static_cast<double>(interval.connections_open)),
                      Whole(PerSecond(interval.messages, length_ns)),
                      absl::StrFormat("%.1f", PerSecond(interval.bytes, length_ns) / 1e6));
  std::string errors = FormatRate(static_cast<double>(interval.errors));
  if (role == Role::kLoad) {
    absl::StrAppendFormat(&line, " %8s %8s %7s %7s", DurationOrDash(interval.p50_ns),
                          DurationOrDash(interval.p99_ns), errors,
                          FormatRate(static_cast<double>(interval.retries.value_or(0))));
  } else {
    absl::StrAppendFormat(&line, " %7s %13s %12s", errors, Ratio(work.syscalls, work.messages),
                          Ratio(work.completions, work.enter_calls));
  }
  return line;
}

std::string LiveDetail(const EngineWork& work) {
  return absl::StrCat("            ", Ratio(work.syscalls, work.messages),
                      " system calls per message, ", Ratio(work.completions, work.enter_calls),
                      " completions per enter");
}

std::string ProgressLine(std::string_view what, int64_t done, int64_t total, int64_t elapsed_ns) {
  double rate = PerSecond(done, elapsed_ns);
  int64_t percent = total > 0 ? std::clamp<int64_t>(done * 100 / total, 0, 100) : 100;
  std::string line =
      absl::StrFormat("%-12s %11s of %s (%d%%)  %s/s", base::ToAbsl(what), FormatThousands(done),
                      FormatThousands(total), percent, FormatRate(rate));
  if (rate > 0 && done < total) {
    double left_s = static_cast<double>(total - done) / rate;
    if (left_s < 86'400) absl::StrAppendFormat(&line, "  %.0f s left", std::ceil(left_s));
  }
  return line;
}

}  // namespace ringecho::report

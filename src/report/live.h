// What people see while a program runs. Pure formatting: no terminal, no clock, no state.
// Lines are at most 80 columns wide for all values below a billion connections and a billion
// messages per second, and end without a newline. Thread-safe.
#ifndef RINGECHO_REPORT_LIVE_H_
#define RINGECHO_REPORT_LIVE_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "report/result.h"

namespace ringecho::report {

// The column heads of the lines below.
std::string LiveHeader(Role role);

// One interval: seconds since the start of the run, connections open at its end, rates, errors of
// the interval; the load generator's with latency percentiles ("-" without messages) and retries.
std::string LiveLine(Role role, const Interval& interval);

// A long phase on a terminal, to be written over itself with "\r":
// "connecting     42,000 of 100,000 (42%)  8,012/s  7.2 s left". `elapsed_ns` since it began.
std::string ProgressLine(std::string_view what, int64_t done, int64_t total, int64_t elapsed_ns);

// "12.3M", "871k", "42": three significant digits, decimal units, at most five characters.
std::string FormatRate(double per_second);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_LIVE_H_

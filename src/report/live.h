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

// What engines did in an interval, or since the start.
struct EngineWork {
  int64_t messages = 0;
  int64_t syscalls = 0;
  int64_t enter_calls = 0;  // io_uring_enter, or epoll_wait
  int64_t completions = 0;  // taken, or events returned by epoll_wait
};

// One interval: seconds since the start of the run, connections open at its end, rates, errors of
// the interval; the server's with its engines' work, the load generator's with latency percentiles
// ("-" without messages) and retries, which leave no room for the work: LiveDetail has that.
std::string LiveLine(Role role, const Interval& interval, const EngineWork& work);

// "0.52 system calls per message, 6.1 completions per enter", indented; "-" for what nothing was
// done of.
std::string LiveDetail(const EngineWork& work);

// A long phase on a terminal, to be written over itself with "\r":
// "connecting     42,000 of 100,000 (42%)  8,012/s  7.2 s left". `elapsed_ns` since it began.
std::string ProgressLine(std::string_view what, int64_t done, int64_t total, int64_t elapsed_ns);

// "12.3M", "871k", "42": three significant digits, decimal units, at most five characters.
std::string FormatRate(double per_second);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_LIVE_H_

#include "report/intervals.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace ringecho::report {
namespace {

// Counts are not negative.
void AddTo(int64_t& sum, int64_t one) {
  if (__builtin_add_overflow(sum, one, &sum)) sum = std::numeric_limits<int64_t>::max();
}

void AddTo(std::optional<int64_t>& sum, const std::optional<int64_t>& one) {
  if (sum && one) {
    AddTo(*sum, *one);
  } else {
    sum.reset();
  }
}

void AddNext(const Interval& next, Interval& sum) {
  sum.t_end_ns = std::max(sum.t_end_ns, next.t_end_ns);
  AddTo(sum.messages, next.messages);
  AddTo(sum.bytes, next.bytes);
  AddTo(sum.errors, next.errors);
  sum.connections_open = next.connections_open;
  AddTo(sum.cpu_ns, next.cpu_ns);
  AddTo(sum.retries, next.retries);
  sum.p50_ns.reset();
  sum.p99_ns.reset();
  AddTo(sum.syscalls, next.syscalls);
  AddTo(sum.enter_calls, next.enter_calls);
  AddTo(sum.completions, next.completions);
}

void Halve(int64_t edge_ns, std::vector<Interval>& intervals) {
  size_t kept = 0;
  for (size_t i = 0; i < intervals.size();) {
    Interval sum = intervals[i++];
    const bool before = sum.t_start_ns < edge_ns;
    if (i < intervals.size() && before == (intervals[i].t_start_ns < edge_ns)) {
      AddNext(intervals[i++], sum);
    }
    intervals[kept++] = sum;
  }
  intervals.resize(kept);
}

}  // namespace

void BoundIntervals(int64_t edge_ns, std::vector<Interval>& intervals, size_t most) {
  for (size_t before = 0; intervals.size() > most && intervals.size() != before;) {
    before = intervals.size();
    Halve(edge_ns, intervals);
  }
}

}  // namespace ringecho::report

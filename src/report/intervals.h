// Intervals of a run of any length, in bounded memory and in a file that a reader takes.
#ifndef RINGECHO_REPORT_INTERVALS_H_
#define RINGECHO_REPORT_INTERVALS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "report/result.h"

namespace ringecho::report {

// More than a day of one per second. So many are 1.4 million JSON values and 37 MiB, of what
// json_document.h and read_result.h take.
inline constexpr size_t kIntervalsMax = 100'000;

// While there are more than `most`, adds each two neighbours up, which leaves half of them:
// `intervals` are in order of time, and two on different sides of `edge_ns` (on their clock) stay
// apart. Of what is added up there are no percentiles; a sum too large for its type is its maximum.
void BoundIntervals(int64_t edge_ns, std::vector<Interval>& intervals, size_t most = kIntervalsMax);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_INTERVALS_H_

// From a histogram to what a result says about it.
#ifndef RINGECHO_REPORT_LATENCY_H_
#define RINGECHO_REPORT_LATENCY_H_

#include <span>

#include "report/result.h"
#include "stats/histogram.h"

namespace ringecho::report {

// The percentiles that every result lists: the median to five nines. The extremes stand beside.
inline constexpr double kPercentiles[] = {50, 75, 90, 95, 99, 99.9, 99.99, 99.999};

// Percentiles in the order given, each 0 to 100. An empty histogram has none, and no minimum,
// maximum, mean or deviation either. Thread-safe as long as nobody records meanwhile.
LatencySummary Summarize(const stats::Histogram& histogram,
                         std::span<const double> percentiles = kPercentiles);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_LATENCY_H_

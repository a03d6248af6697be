// Whether values went up or down while they were made: the drift of a machine that warms up, or of
// a neighbour who comes and goes, which repeats do not average out.
//
// Pure, thread-safe.
#ifndef RINGECHO_COMPARE_TREND_H_
#define RINGECHO_COMPARE_TREND_H_

#include <span>
#include <vector>

namespace ringecho::compare {

struct Trend {
  // Two-sided, 0 to 1: the Mann-Kendall test (Mann 1945, Kendall 1975), normal with corrections for
  // ties and for continuity. It asks only of every two values which is larger, so that one outlier
  // is no trend. 1 for fewer than 3 values.
  double p = 1;
  // From the first value to the last, as a ratio of the median: Siegel's slope (1982, repeated
  // medians), which is what the middle value says of the middle slope to the others, times the
  // steps between first and last.
  double change = 0;
};

// Of several groups of values above 0, each in the order made. Values of different groups are not
// held against each other, as in the seasonal Kendall test (Hirsch, Slack and Smith 1982): that of
// a few repeats in each of many cells is seen so, though no cell has enough to show it alone.
// `change` is the median of the groups'.
Trend FindTrend(std::span<const std::vector<double>> groups);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_TREND_H_

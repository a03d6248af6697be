// The charts of the page, each made from a comparison. One that does not apply has no charts in it,
// and its section is left out.
#ifndef RINGECHO_COMPARE_HTML_FIGURES_H_
#define RINGECHO_COMPARE_HTML_FIGURES_H_

#include "compare/comparison.h"
#include "compare/html/chart.h"

namespace ringecho::compare::html {

// A metric with its intervals against the number of connections; where that does not vary, against
// the first of size, depth and threads that does, and otherwise per cell.
Figure ScalingFigure(const Comparison& comparison, std::string_view metric, std::string_view id);

// Median latencies against the rate offered by open loops; applies from two rates on.
Figure OfferedLoadFigure(const Comparison& comparison);

// Response times by percentile, the histograms of all repeats merged.
Figure PercentileFigure(const Comparison& comparison);

// Every repeat second by second, the warm-up shaded: messages per second, and p99.
Figure RateOverTimeFigure(const Comparison& comparison);
Figure LatencyOverTimeFigure(const Comparison& comparison);

// Every repeat as a dot, relative to the base's median of its cell; a chart per metric.
Figure RepeatsFigure(const Comparison& comparison);

// CPU time of the server per message as a multiple of the loopback echo floor that was measured
// beside it, and of what epoll takes in the same cell.
Figure FloorFigure(const Comparison& comparison);
Figure EpollFigure(const Comparison& comparison);

}  // namespace ringecho::compare::html

#endif  // RINGECHO_COMPARE_HTML_FIGURES_H_

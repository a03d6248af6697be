#include "report/latency.h"

#include "stats/histogram_codec.h"

namespace ringecho::report {

LatencySummary Summarize(const stats::Histogram& histogram, std::span<const double> percentiles) {
  LatencySummary summary;
  summary.count = static_cast<int64_t>(histogram.count());
  summary.clamped = static_cast<int64_t>(histogram.clamped());
  summary.hdr_v2 = stats::EncodeV2Base64(histogram);
  if (histogram.count() == 0) return summary;
  summary.min_ns = static_cast<int64_t>(histogram.min_ns());
  summary.max_ns = static_cast<int64_t>(histogram.max_ns());
  summary.mean_ns = histogram.mean_ns();
  summary.stddev_ns = histogram.stddev_ns();
  for (double percent : percentiles) {
    summary.percentiles.push_back(
        {percent, static_cast<int64_t>(histogram.ValueAtPercentile(percent))});
  }
  return summary;
}

}  // namespace ringecho::report

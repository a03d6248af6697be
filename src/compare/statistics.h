// The statistics of a comparison that are not a test of significance: what a sample's middle is,
// how far it may be off, and how several answers are held against one level. Pure, thread-safe, and
// reproducible: the resampling is seeded.
#ifndef RINGECHO_COMPARE_STATISTICS_H_
#define RINGECHO_COMPARE_STATISTICS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "compare/comparison.h"

namespace ringecho::compare {

// Resamples of a bootstrap. With 10,000 the ends of a 95% interval are steady to about a tenth of
// its width.
inline constexpr size_t kResamples = 10'000;
inline constexpr double kConfidence = 0.95;

// The middle one, or the mean of the two in the middle; NaN of nothing.
double Median(std::span<const double> values);

// Median with its percentile-bootstrap interval of kConfidence (Efron and Tibshirani 1993, chapter
// 13): medians of samples drawn with replacement, the interval between the quantiles of these. It
// is widened to hold the median itself, which it may miss in a handful of values. Fewer than two
// values have no interval.
//
// `resamples` at least 1. The same values give the same interval.
Estimate BootstrapMedian(std::span<const double> values, size_t resamples = kResamples);

// Median of `values` over the median of `base`, less 1, with its interval: both samples are drawn
// anew each time. NaN unless both have values and the medians are above 0; no interval unless both
// have two.
Estimate BootstrapChange(std::span<const double> base, std::span<const double> values,
                         size_t resamples = kResamples);

// Holm's step-down correction (1979): p-values of a family such that comparing each with alpha
// keeps the chance of any false alarm at alpha, whatever depends on what. In the order given.
std::vector<double> HolmAdjusted(std::span<const double> p);

// Of values above 0; NaN of nothing.
double GeometricMean(std::span<const double> values);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_STATISTICS_H_

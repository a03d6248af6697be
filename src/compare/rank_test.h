// The Mann-Whitney U test (Mann and Whitney 1947; Wilcoxon's rank sum): whether values of one
// sample tend to be larger than those of another. It asks nothing of the values' distribution,
// which for latencies and rates is never normal, and one outlier costs it one rank.
//
// Pure, thread-safe.
#ifndef RINGECHO_COMPARE_RANK_TEST_H_
#define RINGECHO_COMPARE_RANK_TEST_H_

#include <cstddef>
#include <span>

namespace ringecho::compare {

// Up to so many values of both samples together the p-value is exact; above, the normal
// distribution is no worse than what was measured.
inline constexpr size_t kExactMax = 60;

// Two-sided p-value, 0 to 1; 1 when a sample is empty. No NaN among the values.
//
// Exact: of all ways to deal the values (with the ranks they have, equal values sharing the mean
// of theirs) into two samples of these sizes, the share of those in which the rank sum lies at
// least as far out, counted on the nearer end and doubled. Approximate: normal, corrected for ties
// and for continuity.
double MannWhitneyP(std::span<const double> a, std::span<const double> b);
double ExactMannWhitneyP(std::span<const double> a, std::span<const double> b);
double ApproximateMannWhitneyP(std::span<const double> a, std::span<const double> b);

// What MannWhitneyP can answer at least with samples of these sizes: when every value of one is
// above every value of the other, 2 / C(m + n, m). At most 1.
double SmallestP(size_t m, size_t n);

// The smallest n for which SmallestP(n, n) is below `p`, 0 < p <= 1.
size_t SamplesFor(double p);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_RANK_TEST_H_

#include "compare/rank_test.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace ringecho::compare {
namespace {

// Both samples pooled. Ranks are doubled, so that the mean rank of equal values is an integer.
struct Ranked {
  std::vector<size_t> doubled;  // of all values, ascending
  size_t sum_a = 0;             // of those of the first sample
  double ties = 0;              // sum of t^3 - t over groups of t equal values
};

Ranked Rank(std::span<const double> a, std::span<const double> b) {
  std::vector<std::pair<double, bool>> pooled;  // value, of the first sample
  for (double value : a) pooled.emplace_back(value, true);
  for (double value : b) pooled.emplace_back(value, false);
  std::sort(pooled.begin(), pooled.end());
  Ranked out;
  for (size_t begin = 0; begin < pooled.size();) {
    size_t end = begin + 1;
    while (end < pooled.size() && pooled[end].first == pooled[begin].first) ++end;
    const size_t doubled = begin + 1 + end;  // first and last rank of the group, 1-based
    for (size_t i = begin; i < end; ++i) {
      out.doubled.push_back(doubled);
      if (pooled[i].second) out.sum_a += doubled;
    }
    const auto t = static_cast<double>(end - begin);
    out.ties += t * t * t - t;
    begin = end;
  }
  return out;
}

// ways[s]: in how many ways `count` of the ranks add up to s. A count above 2^53 is rounded, which
// the p-value does not notice.
std::vector<double> CountSums(const std::vector<size_t>& ranks, size_t count) {
  size_t sum_max = 0;
  for (size_t i = ranks.size() - count; i < ranks.size(); ++i) sum_max += ranks[i];
  const size_t width = sum_max + 1;
  std::vector<double> ways((count + 1) * width);
  ways[0] = 1;
  for (size_t i = 0; i < ranks.size(); ++i) {
    // Downwards, so that each rank is taken once.
    for (size_t taken = std::min(i + 1, count); taken > 0; --taken) {
      double* const with = &ways[taken * width];
      const double* const without = with - width;
      for (size_t sum = ranks[i]; sum <= sum_max; ++sum) with[sum] += without[sum - ranks[i]];
    }
  }
  return {ways.end() - static_cast<std::ptrdiff_t>(width), ways.end()};
}

}  // namespace

double ExactMannWhitneyP(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 1;
  // The smaller sample's sums are fewer.
  if (a.size() > b.size()) std::swap(a, b);
  const Ranked ranked = Rank(a, b);
  const std::vector<double> ways = CountSums(ranked.doubled, a.size());
  double below = 0;  // and equal
  double above = 0;  // and equal
  double all = 0;
  for (size_t sum = 0; sum < ways.size(); ++sum) {
    all += ways[sum];
    if (sum <= ranked.sum_a) below += ways[sum];
    if (sum >= ranked.sum_a) above += ways[sum];
  }
  return std::min(1.0, 2 * std::min(below, above) / all);
}

double ApproximateMannWhitneyP(std::span<const double> a, std::span<const double> b) {
  if (a.empty() || b.empty()) return 1;
  const Ranked ranked = Rank(a, b);
  const auto m = static_cast<double>(a.size());
  const auto n = static_cast<double>(b.size());
  const double all = m + n;
  const double u = static_cast<double>(ranked.sum_a) / 2 - m * (m + 1) / 2;
  const double variance = m * n / 12 * (all + 1 - ranked.ties / (all * (all - 1)));
  if (!(variance > 0)) return 1;  // all are equal
  const double distance = std::abs(u - m * n / 2) - 0.5;
  return std::min(1.0, std::erfc(distance / std::sqrt(2 * variance)));
}

double MannWhitneyP(std::span<const double> a, std::span<const double> b) {
  return a.size() + b.size() <= kExactMax ? ExactMannWhitneyP(a, b) : ApproximateMannWhitneyP(a, b);
}

double SmallestP(size_t m, size_t n) {
  double ways = 1;
  for (size_t i = 1; i <= m; ++i) ways *= static_cast<double>(n + i) / static_cast<double>(i);
  return std::min(1.0, 2 / ways);
}

size_t SamplesFor(double p) {
  size_t n = 1;
  while (SmallestP(n, n) >= p) ++n;
  return n;
}

}  // namespace ringecho::compare

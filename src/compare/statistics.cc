#include "compare/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace ringecho::compare {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr uint64_t kSeed = 20'260'131;

// Reorders `values`.
double MedianOf(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 != 0) return *middle;
  return (*std::max_element(values.begin(), middle) + *middle) / 2;
}

// The median of a sample drawn with replacement; `scratch` spares the allocation.
double ResampledMedian(std::span<const double> values, base::SplitMix64& random,
                       std::vector<double>& scratch) {
  scratch.resize(values.size());
  for (double& drawn : scratch) drawn = values[random.Below(values.size())];
  return MedianOf(scratch);
}

// Linear between order statistics, as numpy.percentile has it.
double Quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Estimate WithInterval(double value, std::vector<double>& resampled) {
  std::sort(resampled.begin(), resampled.end());
  return {.value = value,
          .low = std::min(value, Quantile(resampled, (1 - kConfidence) / 2)),
          .high = std::max(value, Quantile(resampled, (1 + kConfidence) / 2))};
}

}  // namespace

double Median(std::span<const double> values) {
  if (values.empty()) return kNan;
  std::vector<double> copy(values.begin(), values.end());
  return MedianOf(copy);
}

Estimate BootstrapMedian(std::span<const double> values, size_t resamples) {
  const double median = Median(values);
  if (values.size() < 2) return {.value = median, .low = kNan, .high = kNan};
  base::SplitMix64 random(kSeed);
  std::vector<double> medians(resamples);
  std::vector<double> scratch;
  for (double& m : medians) m = ResampledMedian(values, random, scratch);
  return WithInterval(median, medians);
}

Estimate BootstrapChange(std::span<const double> base, std::span<const double> values,
                         size_t resamples) {
  const double from = Median(base);
  const double to = Median(values);
  if (!(from > 0 && to > 0)) return {.value = kNan, .low = kNan, .high = kNan};
  const double change = to / from - 1;
  if (base.size() < 2 || values.size() < 2) return {.value = change, .low = kNan, .high = kNan};
  base::SplitMix64 random(kSeed);
  std::vector<double> changes(resamples);
  std::vector<double> scratch;
  for (double& c : changes) {
    const double drawn_from = ResampledMedian(base, random, scratch);
    c = ResampledMedian(values, random, scratch) / drawn_from - 1;
  }
  return WithInterval(change, changes);
}

std::vector<double> HolmAdjusted(std::span<const double> p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [p](size_t a, size_t b) { return p[a] < p[b]; });
  std::vector<double> adjusted(p.size());
  double least = 0;  // no answer gets a smaller p than one that was surer
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double factor = static_cast<double>(order.size() - rank);
    least = std::max(least, std::min(1.0, factor * p[order[rank]]));
    adjusted[order[rank]] = least;
  }
  return adjusted;
}

double GeometricMean(std::span<const double> values) {
  if (values.empty()) return kNan;
  double logs = 0;
  for (double value : values) logs += std::log(value);
  return std::exp(logs / static_cast<double>(values.size()));
}

}  // namespace ringecho::compare

#include "compare/trend.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "compare/statistics.h"

namespace ringecho::compare {
namespace {

// Of every later value held against every earlier one: how many more are larger than are smaller.
double KendallScore(const std::vector<double>& values) {
  double score = 0;
  for (size_t later = 1; later < values.size(); ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) {
      score += values[later] > values[earlier] ? 1 : 0;
      score -= values[later] < values[earlier] ? 1 : 0;
    }
  }
  return score;
}

// Of the score, when every order of these values is as likely.
double ScoreVariance(const std::vector<double>& values) {
  const auto of = [](double n) { return n * (n - 1) * (2 * n + 5); };
  std::map<double, double> counts;
  for (double value : values) ++counts[value];
  double variance = of(static_cast<double>(values.size()));
  for (const auto& [value, count] : counts) variance -= of(count);
  return variance / 18;
}

double ChangeOver(const std::vector<double>& values) {
  std::vector<double> middle_slopes;
  std::vector<double> slopes;
  for (size_t i = 0; i < values.size(); ++i) {
    slopes.clear();
    for (size_t j = 0; j < values.size(); ++j) {
      if (j == i) continue;
      const double steps = static_cast<double>(j) - static_cast<double>(i);
      slopes.push_back((values[j] - values[i]) / steps);
    }
    middle_slopes.push_back(Median(slopes));
  }
  return Median(middle_slopes) * static_cast<double>(values.size() - 1) / Median(values);
}

}  // namespace

Trend FindTrend(std::span<const std::vector<double>> groups) {
  constexpr size_t kLeast = 3;
  double score = 0;
  double variance = 0;
  std::vector<double> changes;
  for (const std::vector<double>& values : groups) {
    if (values.size() < kLeast) continue;
    score += KendallScore(values);
    variance += ScoreVariance(values);
    changes.push_back(ChangeOver(values));
  }
  if (!(variance > 0)) return {};
  const double distance = std::max(0.0, std::abs(score) - 1);
  return {.p = std::erfc(distance / std::sqrt(2 * variance)), .change = Median(changes)};
}

}  // namespace ringecho::compare

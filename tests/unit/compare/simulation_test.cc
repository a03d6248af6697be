// What the verdicts promise, over many series with a known truth.
#include <gtest/gtest.h>

#include <algorithm>

#include "compare/compare.h"
#include "simulated.h"

namespace ringecho::compare {
namespace {

constexpr int kSeries = RINGECHO_SIMULATED_SERIES;
constexpr int kRepeats = 10;

bool AnyJudged(const Comparison& comparison, Judgement judgement) {
  return std::any_of(
      comparison.findings.begin(), comparison.findings.end(), [&](const Finding& finding) {
        return comparison.metrics[finding.metric].judged && finding.judgement == judgement;
      });
}

bool AllSame(const Comparison& comparison) {
  for (Judgement judgement : {Judgement::kFaster, Judgement::kSlower, Judgement::kInconclusive}) {
    if (AnyJudged(comparison, judgement)) return false;
  }
  return true;
}

// How many of kSeries comparisons `holds` is true of. Intervals are not looked at, so that few
// resamples do.
template <class Predicate>
int Count(uint64_t seed, const std::vector<int64_t>& connections, const Noise& noise, double slower,
          Predicate holds) {
  base::SplitMix64 random(seed);
  int count = 0;
  for (int i = 0; i < kSeries; ++i) {
    CompareOptions options;
    options.resamples = 20;
    auto comparison =
        Compare(SimulateSeries(kRepeats, connections, noise, slower, random), options);
    EXPECT_TRUE(comparison.ok()) << comparison.status();
    if (comparison.ok() && holds(*comparison)) ++count;
  }
  return count;
}

TEST(Simulation, TheSameThingTwiceIsTheSame) {
  const Noise noise{.variation = 0.03, .drift = 0.03};
  EXPECT_GE(Count(1, {64, 1000}, noise, 0, AllSame), kSeries * 95 / 100);
  EXPECT_GE(Count(2, {64}, noise, 0, AllSame), kSeries * 95 / 100);
}

TEST(Simulation, FivePercentSlowerIsFound) {
  const Noise noise{.variation = 0.015, .drift = 0.015};
  const auto slower = [](const Comparison& comparison) {
    return AnyJudged(comparison, Judgement::kSlower) && !AnyJudged(comparison, Judgement::kFaster);
  };
  EXPECT_GE(Count(4, {64}, noise, 0.05, slower), kSeries * 90 / 100);
  EXPECT_GE(Count(5, {64, 1000}, noise, 0.05, slower), kSeries * 90 / 100);
}

// Of a difference that is sure but too small to matter.
TEST(Simulation, LessThanTheMinimumEffectIsTheSame) {
  const Noise noise{.variation = 0.001, .drift = 0};
  EXPECT_EQ(Count(6, {64}, noise, 0.01, AllSame), kSeries);
}

}  // namespace
}  // namespace ringecho::compare

#include "compare/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "statistics_fixtures.h"

namespace ringecho::compare {
namespace {

using Values = std::vector<double>;

// What remains is the spread of 10,000 resamples and the difference of the random numbers.
void ExpectInterval(const Estimate& ours, std::pair<double, double> theirs) {
  const double slack = 0.12 * (theirs.second - theirs.first);
  EXPECT_NEAR(ours.low, theirs.first, slack);
  EXPECT_NEAR(ours.high, theirs.second, slack);
}

TEST(Median, IsThatOfAnotherImplementation) {
  ASSERT_FALSE(SamplesFixtures().empty());
  for (const SamplesFixture& fixture : SamplesFixtures()) {
    SCOPED_TRACE(fixture.name);
    EXPECT_DOUBLE_EQ(Median(fixture.a), fixture.median_a);
    EXPECT_DOUBLE_EQ(Median(fixture.b), fixture.median_b);
  }
  EXPECT_TRUE(std::isnan(Median({})));
}

TEST(Bootstrap, IntervalsAreThoseOfAnotherImplementation) {
  size_t compared = 0;
  for (const SamplesFixture& fixture : SamplesFixtures()) {
    if (!fixture.interval_a) continue;
    SCOPED_TRACE(fixture.name);
    const Estimate median = BootstrapMedian(fixture.a);
    EXPECT_DOUBLE_EQ(median.value, fixture.median_a);
    ExpectInterval(median, *fixture.interval_a);
    const Estimate change = BootstrapChange(fixture.a, fixture.b);
    EXPECT_NEAR(change.value, *fixture.change, 1e-12);
    ExpectInterval(change, *fixture.interval_change);
    ++compared;
  }
  EXPECT_GE(compared, 5U);
}

TEST(Bootstrap, IsTheSameEveryTime) {
  const Values values = {3, 1, 4, 1, 5, 9, 2, 6};
  EXPECT_EQ(BootstrapMedian(values).low, BootstrapMedian(values).low);
  EXPECT_EQ(BootstrapMedian(values).high, BootstrapMedian(values).high);
}

TEST(Bootstrap, HoldsTheValueItself) {
  for (const Values& values : {Values{1, 2}, Values{1, 1, 1, 50}, Values{7, 7, 7}}) {
    const Estimate median = BootstrapMedian(values);
    EXPECT_LE(median.low, median.value);
    EXPECT_GE(median.high, median.value);
    const Estimate change = BootstrapChange(values, values);
    EXPECT_LE(change.low, 0);
    EXPECT_GE(change.high, 0);
  }
}

TEST(Bootstrap, OneValueHasNoInterval) {
  const Estimate median = BootstrapMedian(Values{5});
  EXPECT_EQ(median.value, 5);
  EXPECT_TRUE(std::isnan(median.low) && std::isnan(median.high));
  const Estimate change = BootstrapChange(Values{4}, Values{5, 5});
  EXPECT_EQ(change.value, 0.25);
  EXPECT_TRUE(std::isnan(change.low) && std::isnan(change.high));
}

TEST(Bootstrap, ThereIsNoChangeFromNothing) {
  EXPECT_TRUE(std::isnan(BootstrapChange(Values{0, 0}, Values{1, 2}).value));
  EXPECT_TRUE(std::isnan(BootstrapChange(Values{}, Values{1, 2}).value));
  EXPECT_TRUE(std::isnan(BootstrapChange(Values{1, 2}, Values{}).value));
}

TEST(Holm, IsThatOfAnotherImplementation) {
  ASSERT_FALSE(HolmFixtures().empty());
  for (const HolmFixture& fixture : HolmFixtures()) {
    const Values adjusted = HolmAdjusted(fixture.p);
    ASSERT_EQ(adjusted.size(), fixture.adjusted.size());
    for (size_t i = 0; i < adjusted.size(); ++i) {
      EXPECT_NEAR(adjusted[i], fixture.adjusted[i], 1e-12) << i;
    }
  }
  EXPECT_TRUE(HolmAdjusted({}).empty());
}

TEST(GeometricMean, IsThatOfAnotherImplementation) {
  for (const SamplesFixture& fixture : SamplesFixtures()) {
    EXPECT_NEAR(GeometricMean(fixture.a) / fixture.geometric_mean_a, 1, 1e-12) << fixture.name;
  }
  EXPECT_TRUE(std::isnan(GeometricMean({})));
}

}  // namespace
}  // namespace ringecho::compare

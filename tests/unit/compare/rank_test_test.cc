#include "compare/rank_test.h"

#include <gtest/gtest.h>

#include <vector>

#include "statistics_fixtures.h"

namespace ringecho::compare {
namespace {

using Values = std::vector<double>;

TEST(MannWhitney, ExactIsThatOfAnotherImplementation) {
  size_t compared = 0;
  for (const SamplesFixture& fixture : SamplesFixtures()) {
    if (!fixture.exact_p || fixture.a.size() + fixture.b.size() > kExactMax) continue;
    SCOPED_TRACE(fixture.name);
    EXPECT_NEAR(ExactMannWhitneyP(fixture.a, fixture.b), *fixture.exact_p, 1e-9);
    EXPECT_NEAR(ExactMannWhitneyP(fixture.b, fixture.a), *fixture.exact_p, 1e-9);
    EXPECT_EQ(MannWhitneyP(fixture.a, fixture.b), ExactMannWhitneyP(fixture.a, fixture.b));
    ++compared;
  }
  EXPECT_GE(compared, 13U);
}

TEST(MannWhitney, ApproximationIsThatOfAnotherImplementation) {
  ASSERT_FALSE(SamplesFixtures().empty());
  for (const SamplesFixture& fixture : SamplesFixtures()) {
    SCOPED_TRACE(fixture.name);
    EXPECT_NEAR(ApproximateMannWhitneyP(fixture.a, fixture.b), fixture.approximate_p, 1e-12);
    if (fixture.a.size() + fixture.b.size() > kExactMax) {
      EXPECT_NEAR(MannWhitneyP(fixture.a, fixture.b), fixture.approximate_p, 1e-12);
    }
  }
}

TEST(MannWhitney, NothingIsNotFarFromAnything) {
  EXPECT_EQ(MannWhitneyP({}, Values{1, 2}), 1);
  EXPECT_EQ(MannWhitneyP(Values{1, 2}, {}), 1);
}

TEST(SmallestP, IsWhatTheTestAnswersForSamplesThatAreApart) {
  for (size_t m = 1; m <= 8; ++m) {
    for (size_t n = 1; n <= 8; ++n) {
      Values a;
      Values b;
      for (size_t i = 0; i < m; ++i) a.push_back(static_cast<double>(i));
      for (size_t i = 0; i < n; ++i) b.push_back(static_cast<double>(100 + i));
      EXPECT_NEAR(SmallestP(m, n), MannWhitneyP(a, b), 1e-12) << m << " " << n;
    }
  }
  EXPECT_EQ(SmallestP(0, 5), 1);
}

TEST(SamplesFor, IsTheFirstSizeThatCanAnswer) {
  EXPECT_EQ(SamplesFor(0.05), 4U);  // 2 / 70; 3 repeats: 2 / 20
  EXPECT_EQ(SamplesFor(0.05 / 12), 6U);
  for (double p : {0.3, 0.05, 0.001, 1e-6}) {
    const size_t n = SamplesFor(p);
    EXPECT_LT(SmallestP(n, n), p);
    EXPECT_GE(SmallestP(n - 1, n - 1), p);
  }
}

}  // namespace
}  // namespace ringecho::compare

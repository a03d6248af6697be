#include "compare/trend.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringecho::compare {
namespace {

using Groups = std::vector<std::vector<double>>;

struct Case {
  Groups groups;
  double p;
};

// By an implementation that knows no formula of the variance: the mean of the squared scores of
// every order of the values.
TEST(Trend, IsAsSureAsEnumerationSays) {
  const Case cases[] = {
      {{{1, 2, 3, 4, 5}}, 0.027486336111510353},
      {{{5, 4, 3, 2, 1}}, 0.027486336111510353},
      {{{3, 1, 2, 5, 4, 7, 6}}, 0.07150541644487443},
      {{{1, 1, 2, 2, 2, 3}}, 0.039824355364810736},
      {{{1, 2, 3, 4}, {10, 20, 40, 30}, {7, 7, 8, 9, 6}}, 0.08172275229865937},
  };
  for (const Case& one : cases) {
    EXPECT_NEAR(FindTrend(one.groups).p, one.p, 1e-12) << one.groups.front().front();
  }
}

// Against scipy.stats.siegelslopes.
TEST(Trend, TellsTheChangeFromFirstToLast) {
  EXPECT_NEAR(FindTrend(Groups{{1, 2, 3, 4, 5}}).change, 4.0 / 3, 1e-12);
  EXPECT_NEAR(FindTrend(Groups{{5, 4, 3, 2, 1}}).change, -4.0 / 3, 1e-12);
  EXPECT_NEAR(FindTrend(Groups{{3, 1, 2, 5, 4, 7, 6}}).change, 1.5, 1e-12);
  EXPECT_NEAR(FindTrend(Groups{{100, 101, 103, 102, 500, 106, 104}}).change, 0.06407766990291262,
              1e-12);
}

TEST(Trend, OfManyCellsIsSureWhereNoneOfThemIs) {
  const std::vector<double> rising = {100, 101, 103, 106};
  EXPECT_GT(FindTrend(Groups{rising}).p, 0.05);
  EXPECT_LT(FindTrend(Groups(8, rising)).p, 1e-5);
  // Levels of different cells are no trend.
  EXPECT_EQ(FindTrend(Groups{{1, 1, 1}, {2, 2, 2}, {3, 3, 3}}).p, 1);
}

TEST(Trend, IsNoneInNothing) {
  for (const Groups& groups : {Groups{}, Groups{{}}, Groups{{1, 2}}, Groups{{4, 4, 4, 4}}}) {
    EXPECT_EQ(FindTrend(groups).p, 1);
    EXPECT_EQ(FindTrend(groups).change, 0);
  }
}

}  // namespace
}  // namespace ringecho::compare

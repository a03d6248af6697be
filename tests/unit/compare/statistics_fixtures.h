// fixtures/statistics.json: what an independent implementation answers.
#ifndef RINGECHO_TESTS_UNIT_COMPARE_STATISTICS_FIXTURES_H_
#define RINGECHO_TESTS_UNIT_COMPARE_STATISTICS_FIXTURES_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ringecho::compare {

struct SamplesFixture {
  std::string name;
  std::vector<double> a, b;
  std::optional<double> exact_p;
  double approximate_p = 0;
  double median_a = 0, median_b = 0;
  double geometric_mean_a = 0;
  std::optional<std::pair<double, double>> interval_a;
  std::optional<double> change;
  std::optional<std::pair<double, double>> interval_change;
};

struct HolmFixture {
  std::vector<double> p, adjusted;
};

// Empty when the file cannot be read; tests expect them not to be.
std::vector<SamplesFixture> SamplesFixtures();
std::vector<HolmFixture> HolmFixtures();

}  // namespace ringecho::compare

#endif  // RINGECHO_TESTS_UNIT_COMPARE_STATISTICS_FIXTURES_H_

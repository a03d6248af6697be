// Histograms made by HdrHistogram's Java library (fixtures/README.md), and the inputs they were
// made from.
#ifndef RINGECHO_TESTS_UNIT_STATS_HDR_FIXTURES_H_
#define RINGECHO_TESTS_UNIT_STATS_HDR_FIXTURES_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "stats/histogram.h"

namespace ringecho::stats {

// One block of fixtures/histograms.txt: what Java answers, and its encoding.
struct HdrFixture {
  std::string name;  // distribution-digits
  int digits = 0;
  uint64_t highest = 0;
  uint64_t count = 0;
  uint64_t min = 0;
  uint64_t max = 0;
  double mean = 0;
  double stddev = 0;
  std::vector<std::pair<double, uint64_t>> percentiles;
  std::string v2;
};

// All of them; empty when the file cannot be read.
std::vector<HdrFixture> LoadHdrFixtures();

// The fixture's own inputs, recorded by our histogram.
Histogram RecordInputsOf(const HdrFixture& fixture);

}  // namespace ringecho::stats

#endif  // RINGECHO_TESTS_UNIT_STATS_HDR_FIXTURES_H_

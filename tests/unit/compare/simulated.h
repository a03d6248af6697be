// Measurements as a machine would have made them, for tests.
#ifndef RINGECHO_TESTS_UNIT_COMPARE_SIMULATED_H_
#define RINGECHO_TESTS_UNIT_COMPARE_SIMULATED_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"
#include "compare/comparison.h"

namespace ringecho::compare {

// One valid run of a closed loop; both ends on one machine.
struct Simulated {
  std::string series = "one";
  std::string engine = "io_uring";
  std::string kernel = "6.1.0";
  std::string commit = "aaa";
  std::string boot = "boot";
  int64_t connections = 64;
  double messages_per_s = 100'000;
  double cpu_ns_per_message = 9'000;
  int64_t p99_ns = 1'000'000;
};
Measurement Make(const Simulated& what);

// `how_many` runs of each engine, with 100, 101, 102, ... messages/s times `factor` for the second.
std::vector<Measurement> TwoEngines(int how_many, double factor = 1);

// How a machine disturbs what it measures: lognormal with this coefficient of variation, and a
// drift over the series that is as large.
struct Noise {
  double variation = 0.03;
  double drift = 0;
};

// Interleaved repeats of `base` and `changed` ("A" and "B", in these series), the three judged
// figures disturbed together and each by itself. `slower` is what B's messages cost, as a ratio.
std::vector<Measurement> SimulateSeries(int repeats, const std::vector<int64_t>& connections,
                                        const Noise& noise, double slower,
                                        base::SplitMix64& random);

}  // namespace ringecho::compare

#endif  // RINGECHO_TESTS_UNIT_COMPARE_SIMULATED_H_

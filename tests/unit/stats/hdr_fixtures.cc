#include "hdr_fixtures.h"

#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

#include "base/random.h"

namespace ringecho::stats {
namespace {

constexpr uint64_t kHourNs = 3'600'000'000'000;

// Each of these says in C++ what Fixtures.java says in Java.
void RecordLinear(Histogram& h) {
  for (uint64_t v = 1; v <= 10'000; ++v) h.Record(v * 1'000);
}

void RecordLogUniform(Histogram& h, base::SplitMix64 random) {
  for (int i = 0; i < 2'000; ++i) {
    const uint64_t bits = (random.Next() >> 58) % 41 + 1;
    h.Record(random.Next() >> (64 - bits));
  }
}

void RecordLatencies(Histogram& h, base::SplitMix64 random) {
  for (int i = 0; i < 20'000; ++i) {
    const uint64_t r = random.Next();
    uint64_t v = 18'000 + (random.Next() >> 52);
    if ((r & 63) == 0) v = 900'000 + (random.Next() >> 46);
    if ((r & 4095) == 4095) v = 200'000'000 + (random.Next() >> 40);
    h.Record(v);
  }
}

void RecordLargeCounts(Histogram& h) {
  for (int bits = 0; bits < 62; bits += 3) {
    h.RecordN(uint64_t{1} << (bits / 2), uint64_t{1} << bits);
  }
}

void RecordEnds(Histogram& h) {
  for (uint64_t v : {uint64_t{0}, uint64_t{1}, kHourNs - 1, kHourNs}) h.Record(v);
}

}  // namespace

std::vector<HdrFixture> LoadHdrFixtures() {
  std::vector<HdrFixture> fixtures;
  std::ifstream file(RINGECHO_HDR_FIXTURES);
  for (std::string line; std::getline(file, line);) {
    std::istringstream in(line);
    std::string key, value;
    in >> key >> value;
    if (key == "histogram") {
      fixtures.emplace_back().name = value;
      continue;
    }
    if (fixtures.empty()) continue;
    HdrFixture& f = fixtures.back();
    const char* number = value.c_str();
    if (key == "digits") f.digits = std::atoi(number);
    if (key == "highest") f.highest = std::strtoull(number, nullptr, 10);
    if (key == "count") f.count = std::strtoull(number, nullptr, 10);
    if (key == "min") f.min = std::strtoull(number, nullptr, 10);
    if (key == "max") f.max = std::strtoull(number, nullptr, 10);
    if (key == "mean") f.mean = std::strtod(number, nullptr);
    if (key == "stddev") f.stddev = std::strtod(number, nullptr);
    if (key == "v2") f.v2 = value;
    uint64_t at = 0;
    if (key == "percentile" && in >> at) {
      f.percentiles.emplace_back(std::strtod(number, nullptr), at);
    }
  }
  return fixtures;
}

Histogram RecordInputsOf(const HdrFixture& fixture) {
  Histogram h(HistogramLayout::Create(fixture.highest, fixture.digits).value());
  const std::string what = fixture.name.substr(0, fixture.name.rfind('-'));
  const base::SplitMix64 random(static_cast<uint64_t>(fixture.digits));
  if (what == "single") h.Record(123'456'789);
  if (what == "linear") RecordLinear(h);
  if (what == "loguniform") RecordLogUniform(h, random);
  if (what == "latencies") RecordLatencies(h, random);
  if (what == "counts") RecordLargeCounts(h);
  if (what == "ends") RecordEnds(h);
  if (what == "whole-range") {
    h.Record(std::numeric_limits<int64_t>::max());
    h.Record(12'345);
  }
  return h;
}

}  // namespace ringecho::stats

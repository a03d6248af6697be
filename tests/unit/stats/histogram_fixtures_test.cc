// Both directions against histograms made by HdrHistogram's Java library.
#include <gtest/gtest.h>
#include <zlib.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "hdr_fixtures.h"
#include "stats/histogram.h"
#include "stats/histogram_codec.h"

namespace ringecho::stats {
namespace {

std::vector<std::pair<size_t, uint64_t>> Counts(const Histogram& h) {
  std::vector<std::pair<size_t, uint64_t>> counts;
  for (size_t i = 0; i < h.layout().buckets(); ++i) {
    if (h.CountAt(i) != 0) counts.emplace_back(i, h.CountAt(i));
  }
  return counts;
}

// The V2 bytes in a text, by zlib alone.
std::string PlainV2(const std::string& text) {
  std::string bytes;
  EXPECT_TRUE(absl::Base64Unescape(text, &bytes));
  std::string plain(1 << 20, '\0');
  uLongf size = plain.size();
  EXPECT_EQ(uncompress(reinterpret_cast<Bytef*>(plain.data()), &size,
                       reinterpret_cast<const Bytef*>(bytes.data()) + 8, bytes.size() - 8),
            Z_OK);
  plain.resize(size);
  return plain;
}

class HdrFixtureTest : public testing::TestWithParam<HdrFixture> {};

TEST_P(HdrFixtureTest, OurRecordingAnswersAsJavaDoes) {
  const HdrFixture& java = GetParam();
  const Histogram ours = RecordInputsOf(java);
  EXPECT_EQ(ours.count(), java.count);
  EXPECT_EQ(ours.min_ns(), java.min);
  EXPECT_EQ(ours.max_ns(), java.max);
  EXPECT_DOUBLE_EQ(ours.mean_ns(), java.mean);
  EXPECT_DOUBLE_EQ(ours.stddev_ns(), java.stddev);
  for (auto [percentile, value] : java.percentiles) {
    EXPECT_EQ(ours.ValueAtPercentile(percentile), value) << "p" << percentile;
  }
}

TEST_P(HdrFixtureTest, WhatJavaWroteIsReadWithTheSameCounts) {
  const HdrFixture& java = GetParam();
  absl::StatusOr<Histogram> read = DecodeV2Base64(java.v2);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->layout().digits(), java.digits);
  EXPECT_EQ(read->layout().highest(), java.highest);
  EXPECT_EQ(read->count(), java.count);
  EXPECT_EQ(Counts(*read), Counts(RecordInputsOf(java)));
  for (auto [percentile, value] : java.percentiles) {
    EXPECT_EQ(read->ValueAtPercentile(percentile), value) << "p" << percentile;
  }
}

TEST_P(HdrFixtureTest, WeWriteTheBytesThatJavaWrites) {
  const HdrFixture& java = GetParam();
  const Histogram ours = RecordInputsOf(java);
  EXPECT_EQ(EncodeV2(ours), PlainV2(java.v2));
  const std::string text = EncodeV2Base64(ours);
  EXPECT_TRUE(absl::StartsWith(text, "HISTFAAA")) << text;
  EXPECT_EQ(PlainV2(text), PlainV2(java.v2));
}

std::string TestName(const testing::TestParamInfo<HdrFixture>& info) {
  std::string name = info.param.name;
  for (char& c : name) {
    if (c == '-') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(Java, HdrFixtureTest, testing::ValuesIn(LoadHdrFixtures()), TestName);

TEST(HdrFixturesTest, CoverSixDistributionsAtEveryNumberOfDigits) {
  std::map<int, int> by_digits;
  for (const HdrFixture& fixture : LoadHdrFixtures()) {
    if (!fixture.percentiles.empty() && !fixture.v2.empty()) ++by_digits[fixture.digits];
  }
  EXPECT_EQ(by_digits, (std::map<int, int>{{1, 6}, {2, 6}, {3, 7}, {4, 7}, {5, 6}}));
}

}  // namespace
}  // namespace ringecho::stats

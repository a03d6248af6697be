#include "stats/histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include "base/random.h"

namespace ringecho::stats {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr uint64_t kHourNs = 3'600'000'000'000;
constexpr uint64_t kInt64Max = std::numeric_limits<int64_t>::max();

std::string Message(const absl::Status& status) { return std::string(status.message()); }

std::vector<std::tuple<uint64_t, uint64_t, uint64_t>> Buckets(const Histogram& h) {
  std::vector<std::tuple<uint64_t, uint64_t, uint64_t>> buckets;
  h.ForEach(
      [&](uint64_t low, uint64_t high, uint64_t count) { buckets.emplace_back(low, high, count); });
  return buckets;
}

TEST(HistogramLayoutTest, HasTheBucketsOfTheTableInTheHeader) {
  const HistogramLayout layout;
  EXPECT_EQ(layout.highest(), kHourNs);
  EXPECT_EQ(layout.digits(), 3);
  EXPECT_EQ(layout.buckets(), 33'792u);
  EXPECT_EQ(layout.IndexOf(2047), 2047u);
  EXPECT_EQ(layout.IndexOf(2048), 2048u);
  EXPECT_EQ(layout.IndexOf(2049), 2048u);
  EXPECT_EQ(layout.IndexOf(4095), 3071u);
  EXPECT_EQ(layout.IndexOf(4096), 3072u);
  EXPECT_EQ(layout.IndexOf(4099), 3072u);
  EXPECT_EQ(layout.IndexOf(4100), 3073u);
  EXPECT_EQ(layout.High(layout.buckets() - 1), 4'398'046'511'103u);
}

TEST(HistogramLayoutTest, BucketsAreContiguousAndWithinTheErrorBound) {
  double bound = 1;
  for (int digits = 1; digits <= 5; ++digits) {
    bound /= 10;
    absl::StatusOr<HistogramLayout> layout = HistogramLayout::Create(kHourNs, digits);
    ASSERT_TRUE(layout.ok()) << layout.status();
    uint64_t next = 0;
    bool bounded = true;
    for (size_t i = 0; i < layout->buckets(); ++i) {
      const uint64_t low = layout->Low(i);
      const uint64_t high = layout->High(i);
      ASSERT_EQ(low, next) << "bucket " << i << " of " << digits << " digits";
      ASSERT_EQ(layout->IndexOf(low), i);
      ASSERT_EQ(layout->IndexOf(high), i);
      ASSERT_TRUE(low <= layout->Middle(i) && layout->Middle(i) <= high);
      bounded &= low == high || static_cast<double>(high - low) < bound * static_cast<double>(low);
      next = high + 1;
    }
    EXPECT_GT(next, kHourNs);
    EXPECT_TRUE(bounded) << digits << " digits";
  }
}

TEST(HistogramLayoutTest, ReachesToTheLargestSignedValue) {
  absl::StatusOr<HistogramLayout> layout = HistogramLayout::Create(kInt64Max, 4);
  ASSERT_TRUE(layout.ok()) << layout.status();
  EXPECT_EQ(layout->High(layout->buckets() - 1), kInt64Max);
  EXPECT_EQ(layout->IndexOf(kInt64Max), layout->buckets() - 1);
}

TEST(HistogramLayoutTest, RefusesWhatHdrDoesNotKnowAndWhatIsHuge) {
  EXPECT_TRUE(HistogramLayout::Create(2, 1).ok());
  EXPECT_EQ(Message(HistogramLayout::Create(1, 3).status()),
            "histogram with highest trackable value 1, takes 2 to 9223372036854775807");
  EXPECT_FALSE(HistogramLayout::Create(kInt64Max + 1, 3).ok());
  EXPECT_EQ(Message(HistogramLayout::Create(kHourNs, 0).status()),
            "histogram with 0 significant digits, takes 1 to 5");
  EXPECT_FALSE(HistogramLayout::Create(kHourNs, 6).ok());
  absl::Status huge = HistogramLayout::Create(kInt64Max, 5).status();
  EXPECT_EQ(huge.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(Message(huge), HasSubstr("at most 4194304 are taken"));
}

TEST(HistogramTest, AnEmptyOneAnswersZero) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.clamped(), 0u);
  EXPECT_EQ(h.min_ns(), 0u);
  EXPECT_EQ(h.max_ns(), 0u);
  EXPECT_EQ(h.mean_ns(), 0.0);
  EXPECT_EQ(h.stddev_ns(), 0.0);
  EXPECT_EQ(h.ValueAtPercentile(0), 0u);
  EXPECT_EQ(h.ValueAtPercentile(50), 0u);
  EXPECT_EQ(h.ValueAtPercentile(100), 0u);
  EXPECT_EQ(h.UsedBuckets(), 0u);
  EXPECT_TRUE(Buckets(h).empty());
}

TEST(HistogramTest, SmallValuesAreExact) {
  Histogram h;
  for (uint64_t v = 1; v <= 1000; ++v) h.Record(v);
  EXPECT_EQ(h.count(), 1000u);
  EXPECT_EQ(h.min_ns(), 1u);
  EXPECT_EQ(h.max_ns(), 1000u);
  EXPECT_DOUBLE_EQ(h.mean_ns(), 500.5);
  EXPECT_DOUBLE_EQ(h.stddev_ns(), std::sqrt((1000.0 * 1000.0 - 1) / 12));
  EXPECT_EQ(h.ValueAtPercentile(0), 1u);
  EXPECT_EQ(h.ValueAtPercentile(50), 500u);
  EXPECT_EQ(h.ValueAtPercentile(99.9), 999u);
  EXPECT_EQ(h.ValueAtPercentile(99.95), 1000u);
  EXPECT_EQ(h.ValueAtPercentile(100), 1000u);
}

TEST(HistogramTest, PercentilesOutsideOfTheRangeAreItsEnds) {
  Histogram h;
  h.Record(5'000);
  h.Record(7'000'000);
  EXPECT_EQ(h.ValueAtPercentile(-1), h.min_ns());
  EXPECT_EQ(h.ValueAtPercentile(std::nan("")), h.min_ns());
  EXPECT_EQ(h.ValueAtPercentile(101), h.max_ns());
  // The smallest there is still asks for the first sample.
  EXPECT_EQ(h.ValueAtPercentile(std::numeric_limits<double>::denorm_min()), 5'003u);
}

TEST(HistogramTest, PercentilesStayWithinTheErrorBoundOfTheSortedSamples) {
  base::SplitMix64 random(7);
  Histogram h;
  std::vector<uint64_t> samples;
  for (int i = 0; i < 10'000; ++i) {
    samples.push_back(random.Next() >> (24 + random.Below(40)));
    h.Record(samples.back());
  }
  std::sort(samples.begin(), samples.end());
  for (int rank = 1; rank <= 10'000; ++rank) {
    const auto exact = static_cast<double>(samples[static_cast<size_t>(rank) - 1]);
    const auto read = static_cast<double>(h.ValueAtPercentile(rank / 100.0));
    ASSERT_GE(read, exact) << "rank " << rank;
    ASSERT_LE(read, exact * 1.001) << "rank " << rank;
  }
}

TEST(HistogramTest, RecordNIsRecordNTimes) {
  Histogram once, many;
  for (int i = 0; i < 5; ++i) once.Record(123'456);
  many.RecordN(123'456, 5);
  many.RecordN(9, 0);
  EXPECT_EQ(Buckets(once), Buckets(many));
  EXPECT_EQ(many.count(), 5u);
  EXPECT_EQ(many.max_ns(), once.max_ns());
}

TEST(HistogramTest, ValuesAboveTheHighestAreCountedThereAndAsClamped) {
  Histogram h;
  h.Record(kHourNs);
  EXPECT_EQ(h.clamped(), 0u);
  h.Record(kHourNs + 1);
  h.RecordN(std::numeric_limits<uint64_t>::max(), 3);
  h.Record(static_cast<uint64_t>(int64_t{-1}));
  EXPECT_EQ(h.clamped(), 5u);
  EXPECT_EQ(h.count(), 6u);
  ASSERT_EQ(Buckets(h).size(), 1u);
  EXPECT_EQ(h.CountAt(h.layout().IndexOf(kHourNs)), 6u);
}

TEST(HistogramTest, WalksItsFilledBucketsInOrder) {
  Histogram h;
  h.RecordN(5'000, 2);
  h.Record(0);
  h.Record(2'049);
  EXPECT_THAT(Buckets(h), ElementsAre(std::tuple(0, 0, 1), std::tuple(2048, 2049, 1),
                                      std::tuple(5000, 5003, 2)));
  EXPECT_EQ(h.UsedBuckets(), h.layout().IndexOf(5'000) + 1);
}

TEST(HistogramTest, TheSumOfPartsIsTheWhole) {
  base::SplitMix64 random(3);
  Histogram whole, parts[4];
  for (int i = 0; i < 20'000; ++i) {
    // Some of them above the hour.
    const uint64_t v = random.Next() >> (20 + random.Below(40));
    whole.Record(v);
    parts[i % 4].Record(v);
  }
  Histogram sum;
  for (const Histogram& part : parts) ASSERT_TRUE(sum.Add(part).ok());
  EXPECT_GT(whole.clamped(), 0u);
  EXPECT_EQ(sum.clamped(), whole.clamped());
  EXPECT_EQ(sum.count(), whole.count());
  EXPECT_EQ(Buckets(sum), Buckets(whole));
}

TEST(HistogramTest, AddRefusesAnotherLayoutAndLeavesTheSumAlone) {
  Histogram three, two(HistogramLayout::Create(kHourNs, 2).value()),
      shorter(HistogramLayout::Create(1'000'000, 3).value());
  three.Record(1);
  two.Record(1);
  shorter.Record(1);
  absl::Status status = three.Add(two);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(Message(status), HasSubstr("up to 3600000000000 with 3 digits, and up to "
                                         "3600000000000 with 2 digits"));
  EXPECT_FALSE(three.Add(shorter).ok());
  EXPECT_EQ(three.count(), 1u);
}

TEST(HistogramTest, AddRefusesMoreSamplesThanHdrCanCount) {
  Histogram a, b;
  a.RecordN(10, kInt64Max - 1);
  b.RecordN(10, 1);
  ASSERT_TRUE(a.Add(b).ok());
  absl::Status status = a.Add(b);
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(a.count(), kInt64Max);
  EXPECT_EQ(a.CountAt(10), kInt64Max);
}

TEST(HistogramTest, ResetForgetsEverything) {
  Histogram h;
  h.RecordN(77, 3);
  h.Record(kHourNs * 2);
  h.Reset();
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.clamped(), 0u);
  EXPECT_TRUE(Buckets(h).empty());
}

}  // namespace
}  // namespace ringecho::stats

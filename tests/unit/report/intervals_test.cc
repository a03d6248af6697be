#include "report/intervals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "report/json_document.h"
#include "report/read_result.h"
#include "report/result_json.h"
#include "sample.h"

namespace ringecho::report {
namespace {

constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

Interval At(int64_t start_ns) {
  return {.t_start_ns = start_ns,
          .t_end_ns = start_ns + 10,
          .messages = 1,
          .bytes = 2,
          .errors = 3,
          .connections_open = start_ns,
          .cpu_ns = 4,
          .retries = 5,
          .p50_ns = 6,
          .p99_ns = 7,
          .syscalls = 8,
          .enter_calls = 9,
          .completions = 10};
}

std::vector<Interval> Ten() {
  std::vector<Interval> intervals;
  for (int64_t i = 0; i < 10; ++i) intervals.push_back(At(i * 10));
  return intervals;
}

TEST(BoundIntervals, LeavesWhatIsNotTooMuchAsItIs) {
  std::vector<Interval> intervals = Ten();
  BoundIntervals(0, intervals, 10);
  ASSERT_EQ(intervals.size(), 10U);
  EXPECT_EQ(intervals[9].p99_ns, 7);
}

TEST(BoundIntervals, AddsNeighboursUp) {
  std::vector<Interval> intervals = Ten();
  intervals.push_back(At(100));
  BoundIntervals(0, intervals, 10);
  ASSERT_EQ(intervals.size(), 6U);
  const Interval& sum = intervals[1];
  EXPECT_EQ(sum.t_start_ns, 20);
  EXPECT_EQ(sum.t_end_ns, 40);
  EXPECT_EQ(sum.messages, 2);
  EXPECT_EQ(sum.bytes, 4);
  EXPECT_EQ(sum.errors, 6);
  EXPECT_EQ(sum.connections_open, 30) << "at its end";
  EXPECT_EQ(sum.cpu_ns, 8);
  EXPECT_EQ(sum.retries, 10);
  EXPECT_FALSE(sum.p50_ns || sum.p99_ns);
  EXPECT_EQ(sum.syscalls, 16);
  EXPECT_EQ(sum.enter_calls, 18);
  EXPECT_EQ(sum.completions, 20);
  EXPECT_EQ(intervals[5].messages, 1) << "has no neighbour";
}

TEST(BoundIntervals, KeepsTheTwoSidesOfAnEdgeApart) {
  std::vector<Interval> intervals = Ten();
  BoundIntervals(30, intervals, 9);
  ASSERT_EQ(intervals.size(), 6U);
  EXPECT_EQ(intervals[1].t_end_ns, 30);
  EXPECT_EQ(intervals[1].messages, 1);
  EXPECT_EQ(intervals[2].t_start_ns, 30);
  EXPECT_EQ(intervals[2].messages, 2);
}

TEST(BoundIntervals, GoesOnUntilThereAreFewEnough) {
  std::vector<Interval> intervals = Ten();
  BoundIntervals(0, intervals, 4);
  EXPECT_EQ(intervals.size(), 3U);
  EXPECT_EQ(intervals[0].messages, 4);
  BoundIntervals(40, intervals, 0);
  EXPECT_EQ(intervals.size(), 2U) << "one on each side";
}

TEST(BoundIntervals, SumsDoNotOverflow) {
  std::vector<Interval> intervals = {At(0), At(10), At(20)};
  intervals[0].messages = kMost;
  intervals[1].syscalls.reset();
  BoundIntervals(0, intervals, 2);
  EXPECT_EQ(intervals[0].messages, kMost);
  EXPECT_FALSE(intervals[0].syscalls) << "the sum of a part";
}

size_t Values(const Json& json) {
  size_t sum = 1;
  if (json.is_structured()) {
    for (const Json& one : json) sum += Values(one);
  }
  return sum;
}

// What is written is read again.
TEST(BoundIntervals, LeavesAFileThatAReaderTakes) {
  Result result = SampleLoadResult();
  result.intervals.clear();
  const std::string without = ToJson(result);
  const size_t values = Values(Json::parse(without));
  Interval large = At(1'000'000'000'000'000);
  large.messages = large.bytes = large.cpu_ns = large.syscalls.emplace(100'000'000'000);
  result.intervals.assign(100, large);
  const std::string with = ToJson(result);
  const size_t more = Values(Json::parse(with)) - values;
  EXPECT_LT(values + kIntervalsMax / 100 * more, kJsonValuesMax);
  EXPECT_LT(without.size() + kIntervalsMax / 100 * (with.size() - without.size()), kResultBytesMax);
}

}  // namespace
}  // namespace ringecho::report

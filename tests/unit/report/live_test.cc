#include "report/live.h"

#include <gtest/gtest.h>

#include <limits>

namespace ringecho::report {
namespace {

constexpr int64_t kSec = 1'000'000'000;

Interval SampleInterval() {
  Interval i;
  i.t_start_ns = 4 * kSec;
  i.t_end_ns = 5 * kSec;
  i.messages = 123'456;
  i.bytes = 7'901'184;
  i.errors = 2;
  i.connections_open = 10'000;
  i.p50_ns = 81'234;
  i.p99_ns = 1'234'567;
  i.retries = 17;
  return i;
}

constexpr EngineWork kWork = {
    .messages = 123'456, .syscalls = 64'197, .enter_calls = 20'000, .completions = 250'000};

TEST(LiveTest, ServerLinesStandBelowTheirHeads) {
  EXPECT_EQ(LiveHeader(Role::kServer),
            "     time connections  messages/s     MB/s  errors calls/message events/enter");
  EXPECT_EQ(LiveLine(Role::kServer, SampleInterval(), kWork),
            "    5.0 s      10,000     123,456      7.9       2          0.52        12.50");
}

TEST(LiveTest, LoadLinesStandBelowTheirHeads) {
  EXPECT_EQ(LiveHeader(Role::kLoad),
            "     time connections  messages/s     MB/s      p50      p99  errors retries");
  EXPECT_EQ(LiveLine(Role::kLoad, SampleInterval(), kWork),
            "    5.0 s      10,000     123,456      7.9  81.2 us  1.23 ms       2      17");
}

TEST(LiveTest, TheDetailHasWhatTheEngineDid) {
  EXPECT_EQ(LiveDetail(kWork),
            "            0.52 system calls per message, 12.50 completions per enter");
  EXPECT_EQ(LiveDetail({.messages = 0, .syscalls = 3, .enter_calls = 3, .completions = 0}),
            "            - system calls per message, 0.00 completions per enter");
}

TEST(LiveTest, AnEmptyIntervalHasNoLatency) {
  Interval i;
  EngineWork work;
  EXPECT_EQ(LiveLine(Role::kLoad, i, work),
            "    0.0 s           0           0      0.0        -        -       0       0");
}

TEST(LiveTest, LargeValuesStayWithinEightyColumns) {
  Interval i = SampleInterval();
  i.t_start_ns = 99'998 * kSec;
  i.t_end_ns = 99'999 * kSec;
  i.messages = 999'999'999;
  i.bytes = 99'999'999'999;
  i.errors = 999'999'999;
  i.retries = 999'999'999;
  i.connections_open = 999'999'999;
  i.p50_ns = 999'999'999;
  i.p99_ns = 3'600 * kSec;
  EngineWork work = {
      .messages = 1, .syscalls = 999'999'999, .enter_calls = 1, .completions = 999'999'999};
  EXPECT_LE(LiveLine(Role::kLoad, i, work).size(), 80U);
  EXPECT_EQ(LiveLine(Role::kLoad, i, work).size(), LiveHeader(Role::kLoad).size());
  EXPECT_LE(LiveLine(Role::kServer, i, work).size(), 80U);
  EXPECT_LE(LiveDetail(work).size(), 80U);
  EXPECT_EQ(LiveLine(Role::kServer, i, work).size(), LiveHeader(Role::kServer).size());
}

TEST(LiveTest, ProgressTellsRateAndRest) {
  EXPECT_EQ(ProgressLine("connecting", 42'000, 100'000, 5 * kSec),
            "connecting        42,000 of 100,000 (42%)  8.40k/s  7 s left");
  EXPECT_EQ(ProgressLine("connecting", 100'000, 100'000, 10 * kSec),
            "connecting       100,000 of 100,000 (100%)  10.0k/s");
  EXPECT_EQ(ProgressLine("connecting", 0, 100, 0), "connecting             0 of 100 (0%)  0/s");
  EXPECT_EQ(ProgressLine("connecting", 0, 0, 0), "connecting             0 of 0 (100%)  0/s");
}

TEST(LiveTest, RatesHaveThreeDigits) {
  EXPECT_EQ(FormatRate(0), "0");
  EXPECT_EQ(FormatRate(42), "42");
  EXPECT_EQ(FormatRate(999.4), "999");
  EXPECT_EQ(FormatRate(999.6), "1.00k");
  EXPECT_EQ(FormatRate(8'012), "8.01k");
  EXPECT_EQ(FormatRate(87'150), "87.2k");
  EXPECT_EQ(FormatRate(999'600), "1.00M");
  EXPECT_EQ(FormatRate(123'456'789), "123M");
  EXPECT_EQ(FormatRate(std::numeric_limits<double>::quiet_NaN()), "-");
}

}  // namespace
}  // namespace ringecho::report

#include "report/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>
#include <vector>

#include "report/latency.h"
#include "report/validity.h"
#include "sample.h"

namespace ringecho::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST(SummaryTest, TheLoadSummaryEndsWithTheFamiliarLine) {
  Result r = SampleLoadResult();
  EXPECT_EQ(Lines(LoadSummary(r)).back(), "20000 connections, 3 exceptions, 4 retries");
  r.config.sessions.reset();
  r.totals.exceptions = 0;
  r.totals.retries = 0;
  EXPECT_EQ(Lines(LoadSummary(r)).back(), "10000 connections, 0 exceptions, 0 retries");
}

TEST(SummaryTest, EveryLineFitsEightyColumns) {
  Result load = SampleLoadResult();
  for (const char* name : {"multishot_rearms", "short_sends", "buffers_starved", "sends_spilled",
                           "cq_overflows", "stale_completions", "accept_pauses"}) {
    load.engine_stats.emplace_back(name, int64_t{1'234'567});
    load.errors.emplace_back(name, 7'654'321);
  }
  load.run.status = RunStatus::kError;
  load.run.error = "a long story of many words that goes on and on until it does not fit a line";
  Facts facts;
  facts.interrupted = true;
  facts.exceptions = 1'234'567;
  facts.cpu_share = 0.99;
  facts.steal_share = 0.5;
  facts.clamped = 1'000'000;
  load.validity = Judge(facts);
  for (const std::string& text :
       {LoadSummary(load), ServerSummary(SampleServerResult()), PercentileTable(*load.latency)}) {
    EXPECT_EQ(text.back(), '\n');
    for (const std::string& line : Lines(text)) EXPECT_LE(line.size(), 80U) << line;
  }
}

TEST(SummaryTest, TheLoadSummaryShowsWhatWasMeasured) {
  std::string text = LoadSummary(SampleLoadResult());
  for (const char* part :
       {"io_uring (available)", "20,000 sessions", "2 threads", "on CPUs 0,2-3", "size 64 B",
        "depth 1", "1,200,000 messages", "120,000 messages/s, 7.7 MB/s", "response", "83.0 us",
        "400 us", "9.00 ms", "busy 48%", "7.92 us per message", "reset 3", "verdict      suspect",
        "steal: 3.0% of the CPU time was stolen"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  // Neither empty histograms nor checks that passed nor counts of zero take up space.
  for (const char* part : {"connect_refused", "exceptions: ", "  connect  "}) {
    EXPECT_THAT(text, Not(HasSubstr(part)));
  }
}

TEST(SummaryTest, TheServerSummaryShowsWhatWasServed) {
  Result r = SampleServerResult();
  r.engine_stats = {{"short_sends", int64_t{12}}, {"receives", int64_t{5}}};
  std::string text = ServerSummary(r);
  EXPECT_THAT(text, HasSubstr("10,000 accepted, at most 10,000 at a time"));
  EXPECT_THAT(text, HasSubstr("short_sends 12"));
  EXPECT_THAT(text, Not(HasSubstr("receives")));
}

TEST(SummaryTest, AnInterruptedOrFailedRunSaysSo) {
  Result r = SampleLoadResult();
  r.run.status = RunStatus::kError;
  r.run.error = "connect: refused";
  EXPECT_THAT(LoadSummary(r), HasSubstr("error: connect: refused"));
  r.run.status = RunStatus::kInterrupted;
  r.run.error.reset();
  EXPECT_THAT(ServerSummary(r), HasSubstr("run          interrupted\n"));
}

TEST(SummaryTest, AnEmptyResultIsPrintedToo) {
  EXPECT_THAT(LoadSummary(Result()), HasSubstr("0 connections, 0 exceptions, 0 retries\n"));
  EXPECT_THAT(ServerSummary(Result()), HasSubstr("errors       none"));
}

TEST(SummaryTest, PercentilesAreListedAsFarAsTheyAreKnown) {
  std::string text = PercentileTable(*SampleLoadResult().latency);
  EXPECT_THAT(text, HasSubstr("p99.9  400 us\n     p99.99999  8.00 ms"));
  EXPECT_THAT(text, Not(HasSubstr("connect")));
}

TEST(LatencyTest, AHistogramIsSummarised) {
  stats::Histogram histogram;
  histogram.RecordN(1'000, 99);
  histogram.Record(2'000);
  LatencySummary s = Summarize(histogram);
  EXPECT_EQ(s.count, 100);
  EXPECT_EQ(s.min_ns, 1'000);
  EXPECT_EQ(s.max_ns, 2'000);
  EXPECT_NEAR(*s.mean_ns, 1'010, 0.001);
  EXPECT_EQ(s.clamped, 0);
  ASSERT_EQ(s.percentiles.size(), std::size(kPercentiles));
  EXPECT_EQ(s.percentiles[0].value_ns, 1'000);
  EXPECT_EQ(s.percentiles[5].percent, 99.9);
  EXPECT_EQ(s.percentiles[5].value_ns, 2'000);
  EXPECT_EQ(s.hdr_v2.substr(0, 8), "HISTFAAA");
}

TEST(LatencyTest, AnEmptyHistogramHasNoValues) {
  LatencySummary s = Summarize(stats::Histogram());
  EXPECT_EQ(s.count, 0);
  EXPECT_EQ(s.min_ns, std::nullopt);
  EXPECT_EQ(s.mean_ns, std::nullopt);
  EXPECT_TRUE(s.percentiles.empty());
}

}  // namespace
}  // namespace ringecho::report

#include "compare/merge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"
#include "compare/run_ids.h"
#include "report/latency.h"
#include "report/result_json.h"
#include "sample.h"
#include "simulated.h"
#include "stats/histogram_codec.h"

namespace ringecho::compare {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr int64_t kSecond = 1'000'000'000;

// One of several loaders of the same configuration, with these latencies.
report::Result Loader(int index, const stats::Histogram& latencies) {
  report::Result result = *Make({}).load;
  result.run.id = "run-" + std::to_string(index);
  result.latency = report::Latency{};
  result.latency->response = report::Summarize(latencies);
  result.totals.messages = static_cast<int64_t>(latencies.count());
  result.config.cpus = {index};
  result.intervals = {{2 * kSecond, 3 * kSecond, 100, 6400, 1, 64, 500, 2, 10, 20, 30, 40, 50}};
  return result;
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

TEST(Merge, HistogramsAddUpExactly) {
  base::SplitMix64 random(9);
  for (int parts : {2, 3, 7}) {
    stats::Histogram whole;
    std::vector<stats::Histogram> histograms(static_cast<size_t>(parts));
    for (int i = 0; i < 20'000; ++i) {
      const uint64_t value = random.Next() >> (20 + random.Below(40));
      whole.Record(value);
      histograms[random.Below(static_cast<uint64_t>(parts))].Record(value);
    }
    std::vector<report::Result> results;
    for (int i = 0; i < parts; ++i)
      results.push_back(Loader(i, histograms[static_cast<size_t>(i)]));
    auto merged = Merge(results);
    ASSERT_TRUE(merged.ok()) << merged.status();
    // The encoded form holds every bucket.
    const report::LatencySummary expected = report::Summarize(whole);
    const report::LatencySummary& ours = *merged->latency->response;
    EXPECT_EQ(ours.hdr_v2, expected.hdr_v2);
    EXPECT_EQ(ours.count, expected.count);
    EXPECT_EQ(ours.clamped, expected.clamped);
    EXPECT_EQ(ours.min_ns, expected.min_ns);
    EXPECT_EQ(ours.max_ns, expected.max_ns);
    EXPECT_EQ(ours.mean_ns, expected.mean_ns);
    EXPECT_EQ(ours.stddev_ns, expected.stddev_ns);
    ASSERT_EQ(ours.percentiles.size(), expected.percentiles.size());
    for (size_t i = 0; i < expected.percentiles.size(); ++i) {
      EXPECT_EQ(ours.percentiles[i].value_ns, expected.percentiles[i].value_ns);
    }
    EXPECT_EQ(merged->totals.messages, 20'000);
  }
}

std::vector<report::Result> TwoLoaders() {
  stats::Histogram one;
  one.RecordN(1000, 10);
  stats::Histogram other;
  other.RecordN(3000, 30);
  return {Loader(0, one), Loader(1, other)};
}

TEST(Merge, CountsAddUp) {
  std::vector<report::Result> results = TwoLoaders();
  results[0].errors = {{"reset", 1}};
  results[1].errors = {{"reset", 2}, {"timeout", 3}};
  results[0].engine_stats = {
      {"completions", int64_t{30}}, {"enter_calls", int64_t{10}}, {"completions_per_enter", 3.0}};
  results[1].engine_stats = {
      {"completions", int64_t{70}}, {"enter_calls", int64_t{10}}, {"completions_per_enter", 7.0}};
  results[0].resources.cpu_ns_per_message = 1000;
  results[1].resources.cpu_ns_per_message = 2000;
  results[1].resources.steal_share = 0.5;
  const report::Result first = results[0];
  auto merged = Merge(results);
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(merged->config.connections, 128);
  EXPECT_EQ(merged->config.threads, 2 * first.config.threads);
  EXPECT_THAT(merged->config.cpus, testing::ElementsAre(0, 1));
  EXPECT_EQ(merged->totals.messages, 40);
  EXPECT_EQ(merged->totals.messages_per_s, 2 * first.totals.messages_per_s);
  EXPECT_EQ(merged->totals.measured_ns, first.totals.measured_ns);
  EXPECT_EQ(merged->totals.retries, 2 * *first.totals.retries);
  EXPECT_THAT(merged->errors, testing::ElementsAre(Pair("reset", 3), Pair("timeout", 3)));
  EXPECT_THAT(merged->engine_stats,
              AllOf(Contains(Pair("completions", report::Number(int64_t{100}))),
                    Contains(Pair("completions_per_enter", report::Number(5.0)))));
  EXPECT_EQ(merged->resources.user_ns, 2 * first.resources.user_ns);
  EXPECT_NEAR(*merged->resources.cpu_ns_per_message, 1750, 1e-9);  // by messages
  EXPECT_EQ(merged->resources.steal_share, 0.5);
  EXPECT_THAT(merged->config.extra, Contains(Pair("merged_loaders", report::Value(int64_t{2}))));
}

TEST(Merge, IntervalsAddUpOnOneClock) {
  std::vector<report::Result> results = TwoLoaders();
  // Started 300 ms later: its intervals lie 300 ms later on the clock of the first.
  results[1].run.start_monotonic_ns += 300'000'000;
  results[1].intervals.push_back({9 * kSecond, 10 * kSecond, 7, 0, 0, 64, 0, {}, 1, 2});
  auto merged = Merge({results[1], results[0]});
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_EQ(merged->run.id, "run-0");  // the earlier one
  ASSERT_EQ(merged->intervals.size(), 2U);
  EXPECT_EQ(merged->intervals[0].t_start_ns, 2 * kSecond);
  EXPECT_EQ(merged->intervals[0].messages, 200);
  EXPECT_EQ(merged->intervals[0].errors, 2);
  EXPECT_EQ(merged->intervals[0].connections_open, 128);
  EXPECT_EQ(merged->intervals[0].syscalls, 60);
  EXPECT_EQ(merged->intervals[0].enter_calls, 80);
  EXPECT_EQ(merged->intervals[0].completions, 100);
  EXPECT_FALSE(merged->intervals[0].p99_ns);  // percentiles cannot be added
  EXPECT_EQ(merged->intervals[1].t_start_ns, 9 * kSecond + 300'000'000);
  EXPECT_EQ(merged->intervals[1].messages, 7);
  EXPECT_FALSE(merged->intervals[1].p99_ns);
}

// The server's CPU of that time is counted, too.
TEST(Merge, IntervalsHoldWhatOthersSentInTheirWarmUp) {
  std::vector<report::Result> results = TwoLoaders();
  results[1].run.start_monotonic_ns = results[0].run.start_monotonic_ns;
  results[1].phases = {{report::PhaseName::kWarmup, 0, 3 * kSecond},
                       {report::PhaseName::kMeasure, 3 * kSecond, 9 * kSecond}};
  absl::StatusOr<report::Result> merged = Merge(results, {"a", "b"});
  ASSERT_TRUE(merged.ok()) << merged.status();
  ASSERT_EQ(merged->intervals.size(), 1U);
  EXPECT_EQ(merged->intervals[0].messages, 200);
}

TEST(Merge, IntervalsOfAForeignFileMayComeInAnyOrder) {
  std::vector<report::Result> results = TwoLoaders();
  results[1].run.start_monotonic_ns = results[0].run.start_monotonic_ns;
  std::vector<report::Interval>& intervals = results[0].intervals;
  for (int64_t at : {9, 7, 0}) {
    intervals.insert(intervals.begin(),
                     {at * kSecond, (at + 1) * kSecond, 1, 0, 0, 64, 0, {}, 1, 2});
  }
  absl::StatusOr<report::Result> merged = Merge(results, {"a", "b"});
  ASSERT_TRUE(merged.ok()) << merged.status();
  ASSERT_EQ(merged->intervals.size(), 4U);
  EXPECT_EQ(merged->intervals[0].t_start_ns, 0);
  EXPECT_EQ(merged->intervals[1].messages, 200);
}

TEST(Merge, CallsOfIntervalsAreUnknownWhereOneResultHasNone) {
  std::vector<report::Result> results = TwoLoaders();
  results[1].intervals[0].syscalls = std::nullopt;
  auto merged = Merge(results);
  ASSERT_TRUE(merged.ok()) << merged.status();
  EXPECT_FALSE(merged->intervals[0].syscalls);
  EXPECT_EQ(merged->intervals[0].completions, 100);
}

TEST(Merge, TheWorstVerdictCounts) {
  std::vector<report::Result> results = TwoLoaders();
  results[0].validity = {report::Verdict::kValid, {{"steal", true, 0.01, 0.02, "fine"}}};
  results[1].validity = {report::Verdict::kInvalid,
                         {{"steal", false, 0.03, 0.02, "stolen"}, {"payload", false, 1, 0, "no"}}};
  results[1].run.status = report::RunStatus::kInterrupted;
  results[1].run.exit_code = 130;
  auto merged = Merge(results);
  ASSERT_TRUE(merged.ok());
  EXPECT_EQ(merged->validity.verdict, report::Verdict::kInvalid);
  ASSERT_GE(merged->validity.checks.size(), 2U);
  EXPECT_EQ(merged->validity.checks[0].message, "stolen");
  EXPECT_EQ(merged->validity.checks[1].id, "payload");
  EXPECT_EQ(merged->run.status, report::RunStatus::kInterrupted);
  EXPECT_EQ(merged->run.exit_code, 130);
}

TEST(Merge, LoadersThatDidNotMeasureTogetherAreSuspectOrInvalid) {
  std::vector<report::Result> results = TwoLoaders();
  auto together = Merge(results);
  ASSERT_TRUE(together.ok());
  EXPECT_EQ(together->validity.verdict, report::Verdict::kValid);
  auto later = [&results](int64_t by_ns) {
    std::vector<report::Result> moved = results;
    moved[1].run.start_monotonic_ns += by_ns;
    auto merged = Merge(moved);
    EXPECT_TRUE(merged.ok());
    EXPECT_EQ(merged->validity.checks.back().id, "loaders_overlap");
    return *merged;
  };
  const report::Result half = later(5 * kSecond);
  EXPECT_EQ(half.validity.verdict, report::Verdict::kSuspect);
  EXPECT_NEAR(half.validity.checks.back().value, 0.5, 1e-9);
  EXPECT_EQ(half.run.exit_code, 0);
  for (int64_t seconds : {6, 60}) {  // in part, and not at all
    const report::Result apart = later(seconds * kSecond);
    EXPECT_EQ(apart.validity.verdict, report::Verdict::kInvalid);
    EXPECT_EQ(apart.run.exit_code, 3);
  }
}

TEST(Merge, AnotherBootIsPlacedByTheWallClock) {
  std::vector<report::Result> results = TwoLoaders();
  results[1].run.boot_id = "another";
  results[1].run.start_monotonic_ns = 0;
  results[1].run.start_time = "2026-01-31T12:00:02.123Z";  // two seconds later
  auto merged = Merge(results);
  ASSERT_TRUE(merged.ok());
  EXPECT_NEAR(merged->validity.checks.back().value, 0.8, 1e-9);
}

TEST(Merge, RefusesWhatDoesNotBelongTogether) {
  auto refused = [](auto change) {
    std::vector<report::Result> results = TwoLoaders();
    change(results[1]);
    auto merged = Merge(results);
    EXPECT_EQ(merged.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(Message(merged.status()), HasSubstr("result 2: "));
    return Message(merged.status());
  };
  EXPECT_THAT(refused([](auto& r) { r.config.depth = 2; }), HasSubstr("depth"));
  EXPECT_THAT(refused([](auto& r) { r.config.engine.name = "epoll"; }), HasSubstr("loader_engine"));
  EXPECT_THAT(refused([](auto& r) { r.tool.version = "9"; }), HasSubstr("version"));
  EXPECT_THAT(refused([](auto& r) { r.config.role = report::Role::kServer; }), HasSubstr("role"));
  EXPECT_THAT(refused([](auto& r) { r.run.id = "run-0"; }), HasSubstr("same run"));
  EXPECT_THAT(refused([](auto& r) { r.latency->response->hdr_v2 = "nonsense"; }),
              HasSubstr("latency.response_ns.hdr_v2"));
  EXPECT_THAT(refused([](auto& r) { r.latency->response.reset(); }), HasSubstr("response_ns"));
  EXPECT_FALSE(Merge({TwoLoaders()[0]}).ok());
}

report::Result Merged(const std::vector<report::Result>& results) {
  auto merged = Merge(results);
  EXPECT_TRUE(merged.ok()) << merged.status();
  return *merged;
}

TEST(Merge, OfMergedOnesKnowsEveryLoader) {
  stats::Histogram one;
  one.RecordN(1000, 10);
  const report::Result ab = Merged({Loader(0, one), Loader(1, one)});
  const report::Result cd = Merged({Loader(2, one), Loader(3, one)});
  for (const auto& [results, loaders] :
       {std::pair(std::vector{ab, cd}, 4), std::pair(std::vector{ab, Loader(2, one)}, 3),
        std::pair(std::vector{Loader(2, one), ab}, 3)}) {
    const report::Result all = Merged(results);
    EXPECT_EQ(RunIdsOf(all).size(), static_cast<size_t>(loaders));
    EXPECT_THAT(all.config.extra,
                Contains(Pair("merged_loaders", report::Value(int64_t{loaders}))).Times(1));
    EXPECT_EQ(all.totals.messages, loaders * 10);
    EXPECT_TRUE(report::FromJson(report::ToJson(all)).ok());
  }
}

TEST(Merge, RefusesALoaderThatIsInTwoOfThem) {
  stats::Histogram one;
  one.RecordN(1000, 10);
  const report::Result ab = Merged({Loader(0, one), Loader(1, one)});
  const report::Result bc = Merged({Loader(1, one), Loader(2, one)});
  for (const auto& results : {std::vector{ab, bc}, std::vector{ab, Loader(1, one)}}) {
    EXPECT_THAT(Message(Merge(results, {"a", "b"}).status()),
                testing::StartsWith("b: run.id: is the same run as a"));
  }
}

TEST(RunIds, AListWithoutTheResultsOwnDoesNotHideIt) {
  report::Result result = TwoLoaders()[0];
  const auto ids = [&result](const std::vector<std::string>& listed) {
    result.config.extra = {{"merged_run_ids", listed}};
    return RunIdsOf(result);
  };
  EXPECT_THAT(ids({}), testing::ElementsAre("run-0"));
  EXPECT_THAT(ids({"x", "run-0", "x"}), testing::ElementsAre("run-0", "x"));
}

TEST(Merge, RefusesSumsThatDoNotFit) {
  auto refused = [](auto field, const std::string& name) {
    SCOPED_TRACE(name);
    for (const auto& order : {std::pair(0, 1), std::pair(1, 0)}) {
      std::vector<report::Result> results = TwoLoaders();
      for (report::Result& one : results) {
        one.errors = {{"reset", 1}};
        one.engine_stats = {{"completions", int64_t{1}}};
        one.latency->response->clamped = 1;
      }
      field(results[static_cast<size_t>(order.first)]) = INT64_MAX;
      field(results[static_cast<size_t>(order.second)]) = 1;
      EXPECT_THAT(
          Message(Merge(results, {"a", "b"}).status()),
          AllOf(testing::StartsWith("b: " + name + ": "), HasSubstr("9223372036854775807")));
    }
  };
  refused(
      [](auto& r) -> auto& { return r.totals.messages; }, "totals.messages");
  refused(
      [](auto& r) -> auto& { return r.totals.bytes_received; }, "totals.bytes_received");
  refused(
      [](auto& r) -> auto& { return r.totals.connections; }, "totals.connections");
  refused(
      [](auto& r) -> auto& { return r.totals.late_sends.emplace(); }, "totals.late_sends");
  refused(
      [](auto& r) -> auto& { return r.config.connections; }, "config.connections");
  refused(
      [](auto& r) -> auto& { return r.config.threads; }, "config.threads");
  refused(
      [](auto& r) -> auto& { return r.config.sessions.emplace(); }, "config.sessions");
  refused(
      [](auto& r) -> auto& { return r.resources.user_ns; }, "resources.user_ns");
  refused(
      [](auto& r) -> auto& { return r.resources.rss_peak_bytes; }, "resources.rss_peak_bytes");
  refused(
      [](auto& r) -> auto& { return r.errors[0].second; }, "errors.reset");
  refused(
      [](auto& r) -> auto& { return std::get<int64_t>(r.engine_stats[0].second); },
      "engine_stats.completions");
  refused(
      [](auto& r) -> auto& { return r.intervals[0].bytes; }, "intervals.bytes");
  refused(
      [](auto& r) -> auto& { return *r.latency->response->clamped; },
      "latency.response_ns.clamped");
}

TEST(Merge, RefusesTimesThatDoNotFit) {
  for (const bool phase : {true, false}) {
    std::vector<report::Result> results = TwoLoaders();
    results[1].run.start_monotonic_ns += kSecond;
    (phase ? results[1].phases.back().end_ns : results[1].intervals[0].t_end_ns) = INT64_MAX;
    EXPECT_THAT(Message(Merge(results).status()),
                HasSubstr(phase ? "result 2: phases.end_ns" : "result 2: intervals.t_end_ns"));
  }
}

TEST(Merge, IsAResultThatReadsBack) {
  auto merged = Merge(TwoLoaders());
  ASSERT_TRUE(merged.ok());
  auto read = report::FromJson(report::ToJson(*merged));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->totals.messages, 40);
}

}  // namespace
}  // namespace ringecho::compare

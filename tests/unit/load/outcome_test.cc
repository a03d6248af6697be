// From options to plans, and from what workers counted to the fields of a result.
#include "load/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "load/prepare.h"
#include "report/validity.h"
#include "tests/unit/load/fake_engine.h"

namespace ringecho::load {
namespace {

using ::testing::HasSubstr;
using ::testing::Pair;

constexpr int64_t kMs = base::kNsPerMs;

Setup SetupFor(const Options& options) {
  load::Setup setup;
  setup.payload.emplace(*Payload::Random(1, static_cast<uint64_t>(options.message_bytes),
                                         static_cast<uint64_t>(options.depth)));
  setup.to = *net::ResolveOne("127.0.0.1:8888", 0);
  return setup;
}

TEST(PlanTest, SharesAddUpAndNobodyGoesWithout) {
  for (const auto& [connections, threads] : {std::pair{10, 3}, {7, 7}, {100, 100}, {1, 1}}) {
    Options options;
    options.connections = connections;
    options.common.threads = threads;
    options.connects_per_s = 1000;
    const load::Setup setup = SetupFor(options);
    uint32_t lanes = 0;
    double rate = 0;
    for (int worker = 0; worker < threads; ++worker) {
      const Plan plan = PlanFor(options, setup, worker);
      EXPECT_GE(plan.lanes, 1u);
      EXPECT_GE(plan.connecting_max, 1u);
      EXPECT_LE(plan.connecting_max, kConnectingMax);
      lanes += plan.lanes;
      rate += plan.connects_per_s;
    }
    EXPECT_EQ(lanes, static_cast<uint32_t>(connections));
    EXPECT_NEAR(rate, 1000, 0.001);
  }
}

TEST(PlanTest, WorkersJitterDifferently) {
  Options options;
  options.common.threads = 2;
  const load::Setup setup = SetupFor(options);
  EXPECT_NE(PlanFor(options, setup, 0).seed, PlanFor(options, setup, 1).seed);
}

TEST(ResolveTest, TellsWhatItCost) {
  Options options;
  options.connect = "127.0.0.1:1234";
  int64_t resolve_ns = -1;
  const absl::StatusOr<net::Address> to = Resolve(options, &resolve_ns);
  ASSERT_TRUE(to.ok()) << to.status();
  EXPECT_EQ(to->ToString(), "127.0.0.1:1234");
  EXPECT_GE(resolve_ns, 0);
}

TEST(PrepareTest, OptionsAtFaultAreInvalidArguments) {
  Options payload;
  payload.payload_path = "/nonexistent/lines";
  EXPECT_TRUE(absl::IsInvalidArgument(Prepare(payload, engine::EngineKind::kEpoll).status()));
  Options source;
  source.source = "192.0.2.77";  // reserved for documentation: nobody's
  const absl::Status status = Prepare(source, engine::EngineKind::kEpoll).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("--source"));
}

// A run by messages in which one session of three completes, one is reset, one damaged.
Outcome SmallRun() {
  Plan plan;
  plan.lanes = 3;
  plan.messages = 2;
  plan.retries = 1;
  World world(plan, 3);
  world.Drop(2, engine::CloseReason::kRefused);
  world.Open(0);
  world.Open(1);
  world.Pass(20 * kMs);
  world.Open(2);
  world.Sent(0);
  world.EchoAll(0);
  world.EchoAll(0);
  world.Echo(1, 1);
  world.Drop(1, engine::CloseReason::kReset);
  const std::string wrong(64, 'x');
  world.Data(2, std::as_bytes(std::span(wrong)));
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  return CollectOutcome({&world.work});
}

TEST(OutcomeTest, CountersAndLatenciesReachTheResult) {
  const Outcome outcome = SmallRun();
  Options options;
  options.messages = 2;
  options.connections = 3;
  options.percentiles = {99.5};
  report::Result result;
  FillConfig(options, SetupFor(options), result.config);
  FillOutcome(outcome, options, result);
  EXPECT_EQ(result.totals.messages, 2);
  EXPECT_EQ(result.totals.bytes_received, 129);
  EXPECT_EQ(result.totals.connections, 3);
  EXPECT_EQ(result.totals.connections_open_max, 3);
  EXPECT_EQ(result.totals.exceptions, 2);
  EXPECT_EQ(result.totals.retries, 1);
  EXPECT_EQ(result.totals.sessions_completed, 1);
  EXPECT_EQ(result.totals.measured_ns, 20 * kMs);
  EXPECT_DOUBLE_EQ(result.totals.messages_per_s, 100);
  EXPECT_EQ(result.latency->response->count, 2);
  EXPECT_EQ(result.latency->connect->count, 3);
  for (const auto& [name, count] : report::NamedCounts{{"reset", 1},
                                                       {"eof", 0},
                                                       {"payload_mismatch", 1},
                                                       {"payload_altered", 1},
                                                       {"payload_lost", 0},
                                                       {"retried_connect_refused", 1}}) {
    EXPECT_THAT(result.errors, ::testing::Contains(Pair(name, count)));
  }
  EXPECT_THAT(PercentileText(*result.latency, options.percentiles), HasSubstr("p99.5"));
  EXPECT_EQ(PercentileText(*result.latency, options.percentiles).find("p99 "), std::string::npos);
  EXPECT_EQ(report::Judge(report::LoadFacts(result)).verdict, report::Verdict::kInvalid);
}

TEST(OutcomeTest, NamesOfErrorsAreUnique) {
  Options options;
  report::Result result;
  FillOutcome(SmallRun(), options, result);
  std::vector<std::string> names;
  for (const auto& [name, count] : result.errors) names.push_back(name);
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

TEST(OutcomeTest, LinesHaveAMeanSize) {
  Options options;
  options.message_bytes = 0;
  load::Setup setup;
  setup.payload.emplace(*Payload::Lines("a\nbcd\nef\n", 1));
  setup.to = *net::ResolveOne("unix:/tmp/x", 0);
  report::Config config;
  FillConfig(options, setup, config);
  EXPECT_EQ(config.size_bytes, 3);
  EXPECT_EQ(config.transport, "unix");
  EXPECT_THAT(config.extra, ::testing::Contains(Pair("payload_lines", report::Value(int64_t{3}))));
}

TEST(OutcomeTest, SaysWhyNothingConnected) {
  const net::Address to = *net::ResolveOne("127.0.0.1:8888", 0);
  TallySums tally;
  EXPECT_FALSE(WhyNothingConnected(tally, to).has_value());
  tally.exceptions = 5;
  tally.exception_reasons[static_cast<size_t>(engine::CloseReason::kRefused)] = 5;
  const std::optional<std::string> why = WhyNothingConnected(tally, to);
  ASSERT_TRUE(why.has_value());
  EXPECT_THAT(*why, HasSubstr("connect_refused"));
  tally.made = 1;
  EXPECT_FALSE(WhyNothingConnected(tally, to).has_value());
}

}  // namespace
}  // namespace ringecho::load

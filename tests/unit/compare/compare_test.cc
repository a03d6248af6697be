#include "compare/compare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "compare/judge.h"
#include "simulated.h"

namespace ringecho::compare {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::vector<Measurement> Series(const Simulated& what, int repeats) {
  std::vector<Measurement> out;
  for (int i = 0; i < repeats; ++i) {
    Simulated one = what;
    one.messages_per_s += i;
    out.push_back(Make(one));
  }
  return out;
}

std::vector<Measurement> Together(std::vector<std::vector<Measurement>> parts) {
  std::vector<Measurement> out;
  for (auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

const Finding& FindingOf(const Comparison& comparison, const std::string& metric, size_t cell = 0,
                         size_t side = 1) {
  for (const Finding& finding : comparison.findings) {
    if (comparison.metrics[finding.metric].id == metric && finding.cell == cell &&
        finding.side == side) {
      return finding;
    }
  }
  static const Finding none;
  ADD_FAILURE() << "no finding of " << metric;
  return none;
}

TEST(Sides, OfOneSeriesAreTheEnginesWithEpollAsTheBase) {
  auto comparison = Compare(TwoEngines(10, 1.2), {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->vary, "engine");
  EXPECT_THAT(comparison->sides, ElementsAre("epoll", "io_uring"));
  EXPECT_FALSE(comparison->by_boot);
  ASSERT_EQ(comparison->cells.size(), 1U);
  EXPECT_THAT(comparison->axes, IsEmpty());
  const Finding& rate = FindingOf(*comparison, "messages_per_s");
  EXPECT_EQ(rate.judgement, Judgement::kFaster);
  EXPECT_NEAR(rate.change.value, 0.2, 1e-9);
  EXPECT_EQ(FindingOf(*comparison, "p99_ns").judgement, Judgement::kSame);
  EXPECT_FALSE(comparison->forced);
}

TEST(Sides, TheBaseCanBeNamed) {
  auto comparison = Compare(TwoEngines(10, 1.2), {.base = "io_uring"});
  ASSERT_TRUE(comparison.ok());
  EXPECT_THAT(comparison->sides, ElementsAre("io_uring", "epoll"));
  EXPECT_EQ(FindingOf(*comparison, "messages_per_s").judgement, Judgement::kSlower);
  auto unknown = Compare(TwoEngines(2), {.base = "kqueue"});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("io_uring, epoll"));
}

TEST(Sides, WhatTheSeriesWasMadeForGoesFirst) {
  std::vector<Measurement> all = TwoEngines(10);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].server->run.labels = {{"half", i < all.size() / 2 ? "first" : "second"}};
  }
  auto comparison = Compare(all, {.usual_vary = "label.half", .usual_base = "second"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->vary, "label.half");
  EXPECT_EQ(comparison->sides.front(), "second");
  EXPECT_THAT(comparison->axes, ElementsAre("engine"));
}

TEST(Sides, SeriesThatDifferInOneThingAreComparedByIt) {
  struct Case {
    Simulated changed;
    std::string vary;
  };
  const Case cases[] = {{{.series = "two", .kernel = "6.5.0"}, "kernel"},
                        {{.series = "two", .engine = "epoll"}, "engine"},
                        {{.series = "two", .commit = "bbb"}, "version"},
                        {{.series = "two"}, "series"}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.vary);
    auto comparison = Compare(Together({Series({}, 5), Series(one.changed, 5)}), {});
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_EQ(comparison->vary, one.vary);
    EXPECT_EQ(comparison->sides.size(), 2U);
  }
}

TEST(Sides, ALabelIsTakenWhenNothingElseDiffers) {
  std::vector<Measurement> all = Together({Series({}, 5), Series({.series = "two"}, 5)});
  for (Measurement& one : all) one.load->run.labels = {{"patch", one.series}, {"repeat", "1"}};
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->vary, "label.patch");
}

TEST(Sides, WhatSeriesHaveBothIsAnAxis) {
  auto two = TwoEngines(5);
  for (Measurement& one : two) one.series = "two";
  auto comparison = Compare(Together({TwoEngines(5), two}), {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->vary, "series");
  EXPECT_THAT(comparison->axes, ElementsAre("engine"));
  EXPECT_EQ(comparison->cells.size(), 2U);
}

TEST(Refusal, SeriesThatDifferInTwoThingsAreNotComparedUnlessForced) {
  const auto all =
      Together({Series({}, 5), Series({.series = "two", .engine = "epoll", .kernel = "6.5.0"}, 5)});
  auto comparison = Compare(all, {});
  EXPECT_EQ(comparison.status().code(), absl::StatusCode::kFailedPrecondition);
  const std::string text(comparison.status().message());
  for (const char* part : {"kernel", "engine", "6.1.0", "6.5.0", "epoll", "--vary", "--force"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  auto forced = Compare(all, {.force = true});
  ASSERT_TRUE(forced.ok()) << forced.status();
  EXPECT_TRUE(forced->forced);
  EXPECT_EQ(forced->vary, "kernel");
  EXPECT_THAT(forced->differences, Contains(testing::AllOf(Field(&Difference::key, "engine"),
                                                           Field(&Difference::expected, false))));
}

TEST(Refusal, NamesWhatElseDiffersInTheEnvironment) {
  std::vector<Measurement> all = TwoEngines(5);
  for (Measurement& one : all) {
    if (one.server->config.engine.name == "epoll") {
      one.server->host.environment.sysctls[0].second = "128";
    }
  }
  auto comparison = Compare(all, {});
  EXPECT_EQ(comparison.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(comparison.status().message()),
              testing::AllOf(HasSubstr("host.environment.sysctls.net.core.somaxconn"),
                             HasSubstr("128"), HasSubstr("4096")));
  EXPECT_TRUE(Compare(all, {.force = true}).ok());
}

TEST(Refusal, NamesWhatElseDiffersForTheLoadGeneratorAlone) {
  std::vector<Measurement> all = Together({Series({}, 5), Series({.series = "two"}, 5)});
  for (Measurement& one : all) {
    if (one.series == "two") one.load->host.environment.limits.cgroup_cpus = 0.5;
  }
  EXPECT_THAT(std::string(Compare(all, {}).status().message()),
              testing::AllOf(HasSubstr("loader.host.environment.limits.cgroup_cpus"),
                             HasSubstr("(none)"), HasSubstr("0.5")));
  for (Measurement& one : all) one.load->host.environment.limits.cgroup_cpus = 0.5;
  EXPECT_TRUE(Compare(all, {}).ok());  // it always was so
}

TEST(Refusal, AnotherMachineIsNoKernel) {
  std::vector<Measurement> all =
      Together({Series({}, 5), Series({.series = "two", .kernel = "6.5"}, 5)});
  EXPECT_TRUE(Compare(all, {}).ok());
  for (Measurement& one : all) {
    if (one.series == "two") {
      one.load->host.fingerprint = one.server->host.fingerprint = "fedcba9876543210";
    }
  }
  EXPECT_THAT(std::string(Compare(all, {}).status().message()), HasSubstr("host.fingerprint"));
}

TEST(Refusal, WhatChangesWithinASideIsNotExpected) {
  // Two sets of features under one engine's name would be pooled as repeats.
  std::vector<Measurement> all = TwoEngines(6);
  all[0].server->config.engine.effective.emplace_back("bundle", true);
  auto comparison = Compare(all, {.vary = "engine"});
  EXPECT_THAT(std::string(comparison.status().message()), HasSubstr("features"));
}

TEST(Refusal, ConfigsWithoutACounterpartAreNamed) {
  const auto all = Together({Series({}, 5), Series({.series = "two", .connections = 128}, 5)});
  auto comparison = Compare(all, {});
  EXPECT_EQ(comparison.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(comparison.status().message()),
              testing::AllOf(HasSubstr("connections"), HasSubstr("64"), HasSubstr("128")));
}

TEST(Differences, WhatFollowsFromTheVariedKeyIsExpected) {
  std::vector<Measurement> all =
      Together({Series({}, 5), Series({.series = "two", .kernel = "6.5.0"}, 5)});
  for (Measurement& one : all) {
    if (one.series != "two") continue;
    for (auto* result : {&*one.load, &*one.server}) {
      result->host.environment.kernel_version = "#2";
      result->host.environment.cpu.mitigations[0].second = "Mitigation: PTI";
      result->host.environment.sysctls[0].second = "128";
      result->host.environment.io_uring.opcodes = {"NOP"};
      result->config.engine.effective.emplace_back("bundle", true);
    }
  }
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_GE(comparison->differences.size(), 5U);
  EXPECT_THAT(comparison->differences, Each(Field(&Difference::expected, true)));
}

TEST(Cells, AreMadeOfWhatElseVaries) {
  auto comparison =
      Compare(Together({Series({.connections = 1000}, 3), Series({.connections = 64}, 3),
                        Series({.series = "two", .engine = "epoll", .connections = 64}, 3),
                        Series({.series = "two", .engine = "epoll", .connections = 1000}, 3),
                        Series({.series = "two", .engine = "epoll", .connections = 9}, 3)}),
              {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->axes, ElementsAre("connections"));
  ASSERT_EQ(comparison->cells.size(), 2U);
  EXPECT_THAT(comparison->cells[0].values, ElementsAre("64"));
  EXPECT_THAT(comparison->cells[1].values, ElementsAre("1000"));
  EXPECT_THAT(comparison->notes,
              Contains(testing::AllOf(HasSubstr("connections 9"), HasSubstr("not compared"))));
  EXPECT_THAT(comparison->common, Contains(testing::Pair("size_bytes", "64")));
}

TEST(Cells, AreMadeOfWhatUsuallyFollowsWhereItWasChosenOnEverySide) {
  std::vector<Measurement> all = Together({TwoEngines(5), TwoEngines(5)});
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].server->config.extra.emplace_back("buffer_size_bytes",
                                             int64_t{i < all.size() / 2 ? 4096 : 65536});
  }
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->axes, ElementsAre("server.buffer_size_bytes"));
  EXPECT_EQ(comparison->cells.size(), 2U);
}

// Servers with buffers of the default size and of 64 KiB, of five runs each: which is 4 KiB for
// io_uring, and 64 KiB both times for epoll.
std::vector<Measurement> TwoBufferSizes(const std::string& engine) {
  std::vector<Measurement> out;
  for (const int64_t requested : {0, 65536}) {
    for (Measurement one : Series({.engine = engine}, 5)) {
      const int64_t used = requested == 0 && engine != "epoll" ? 4096 : 65536;
      one.server->config.extra.emplace_back("buffer_size_bytes", used);
      one.server->config.extra.emplace_back("buffer_size_requested_bytes", requested);
      out.push_back(one);
    }
  }
  return out;
}

void EraseRequested(Measurement& one) {
  std::erase_if(one.server->config.extra,
                [](const auto& pair) { return pair.first == "buffer_size_requested_bytes"; });
}

TEST(Cells, AreMadeOfWhatWasAskedWhateverEnginesMakeOfIt) {
  auto comparison = Compare(Together({TwoBufferSizes("epoll"), TwoBufferSizes("io_uring")}), {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->vary, "engine");
  EXPECT_THAT(comparison->axes, ElementsAre("server.buffer_size_requested_bytes"));
  ASSERT_EQ(comparison->cells.size(), 2U);
  EXPECT_THAT(comparison->cells[0].values, ElementsAre("65536"));
  EXPECT_THAT(comparison->cells[1].values, ElementsAre("default"));
  EXPECT_THAT(comparison->lost, IsEmpty());
  EXPECT_THAT(comparison->differences, Each(Field(&Difference::expected, true)));
}

TEST(Cells, OfAResultThatDoesNotSayWhatWasAskedAreMadeOfWhatCameOfIt) {
  std::vector<Measurement> all = TwoBufferSizes("io_uring");
  for (Measurement one : TwoBufferSizes("io_uring")) {
    one.series = "two";
    EraseRequested(one);
    all.push_back(one);
  }
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->axes, ElementsAre("server.buffer_size_bytes"));
  EXPECT_EQ(comparison->cells.size(), 2U);
  EXPECT_THAT(comparison->differences, IsEmpty());
}

TEST(Cells, WhatCameOfTheSameRequestFollowsAsFeaturesDo) {
  std::vector<Measurement> all = Together({Series({}, 5), Series({.series = "two"}, 5)});
  for (Measurement& one : all) {
    const bool newer = one.series == "two";
    one.server->host.environment.kernel_release = newer ? "6.12" : "6.1";
    one.server->config.extra.emplace_back("buffer_size_bytes", int64_t{newer ? 65536 : 4096});
    one.server->config.extra.emplace_back("buffer_size_requested_bytes", int64_t{0});
  }
  EXPECT_TRUE(Compare(all, {.vary = "kernel"}).ok());
  for (Measurement& one : all) EraseRequested(one);
  EXPECT_THAT(std::string(Compare(all, {.vary = "kernel"}).status().message()),
              HasSubstr("server.buffer_size_bytes"));
}

// What the base has and the others have not.
std::vector<std::string> Lost(const std::vector<Measurement>& all,
                              const CompareOptions& options = {}) {
  auto comparison = Compare(all, options);
  EXPECT_TRUE(comparison.ok()) << comparison.status();
  if (!comparison.ok()) return {"nothing compared"};
  for (const std::string& line : comparison->lost) {
    EXPECT_THAT(comparison->notes, Contains(line));
  }
  return comparison->lost;
}

TEST(Lost, IsACellOfWhichNothingCounts) {
  auto all = Together({Series({}, 3), Series({.connections = 8}, 3), Series({.series = "two"}, 3),
                       Series({.series = "two", .connections = 8}, 3)});
  EXPECT_THAT(Lost(all), IsEmpty());
  all[9].load->run.status = report::RunStatus::kInterrupted;
  all[10].load->validity.verdict = report::Verdict::kInvalid;
  EXPECT_THAT(Lost(all), IsEmpty());  // one is left
  all[11].load.reset();
  EXPECT_THAT(Lost(all), ElementsAre("connections 8: no results of two, not compared"));
  EXPECT_THAT(Lost(all, {.base = "two"}), IsEmpty());  // what is new is no loss
}

TEST(Lost, IsAJudgedFigureThatOnlyTheBaseHas) {
  auto all = Together({Series({}, 3), Series({.series = "two"}, 3)});
  for (Measurement& one : all) {
    if (one.series != "two") continue;
    one.load->totals.messages_per_s = 0;
    one.load->resources.cpu_ns_per_message.reset();
  }
  EXPECT_THAT(Lost(all), ElementsAre("no messages/s of two, not compared"));
  EXPECT_THAT(Lost(all, {.base = "two"}), IsEmpty());
}

TEST(Lost, IsASideOfWhichNothingCounts) {
  auto all = Together({TwoEngines(3), Series({.engine = "kqueue"}, 3)});
  for (Measurement& one : all) {
    if (one.server->config.engine.name == "kqueue") {
      one.load->validity.verdict = report::Verdict::kInvalid;
    }
  }
  EXPECT_THAT(Lost(all, {.vary = "engine"}),
              ElementsAre("engine kqueue: no result counts, not compared"));
}

TEST(Filter, KeepsOnlyWhatHasTheValue) {
  const auto all = Together({TwoEngines(3), Series({.engine = "epoll", .connections = 10000}, 3),
                             Series({.connections = 10000}, 3)});
  auto comparison = Compare(all, {.filters = {{"connections", "10k"}}});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->measurements.size(), 6U);
  auto none = Compare(all, {.filters = {{"connections", "7"}}});
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("64, 10000"));
  auto unknown = Compare(all, {.filters = {{"colour", "red"}}});
  EXPECT_THAT(std::string(unknown.status().message()), HasSubstr("colour"));
}

TEST(Validity, WhatCannotBeBelievedIsLeftOutWithTheReason) {
  std::vector<Measurement> all = TwoEngines(5);
  all[0].load->validity = {report::Verdict::kInvalid, {{"payload", false, 1, 0, "wrong bytes"}}};
  all[1].load->run.status = report::RunStatus::kInterrupted;
  all[2].server->run.status = report::RunStatus::kError;
  all[2].server->run.error = "out of luck";
  all[3].load->validity = {report::Verdict::kSuspect, {{"steal", false, 1, 0, "stolen"}}};
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->left_out.size(), 3U);
  EXPECT_THAT(comparison->left_out[0].reason, HasSubstr("wrong bytes"));
  EXPECT_THAT(comparison->left_out[1].reason, HasSubstr("interrupted"));
  EXPECT_THAT(comparison->left_out[2].reason, HasSubstr("out of luck"));
  EXPECT_THAT(comparison->notes, Contains(HasSubstr("1 of 7 measurements are suspect")));
  EXPECT_EQ(comparison->cells[0].by_side[0].size(), 4U);
  EXPECT_EQ(comparison->cells[0].by_side[1].size(), 3U);
}

TEST(Verdict, TooFewRepeatsAreInconclusive) {
  // Three judged findings: 0.05 / 3 takes 5 of each (2 / 252).
  auto few = Compare(TwoEngines(4, 10), {});
  ASSERT_TRUE(few.ok());
  const Finding& finding = FindingOf(*few, "messages_per_s");
  EXPECT_EQ(finding.judgement, Judgement::kInconclusive);
  EXPECT_THAT(finding.note, HasSubstr("takes 5 of each"));
  auto enough = Compare(TwoEngines(5, 10), {});
  ASSERT_TRUE(enough.ok());
  EXPECT_EQ(FindingOf(*enough, "messages_per_s").judgement, Judgement::kFaster);
  EXPECT_THAT(FindingOf(*enough, "messages_per_s").note, IsEmpty());
}

TEST(Verdict, CountsTheWholeFamily) {
  auto all = TwoEngines(5, 10);
  // With a second cell there are six answers: 0.05 / 6 is still above 2 / 252, with seven it
  // would not be.
  for (Measurement one : TwoEngines(5, 10)) {
    one.load->config.depth = 8;
    all.push_back(one);
  }
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok());
  const Finding& finding = FindingOf(*comparison, "messages_per_s");
  EXPECT_EQ(finding.judgement, Judgement::kFaster);
  EXPECT_NEAR(finding.p, 2.0 / 252, 1e-9);
  EXPECT_NEAR(finding.p_adjusted, 6 * 2.0 / 252, 1e-9);
}

TEST(Verdict, KernelsAreSampledByBoot) {
  auto boots = [](const std::string& series, const std::string& kernel, int count, double rate) {
    std::vector<Measurement> out;
    for (int boot = 0; boot < count; ++boot) {
      for (int repeat = 0; repeat < 3; ++repeat) {
        out.push_back(Make({.series = series,
                            .kernel = kernel,
                            .boot = kernel + std::to_string(boot),
                            .messages_per_s = rate + boot * 10 + repeat}));
      }
    }
    return out;
  };
  // Thirty repeats, but of one boot each.
  auto one = Compare(Together({boots("a", "6.1", 1, 1000), boots("b", "6.5", 1, 2000)}), {});
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_TRUE(one->by_boot);
  const Finding& finding = FindingOf(*one, "messages_per_s");
  EXPECT_EQ(finding.base_samples, 1U);
  EXPECT_EQ(finding.base.value, 1001);  // the median of the boot's repeats
  EXPECT_EQ(finding.judgement, Judgement::kInconclusive);
  EXPECT_THAT(finding.note, HasSubstr("boots"));

  auto many = Compare(Together({boots("a", "6.1", 5, 1000), boots("b", "6.5", 5, 2000)}), {});
  ASSERT_TRUE(many.ok());
  EXPECT_EQ(FindingOf(*many, "messages_per_s").samples, 5U);
  EXPECT_EQ(FindingOf(*many, "messages_per_s").judgement, Judgement::kFaster);
}

TEST(Verdict, KernelsOfTheLoadGeneratorAreSampledByItsBoot) {
  std::vector<Measurement> all;
  for (int boot = 0; boot < 5; ++boot) {
    for (const char* kernel : {"6.1", "6.5"}) {
      for (Measurement one : Series({}, 3)) {
        report::Host& host = one.load->host;
        host.environment.kernel_release = kernel;
        host.environment.kernel_version = std::string("#") + kernel;
        host.fingerprint = "fedcba9876543210";
        one.load->run.boot_id = kernel + std::to_string(boot);
        all.push_back(one);
      }
    }
  }
  auto comparison = Compare(all, {.vary = "loader_kernel"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_TRUE(comparison->by_boot);
  EXPECT_EQ(FindingOf(*comparison, "messages_per_s").samples, 5U);
}

TEST(Sides, OfTheLoadGeneratorsVersionTakeItsBuildAlong) {
  std::vector<Measurement> all = Together({Series({}, 5), Series({.series = "two"}, 5)});
  for (Measurement& one : all) {
    if (one.series != "two") continue;
    one.load->tool.version = "9.9";
    one.load->tool.compiler = "another";
    one.load->config.extra.emplace_back("news", true);
  }
  auto comparison = Compare(all, {.vary = "loader_version"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->differences, Contains(Field(&Difference::key, "loader.tool.compiler")));
}

TEST(Verdict, LowerIsBetterForCostAndLatency) {
  auto all = Together({Series({.engine = "epoll"}, 10),
                       Series({.cpu_ns_per_message = 8'000, .p99_ns = 2'000'000}, 10)});
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok());
  EXPECT_EQ(FindingOf(*comparison, "server_cpu_ns_per_message").judgement, Judgement::kFaster);
  EXPECT_EQ(FindingOf(*comparison, "p99_ns").judgement, Judgement::kSlower);
  EXPECT_NEAR(Worsening(FindingOf(*comparison, "p99_ns"), comparison->metrics[2]), 1, 1e-9);
}

TEST(Overall, IsTheGeometricMeanOfTheCells) {
  auto all = Together({Series({.engine = "epoll", .messages_per_s = 1e6}, 1),
                       Series({.messages_per_s = 2e6}, 1),
                       Series({.engine = "epoll", .connections = 9, .messages_per_s = 1e6}, 1),
                       Series({.connections = 9, .messages_per_s = 8e6}, 1)});
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok());
  ASSERT_FALSE(comparison->overall.empty());
  EXPECT_NEAR(comparison->overall[0].ratio, 4, 1e-9);
  EXPECT_EQ(comparison->overall[0].cells, 2U);
}

TEST(Metrics, OnlyThoseThatSomeResultHas) {
  auto all = TwoEngines(2);
  for (Measurement& one : all) {
    one.server->engine_stats.clear();
    one.server->resources.bytes_per_connection.reset();
  }
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok());
  EXPECT_THAT(comparison->metrics, Not(Contains(Field(&Metric::id, "syscalls_per_message"))));
  EXPECT_THAT(comparison->metrics, Contains(Field(&Metric::id, "p50_ns")));
}

TEST(Features, ShortNamesTellThemApart) {
  std::vector<Measurement> all = TwoEngines(2);
  for (int i = 0; i < 2; ++i) {
    Measurement more = Make({});
    more.server->config.engine.effective.emplace_back("bundle", true);
    all.push_back(more);
  }
  auto comparison = Compare(all, {.vary = "features"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->sides, ElementsAre("epoll", "-bundle", "usual"));
}

// Two of each: epoll, and io_uring with `argv` of which each has a feature the others have not.
std::vector<Measurement> Asked(const std::vector<std::vector<std::string>>& argvs) {
  std::vector<Measurement> all = TwoEngines(2);
  std::erase_if(all, [](const Measurement& m) { return m.server->config.engine.name != "epoll"; });
  for (size_t i = 0; i < argvs.size(); ++i) {
    for (int repeat = 0; repeat < 2; ++repeat) {
      Measurement more = Make({});
      more.server->run.argv = argvs[i];
      more.server->config.engine.effective.emplace_back("number_" + std::to_string(i), true);
      all.push_back(more);
    }
  }
  return all;
}

TEST(Features, AreCalledAsTheyWereAsked) {
  auto comparison = Compare(Asked({{"ringecho-server"},
                                   {"ringecho-server", "--features=-recv_bundle", "-q"},
                                   {"ringecho-server", "--features", "minimal"}}),
                            {.vary = "features", .base = "best"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->sides, ElementsAre("best", "epoll", "-recv_bundle", "minimal"));
  EXPECT_THAT(comparison->notes, Contains(StartsWith("best is ")));
}

TEST(Features, AreCalledAsTheyWereAskedWhereFewAreInUse) {
  std::vector<Measurement> all = Asked(
      {{"ringecho-server", "--features=baseline"}, {"ringecho-server", "--features=minimal"}});
  std::erase_if(all, [](const Measurement& m) { return m.server->config.engine.name == "epoll"; });
  for (Measurement& one : all) {
    one.server->config.engine.effective = {
        {"fixed_buffers", one.server->run.argv[1].ends_with("baseline")}};
  }
  auto comparison = Compare(all, {.vary = "features", .base = "baseline"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->sides, ElementsAre("baseline", "minimal"));
}

// A kernel without bundles.
TEST(Features, OfASeriesThatComeToTheSameAreSidesByWhatWasAsked) {
  std::vector<Measurement> all = Asked({{"ringecho-server"},
                                        {"ringecho-server", "--features=-recv_bundle"},
                                        {"ringecho-server", "--features=minimal"}});
  for (Measurement& one : all) {
    report::Engine& engine = one.server->config.engine;
    if (engine.name == "epoll") continue;
    const bool minimal = one.server->run.argv.back().ends_with("minimal");
    engine.requested = {{one.server->run.argv.back(), true}};
    engine.effective = {{"buffer_ring", !minimal}, {"multishot_recv", !minimal}};
  }
  auto comparison = Compare(all, {.usual_vary = "features", .usual_base = "epoll"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->sides, ElementsAre("epoll", "best", "-recv_bundle", "minimal"));
}

TEST(Features, AskedTheSameOrStrangelyTheyAreCalledByWhatTheyAre) {
  const std::vector<std::string> plain = {"ringecho-server"};
  for (const char* second : {"--features=best", "--features=", "--features=a b\n"}) {
    SCOPED_TRACE(second);
    auto comparison = Compare(Asked({plain, {"ringecho-server", second}}), {.vary = "features"});
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    EXPECT_THAT(comparison->sides, Contains("usual"));
  }
}

// Five of each, in two series of which the second asked for fewer features.
std::vector<Measurement> BestAndFewer() {
  std::vector<Measurement> all = Together({Series({}, 5), Series({.series = "two"}, 5)});
  for (Measurement& one : all) {
    one.server->run.argv = {"ringecho-server"};
    if (one.series == "one") continue;
    one.server->run.argv = {"ringecho-server", "--features=baseline"};
    one.server->config.engine.effective = {{"fixed_buffers", true}};
  }
  return all;
}

TEST(Features, AskedForAreNotWhatAnotherVersionBrings) {
  EXPECT_EQ(Compare(BestAndFewer(), {})->vary, "features");
  std::vector<Measurement> all = BestAndFewer();
  for (Measurement& one : all) {
    one.server->run.labels = one.load->run.labels = {{"build", one.series}};
    if (one.series == "two") one.server->tool.git_commit = one.load->tool.git_commit = "bbb";
  }
  for (const char* vary : {"", "version", "label.build"}) {
    SCOPED_TRACE(vary);
    EXPECT_THAT(std::string(Compare(all, {.vary = vary}).status().message()),
                testing::AllOf(HasSubstr("features_asked"), HasSubstr("baseline")));
  }
}

TEST(Features, NameTheRowsAsTheyWereAsked) {
  std::vector<Measurement> all;
  for (const char* commit : {"aaa", "bbb"}) {
    for (Measurement one : BestAndFewer()) {
      one.server->tool.git_commit = one.load->tool.git_commit = commit;
      one.load->run.id += commit;
      one.series = commit;
      if (one.server->run.argv.size() > 1) {
        one.server->config.engine.requested = {{"fixed_buffers", true}};
      }
      all.push_back(one);
    }
  }
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->vary, "version");
  EXPECT_THAT(comparison->axes, ElementsAre("features_asked"));
  EXPECT_THAT(comparison->cells[0].values, ElementsAre("baseline"));
  EXPECT_THAT(comparison->cells[1].values, ElementsAre("best"));
}

TEST(Features, AskedForOnEveryKernelAreCellsOfKernels) {
  std::vector<Measurement> all;
  for (const char* kernel : {"6.1", "6.5"}) {
    for (Measurement one : BestAndFewer()) {
      if (one.series == "two") one.server->config.engine.requested = {{"fixed_buffers", true}};
      one.series = "one";
      one.load->run.id += kernel;
      for (auto* result : {&*one.load, &*one.server}) {
        result->host.environment.kernel_release = kernel;
      }
      all.push_back(one);
    }
  }
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->vary, "kernel");
  EXPECT_THAT(comparison->axes, ElementsAre("features_asked"));
}

TEST(Features, ThatComeToTheSameCanBeComparedByWhatWasAsked) {
  std::vector<Measurement> all = TwoEngines(10);
  std::erase_if(all, [](const Measurement& m) { return m.server->config.engine.name == "epoll"; });
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].server->config.wait = "batch:20us";
    all[i].server->run.argv = {"ringecho-server"};
    if (i % 2 == 0) continue;
    all[i].server->run.argv.emplace_back("--features=-min_wait");
    all[i].server->config.engine.effective.emplace_back("min_wait", false);
  }
  auto comparison = Compare(all, {.usual_vary = "features", .usual_base = "best"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->vary, "features_asked");
  EXPECT_THAT(comparison->sides, ElementsAre("best", "-min_wait"));
}

TEST(Features, AreOneSideHoweverTheyWait) {
  std::vector<Measurement> all = TwoEngines(10);
  for (size_t i = 0; i < all.size(); ++i) {
    const bool batches = i >= all.size() / 2;
    all[i].server->config.wait = batches ? "batch:20us" : "block";
    if (all[i].server->config.engine.name == "epoll") continue;
    all[i].server->config.engine.effective.emplace_back("min_wait", batches);
  }
  auto comparison = Compare(all, {.vary = "features"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->sides.size(), 2U);
  EXPECT_THAT(comparison->axes, ElementsAre("server.wait"));
}

TEST(Features, TheUsualListIsNotTheLongest) {
  std::vector<Measurement> all = TwoEngines(2);
  for (const char* extra : {"one", "another", "third"}) {
    for (int i = 0; i < 2; ++i) {
      Measurement more = Make({});
      more.server->config.engine.effective.emplace_back(extra, true);
      all.push_back(more);
    }
  }
  auto comparison = Compare(all, {.vary = "features"});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->sides,
              ::testing::UnorderedElementsAre("epoll", "usual", "+one", "+another", "+third"));
}

TEST(OneSide, IsFineForATableOfMedians) {
  EXPECT_FALSE(Compare(Series({}, 3), {}).ok());
  auto comparison = Compare(Together({Series({}, 3), Series({.connections = 9}, 3)}),
                            {.axes = {"connections", "depth"}, .one_side = true});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->sides.size(), 1U);
  EXPECT_THAT(comparison->axes, ElementsAre("connections", "depth"));
  EXPECT_THAT(comparison->findings, IsEmpty());
}

TEST(Validity, ACheckThatFailedAtBothEndsCountsOnce) {
  std::vector<Measurement> all = TwoEngines(3);
  const report::Validity stolen = {report::Verdict::kSuspect, {{"steal", false, 1, 0, "stolen"}}};
  for (size_t i = 0; i < 2; ++i) all[i].load->validity = all[i].server->validity = stolen;
  all[2].server->validity = stolen;
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->notes, Contains("3 of 6 measurements are suspect but count: steal 3"));
}

TEST(Validity, HalfARunIsLeftOut) {
  std::vector<Measurement> all = TwoEngines(5);
  all[0].load.reset();
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  ASSERT_EQ(comparison->left_out.size(), 1U);
  EXPECT_THAT(comparison->left_out[0].reason, HasSubstr("load generator"));
  // Where there are only servers' results these are what is compared.
  for (Measurement& one : all) one.load.reset();
  auto servers = Compare(all, {});
  ASSERT_TRUE(servers.ok()) << servers.status();
  EXPECT_EQ(FindingOf(*servers, "server_cpu_ns_per_message").judgement, Judgement::kSame);
}

TEST(Validity, ASeriesOfWhichNothingIsLeftIsAnError) {
  auto all = Together({Series({}, 5), Series({.series = "two"}, 5)});
  for (Measurement& one : all) {
    if (one.series == "two") one.load->run.status = report::RunStatus::kInterrupted;
  }
  auto comparison = Compare(all, {});
  EXPECT_EQ(comparison.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(comparison.status().message()),
              testing::AllOf(HasSubstr("no result of two"), HasSubstr("interrupted")));
}

TEST(Refusal, ACopyOfARunIsNoRepeat) {
  std::vector<Measurement> all = Together({Series({}, 5), Series({.series = "two"}, 5)});
  ASSERT_TRUE(Compare(all, {}).ok());
  for (size_t copied : {1U, 6U}) {  // within a series, and from another
    std::vector<Measurement> more = all;
    more.push_back(all[copied]);
    more.back().name = "copy";
    more.back().series = "two";
    const absl::Status status = Compare(more, {.force = true}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    const std::string text(status.message());
    EXPECT_THAT(text, testing::AllOf(StartsWith("copy of two: run.id: is the same run as "),
                                     HasSubstr(all[copied].name + " of " + all[copied].series),
                                     Not(HasSubstr("\n"))));
  }
  // Nor is one that claims to be merged of none.
  std::vector<Measurement> hidden = all;
  hidden.push_back(all[1]);
  for (Measurement& one : hidden) {
    one.load->config.extra.emplace_back("merged_run_ids", std::vector<std::string>());
  }
  EXPECT_THAT(std::string(Compare(hidden, {}).status().message()), HasSubstr("run.id"));
  // Several load generators may have driven one server.
  for (Measurement& one : all) one.server->run.id = "one server";
  EXPECT_TRUE(Compare(all, {}).ok());
  for (Measurement& one : all) one.load.reset();
  EXPECT_THAT(std::string(Compare(all, {}).status().message()), HasSubstr("run.id"));
}

TEST(Nothing, IsAnError) {
  EXPECT_FALSE(Compare({}, {}).ok());
  std::vector<Measurement> all = TwoEngines(1);
  for (Measurement& one : all) one.load->validity.verdict = report::Verdict::kInvalid;
  EXPECT_EQ(Compare(all, {}).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace ringecho::compare

#include "compare/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "compare/compare.h"
#include "simulated.h"

namespace ringecho::compare {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::vector<std::string> FailuresOf(const std::vector<Measurement>& all, double least,
                                    const CompareOptions& options = {}) {
  auto comparison = Compare(all, options);
  EXPECT_TRUE(comparison.ok()) << comparison.status();
  return comparison.ok() ? Failures(*comparison, least) : std::vector<std::string>{"none"};
}

TEST(Gate, PassesWhatIsNoSlowerOrByLess) {
  EXPECT_THAT(FailuresOf(TwoEngines(10), 0.03), IsEmpty());
  EXPECT_THAT(FailuresOf(TwoEngines(10, 2), 0.03), IsEmpty());
  EXPECT_THAT(FailuresOf(TwoEngines(10, 0.8), 0.3), IsEmpty());
}

TEST(Gate, NamesTheWorstOfWhatIsSlower) {
  EXPECT_THAT(FailuresOf(TwoEngines(10, 0.8), 0.03),
              ElementsAre("slower, worst of all messages/s of io_uring: -20.0%"));
}

TEST(Gate, PassesNothingThatCannotBeTold) {
  for (const double factor : {0.3, 1.0}) {
    SCOPED_TRACE(factor);
    EXPECT_THAT(FailuresOf(TwoEngines(4, factor), 0.03),
                ElementsAre(AllOf(StartsWith("inconclusive (3): too few repeats: 4 and 4; with 3 "
                                             "answers in all it takes 5 of each; worst of all "),
                                  HasSubstr(" of io_uring: "))));
  }
  EXPECT_THAT(FailuresOf(TwoEngines(4, 0.3), 0.03).front(), HasSubstr("messages/s"));
}

TEST(Gate, PassesNothingOfWhichTooFewRunsCount) {
  std::vector<Measurement> all = TwoEngines(6);
  size_t broken = 0;
  for (Measurement& one : all) {
    if (one.server->config.engine.name == "epoll" || ++broken == 6) continue;
    one.load->validity.verdict = report::Verdict::kInvalid;
  }
  EXPECT_THAT(FailuresOf(all, 0.03), ElementsAre(HasSubstr("too few repeats: 6 and 1;")));
}

TEST(Gate, PassesNoSideWithoutAnother) {
  std::vector<Measurement> all = TwoEngines(10);
  std::erase_if(all, [](const Measurement& m) { return m.server->config.engine.name != "epoll"; });
  EXPECT_THAT(FailuresOf(all, 0.03, {.one_side = true}), ElementsAre("nothing was judged"));
}

TEST(Gate, PassesNothingThatOnlyTheBaseHas) {
  std::vector<Measurement> all = TwoEngines(10);
  for (Measurement& one : all) {
    if (one.server->config.engine.name == "io_uring") one.load->totals.messages_per_s = 0;
  }
  EXPECT_THAT(FailuresOf(all, 0.03), ElementsAre("no messages/s of io_uring, not compared"));
}

}  // namespace
}  // namespace ringecho::compare

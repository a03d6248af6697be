#include "engine/wait.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace ringecho::engine {
namespace {

TEST(WaitTest, ReadsWhatItWrites) {
  for (const char* text : {"block", "spin", "hybrid:50us", "hybrid:1us", "hybrid:1000000us",
                           "batch:1us", "batch:20us", "batch:10000us"}) {
    absl::StatusOr<WaitPolicy> policy = ParseWait(text);
    ASSERT_TRUE(policy.ok()) << policy.status();
    EXPECT_EQ(WaitName(*policy), text);
  }
  EXPECT_EQ(WaitName(*ParseWait("hybrid:1ms")), "hybrid:1000us");
  EXPECT_EQ(WaitName(*ParseWait("hybrid:1500ns")), "hybrid:1500ns");
  EXPECT_EQ(WaitName(*ParseWait("batch:1500ns")), "batch:1500ns");
  EXPECT_EQ(ParseWait("batch:20us")->spin_ns, 0);
  EXPECT_EQ(ParseWait("hybrid:20us")->gather_ns, 0);
}

TEST(WaitTest, RefusesTheRest) {
  for (const char* text :
       {"", "Block", "hybrid", "hybrid:", "hybrid:0", "hybrid:999ns", "hybrid:1001ms",
        "hybrid:-1us", "spin:1us", "batch", "batch:", "batch:0", "batch:999ns", "batch:10001us"}) {
    EXPECT_FALSE(ParseWait(text).ok()) << text;
  }
}

TEST(SpinnerTest, BlockingNeverSpins) {
  stats::Counter spun;
  Spinner spinner({}, spun);
  for (uint64_t events : {0, 1, 0}) {
    EXPECT_FALSE(spinner.Spins());
    spinner.Saw(events);
  }
  EXPECT_EQ(spun.Get(), 0u);
}

TEST(SpinnerTest, OnlyTimeInVainIsCounted) {
  stats::Counter spun;
  Spinner spinner({.spin_ns = base::kNever}, spun);
  EXPECT_TRUE(spinner.Spins());
  spinner.Saw(1);
  EXPECT_EQ(spun.Get(), 0u);
  EXPECT_TRUE(spinner.Spins());
  usleep(1000);
  spinner.Saw(0);
  EXPECT_GE(spun.Get(), 1'000'000u);
}

TEST(SpinnerTest, AHybridOneSleepsWhenNothingHasComeForAWhile) {
  stats::Counter spun;
  Spinner spinner({.spin_ns = base::kNsPerSec}, spun);
  spinner.Saw(1);
  EXPECT_TRUE(spinner.Spins());

  Spinner impatient({.spin_ns = base::kNsPerMs}, spun);
  impatient.Saw(1);
  usleep(2000);
  EXPECT_FALSE(impatient.Spins());
  impatient.Saw(0);
  EXPECT_EQ(spun.Get(), 0u) << "time asleep is not spun";
}

}  // namespace
}  // namespace ringecho::engine

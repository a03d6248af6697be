// How an engine waits, and how it is woken.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

TEST_F(ScriptedTest, ASpinningEngineNeverSleeps) {
  Start({.wait = {.spin_ns = base::kNever}});
  for (int i = 0; i < 10; ++i) Turn();
  EXPECT_THAT(ring_->waits, Each(0));
  EXPECT_GT(engine_->counters().spun_ns.Get(), 0u);
}

TEST_F(ScriptedTest, AHybridEngineSpinsAfterEachEventAndThenSleeps) {
  Start({.wait = {.spin_ns = 20 * base::kNsPerMs}});
  ConnId id = Accept();
  for (int i = 0; i < 2; ++i) {
    ring_->CompleteWithData(Tag(Op::kReceive, id), "x");
    Turn();
    EXPECT_EQ(ring_->waits.back(), 0) << "an event has just come";
    ring_->Complete(Tag(Op::kSend, id), 1);
    Turn();
    usleep(25'000);
    Turn();
    EXPECT_NE(ring_->waits.back(), 0) << "none has for a while";
  }
}

TEST_F(ScriptedTest, ABlockingEngineNeverSpins) {
  Start();
  Turn();
  EXPECT_NE(ring_->waits.back(), 0);
  EXPECT_EQ(engine_->counters().spun_ns.Get(), 0u);
}

TEST_F(ScriptedTest, AWakeIsToldAndArmedAgain) {
  Start();
  ASSERT_THAT(ring_->Taken(Op::kWake), SizeIs(1));
  ring_->Forget();
  ring_->Complete(UserData::Pack(Op::kWake, 0, 0), 8);
  Turn();
  EXPECT_EQ(handler_.wakes, 1);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kWake), SizeIs(1));
}

}  // namespace
}  // namespace ringecho::engine::uring

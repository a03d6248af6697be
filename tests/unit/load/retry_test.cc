// The loader's protocol on a fake engine: retries, timeouts, interruption, and hostile events.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/random.h"
#include "tests/unit/load/fake_engine.h"

namespace ringecho::load {
namespace {

constexpr int64_t kMs = base::kNsPerMs;
constexpr int64_t kSec = base::kNsPerSec;

Plan ByMessages(uint32_t lanes, uint32_t depth, uint64_t messages, int retries) {
  Plan plan;
  plan.lanes = lanes;
  plan.depth = depth;
  plan.messages = messages;
  plan.retries = retries;
  plan.timeout_ns = 2 * kSec;
  return plan;
}

Plan ByTime(uint32_t lanes) {
  Plan plan;
  plan.lanes = lanes;
  plan.duration_ns = 4 * kSec;
  plan.timeout_ns = 2 * kSec;
  return plan;
}

TEST(RetryTest, AFailedConnectIsTriedAgainAfterItsBackoff) {
  World world(ByMessages(1, 1, 1, 2), 1);
  world.Drop(0, engine::CloseReason::kRefused);
  EXPECT_EQ(world.engine.connects, 1);
  world.Pass(9 * kMs);  // not before half of 20 ms
  EXPECT_EQ(world.engine.connects, 1);
  world.Pass(11 * kMs);
  EXPECT_EQ(world.engine.connects, 2);
  world.Open(0);
  world.EchoAll(0);
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.work.tally().retries.Get(), 1u);
  EXPECT_EQ(world.work.tally().completed.Get(), 1u);
  EXPECT_EQ(world.work.tally().exceptions.Get(), 0u);
  EXPECT_EQ(world.work.tally().started.Get(), 1u);
}

TEST(RetryTest, AfterTheLastRetryItIsAnException) {
  World world(ByMessages(1, 1, 1, 2), 2);
  for (int i = 0; i < 3; ++i) {
    world.Drop(0, engine::CloseReason::kRefused);
    world.Pass(kSec);
  }
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kRefused), 1u);
  EXPECT_EQ(world.work.tally().retries.Get(), 2u);
  // The next session starts with retries of its own.
  EXPECT_EQ(world.engine.connects, 4);
  world.Drop(0, engine::CloseReason::kRefused);
  EXPECT_EQ(world.work.tally().retries.Get(), 3u);
}

TEST(RetryTest, AConnectThatCannotEvenStartIsTriedAgainToo) {
  World world(ByMessages(2, 1, 1, 3), 2);
  world.Drop(0, engine::CloseReason::kRefused);
  world.Drop(1, engine::CloseReason::kRefused);
  world.engine.refuse_at_once = engine::CloseReason::kNoDescriptors;
  world.Pass(20 * kMs);
  EXPECT_EQ(world.engine.connections(), 0u);
  world.engine.refuse_at_once.reset();
  world.Pass(kSec);
  EXPECT_EQ(world.engine.connections(), 2u);
  EXPECT_GE(world.work.tally()
                .retry_reasons[static_cast<size_t>(engine::CloseReason::kNoDescriptors)]
                .Get(),
            2u);
}

TEST(RetryTest, LostBeforeTheFirstEchoedByteIsAFailedConnect) {
  World world(ByMessages(1, 1, 1, 1), 1);
  world.Open(0);
  world.Drop(0, engine::CloseReason::kReset);
  world.Pass(kSec);
  EXPECT_EQ(world.engine.connects, 2);
  world.Open(0);
  // The stream starts from its beginning again.
  EXPECT_EQ(world.engine.peer(0).all.size(), 64u);
  world.EchoAll(0);
  world.FinishCloses();
  EXPECT_EQ(world.work.tally().completed.Get(), 1u);
  EXPECT_EQ(world.work.tally().made.Get(), 1u);
}

TEST(RetryTest, LostAfterwardsIsAnException) {
  World world(ByMessages(1, 1, 1, 5), 1);
  world.Open(0);
  world.Echo(0, 1);
  world.Drop(0, engine::CloseReason::kReset);
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kReset), 1u);
  EXPECT_EQ(world.work.tally().retries.Get(), 0u);
}

TEST(RetryTest, ConnectsInFlightAreLimited) {
  Plan plan = ByTime(10);
  plan.connecting_max = 3;
  World world(plan, 10);
  EXPECT_EQ(world.engine.connects, 3);
  world.Open(0);
  EXPECT_EQ(world.engine.connects, 4);
  world.Drop(1, engine::CloseReason::kRefused);
  EXPECT_EQ(world.engine.connects, 5);
}

TEST(RetryTest, EveryWayAConnectEndsMakesRoomForTheNext) {
  Plan plan = ByMessages(4, 1, 1, 0);
  plan.connecting_max = 1;
  World world(plan, 4);
  EXPECT_EQ(world.engine.connects, 1);
  world.Open(0);
  EXPECT_EQ(world.engine.connects, 2);
  world.Drop(1, engine::CloseReason::kRefused);
  EXPECT_EQ(world.engine.connects, 3);
  world.Pass(3 * kSec);  // the third is given up
  EXPECT_EQ(world.engine.connects, 4);

  World refused(plan, 1);
  refused.engine.refuse_at_once = engine::CloseReason::kNoDescriptors;
  refused.Drop(0, engine::CloseReason::kRefused);
  EXPECT_TRUE(refused.engine.exited);
  World at_once(plan, 3);
  at_once.engine.refuse_at_once = engine::CloseReason::kAddrNotAvail;
  at_once.Drop(0, engine::CloseReason::kRefused);
  EXPECT_EQ(at_once.engine.connects, 3);
  EXPECT_EQ(at_once.Exceptions(engine::CloseReason::kAddrNotAvail), 2u);
  EXPECT_TRUE(at_once.engine.exited);
}

TEST(RetryTest, NothingIsTriedAgainOnceTheTimeIsUp) {
  Plan plan = ByTime(2);
  plan.retries = 100;
  World world(plan, 2);
  world.Open(0);
  world.Open(1);
  world.Drop(1, engine::CloseReason::kReset);
  world.Pass(20 * kMs);  // its connect never ends
  world.Go(World::now);
  world.Pass(kSec);
  world.Serve();
  world.Pass(3 * kSec);
  EXPECT_TRUE(world.engine.peer(1).closing.has_value());
  const int connects = world.engine.connects;
  world.Serve();
  world.Pass(kMs);
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.engine.connects, connects);
}

TEST(RetryTest, TheConnectRateIsKept) {
  Plan plan = ByTime(100);
  plan.connects_per_s = 100;
  plan.connecting_max = 1000;
  World world(plan, 100);
  const int at_once = world.engine.connects;
  EXPECT_LE(at_once, 2);
  world.Pass(500 * kMs);
  EXPECT_NEAR(world.engine.connects - at_once, 50, 1);
  world.Pass(600 * kMs);
  EXPECT_EQ(world.engine.connects, 100);
}

TEST(TimeoutTest, AConnectThatHangsIsGivenUpAndTriedAgain) {
  World world(ByMessages(1, 1, 1, 1), 1);
  world.Pass(2 * kSec - kMs);
  EXPECT_FALSE(world.engine.peer(0).closing.has_value());
  world.Pass(200 * kMs);
  ASSERT_TRUE(world.engine.peer(0).closing.has_value());
  world.FinishCloses();
  world.Pass(kSec);
  EXPECT_EQ(world.engine.connects, 2);
  world.Pass(3 * kSec);
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kTimeout), 1u);
}

TEST(TimeoutTest, AConnectGivenUpMayStillOpen) {
  World world(ByMessages(1, 1, 1, 0), 1);
  world.Pass(3 * kSec);
  ASSERT_TRUE(world.engine.peer(0).closing.has_value());
  world.Open(0);
  EXPECT_EQ(world.engine.peer(0).sends, 0);
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.work.tally().open.Get(), 0u);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kTimeout), 1u);
}

TEST(TimeoutTest, NoProgressEndsAConnectionButAnyProgressKeepsIt) {
  World world(ByMessages(2, 1, 1, 5), 2);
  world.Open(0);
  world.Open(1);
  for (int i = 0; i < 30; ++i) {
    world.Echo(1, 1);
    world.Pass(100 * kMs);
    if (i == 18) {
      EXPECT_FALSE(world.engine.peer(0).closing.has_value());
    }
  }
  ASSERT_TRUE(world.engine.peer(0).closing.has_value());
  EXPECT_EQ(*world.engine.peer(0).closing, engine::CloseReason::kTimeout);
  EXPECT_FALSE(world.engine.peer(1).closing.has_value());
  world.FinishCloses();
  world.EchoAll(1);
  world.FinishCloses();
  // Not a lost connection, so it is not tried again.
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kTimeout), 1u);
  EXPECT_EQ(world.work.tally().completed.Get(), 1u);
}

TEST(TimeoutTest, ProgressPutsTheTimeoutOffAndNoMore) {
  World world(ByMessages(1, 1, 1, 0), 1);
  world.Open(0);
  for (int i = 0; i < 30; ++i) {
    world.Echo(0, 1);
    world.Pass(100 * kMs);
  }
  ASSERT_FALSE(world.engine.peer(0).closing.has_value());
  world.Pass(1800 * kMs);
  EXPECT_FALSE(world.engine.peer(0).closing.has_value());
  world.Pass(200 * kMs);
  EXPECT_TRUE(world.engine.peer(0).closing.has_value());
}

TEST(TimeoutTest, ALaneIsWatchedAgainForEverySession) {
  World world(ByMessages(1, 1, 1, 0), 3);
  world.Serve();
  world.Pass(1500 * kMs);
  world.Serve();
  world.Open(0);  // the third session, watched since the first
  world.Pass(1900 * kMs);
  EXPECT_FALSE(world.engine.peer(0).closing.has_value());
  world.Pass(200 * kMs);
  EXPECT_TRUE(world.engine.peer(0).closing.has_value());
}

TEST(StopTest, ASessionLostBeforeItsFirstEchoIsCutAndNotAnException) {
  World world(ByMessages(1, 1, 1, 5), 10);
  world.Open(0);
  world.Stop();
  world.Drop(0, engine::CloseReason::kReset);
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.work.tally().cut.Get(), 1u);
  EXPECT_EQ(world.work.tally().exceptions.Get(), 0u);
}

TEST(StopTest, AnAbortEndsAtOnceWhateverIsOpen) {
  World world(ByMessages(2, 1, 1, 5), 10);
  world.Open(0);
  world.control.abort = true;
  world.Stop();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_FALSE(world.board.Take()) << "no time has passed, so there is no interval";
}

TEST(StopTest, WaitsForWhatIsOutstandingAndCutsTheRest) {
  Plan plan = ByMessages(4, 1, 10, 5);
  plan.connecting_max = 3;
  World world(plan, 100);
  world.Open(0);                                 // has a message outstanding
  world.Drop(1, engine::CloseReason::kRefused);  // waits for its retry
  world.Stop();                                  // 2 and 3 are connecting
  EXPECT_EQ(world.engine.connects, 4);
  EXPECT_FALSE(world.engine.exited);
  world.FinishCloses();
  EXPECT_FALSE(world.engine.exited);
  world.Sent(0);
  world.EchoAll(0);
  EXPECT_EQ(world.engine.peer(0).sends, 1);
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.work.tally().cut.Get(), 4u);
  EXPECT_EQ(world.work.tally().exceptions.Get(), 0u);
  EXPECT_EQ(world.work.tally().messages.Get(), 1u);
}

TEST(StopTest, ASessionThatCompletesWhileStoppingIsComplete) {
  World world(ByMessages(1, 1, 1, 0), 10);
  world.Open(0);
  world.Stop();
  world.EchoAll(0);
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.work.tally().completed.Get(), 1u);
  EXPECT_EQ(world.work.tally().cut.Get(), 0u);
}

TEST(StopTest, EndsARunByTimeInEveryPhase) {
  for (int64_t after : {int64_t{-1}, int64_t{0}, 500 * kMs, 2 * kSec, 6 * kSec}) {
    Plan plan = ByTime(2);
    plan.warmup_ns = kSec;
    World world(plan, 2);
    world.Open(0);
    if (after >= 0) {
      world.Open(1);
      world.Go(World::now);
      for (int64_t t = 0; t < after && !world.engine.exited; t += 100 * kMs) {
        world.Serve();
        world.Pass(100 * kMs);
      }
    }
    world.Stop();
    for (int i = 0; i < 5; ++i) {
      world.Serve();
      world.Turn();
    }
    EXPECT_TRUE(world.engine.exited) << after;
    EXPECT_EQ(world.engine.connections(), 0u);
    EXPECT_EQ(world.work.tally().exceptions.Get(), 0u);
  }
}

TEST(StopTest, APeerThatAnswersNothingIsLeftAfterTheTimeout) {
  World world(ByMessages(1, 1, 1, 5), 1);
  world.Open(0);
  world.Stop();
  world.Pass(3 * kSec);
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kTimeout), 1u);
}

// Any order of events that the seam allows: nothing is counted twice, nothing is left over.
class HostileTest : public ::testing::TestWithParam<int> {};

void RandomEvent(World& world, base::SplitMix64& random) {
  const auto slot = static_cast<uint32_t>(random.Below(world.engine.slots()));
  if (!world.engine.live(slot)) return;
  FakeEngine::Peer& peer = world.engine.peer(slot);
  if (peer.closing && random.Below(2) == 0) {
    world.Drop(slot, *peer.closing);
  } else if (!peer.open && random.Below(4) != 0) {
    world.Open(slot);
  } else if (random.Below(30) == 0) {
    constexpr engine::CloseReason kReasons[] = {
        engine::CloseReason::kReset, engine::CloseReason::kRefused, engine::CloseReason::kEof,
        engine::CloseReason::kTimeout, engine::CloseReason::kOther};
    world.Drop(slot, kReasons[random.Below(5)]);
  } else if (peer.sending && random.Below(2) == 0) {
    world.Sent(slot);
  } else if (peer.open && !peer.unechoed.empty()) {
    world.Echo(slot, 1 + random.Below(peer.unechoed.size()));
  } else if (peer.open && random.Below(50) == 0) {
    const std::string noise(1 + random.Below(200), static_cast<char>(random.Below(256)));
    world.Data(slot, std::as_bytes(std::span(noise)));
  }
}

void CheckBooks(World& world) {
  const Tally& tally = world.work.tally();
  EXPECT_EQ(tally.started.Get(), tally.completed.Get() + tally.exceptions.Get() + tally.cut.Get());
  EXPECT_EQ(tally.open.Get(), 0u);
  EXPECT_EQ(world.engine.connections(), 0u);
  uint64_t by_reason = 0;
  for (const stats::Counter& counter : tally.exception_reasons) by_reason += counter.Get();
  EXPECT_EQ(by_reason, tally.exceptions.Get());
  uint64_t damages = tally.undiagnosed.Get();
  for (const stats::Counter& counter : tally.damages) damages += counter.Get();
  EXPECT_EQ(damages, world.Exceptions(engine::CloseReason::kPayloadMismatch));
  EXPECT_EQ(world.control.settled(), 1);
  EXPECT_GE(tally.messages.Get(), world.work.measured().messages);
}

TEST_P(HostileTest, TheBooksBalanceWhateverHappens) {
  base::SplitMix64 random(static_cast<uint64_t>(GetParam()));
  const bool by_time = random.Below(2) == 0;
  const auto lanes = static_cast<uint32_t>(1 + random.Below(8));
  const auto depth = static_cast<uint32_t>(1 + random.Below(5));
  Plan plan = by_time ? ByTime(lanes) : ByMessages(lanes, depth, 1 + random.Below(9), 0);
  plan.depth = depth;
  plan.retries = static_cast<int>(random.Below(4));
  plan.warmup_ns = static_cast<int64_t>(random.Below(2)) * kSec;
  plan.connecting_max = static_cast<uint32_t>(1 + random.Below(8));
  plan.verify = random.Below(4) != 0;
  const uint64_t sessions = by_time ? lanes : 1 + random.Below(60);
  World world(plan, sessions);
  const uint64_t stop_at = random.Below(12000);
  for (uint64_t i = 0; i < 6000 && !world.engine.exited; ++i) {
    RandomEvent(world, random);
    if (random.Below(4) == 0) world.Pass(static_cast<int64_t>(random.Below(20 * kMs)));
    if (by_time && world.control.settled() == 1 && world.control.go_ns == base::kNever) {
      world.Go(World::now + kMs);
    }
    if (i == stop_at) world.Stop();
  }
  if (!world.engine.exited) world.Stop();
  for (int i = 0; i < 50 && !world.engine.exited; ++i) {
    world.FinishCloses();
    world.Pass(kSec);
  }
  ASSERT_TRUE(world.engine.exited);
  CheckBooks(world);
}

INSTANTIATE_TEST_SUITE_P(Seeds, HostileTest, ::testing::Range(1, 301));

}  // namespace
}  // namespace ringecho::load

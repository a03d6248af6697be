// The loader's protocol on a fake engine: streams, phases, intervals and damage.
#include "load/handler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/load/fake_engine.h"

namespace ringecho::load {
namespace {

constexpr int64_t kMs = base::kNsPerMs;
constexpr int64_t kSec = base::kNsPerSec;

Plan ByTime(uint32_t lanes, uint32_t depth) {
  Plan plan;
  plan.lanes = lanes;
  plan.depth = depth;
  plan.warmup_ns = kSec;
  plan.duration_ns = 4 * kSec;
  plan.timeout_ns = 2 * kSec;
  return plan;
}

Plan ByMessages(uint32_t lanes, uint32_t depth, uint64_t messages) {
  Plan plan;
  plan.lanes = lanes;
  plan.depth = depth;
  plan.messages = messages;
  plan.timeout_ns = 2 * kSec;
  return plan;
}

void OpenAll(World& world) {
  for (uint32_t slot = 0; slot < world.engine.slots(); ++slot) {
    if (world.engine.live(slot) && !world.engine.peer(slot).open) world.Open(slot);
  }
}

TEST(ByTimeTest, SendsNothingBeforeEverybodyIsToldToGo) {
  World world(ByTime(3, 1), 3);
  EXPECT_EQ(world.engine.connects, 3);
  world.Open(0);
  world.Open(1);
  EXPECT_EQ(world.control.settled(), 0);
  world.Open(2);
  EXPECT_EQ(world.control.settled(), 1);
  EXPECT_EQ(world.notified, 1);
  world.Pass(60 * kSec);  // idle connections do not time out
  EXPECT_EQ(world.engine.peer(0).sends, 0);
  world.Go(World::now + 10 * kMs);
  EXPECT_EQ(world.engine.peer(0).sends, 0);
  world.Pass(10 * kMs);
  for (uint32_t slot = 0; slot < 3; ++slot) EXPECT_EQ(world.engine.peer(slot).sends, 1);
}

TEST(ByTimeTest, CountsWhatCompletesWithinTheMeasurePhaseOnly) {
  World world(ByTime(1, 1), 1);
  world.Open(0);
  world.Go(World::now);
  const int64_t go = World::now;
  world.Pass(kSec - 1);
  world.Serve();  // completes in the warm-up
  EXPECT_EQ(world.work.tally().messages.Get(), 1u);
  world.Pass(1 + 300'000);
  world.Serve();  // sent in the warm-up, completes in the measure phase after 300,001 ns
  world.Pass(2 * kSec);
  world.Serve();
  world.Pass(2 * kSec - 300'000);
  world.Serve();  // completes just too late
  world.Turn();
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  const Measured& measured = world.work.measured();
  EXPECT_EQ(measured.start_ns, go + kSec);
  EXPECT_EQ(measured.end_ns, go + 5 * kSec);
  EXPECT_EQ(measured.messages, 2u);
  EXPECT_EQ(measured.bytes, 128u);
  EXPECT_EQ(measured.response.count(), 2u);
  EXPECT_NEAR(static_cast<double>(measured.response.min_ns()), 300'001, 300);
  EXPECT_NEAR(static_cast<double>(measured.response.max_ns()), 2e9, 2e6);
  EXPECT_EQ(world.work.tally().completed.Get(), 1u);
  EXPECT_EQ(world.work.tally().exceptions.Get(), 0u);
}

TEST(ByTimeTest, AMessageCountsInThePhaseItCompletesInThoughNobodyHasNoticedTheTime) {
  World world(ByTime(1, 1), 1);
  world.Open(0);
  world.Go(World::now);
  world.Sent(0);
  // Events come in before deadlines: what is measured must not depend on that.
  World::now += kSec + 1;
  world.EchoAll(0);
  EXPECT_EQ(world.work.tally().messages.Get(), 1u);
  World::now += kSec;
  world.Sent(0);
  world.EchoAll(0);
  World::now += 10 * kSec;
  world.Sent(0);
  world.EchoAll(0);
  world.FinishCloses();
  ASSERT_TRUE(world.engine.exited);
  EXPECT_EQ(world.work.measured().messages, 2u);
  EXPECT_EQ(world.board.Take()->counts.messages, 0u);  // the warm-up's
  EXPECT_EQ(world.board.Take()->counts.messages, 1u);
  EXPECT_EQ(world.board.Take()->counts.messages, 1u);
}

TEST(ByTimeTest, LatencyIsFromTheSendOfThatVeryMessage) {
  Plan plan = ByTime(1, 3);
  plan.warmup_ns = 0;
  World world(plan, 1);
  world.Open(0);
  world.Go(World::now);
  const auto answer = [&](int64_t after_ms) {
    if (world.engine.peer(0).sending) world.Sent(0);
    world.Pass(after_ms * kMs);
    world.Echo(0, 64);
  };
  // Three are sent at 0; then one at 10, 30, 70 and 150 ms as each of them comes back.
  answer(10);   // the 1st: 10 ms
  answer(20);   // the 2nd: 30 ms
  answer(40);   // the 3rd: 70 ms
  answer(80);   // the 4th, sent at 10: 140 ms
  answer(160);  // the 5th, sent at 30: 280 ms
  world.Stop();
  world.EchoAll(0);
  world.FinishCloses();
  const stats::Histogram& response = world.work.measured().response;
  ASSERT_EQ(response.count(), 5u);
  const double want_ms[] = {10, 30, 70, 140, 280};
  for (int i = 0; i < 5; ++i) {
    const double ms = static_cast<double>(response.ValueAtPercentile(20 * (i + 1))) / 1e6;
    EXPECT_NEAR(ms, want_ms[i], want_ms[i] / 500) << i;
  }
}

TEST(ByTimeTest, PostsIntervalsThatAddUp) {
  World world(ByTime(2, 4), 2);
  OpenAll(world);
  world.Go(World::now);
  for (int i = 0; i < 510; ++i) {
    world.Serve();
    world.Pass(10 * kMs);
  }
  world.Serve();
  world.Turn();
  world.FinishCloses();
  ASSERT_TRUE(world.engine.exited);
  std::vector<stats::Interval> intervals;
  while (std::optional<stats::Interval> interval = world.board.Take()) {
    intervals.push_back(*interval);
  }
  ASSERT_EQ(intervals.size(), 5u);
  // The warm-up's is none of the measure phase.
  EXPECT_EQ(intervals.front().counts.start_ns, World::kStart);
  EXPECT_EQ(intervals.front().counts.end_ns, World::kStart + kSec);
  EXPECT_EQ(intervals.front().counts.messages, 2u * 4u * 100u);
  intervals.erase(intervals.begin());
  uint64_t messages = 0;
  for (const stats::Interval& interval : intervals) {
    EXPECT_EQ(interval.counts.end_ns - interval.counts.start_ns, kSec);
    EXPECT_EQ(interval.counts.open_connections, 2);
    EXPECT_EQ(interval.counts.messages, interval.samples);
    messages += interval.counts.messages;
  }
  EXPECT_EQ(intervals.front().counts.start_ns, World::kStart + kSec);
  EXPECT_EQ(messages, world.work.measured().messages);
  EXPECT_EQ(messages, 2u * 4u * 400u);
  EXPECT_EQ(world.work.measured().response.count(), messages);
}

TEST(ByTimeTest, AnIntervalHasItsOwnErrors) {
  Plan plan = ByTime(4, 1);
  plan.timeout_ns = 20 * kSec;
  World world(plan, 4);
  OpenAll(world);
  world.Go(World::now);
  world.Pass(1500 * kMs);
  world.Drop(0, engine::CloseReason::kReset);
  world.Drop(1, engine::CloseReason::kReset);
  world.Pass(kSec);
  world.Drop(2, engine::CloseReason::kReset);
  world.Pass(3 * kSec);
  world.EchoAll(3);
  world.FinishCloses();
  std::vector<uint64_t> errors;
  while (std::optional<stats::Interval> interval = world.board.Take()) {
    errors.push_back(interval->counts.errors);
  }
  EXPECT_EQ(errors, (std::vector<uint64_t>{0, 2, 1, 0, 0}));
  EXPECT_EQ(world.work.in_flight_at_end(), 1u);
}

TEST(ByTimeTest, KeepsDepthMessagesInFlightWhateverTheChunks) {
  World world(ByTime(1, 4), 1);
  world.Open(0);
  world.Go(World::now);
  FakeEngine::Peer& peer = world.engine.peer(0);
  EXPECT_EQ(peer.unechoed.size(), 256u);
  EXPECT_EQ(peer.sends, 1);
  world.Sent(0);
  world.Echo(0, 63);
  EXPECT_EQ(peer.sends, 1);  // not a whole message yet
  world.Echo(0, 1);
  EXPECT_EQ(peer.sends, 2);
  EXPECT_EQ(peer.unechoed.size(), 256u);
  // While that Send is under way three more come back: they are owed as one run.
  world.Echo(0, 64);
  world.Echo(0, 130);
  EXPECT_EQ(peer.sends, 2);
  world.Sent(0);
  EXPECT_EQ(peer.sends, 3);
  EXPECT_EQ(peer.unechoed.size(), 254u);
  EXPECT_EQ(world.work.tally().messages.Get(), 4u);
}

TEST(ByTimeTest, AnEchoMayOvertakeTheNewsThatItWasSent) {
  World world(ByTime(1, 1), 1);
  world.Open(0);
  world.Go(World::now);
  world.EchoAll(0);
  EXPECT_EQ(world.engine.peer(0).sends, 1);
  world.Pass(kMs);
  world.Sent(0);
  EXPECT_EQ(world.engine.peer(0).sends, 2);
}

TEST(ByTimeTest, SendsOneContinuousStreamFromThePayload) {
  World world(ByTime(1, 3), 1);
  world.Open(0);
  world.Go(World::now);
  for (int i = 0; i < 50; ++i) world.Serve();
  Payload::Cursor cursor = world.payload.Begin(0);
  std::string want;
  while (want.size() < world.engine.peer(0).all.size()) {
    const std::span<const std::byte> run = world.payload.Take(&cursor, 1);
    want.append(reinterpret_cast<const char*>(run.data()), run.size());
  }
  EXPECT_EQ(world.engine.peer(0).all, want);
}

TEST(ByTimeTest, OnceTheTimeIsUpItSendsNoMoreAndWaitsForWhatIsOutstanding) {
  Plan plan = ByTime(2, 2);
  plan.timeout_ns = 20 * kSec;
  World world(plan, 2);
  OpenAll(world);
  world.Go(World::now);
  world.Echo(1, 64);  // its successor is owed, the Send being under way
  world.Pass(5 * kSec);
  EXPECT_EQ(world.engine.peer(0).sends, 1);
  world.Sent(0);
  world.Sent(1);
  EXPECT_EQ(world.engine.peer(1).sends, 1);
  world.EchoAll(0);
  EXPECT_TRUE(world.engine.peer(0).closing.has_value());
  EXPECT_FALSE(world.engine.peer(1).closing.has_value());
  world.EchoAll(1);
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.work.tally().completed.Get(), 2u);
  EXPECT_EQ(world.work.in_flight_at_end(), 3u);
  EXPECT_EQ(world.work.tally().open.Get(), 0u);
  EXPECT_EQ(world.work.tally().open_max.Get(), 2u);
}

TEST(ByTimeTest, ADrainThatOnlyTricklesEndsWithItsTimeout) {
  World world(ByTime(1, 1), 1);
  world.Open(0);
  world.Go(World::now);
  for (int i = 0; i < 5; ++i) {
    world.Serve();
    world.Pass(kSec);
  }
  for (int i = 0; i < 60 && !world.engine.peer(0).closing; ++i) {
    world.Echo(0, 1);  // progress, but never an end in time
    world.Pass(100 * kMs);
  }
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kTimeout), 1u);
  EXPECT_LE(World::now, World::kStart + 5 * kSec + 2 * kSec + 100 * kMs);
}

TEST(ByTimeTest, ALostConnectionIsAnExceptionByNameAndNotReplaced) {
  Plan plan = ByTime(3, 1);
  plan.retries = 5;
  World world(plan, 3);
  OpenAll(world);
  world.Go(World::now);
  world.Drop(0, engine::CloseReason::kReset);
  world.Drop(1, engine::CloseReason::kEof);
  EXPECT_EQ(world.engine.connects, 3);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kReset), 1u);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kEof), 1u);
  EXPECT_EQ(world.work.tally().retries.Get(), 0u);
  EXPECT_FALSE(world.engine.exited);
  world.Pass(1500 * kMs);
  world.Serve();
  // Without any connection left there is nothing to wait for.
  world.Drop(2, engine::CloseReason::kReset);
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.work.measured().end_ns, World::kStart + 1500 * kMs);
}

TEST(ByTimeTest, AConnectionLostBeforeTheStartIsMadeAgain) {
  Plan plan = ByTime(2, 1);
  plan.retries = 3;
  World world(plan, 2);
  OpenAll(world);
  world.Drop(0, engine::CloseReason::kReset);
  EXPECT_EQ(world.engine.connects, 2);
  world.Pass(kSec);
  EXPECT_EQ(world.engine.connects, 3);
  EXPECT_EQ(world.work.tally().retries.Get(), 1u);
  world.Go(World::now);  // before it is back
  world.Open(0);
  EXPECT_EQ(world.engine.peer(0).sends, 1);
  EXPECT_EQ(world.work.tally().made.Get(), 2u);
  EXPECT_EQ(world.work.tally().exceptions.Get(), 0u);
}

TEST(ByTimeTest, EndsAtOnceWhenNoConnectionCanBeMade) {
  Plan plan = ByTime(2, 1);
  plan.retries = 1;
  World world(plan, 2);
  for (int i = 0; i < 10 && !world.engine.exited; ++i) {
    for (uint32_t slot = 0; slot < 2; ++slot) {
      if (world.engine.live(slot)) world.Drop(slot, engine::CloseReason::kRefused);
    }
    world.Pass(kSec);
  }
  EXPECT_TRUE(world.engine.exited);
  EXPECT_EQ(world.engine.connects, 4);
  EXPECT_EQ(world.control.settled(), 1);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kRefused), 2u);
  EXPECT_EQ(world.work.tally().retries.Get(), 2u);
}

TEST(ByTimeTest, TellsThousandsOfLanesWithoutKeepingTheOthersWaiting) {
  Plan plan = ByTime(5000, 1);
  plan.connecting_max = 5000;
  World world(plan, 5000);
  OpenAll(world);
  EXPECT_EQ(world.control.settled(), 1);
  world.control.go_ns = World::now;
  world.handler.OnWake(world.engine);
  const auto sending = [&] {
    int count = 0;
    for (uint32_t slot = 0; slot < 5000; ++slot) count += world.engine.peer(slot).sends;
    return count;
  };
  EXPECT_EQ(sending(), 1024);
  EXPECT_LE(world.handler.NextDeadline(), World::now);
  world.Turn();
  EXPECT_EQ(sending(), 5000);
}

TEST(DamageTest, EachKindIsNamedAndTheConnectionClosed) {
  struct Case {
    Damage want;
    // What comes instead of the four outstanding messages.
    std::string (*damage)(World&, const std::string& sent);
  };
  const std::vector<Case> cases = {
      {Damage::kLost, [](World&, const std::string& s) { return s.substr(64); }},
      {Damage::kReordered,
       [](World&, const std::string& s) {
         return s.substr(64, 64) + s.substr(0, 64) + s.substr(128);
       }},
      {Damage::kDuplicated, [](World&, const std::string& s) { return s.substr(0, 64) + s; }},
      {Damage::kForeign,
       [](World& w, const std::string& s) {
         return w.engine.peer(1).all.substr(0, 64) + s.substr(64);
       }},
      {Damage::kAltered,
       [](World&, const std::string& s) { return s.substr(0, 100) + "?" + s.substr(101); }},
  };
  for (const Case& c : cases) {
    World world(ByTime(2, 4), 2);
    OpenAll(world);
    world.Go(World::now);
    const std::string got = c.damage(world, world.engine.peer(0).all);
    const int sends = world.engine.peer(0).sends;
    for (size_t at = 0; at < got.size(); at += 50) {
      const std::string chunk = got.substr(at, 50);
      world.Data(0, std::as_bytes(std::span(chunk)));
    }
    world.Pass(1100 * kMs);
    ASSERT_TRUE(world.engine.peer(0).closing.has_value()) << DamageName(c.want);
    EXPECT_EQ(*world.engine.peer(0).closing, engine::CloseReason::kPayloadMismatch);
    EXPECT_EQ(world.engine.peer(0).sends, sends) << "sent more after a wrong byte";
    world.FinishCloses();
    EXPECT_EQ(world.Damages(c.want), 1u) << DamageName(c.want);
    EXPECT_EQ(world.Exceptions(engine::CloseReason::kPayloadMismatch), 1u);
    EXPECT_EQ(world.work.tally().exceptions.Get(), 1u);
    EXPECT_EQ(world.work.tally().open.Get(), 1u);
  }
}

TEST(DamageTest, APeerThatClosesWhileTheRestIsCollectedIsDiagnosedAllTheSame) {
  World world(ByTime(1, 4), 1);
  world.Open(0);
  world.Go(World::now);
  const std::string got = world.engine.peer(0).all.substr(128);
  world.Data(0, std::as_bytes(std::span(got)));
  EXPECT_EQ(world.Damages(Damage::kLost), 0u);
  world.Drop(0, engine::CloseReason::kEof);
  EXPECT_EQ(world.Damages(Damage::kLost), 1u);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kPayloadMismatch), 1u);
  EXPECT_TRUE(world.engine.exited);
  ASSERT_EQ(world.lines.size(), 3u);
  EXPECT_EQ(world.lines[1], "connection 0: payload_lost after 0 bytes, shift 128");
}

TEST(DamageTest, AWrongByteJustBeforeTheDrainIsGivenUpIsNamedToo) {
  World world(ByTime(1, 2), 1);
  world.Open(0);
  world.Go(World::now);
  for (int i = 0; i < 4; ++i) {
    world.Pass(kSec);
    world.Serve();
  }
  world.Pass(kSec + 1);  // the drain begins
  world.Echo(0, 1);
  world.Pass(1900 * kMs);
  const std::string wrong = "?";
  world.Data(0, std::as_bytes(std::span(wrong)));
  EXPECT_FALSE(world.engine.peer(0).closing.has_value());
  world.Pass(150 * kMs);
  ASSERT_TRUE(world.engine.peer(0).closing.has_value());
  world.FinishCloses();
  EXPECT_EQ(world.Damages(Damage::kAltered), 1u);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kTimeout), 0u);
}

TEST(DamageTest, BytesThatNobodyAskedForAreNoticed) {
  World world(ByTime(1, 1), 1);
  world.Open(0);
  const std::string greeting(100, 'x');
  world.Data(0, std::as_bytes(std::span(greeting)));  // before anything was sent
  world.Pass(1100 * kMs);
  world.FinishCloses();
  EXPECT_EQ(world.Damages(Damage::kAltered), 1u);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kPayloadMismatch), 1u);
}

TEST(DamageTest, WithoutVerificationOnlyTheNumberOfBytesCounts) {
  Plan plan = ByTime(1, 1);
  plan.verify = false;
  World world(plan, 1);
  world.Open(0);
  world.Go(World::now);
  world.Sent(0);
  const std::string other(64, 'x');
  world.Data(0, std::as_bytes(std::span(other)));
  EXPECT_EQ(world.work.tally().messages.Get(), 1u);
  EXPECT_EQ(world.engine.peer(0).sends, 2);
  world.Sent(0);
  const std::string more(65, 'x');
  world.Data(0, std::as_bytes(std::span(more)));
  ASSERT_TRUE(world.engine.peer(0).closing.has_value());
  EXPECT_EQ(world.work.tally().undiagnosed.Get(), 1u);
}

TEST(DamageTest, SoManyAtOnceAreCountedWithoutBeingExamined) {
  Plan plan = ByTime(300, 2);
  plan.connecting_max = 300;
  World world(plan, 300);
  OpenAll(world);
  world.Go(World::now);
  const std::string wrong(64, 'x');
  for (uint32_t slot = 0; slot < 300; ++slot) {
    world.Data(slot, std::as_bytes(std::span(wrong)));
  }
  world.Pass(1100 * kMs);
  world.FinishCloses();
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kPayloadMismatch), 300u);
  EXPECT_EQ(world.Damages(Damage::kAltered), 256u);
  EXPECT_EQ(world.work.tally().undiagnosed.Get(), 44u);
  EXPECT_TRUE(world.engine.exited);
}

TEST(ByMessagesTest, LanesTakeSessionsUntilThereAreNoMore) {
  World world(ByMessages(2, 1, 3), 7);
  for (int i = 0; i < 100 && !world.engine.exited; ++i) {
    EXPECT_LE(world.engine.connections(), 2u);
    world.Serve();
    world.Pass(kMs);
  }
  ASSERT_TRUE(world.engine.exited);
  EXPECT_EQ(world.engine.connects, 7);
  const Tally& tally = world.work.tally();
  EXPECT_EQ(tally.started.Get(), 7u);
  EXPECT_EQ(tally.made.Get(), 7u);
  EXPECT_EQ(tally.completed.Get(), 7u);
  EXPECT_EQ(tally.messages.Get(), 21u);
  EXPECT_EQ(tally.open_max.Get(), 2u);
  EXPECT_EQ(world.work.measured().messages, 21u);
  EXPECT_EQ(world.work.measured().start_ns, World::kStart);
  EXPECT_EQ(world.work.measured().end_ns, World::now - kMs);  // one Pass after the end
  EXPECT_EQ(world.work.connects().count(), 7u);
}

TEST(ByMessagesTest, SendsNoMoreThanItsMessagesWhateverTheDepth) {
  World world(ByMessages(1, 4, 6), 1);
  world.Open(0);
  FakeEngine::Peer& peer = world.engine.peer(0);
  EXPECT_EQ(peer.all.size(), 4u * 64);
  world.Sent(0);
  world.EchoAll(0);
  EXPECT_EQ(peer.all.size(), 6u * 64);
  world.Sent(0);
  EXPECT_FALSE(peer.closing.has_value());
  world.EchoAll(0);
  EXPECT_TRUE(peer.closing.has_value());
  world.FinishCloses();
  EXPECT_TRUE(world.engine.exited);

  World few(ByMessages(1, 4, 2), 1);
  few.Open(0);
  EXPECT_EQ(few.engine.peer(0).all.size(), 2u * 64);
}

TEST(ByMessagesTest, APeerThatClosesFirstAfterTheLastEchoHasDoneNothingWrong) {
  World world(ByMessages(1, 1, 1), 1);
  world.Open(0);
  world.EchoAll(0);
  world.Drop(0, engine::CloseReason::kEof);
  EXPECT_EQ(world.work.tally().completed.Get(), 1u);
  EXPECT_EQ(world.work.tally().exceptions.Get(), 0u);
}

TEST(ByMessagesTest, AByteTooManyAfterTheLastMessageIsAMismatch) {
  World world(ByMessages(1, 1, 1), 1);
  world.Open(0);
  const std::string got = world.engine.peer(0).all + "!";
  world.Data(0, std::as_bytes(std::span(got)));
  world.Pass(1100 * kMs);
  world.FinishCloses();
  EXPECT_EQ(world.work.tally().completed.Get(), 0u);
  EXPECT_EQ(world.Exceptions(engine::CloseReason::kPayloadMismatch), 1u);
}

}  // namespace
}  // namespace ringecho::load

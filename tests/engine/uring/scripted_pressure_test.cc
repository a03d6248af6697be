// Too few buffers and peers that do not read: who waits, who is served next, what is taken back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ScriptedTest, AStarvedConnectionIsArmedWhenAnothersSendReturnsABuffer) {
  Start({.buffers = 1});
  ConnId holder = Accept(1000);
  ConnId starved = Accept(1001);
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "x");
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  for (int i = 0; i < 3; ++i) Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty()) << "no buffer, no spinning";
  ring_->Complete(Tag(Op::kSend, holder), 1);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].user_data, Tag(Op::kReceive, starved));
  EXPECT_EQ(engine_->counters().buffers_starved.Get(), 1u);
}

TEST_F(ScriptedTest, EveryStarvedConnectionIsArmedThoughTheFirstStaysIdle) {
  Start({.buffers = 1});
  ConnId holder = Accept(1000);
  ConnId idle = Accept(1001);
  ConnId busy = Accept(1002);
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "x");
  ring_->Complete(Tag(Op::kReceive, idle), -ENOBUFS, 0);
  ring_->Complete(Tag(Op::kReceive, busy), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), 1);
  // No further completion comes: the engine must not sleep while a buffer is free and somebody
  // waits for one.
  Turn();
  EXPECT_EQ(ring_->waits.back(), 0);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(2));
}

TEST_F(ScriptedTest, BuffersHeldForAPeerThatDoesNotReadAreTakenBack) {
  Start({.buffers = 2});
  ConnId holder = Accept(1000);
  ConnId starved = Accept(1001);
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "one");
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "two");
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kCancel)[0].addr, Tag(Op::kSend, holder));
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), -ECANCELED);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 2u);
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "onetwo") << "in order, from a copy";
  EXPECT_EQ(engine_->counters().sends_spilled.Get(), 1u);
}

TEST_F(ScriptedTest, ASpilledSendThatWasPartlyTakenContinuesBehindThatPart) {
  Start({.buffers = 2});
  ConnId holder = Accept(1000);
  ConnId starved = Accept(1001);
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "one");
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "two");
  Turn();
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), 2);  // cancelled after two bytes
  Turn();
  EXPECT_EQ(SendTaken(), "etwo");
  // And once more, with the copy itself stuck and a new buffer behind it.
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "3");
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "4");
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), 1);
  Turn();
  EXPECT_EQ(SendTaken(), "two34");
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

// The next peer that does not read would take all that came back: memory would grow by the whole
// pool with each of them.
TEST_F(ScriptedTest, OfABacklogNoMoreIsTakenBackThanSomebodyWaitsFor) {
  Start({.buffers = 6});
  ConnId holder = Accept(1000);
  ConnId starved = Accept(1001);
  for (const char* text : {"a", "b", "c", "d", "e", "f"}) {
    ring_->CompleteWithData(Tag(Op::kReceive, holder), text);
  }
  Turn();
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), -ECANCELED);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), SpillAtOnce(6));
  EXPECT_EQ(SendTaken(), "ab");
  // The one that waited does not read either: two more, behind what of the first is not sent.
  ring_->CompleteWithData(Tag(Op::kReceive, starved), "1");
  ring_->CompleteWithData(Tag(Op::kReceive, starved), "2");
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), 1);
  Turn();
  EXPECT_EQ(SendTaken(), "bcd");
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

TEST_F(ScriptedTest, ManyHoldersTogetherGiveBackNoMoreThanOneWould) {
  Start({.buffers = 20});
  std::vector<ConnId> holders = AcceptMany(20);
  ConnId starved = Accept(1100);
  for (ConnId id : holders) ring_->CompleteWithData(Tag(Op::kReceive, id), "x");
  Turn();
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  std::vector<io_uring_sqe> cancels = ring_->Taken(Op::kCancel);
  EXPECT_GT(cancels.size(), SpillAtOnce(20));
  ring_->Forget();
  for (const io_uring_sqe& cancel : cancels) ring_->Complete(cancel.addr, -ECANCELED);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), SpillAtOnce(20));
  EXPECT_EQ(engine_->counters().sends_spilled.Get(), SpillAtOnce(20));
  EXPECT_EQ(ring_->Taken(Op::kSend).size(), cancels.size()) << "the others send on from theirs";
}

// It waited for a buffer, and what it had received before was more than its peer may be owed.
TEST_F(ScriptedTest, NothingIsTakenBackForOneThatHasStoppedReceiving) {
  Start({.buffers = 3, .high_water_bytes = 3, .low_water_bytes = 1});
  ConnId slow = Accept(1000);
  ConnId flood = Accept(1001);
  ring_->CompleteWithData(Tag(Op::kReceive, slow), "x");
  ring_->CompleteWithData(Tag(Op::kReceive, flood), "ab");
  ring_->CompleteWithData(Tag(Op::kReceive, flood), "cd");
  ring_->Complete(Tag(Op::kReceive, flood), -ENOBUFS, 0);
  Turn();
  for (const io_uring_sqe& cancel : ring_->Taken(Op::kCancel)) {
    EXPECT_NE(UserData::CancelTarget(cancel.addr), Op::kSend);
  }
  EXPECT_EQ(ring_->waits.back(), base::kNever) << "nobody waits for anything";
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, flood), 2);
  Turn();
  ring_->Complete(Tag(Op::kSend, flood), 2);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1)) << "it receives again when it may";
  EXPECT_EQ(engine_->counters().sends_spilled.Get(), 0u);
}

TEST_F(ScriptedTest, EveryEchoedByteIsToldOnceHoweverItIsSent) {
  Start({.buffers = 1});
  ConnId holder = Accept(1000);
  ConnId starved = Accept(1001);
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "0123456789");
  Turn();
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Complete(Tag(Op::kSend, holder), 4);  // taken back after a part
  Turn();
  ring_->Complete(Tag(Op::kSend, holder), 6);
  Turn();
  EXPECT_THAT(handler_.sent, ElementsAre(4, 6));
}

TEST_F(ScriptedTest, StopsReadingFromAPeerThatDoesNotReadAndStartsAgain) {
  Start({.buffers = 8, .high_water_bytes = 3, .low_water_bytes = 1});
  ConnId id = Accept();
  ring_->Forget();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "ab");
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kCancel), IsEmpty());
  ring_->CompleteWithData(Tag(Op::kReceive, id), "cd");
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kCancel)[0].addr, Tag(Op::kReceive, id));
  // Data that races the cancel still counts.
  ring_->CompleteWithData(Tag(Op::kReceive, id), "e");
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty());
  ring_->Complete(Tag(Op::kSend, id), 2);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty()) << "still above the low-water mark";
  ring_->Complete(Tag(Op::kSend, id), 2);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
  EXPECT_EQ(handler_.received, (std::vector<std::string>{"ab", "cd", "e"}));
  EXPECT_EQ(engine_->counters().backpressure_pauses.Get(), 1u);
}

TEST_F(ScriptedTest, AMessageAsLongAsTheHighWaterMarkNeedsNoPause) {
  Start({.buffers = 8, .high_water_bytes = 4, .low_water_bytes = 1});
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "abcd");
  Turn();
  EXPECT_EQ(engine_->counters().backpressure_pauses.Get(), 0u);
}

TEST_F(ScriptedTest, WhileFewBuffersAreLeftTheHeaviestStopReceivingFirst) {
  Start({.buffers = 16, .high_water_bytes = 1000, .low_water_bytes = 2});
  ConnId heavy = Accept(1000);
  ConnId light = Accept(1001);
  ring_->Forget();
  for (int i = 0; i < 14; ++i) ring_->CompleteWithData(Tag(Op::kReceive, heavy), "a");
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kCancel), IsEmpty()) << "two are left, an eighth";
  ring_->CompleteWithData(Tag(Op::kReceive, light), "b");
  ring_->CompleteWithData(Tag(Op::kReceive, heavy), "a");
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kCancel)[0].addr, Tag(Op::kReceive, heavy));
  EXPECT_EQ(engine_->counters().backpressure_pauses.Get(), 1u);
}

}  // namespace
}  // namespace ringecho::engine::uring

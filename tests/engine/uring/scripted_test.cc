// The io_uring state machine against completions written down by hand, the hostile ones above all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ScriptedTest, EchoesFromTheProvidedBufferAndReturnsItAfterTheSend) {
  Start();
  ConnId id = Accept();
  ASSERT_EQ(ring_->BuffersFree(), 4u);
  ring_->CompleteWithData(Tag(Op::kReceive, id), "hello");
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "hello");
  EXPECT_EQ(ring_->BuffersFree(), 3u);
  EXPECT_EQ(engine_->counters().buffers_held.Get(), 1u);
  ring_->Complete(Tag(Op::kSend, id), 5);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_EQ(engine_->counters().buffers_held.Get(), 0u);
  EXPECT_THAT(handler_.sent, ElementsAre(5));
}

// On a unix socket a multishot receive that polls first misses an end of stream that was there
// before it; one-shot receives, and TCP, do not.
TEST_F(ScriptedTest, PollFirstIsForReceivesThatHearOfTheEnd) {
  struct Case {
    int domain;
    const char* features;
    bool polls_first;
  };
  for (const Case& c :
       {Case{AF_INET, "+poll_first", true}, Case{AF_UNIX, "+poll_first", false},
        Case{AF_UNIX, "-multishot_recv,+poll_first", true}, Case{AF_INET, "best", false}}) {
    Options options;
    options.features = *ParseFeatures(c.features);
    Start(options, Everything(), 64, 64, base::UniqueFd(socket(c.domain, SOCK_STREAM, 0)));
    Accept();
    std::vector<io_uring_sqe> receives = ring_->Taken(Op::kReceive);
    ASSERT_EQ(receives.size(), 1u);
    EXPECT_EQ((receives[0].ioprio & IORING_RECVSEND_POLL_FIRST) != 0, c.polls_first) << c.features;
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedTest, DataWithoutMoreIsEchoedAndTheReceiveArmedAgain) {
  Start();
  ConnId id = Accept();
  ring_->Forget();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "last", /*more=*/false);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
  EXPECT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(engine_->counters().multishot_rearms.Get(), 1u);
}

TEST_F(ScriptedTest, HasOneSendInFlightAndKeepsTheOrder) {
  FeatureRequest one_by_one;
  one_by_one.wanted.Remove(FeatureId::kVectoredSend);
  Start({.features = one_by_one});
  ConnId id = Accept();
  for (const char* text : {"one", "two", "three"}) {
    ring_->CompleteWithData(Tag(Op::kReceive, id), text);
  }
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  ring_->Complete(Tag(Op::kSend, id), 3);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(2));
  ring_->Complete(Tag(Op::kSend, id), 3);
  Turn();
  std::vector<std::string> sends;
  for (const io_uring_sqe& sqe : ring_->Taken(Op::kSend)) sends.push_back(ScriptedRing::Text(sqe));
  EXPECT_THAT(sends, ElementsAre("one", "two", "three"));
}

TEST_F(ScriptedTest, AShortSendIsContinuedAtEveryOffset) {
  const std::string text = "abcdef";
  for (size_t taken = 1; taken < text.size(); ++taken) {
    SCOPED_TRACE(taken);
    handler_ = {};
    Start();
    ConnId id = Accept();
    ring_->CompleteWithData(Tag(Op::kReceive, id), text);
    Turn();
    ring_->Forget();
    ring_->Complete(Tag(Op::kSend, id), static_cast<int>(taken));
    Turn();
    ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
    EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), text.substr(taken));
    ring_->Complete(Tag(Op::kSend, id), static_cast<int>(text.size() - taken));
    Turn();
    EXPECT_THAT(handler_.sent, ElementsAre(taken, text.size() - taken));
    EXPECT_EQ(engine_->counters().short_sends.Get(), 1u);
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedTest, ASendThatTakesNothingEndsTheConnectionInsteadOfSpinning) {
  Start();
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "x");
  Turn();
  ring_->Complete(Tag(Op::kSend, id), 0);
  Turn();
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kOther));
  EXPECT_EQ(engine_->counters().last_errno.Get(), static_cast<uint64_t>(EIO));
}

TEST_F(ScriptedTest, EofIsHeldBackUntilEverythingIsEchoed) {
  Start();
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "one");
  ring_->CompleteWithData(Tag(Op::kReceive, id), "two");
  ring_->Complete(Tag(Op::kReceive, id), 0, 0);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
  ring_->Complete(Tag(Op::kSend, id), 3);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
  ring_->Complete(Tag(Op::kSend, id), 3);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kEof));
}

TEST_F(ScriptedTest, ABufferThatComesWithEofIsReturned) {
  Start();
  ConnId id = Accept();
  uint16_t buffer = ring_->CompleteWithData(Tag(Op::kReceive, id), "");
  ASSERT_NE(buffer, kNoBuffer);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 4u);
}

TEST_F(ScriptedTest, ClosesOnlyAfterTheLastCompletionOfEverythingInFlight) {
  Start();
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "data");
  Turn();
  ring_->Forget();
  engine_->Close(id, CloseReason::kLocal);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kCancel), SizeIs(2)) << "receive and send";
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty()) << "the send is still in flight";
  EXPECT_EQ(ring_->BuffersFree(), 3u) << "and so is its buffer";
  ring_->Complete(Tag(Op::kSend, id), -ECANCELED);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_THAT(handler_.closed, IsEmpty());
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kLocal));
}

TEST_F(ScriptedTest, CancelsEachRequestOnceHoweverOftenItIsAsked) {
  Start();
  ConnId id = Accept();
  ring_->Forget();
  for (int i = 0; i < 3; ++i) {
    engine_->Close(id, CloseReason::kLocal);
    Turn();
  }
  EXPECT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
}

TEST_F(ScriptedTest, DataThatRacesACloseIsDroppedAndItsBufferReturned) {
  Start();
  ConnId id = Accept();
  engine_->Close(id, CloseReason::kLocal);
  ring_->CompleteWithData(Tag(Op::kReceive, id), "late");
  Turn();
  EXPECT_THAT(handler_.received, IsEmpty());
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
}

TEST_F(ScriptedTest, CloseFromWithinOnDataReturnsTheBuffer) {
  Start();
  ConnId id = Accept();
  handler_.close_in_data = true;
  ring_->CompleteWithData(Tag(Op::kReceive, id), "bye");
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_THAT(ring_->Taken(Op::kSend), IsEmpty());
  EXPECT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
}

TEST_F(ScriptedTest, TheVerdictCloseDropsWhatIsQueued) {
  Start();
  ConnId id = Accept();
  handler_.verdict = Verdict::kClose;
  ring_->CompleteWithData(Tag(Op::kReceive, id), "no", /*more=*/false);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kSend), IsEmpty());
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
  EXPECT_EQ(ring_->BuffersFree(), 4u);
}

TEST_F(ScriptedTest, ACompletionOfAnEarlierGenerationIsDroppedAndItsBufferReturned) {
  Start();
  ConnId first = Accept(1000);
  ring_->Complete(Tag(Op::kReceive, first), 0, 0);
  Turn();
  CompleteClose(first);
  ConnId second = Accept(1001);
  ASSERT_EQ(second.slot, first.slot);
  ring_->CompleteWithData(Tag(Op::kReceive, first), "ghost");
  ring_->Complete(Tag(Op::kSend, first), 5);
  ring_->Complete(Tag(Op::kClose, first), 0);
  Turn();
  EXPECT_THAT(handler_.received, IsEmpty());
  EXPECT_THAT(handler_.closed, SizeIs(1)) << "the second connection lives";
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 3u);
  EXPECT_EQ(ring_->BuffersFree(), 4u);
}

TEST_F(ScriptedTest, ANonsenseBufferIdIsNotFollowed) {
  Start();
  ConnId id = Accept();
  ring_->Complete(Tag(Op::kReceive, id), 5,
                  777u << IORING_CQE_BUFFER_SHIFT | IORING_CQE_F_BUFFER | IORING_CQE_F_MORE);
  Turn();
  EXPECT_THAT(handler_.received, IsEmpty());
}

TEST_F(ScriptedTest, DataWithoutABufferIsNotFollowed) {
  Start();
  ConnId id = Accept();
  ring_->Complete(Tag(Op::kReceive, id), 5, IORING_CQE_F_MORE);
  Turn();
  EXPECT_THAT(handler_.received, IsEmpty());
}

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
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "etwo");
  // And once more, with the copy itself stuck and a new buffer behind it.
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "3");
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "4");
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), 1);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "two34");
  EXPECT_EQ(ring_->BuffersFree(), 2u);
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

TEST_F(ScriptedTest, AResetEndsTheConnectionWithItsName) {
  Start();
  ConnId id = Accept();
  ring_->Complete(Tag(Op::kReceive, id), -ECONNRESET, 0);
  Turn();
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kReset));
}

TEST_F(ScriptedTest, AFailedSendEndsTheConnectionAfterItsReceive) {
  Start();
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "x");
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, id), -EPIPE);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kReset));
}

TEST_F(ScriptedTest, AFullSubmissionQueueDelaysWorkAndLosesNone) {
  Start({.buffers = 8}, Everything(), /*sq_entries=*/2);
  std::vector<ConnId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(Accept(1000 + i));
  Turn();
  ring_->Forget();
  ring_->submit_error = EBUSY;  // the kernel takes nothing
  for (ConnId id : ids) ring_->CompleteWithData(Tag(Op::kReceive, id), "x");
  for (int i = 0; i < 3; ++i) Turn();
  EXPECT_THAT(ring_->Taken(Op::kSend), IsEmpty());
  EXPECT_EQ(ring_->waits.back(), 0) << "does not sleep on work it could not hand over";
  ring_->submit_error = 0;
  for (int i = 0; i < 6; ++i) Turn();
  EXPECT_THAT(ring_->Taken(Op::kSend), SizeIs(6));
}

TEST_F(ScriptedTest, AnOverflowingCompletionQueueLosesNothingAndIsCounted) {
  Start({.buffers = 8}, Everything(), 64, /*cq_entries=*/2);
  ConnId id = Accept();
  for (const char* text : {"a", "b", "c", "d", "e"}) {
    ring_->CompleteWithData(Tag(Op::kReceive, id), text);
  }
  for (int i = 0; i < 4; ++i) Turn();
  EXPECT_THAT(handler_.received, ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_GE(engine_->counters().cq_overflows.Get(), 1u);
}

TEST_F(ScriptedTest, FixedModeReadsAndWritesOneRegisteredBuffer) {
  Start({.features = kFixedRung});
  ConnId id = Accept();
  ASSERT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
  io_uring_sqe read = ring_->Taken(Op::kReceive)[0];
  EXPECT_EQ(read.opcode, IORING_OP_READ_FIXED);
  ring_->Forget();
  std::memcpy(reinterpret_cast<void*>(read.addr), "fixed", 5);
  ring_->Complete(Tag(Op::kReceive, id), 5);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty()) << "the buffer is being sent";
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kSend)[0].opcode, IORING_OP_WRITE_FIXED);
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "fixed");
  ring_->Complete(Tag(Op::kSend, id), 2);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty());
  ring_->Complete(Tag(Op::kSend, id), 3);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
}

TEST_F(ScriptedTest, WithoutABufferRingTheFixedRungIsTaken) {
  Capabilities caps = Everything();
  caps.has.Remove(FeatureId::kBufferRing);
  Start({}, caps);
  Accept();
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].opcode, IORING_OP_READ_FIXED);
  bool told = false;
  for (const Feature& feature : engine_->features()) {
    if (feature.name == "multishot_recv") {
      told = feature.requested && !feature.effective && !feature.why_not.empty();
    }
  }
  EXPECT_TRUE(told);
}

TEST_F(ScriptedTest, WhenMemoryMayNotBePinnedOrdinaryOperationsAreUsed) {
  auto ring = std::make_unique<ScriptedRing>(64, 64);
  ring->register_buffers_result = -ENOMEM;
  ring_ = ring.get();
  auto engine = TestEngine::CreateOn(std::move(ring), std::make_unique<ScriptedWritableSet>(),
                                     {.features = kFixedRung}, Everything(), handler_);
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);
  ASSERT_TRUE(engine_->Listen(base::UniqueFd(kListener)).ok());
  Turn();
  Accept();
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].opcode, IORING_OP_RECV);
  for (const Feature& feature : engine_->features()) {
    if (feature.name == "fixed_buffers") {
      EXPECT_FALSE(feature.effective);
      EXPECT_NE(feature.why_not.find("locked-memory"), std::string::npos) << feature.why_not;
    }
  }
}

TEST_F(ScriptedTest, ABacklogGoesOutInOneSend) {
  Start({.buffers = 16});
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "first");
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kSend)[0].opcode, IORING_OP_SEND) << "one buffer needs no vector";
  for (const char* text : {"second", "third", "fourth"}) {
    ring_->CompleteWithData(Tag(Op::kReceive, id), text);
  }
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kSend), SizeIs(1)) << "one send at a time";
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, id), 5);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kSend)[0].opcode, IORING_OP_SENDMSG);
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "secondthirdfourth");
  EXPECT_EQ(engine_->counters().vectored_sends.Get(), 1u);
  ring_->Complete(Tag(Op::kSend, id), 17);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 16u);
  EXPECT_THAT(handler_.sent, ElementsAre(5, 17));
}

TEST_F(ScriptedTest, ALongMessageIsSentWhenItsLastBufferIsThere) {
  Start({.buffers = 16});
  ConnId id = Accept();
  for (const char* text : {"one", "two"}) {
    ring_->CompleteWithData(Tag(Op::kReceive, id), text, true, /*nonempty=*/true);
  }
  ring_->CompleteWithData(Tag(Op::kReceive, id), "last");
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "onetwolast");
}

TEST_F(ScriptedTest, WhatIsThereIsSentAtTheEndOfTheBatchThoughMoreWasPromised) {
  Start({.buffers = 16});
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "one", true, /*nonempty=*/true);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "one");
}

TEST_F(ScriptedTest, AVectoredSendMayEndAtAnyByte) {
  const std::string all = "secondthirdfourth";
  for (size_t cut = 1; cut < all.size(); ++cut) {
    SCOPED_TRACE(cut);
    handler_ = {};
    Start({.buffers = 8});
    ConnId id = Accept();
    for (const char* text : {"x", "second", "third", "fourth"}) {
      ring_->CompleteWithData(Tag(Op::kReceive, id), text);
    }
    Turn();
    ring_->Complete(Tag(Op::kSend, id), 1);
    Turn();
    ring_->Forget();
    ring_->Complete(Tag(Op::kSend, id), static_cast<int>(cut));
    Turn();
    // Buffers that are through are back; the one that is cut is not.
    EXPECT_EQ(ring_->BuffersFree(), 5u + (cut >= 6) + (cut >= 11));
    ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
    EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), all.substr(cut));
    ring_->Complete(Tag(Op::kSend, id), static_cast<int>(all.size() - cut));
    Turn();
    EXPECT_EQ(ring_->BuffersFree(), 8u);
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedTest, ALongBacklogIsSentInPartsInOrder) {
  Start({.buffers = 32, .high_water_bytes = 1000});
  ConnId id = Accept();
  std::string all;
  for (char c = 'a'; c <= 'z'; ++c) {
    ring_->CompleteWithData(Tag(Op::kReceive, id), std::string(2, c));
    all += std::string(2, c);
  }
  std::string sent;
  for (int i = 0; i < 26 && sent.size() < all.size(); ++i) {
    Turn();
    ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
    std::string text = ScriptedRing::Text(ring_->Taken(Op::kSend)[0]);
    sent += text;
    ring_->Forget();
    ring_->Complete(Tag(Op::kSend, id), static_cast<int>(text.size()));
  }
  EXPECT_EQ(sent, all);
  EXPECT_LE(engine_->counters().sends.Get(), 5u);
}

TEST_F(ScriptedTest, AVectoredSendThatIsReclaimedGoesOnFromPrivateMemory) {
  Start({.buffers = 3});
  ConnId holder = Accept(1000);
  ConnId starved = Accept(1001);
  for (const char* text : {"a", "bc", "de"}) {
    ring_->CompleteWithData(Tag(Op::kReceive, holder), text);
  }
  Turn();
  ring_->Complete(Tag(Op::kSend, holder), 1);
  Turn();
  // One buffer is free again and goes to the one who does not read.
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "f");
  Turn();
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), 1);  // a part was taken before the cancel
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kSend)[0].opcode, IORING_OP_SEND);
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "cdef");
  EXPECT_EQ(ring_->BuffersFree(), 3u);
}

TEST_F(ScriptedTest, AOneShotReceiveIntoTheRingIsArmedAgainEachTime) {
  FeatureRequest one_shot;
  one_shot.wanted.Remove(FeatureId::kMultishotRecv);
  Start({.features = one_shot});
  ConnId id = Accept();
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
    io_uring_sqe receive = ring_->Taken(Op::kReceive)[0];
    EXPECT_EQ(receive.ioprio, 0);
    EXPECT_EQ(receive.len, 64u);
    EXPECT_NE(receive.flags & IOSQE_BUFFER_SELECT, 0);
    ring_->Forget();
    ring_->CompleteWithData(Tag(Op::kReceive, id), "x", /*more=*/false);
    Turn();
    ring_->Complete(Tag(Op::kSend, id), 1);
    Turn();
  }
  EXPECT_THAT(handler_.received, SizeIs(3));
  EXPECT_EQ(engine_->counters().multishot_rearms.Get(), 0u);
}

TEST(BufferRingTest, MemoryThatIsGivenBackLateIsWaitedForButNotForEver) {
  ScriptedRing ring(8, 8);
  ring.short_of_memory = 3;
  EXPECT_TRUE(BufferRing::Create(ring, 4, 64, BufferUse::kWhole).ok());
  EXPECT_EQ(ring.short_of_memory, 0);
  ring.short_of_memory = 1000;
  EXPECT_FALSE(BufferRing::Create(ring, 4, 64, BufferUse::kWhole).ok());
  EXPECT_GT(ring.short_of_memory, 900);
}

TEST_F(ScriptedTest, AFeatureAskedForByNameWorksOrTheEngineIsNotMade) {
  Capabilities caps = Everything();
  caps.has.Remove(FeatureId::kMultishotRecv);
  Options options;
  options.features.required = {FeatureId::kMultishotRecv};
  auto engine =
      TestEngine::CreateOn(std::make_unique<ScriptedRing>(8, 8),
                           std::make_unique<ScriptedWritableSet>(), options, caps, handler_);
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.status().message(),
            "the feature multishot_recv cannot be used: this kernel does not have it");
}

TEST_F(ScriptedTest, ACancelThatFindsNothingIsTriedAgainUntilItsTargetHasEnded) {
  for (int answer : {-ENOENT, -EALREADY}) {
    SCOPED_TRACE(answer);
    handler_ = {};
    Start();
    ConnId id = Accept();
    ring_->Forget();
    engine_->Close(id, CloseReason::kLocal);
    Turn();
    for (int i = 0; i < 3; ++i) {
      ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1)) << i;
      uint64_t cancel = ring_->Taken(Op::kCancel)[0].user_data;
      ring_->Forget();
      ring_->Complete(cancel, answer);
      Turn();
      EXPECT_THAT(ring_->Taken(Op::kCancel), IsEmpty()) << "not at once: no spinning";
      EXPECT_LE(ring_->waits.back(), base::kNsPerMs);
      usleep(1500);
      Turn();
    }
    ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
    Turn();
    EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedTest, ASendToAHalfClosedPeerDoesNotWaitInTheKernel) {
  Start();
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "hello");
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kReceive, id), 0, 0);  // the end, with the send still in flight
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kCancel)[0].addr, Tag(Op::kSend, id));
  ring_->Complete(Tag(Op::kSend, id), 2);  // it had taken some
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "llo");
  EXPECT_NE(ring_->Taken(Op::kSend)[0].msg_flags & MSG_DONTWAIT, 0u);
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, id), -EAGAIN);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kSend), IsEmpty());
  ASSERT_THAT(writable_->added, SizeIs(1));
  EXPECT_EQ(writable_->added[0].first, 1000);
  ASSERT_THAT(ring_->Taken(Op::kWritable), SizeIs(1));
  writable_->writable.push_back(writable_->added[0].second);
  ring_->Complete(UserData::Pack(Op::kWritable, 0, 0), POLLIN);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  ring_->Complete(Tag(Op::kSend, id), 3);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
  EXPECT_THAT(writable_->removed, ElementsAre(1000));
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kEof));
}

TEST_F(ScriptedTest, WhileNothingIsReceivedAWatchTellsOfTheHalfClose) {
  Start({.buffers = 8, .high_water_bytes = 3, .low_water_bytes = 1});
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "abcd");
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kWatch), IsEmpty()) << "the receive is still there";
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kWatch), SizeIs(1));
  ring_->Forget();
  ring_->Complete(Tag(Op::kWatch, id), POLLRDHUP);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kCancel)[0].addr, Tag(Op::kSend, id));
  EXPECT_THAT(ring_->Taken(Op::kWatch), IsEmpty());
}

TEST_F(ScriptedTest, TheWatchIsPartOfTheJoin) {
  Start({.features = kFixedRung});
  ConnId id = Accept();
  ASSERT_THAT(ring_->Taken(Op::kWatch), SizeIs(1));
  engine_->Close(id, CloseReason::kLocal);
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
  ring_->Complete(Tag(Op::kWatch, id), -ECANCELED);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
}

TEST_F(ScriptedTest, ABlockedHalfClosedPeerGivesItsBuffersBackWithoutACancel) {
  Start({.buffers = 1});
  ConnId holder = Accept(1000);
  ConnId starved = Accept(1001);
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "x");
  ring_->Complete(Tag(Op::kReceive, holder), 0, 0);
  Turn();
  ring_->Complete(Tag(Op::kSend, holder), -ECANCELED);
  Turn();
  ring_->Complete(Tag(Op::kSend, holder), -EAGAIN);
  Turn();
  ASSERT_THAT(writable_->added, SizeIs(1));
  EXPECT_EQ(ring_->BuffersFree(), 0u);
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 1u);
  ring_->Forget();
  writable_->writable.push_back(writable_->added[0].second);
  ring_->Complete(UserData::Pack(Op::kWritable, 0, 0), POLLIN);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "x");
}

TEST_F(ScriptedTest, FinishFromWithinOnDataStillEchoesThoseBytes) {
  for (bool provided : {true, false}) {
    handler_ = {};
    Start({.features = provided ? FeatureRequest{} : kFixedRung});
    ConnId id = Accept();
    handler_.finish_in_data = true;
    if (provided) {
      ring_->CompleteWithData(Tag(Op::kReceive, id), "last", /*more=*/false);
    } else {
      ring_->Complete(Tag(Op::kReceive, id), 4);
    }
    Turn();
    EXPECT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
    EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
    TearDown();
    engine_.reset();
  }
}

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

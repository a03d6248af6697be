// The io_uring state machine against completions written down by hand, the hostile ones above all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <vector>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

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

}  // namespace
}  // namespace ringecho::engine::uring

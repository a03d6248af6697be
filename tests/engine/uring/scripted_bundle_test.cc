// Receive bundles: one completion that covers several provided buffers, as the kernel makes them
// and as it never should.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Four buffers of four bytes each, unless a test says otherwise.
class ScriptedBundleTest : public ScriptedTest {
 protected:
  void StartSmall(Options options = {}) {
    if (options.buffer_bytes == 0) options.buffer_bytes = 4;
    Start(options);
  }

  // That the peer broke no rule, only the kernel did: the connection ends with EIO.
  void ExpectEndsWithEio(ConnId id) {
    ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
    Turn();
    AnswerAll();
    Turn();
    ASSERT_THAT(handler_.closed, ElementsAre(CloseReason::kOther));
    EXPECT_EQ(engine_->counters().last_errno.Get(), static_cast<uint64_t>(EIO));
  }
};

TEST_F(ScriptedBundleTest, IsAskedForWithMultishotAndOnlyThen) {
  StartSmall();
  Accept();
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].ioprio, IORING_RECV_MULTISHOT | IORING_RECVSEND_BUNDLE);
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].len, 0u);
  TearDown();
  engine_.reset();
  handler_ = {};
  FeatureRequest without;
  without.wanted.Remove(FeatureId::kRecvBundle);
  StartSmall({.features = without});
  Accept();
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].ioprio, IORING_RECV_MULTISHOT);
}

TEST_F(ScriptedBundleTest, IsToldBufferByBufferInOrderAndSentAsOne) {
  StartSmall();
  ConnId id = Accept();
  ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdefghij");
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("abcd", "efgh", "ij"));
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "abcdefghij");
  EXPECT_EQ(engine_->counters().receives.Get(), 1u);
  EXPECT_EQ(engine_->counters().bundles.Get(), 1u);
  EXPECT_EQ(engine_->counters().bytes_received.Get(), 10u);
  EXPECT_EQ(ring_->BuffersFree(), 1u);
  ring_->Complete(Tag(Op::kSend, id), 10);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 4u);
}

TEST_F(ScriptedBundleTest, FollowsTheRingNotTheIds) {
  StartSmall();
  ConnId first = Accept(1000);
  ConnId second = Accept(1001);
  // Buffers come back in the order their sends end: 1, 0, 3, 2 from now on.
  ring_->CompleteWithData(Tag(Op::kReceive, first), "x");
  ring_->CompleteWithData(Tag(Op::kReceive, second), "y");
  Turn();
  ring_->Complete(Tag(Op::kSend, second), 1);
  ring_->Complete(Tag(Op::kSend, first), 1);
  Turn();
  ring_->CompleteWithData(Tag(Op::kReceive, first), "x");
  ring_->CompleteWithData(Tag(Op::kReceive, second), "y");
  Turn();
  ring_->Complete(Tag(Op::kSend, second), 1);
  ring_->Complete(Tag(Op::kSend, first), 1);
  Turn();
  handler_.received.clear();
  ring_->Forget();
  EXPECT_EQ(ring_->CompleteWithBundle(Tag(Op::kReceive, first), "abcdefghijklmno"), 1);
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("abcd", "efgh", "ijkl", "mno"));
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "abcdefghijklmno");
}

TEST_F(ScriptedBundleTest, GoesAroundTheEndOfTheRing) {
  StartSmall({.buffers = 3});  // in a ring of four
  ConnId id = Accept();
  std::string all;
  for (int i = 0; i < 10; ++i) {
    std::string text = std::string(4, static_cast<char>('a' + i)) + std::to_string(i);
    all += text;
    ring_->CompleteWithBundle(Tag(Op::kReceive, id), text);
    Turn();
    ring_->Complete(Tag(Op::kSend, id), 5);
    Turn();
    EXPECT_EQ(ring_->BuffersFree(), 3u);
  }
  std::string told;
  for (const std::string& part : handler_.received) told += part;
  EXPECT_EQ(told, all);
}

TEST_F(ScriptedBundleTest, ABufferThatTheKernelShortenedHoldsLess) {
  StartSmall();
  ConnId id = Accept();
  ring_->ShortenNextBuffer(1);
  ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdef");
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("a", "bcde", "f"));
  ring_->Complete(Tag(Op::kSend, id), 6);
  Turn();
  // What came back is as long as ever.
  handler_.received.clear();
  ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdefghijklmnop");
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("abcd", "efgh", "ijkl", "mnop"));
}

TEST_F(ScriptedBundleTest, OneThatTakesTheLastBufferWaitsForOneAndIsNotArmedInVain) {
  StartSmall();
  ConnId id = Accept();
  ring_->Forget();
  ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdefghijklmnop", /*more=*/false);
  Turn();
  EXPECT_THAT(handler_.received, SizeIs(4));
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty()) << "there is no buffer";
  EXPECT_EQ(engine_->counters().buffers_starved.Get(), 1u);
  // Its own send need not end for that: it is taken back as any holder's.
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  ring_->Complete(Tag(Op::kSend, id), 5);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
}

TEST_F(ScriptedBundleTest, OneThatEndsWithBuffersLeftIsArmedAgain) {
  StartSmall();
  ConnId id = Accept();
  ring_->Forget();
  ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdefgh", /*more=*/false);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
  EXPECT_EQ(engine_->counters().buffers_starved.Get(), 0u);
}

TEST_F(ScriptedBundleTest, TheReceiveIsNotArmedBetweenTwoOfItsBuffers) {
  FeatureRequest one_by_one;
  one_by_one.wanted.Remove(FeatureId::kVectoredSend);
  StartSmall({.features = one_by_one});
  ConnId id = Accept();
  ring_->Forget();
  ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdefghijklmnop", /*more=*/false);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty()) << "there is no buffer";
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "abcd");
}

TEST_F(ScriptedBundleTest, AfterACloseFromWithinTheRestIsNotToldAndItsBuffersReturn) {
  for (bool by_verdict : {true, false}) {
    SCOPED_TRACE(by_verdict);
    handler_ = {};
    StartSmall();
    ConnId id = Accept();
    handler_.close_in_data = !by_verdict;
    if (by_verdict) handler_.verdict = Verdict::kClose;
    ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdefghijkl", /*more=*/false);
    Turn();
    EXPECT_THAT(handler_.received, ElementsAre("abcd"));
    EXPECT_EQ(ring_->BuffersFree(), 4u);
    EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
    EXPECT_THAT(ring_->Taken(Op::kSend), IsEmpty());
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedBundleTest, AfterFinishFromWithinTheRestIsStillEchoed) {
  StartSmall();
  ConnId id = Accept();
  handler_.finish_in_data = true;
  ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdefghij", /*more=*/false);
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("abcd", "efgh", "ij"));
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "abcdefghij");
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
}

TEST_F(ScriptedBundleTest, OneThatRacesACloseReturnsAllItsBuffers) {
  StartSmall();
  ConnId id = Accept();
  engine_->Close(id, CloseReason::kLocal);
  ring_->CompleteWithBundle(Tag(Op::kReceive, id), "abcdefghij");
  Turn();
  EXPECT_THAT(handler_.received, IsEmpty());
  EXPECT_EQ(ring_->BuffersFree(), 4u);
}

TEST_F(ScriptedBundleTest, OneOfAnEarlierGenerationReturnsAllItsBuffers) {
  StartSmall();
  ConnId first = Accept(1000);
  ring_->Complete(Tag(Op::kReceive, first), 0, 0);
  Turn();
  CompleteClose(first);
  Accept(1001);
  ring_->CompleteWithBundle(Tag(Op::kReceive, first), "abcdefghijklm");
  Turn();
  EXPECT_THAT(handler_.received, IsEmpty());
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 1u);
}

TEST_F(ScriptedBundleTest, BuffersGoBackOneByOneWhereverTheSendEnds) {
  const std::string all = "abcdefghij";
  for (size_t cut = 1; cut < all.size(); ++cut) {
    SCOPED_TRACE(cut);
    handler_ = {};
    StartSmall();
    ConnId id = Accept();
    ring_->CompleteWithBundle(Tag(Op::kReceive, id), all);
    Turn();
    ring_->Forget();
    ring_->Complete(Tag(Op::kSend, id), static_cast<int>(cut));
    Turn();
    EXPECT_EQ(ring_->BuffersFree(), 1u + cut / 4);
    ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
    EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), all.substr(cut));
    ring_->Complete(Tag(Op::kSend, id), static_cast<int>(all.size() - cut));
    Turn();
    EXPECT_EQ(ring_->BuffersFree(), 4u);
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedBundleTest, ABufferThatComesWithTheEndIsReturned) {
  StartSmall();
  ConnId id = Accept();
  ASSERT_NE(ring_->CompleteWithData(Tag(Op::kReceive, id), "", /*more=*/false), kNoBuffer);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kEof));
}

TEST_F(ScriptedBundleTest, AFirstBufferThatIsNotTheKernelsIsNotFollowed) {
  StartSmall();
  ConnId id = Accept();
  uint16_t held = ring_->CompleteWithData(Tag(Op::kReceive, id), "abc");
  Turn();
  ring_->Complete(Tag(Op::kReceive, id), 7, ScriptedRing::Named(held) | IORING_CQE_F_MORE);
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("abc"));
  ring_->Complete(Tag(Op::kSend, id), -ECANCELED);
  ExpectEndsWithEio(id);
  EXPECT_EQ(ring_->BuffersFree(), 4u) << "and it is not given back twice";
}

TEST_F(ScriptedBundleTest, ALaterBufferThatIsNotTheKernelsIsNotFollowed) {
  StartSmall();
  ConnId holder = Accept(1000);
  ConnId id = Accept(1001);
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "0");  // buffer 0 is held
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "1");  // and 1
  Turn();
  handler_.received.clear();
  // The last two of the ring, and then what was there a round ago.
  ring_->Complete(Tag(Op::kReceive, id), 12, ScriptedRing::Named(2) | IORING_CQE_F_MORE);
  Turn();
  EXPECT_THAT(handler_.received, SizeIs(2));
  ExpectEndsWithEio(id);
}

TEST_F(ScriptedBundleTest, MoreBytesThanAllBuffersHoldEndTheConnection) {
  for (int bytes : {17, 1000, INT32_MAX}) {
    SCOPED_TRACE(bytes);
    handler_ = {};
    StartSmall();
    ConnId id = Accept();
    ring_->Complete(Tag(Op::kReceive, id), bytes, ScriptedRing::Named(0) | IORING_CQE_F_MORE);
    Turn();
    EXPECT_LE(handler_.received.size(), 4u);
    ExpectEndsWithEio(id);
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedBundleTest, AnEntryWithoutLengthEndsTheConnectionInsteadOfSpinning) {
  StartSmall();
  ConnId id = Accept();
  ring_->ShortenNextBuffer(0);
  ring_->Complete(Tag(Op::kReceive, id), 3, ScriptedRing::Named(0) | IORING_CQE_F_MORE);
  Turn();
  EXPECT_THAT(handler_.received, IsEmpty());
  ExpectEndsWithEio(id);
}

TEST_F(ScriptedBundleTest, AnEntryThatClaimsTooMuchIsCutToTheBuffer) {
  StartSmall();
  ConnId id = Accept();
  ring_->ShortenNextBuffer(UINT32_MAX);
  ring_->Complete(Tag(Op::kReceive, id), 6, ScriptedRing::Named(0) | IORING_CQE_F_MORE);
  Turn();
  ASSERT_THAT(handler_.received, SizeIs(2));
  EXPECT_EQ(handler_.received[0].size(), 4u);
}

TEST_F(ScriptedBundleTest, BytesWithoutABufferAreNotFollowed) {
  StartSmall();
  ConnId id = Accept();
  ring_->Complete(Tag(Op::kReceive, id), 6, IORING_CQE_F_MORE);
  Turn();
  EXPECT_THAT(handler_.received, IsEmpty());
  ExpectEndsWithEio(id);
}

TEST_F(ScriptedBundleTest, IsLeftOutWhereTheKernelsIsBrokenAndTheReasonIsTold) {
  Capabilities caps = Everything();
  caps.has.Remove(FeatureId::kRecvBundle);
  caps.declined[static_cast<size_t>(FeatureId::kRecvBundle)] = "it mixes up bytes";
  Start({}, caps);
  Accept();
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].ioprio, IORING_RECV_MULTISHOT);
  for (const Feature& feature : engine_->features()) {
    if (feature.name != "recv_bundle") continue;
    EXPECT_TRUE(feature.requested);
    EXPECT_FALSE(feature.effective);
    EXPECT_EQ(feature.why_not, "it mixes up bytes");
  }
}

}  // namespace
}  // namespace ringecho::engine::uring

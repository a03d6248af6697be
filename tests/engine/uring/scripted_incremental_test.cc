// Buffers that the kernel uses piece by piece: nobody gets a piece twice, and none comes back
// before the kernel is done with it and every piece is sent.
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

// Two buffers of eight bytes each, unless a test says otherwise.
class ScriptedIncrementalTest : public ScriptedTest {
 protected:
  void StartSmall(Options options = {}) {
    options.features.wanted = With(kDefaultFeatures, FeatureId::kIncrementalBuffers);
    if (options.buffers == 0) options.buffers = 2;
    if (options.buffer_bytes == 0) options.buffer_bytes = 8;
    Start(options);
  }

  uint16_t Bring(ConnId id, const std::string& data, bool more = true) {
    return ring_->CompleteWithData(Tag(Op::kReceive, id), data, more);
  }

  // They have half-closed, and their peers read nothing: no send is in flight, nor will be.
  void LetWaitToWrite(const std::vector<ConnId>& holders) {
    for (ConnId id : holders) ring_->Complete(Tag(Op::kReceive, id), 0, 0);
    Turn();
    for (int error : {ECANCELED, EAGAIN}) {
      for (ConnId id : holders) ring_->Complete(Tag(Op::kSend, id), -error);
      Turn();
    }
  }
};

TEST_F(ScriptedIncrementalTest, ReceivesGoOnWhereTheLastOneEnded) {
  StartSmall();
  ConnId id = Accept();
  ring_->Forget();
  EXPECT_EQ(Bring(id, "abc"), 0);
  EXPECT_EQ(Bring(id, "de"), 0);
  EXPECT_EQ(Bring(id, "fgh"), 0);  // the last of it
  EXPECT_EQ(Bring(id, "i"), 1);
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("abc", "de", "fgh", "i"));
  EXPECT_EQ(SendTaken(), "abc");
  ring_->Complete(Tag(Op::kSend, id), 3);
  Turn();
  EXPECT_EQ(SendTaken(), "defghi") << "pieces are sent as one";
  EXPECT_EQ(ring_->BuffersFree(), 1u);
  ring_->Complete(Tag(Op::kSend, id), 6);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

TEST_F(ScriptedIncrementalTest, ABufferStaysTheKernelsThoughAllItsPiecesAreSent) {
  StartSmall();
  ConnId id = Accept();
  for (int round = 0; round < 3; ++round) {
    Bring(id, "ab");
    Turn();
    ring_->Complete(Tag(Op::kSend, id), 2);
    Turn();
    EXPECT_EQ(ring_->BuffersFree(), 2u) << "it was not added a second time";
  }
  Bring(id, "yz");
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 1u) << "now it is used up";
  ring_->Complete(Tag(Op::kSend, id), 2);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 2u);
  // And begins anew, behind the other one.
  Bring(id, "01234567");
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, id), 8);
  EXPECT_EQ(Bring(id, "again"), 0);
  Turn();
  EXPECT_EQ(handler_.received.back(), "again");
}

TEST_F(ScriptedIncrementalTest, PiecesOfTwoConnectionsInOneBufferAreIndependent) {
  StartSmall();
  ConnId one = Accept(1000);
  ConnId two = Accept(1001);
  ring_->Forget();
  EXPECT_EQ(Bring(one, "111"), 0);
  EXPECT_EQ(Bring(two, "22222"), 0);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(2));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "111");
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[1]), "22222");
  ring_->Complete(Tag(Op::kSend, two), 5);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 1u) << "the first still sends from it";
  ring_->Complete(Tag(Op::kSend, one), 3);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

TEST_F(ScriptedIncrementalTest, ACloseReturnsItsPiecesAndNobodyElses) {
  StartSmall();
  ConnId closing = Accept(1000);
  ConnId other = Accept(1001);
  Bring(closing, "111");
  Bring(other, "222");
  Bring(closing, "33");
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 1u);
  ring_->Forget();
  engine_->Close(closing, CloseReason::kLocal);
  ring_->Complete(Tag(Op::kReceive, closing), -ECANCELED);
  ring_->Complete(Tag(Op::kSend, closing), -ECANCELED);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
  EXPECT_EQ(ring_->BuffersFree(), 1u) << "of the other there is a piece in it";
  ring_->Complete(Tag(Op::kSend, other), 3);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

TEST_F(ScriptedIncrementalTest, APieceThatRacesACloseCountsAsUsed) {
  StartSmall();
  ConnId closing = Accept(1000);
  ConnId other = Accept(1001);
  engine_->Close(closing, CloseReason::kLocal);
  Bring(closing, "late");
  Bring(other, "good");
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("good"));
  EXPECT_EQ(ring_->BuffersFree(), 1u);
  ring_->Complete(Tag(Op::kSend, other), 4);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

TEST_F(ScriptedIncrementalTest, APieceOfAnEarlierGenerationCountsAsUsed) {
  StartSmall();
  ConnId first = Accept(1000);
  ring_->Complete(Tag(Op::kReceive, first), 0, 0);
  Turn();
  CompleteClose(first);
  ConnId second = Accept(1001);
  Bring(first, "ghost");
  Bring(second, "yes");
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("yes"));
}

TEST_F(ScriptedIncrementalTest, APartlyUsedBufferIsFreeForTheStarved) {
  StartSmall({.buffers = 1});
  ConnId holder = Accept(1000);
  ConnId other = Accept(1001);
  Bring(holder, "abc");
  ring_->Complete(Tag(Op::kReceive, other), -ENOBUFS, 0);
  Turn();
  // The kernel said so before it had the buffer; it has it now, and nobody need give anything up.
  EXPECT_THAT(ring_->Taken(Op::kCancel), IsEmpty());
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(3));
}

TEST_F(ScriptedIncrementalTest, AStarvedConnectionTakesABufferBackFromAllThatHoldIt) {
  StartSmall({.buffers = 1});
  ConnId one = Accept(1000);
  ConnId two = Accept(1001);
  ConnId starved = Accept(1002);
  Bring(one, "1111");
  Bring(two, "2222");
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(2));
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, one), 1);
  Turn();
  EXPECT_EQ(SendTaken(), "111") << "from a copy";
  EXPECT_EQ(ring_->BuffersFree(), 0u);
  ring_->Complete(Tag(Op::kSend, two), -ECANCELED);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 1u);
  ASSERT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].user_data, Tag(Op::kReceive, starved));
  EXPECT_EQ(SendTaken(), "2222");
}

// More holders than are asked at one time, none with a send that a cancel would end: the engine
// must not go to sleep between them.
TEST_F(ScriptedIncrementalTest, ABufferHeldByManyThatWaitToWriteIsTakenBackWithoutAnEvent) {
  constexpr int kHolders = 20;
  StartSmall({.buffers = 1, .buffer_bytes = kHolders});
  std::vector<ConnId> holders = AcceptMany(kHolders);
  ConnId starved = Accept(1100);
  for (ConnId id : holders) Bring(id, "x");
  LetWaitToWrite(holders);
  ASSERT_THAT(writable_->added, SizeIs(kHolders));
  ASSERT_EQ(ring_->BuffersFree(), 0u);
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  ring_->waits.clear();
  Turn();
  ASSERT_EQ(ring_->waits.size(), 2u);
  EXPECT_EQ(ring_->waits[1], 0) << "four of them are not asked yet";
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 1u);
}

// Each has a part of every buffer, so that none comes back before all have given up theirs.
TEST_F(ScriptedIncrementalTest, AllBuffersHeldByManyAreTakenBackWithoutAnEvent) {
  constexpr int kHolders = 20, kBuffers = 60;
  StartSmall({.buffers = kBuffers, .buffer_bytes = kHolders});
  std::vector<ConnId> holders = AcceptMany(kHolders);
  ConnId starved = Accept(1100);
  for (int buffer = 0; buffer < kBuffers; ++buffer) {
    for (ConnId id : holders) Bring(id, "x");
    Turn();
  }
  LetWaitToWrite(holders);
  ASSERT_EQ(ring_->BuffersFree(), 0U);
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  int turns = 0;
  do {
    Turn();
    ASSERT_LT(++turns, 100) << "spins";
  } while (ring_->waits.back() == 0);
  EXPECT_GT(ring_->BuffersFree(), 0U);
}

TEST_F(ScriptedIncrementalTest, ABufferGivenUpByTheKernelBeforeItIsFullComesBack) {
  StartSmall();
  ConnId id = Accept();
  Bring(id, "ab");
  // From an io-wq thread a receive takes the rest of the buffer whatever it needs.
  ring_->Complete(Tag(Op::kReceive, id), 1, ScriptedRing::Named(0) | IORING_CQE_F_MORE);
  Turn();
  ASSERT_THAT(handler_.received, SizeIs(2));
  ring_->Complete(Tag(Op::kReceive, id), 1, ScriptedRing::Named(0) | IORING_CQE_F_MORE);
  Turn();
  EXPECT_THAT(handler_.received, SizeIs(2)) << "it is not the kernel's any more";
  EXPECT_EQ(engine_->counters().last_errno.Get(), static_cast<uint64_t>(EIO));
}

TEST_F(ScriptedIncrementalTest, MoreBytesThanThereIsRoomAreNotFollowed) {
  for (unsigned flag : {0u, IORING_CQE_F_BUF_MORE}) {
    SCOPED_TRACE(flag);
    handler_ = {};
    StartSmall();
    ConnId id = Accept();
    Bring(id, "abcde");
    ring_->Complete(Tag(Op::kReceive, id), 4, ScriptedRing::Named(0) | IORING_CQE_F_MORE | flag);
    Turn();
    EXPECT_THAT(handler_.received, ElementsAre("abcde"));
    EXPECT_EQ(engine_->counters().last_errno.Get(), static_cast<uint64_t>(EIO));
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedIncrementalTest, TheEndWithABufferThatIsNotUsedLeavesItWithTheKernel) {
  StartSmall();
  ConnId first = Accept(1000);
  ConnId second = Accept(1001);
  Bring(second, "abc");
  ring_->Complete(Tag(Op::kReceive, first), 0, ScriptedRing::Named(0) | IORING_CQE_F_BUF_MORE);
  Bring(second, "def");
  Turn();
  EXPECT_THAT(handler_.received, ElementsAre("abc", "def"));
  EXPECT_EQ(ring_->BuffersFree(), 2u);
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
}

TEST_F(ScriptedIncrementalTest, AnUnfinishedBufferIsNoneOfTheWorkThatShutdownWaitsFor) {
  StartSmall();
  ConnId id = Accept();
  Bring(id, "ab");
  Turn();
  ring_->Complete(Tag(Op::kSend, id), 2);
  ring_->Complete(Tag(Op::kReceive, id), 0, 0);
  Turn();
  CompleteClose(id);
  EXPECT_EQ(engine_->connections(), 0u);
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

TEST_F(ScriptedIncrementalTest, ASpillTakesThePiecesOfItsConnectionInOrder) {
  StartSmall({.buffers = 2, .buffer_bytes = 6});
  ConnId holder = Accept(1000);
  ConnId between = Accept(1001);
  ConnId starved = Accept(1002);
  Bring(holder, "ab");
  Bring(between, "XY");
  Bring(holder, "cd");
  Bring(holder, "efg");
  Bring(between, "ZWV");
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), 1);  // a part was taken before the cancel
  Turn();
  EXPECT_EQ(SendTaken(), "bcdefg");
  EXPECT_EQ(ring_->BuffersFree(), 0u);
  ring_->Complete(Tag(Op::kSend, between), 2);  // the cancel came too late for all of it
  Turn();
  EXPECT_EQ(SendTaken(), "ZWV");
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

// None of its buffers can come back before the other connection gives up its share.
TEST_F(ScriptedIncrementalTest, ASpillOfSharedBuffersEndsAfterSoManyBytes) {
  StartSmall({.buffers = 4, .buffer_bytes = 4});
  ConnId holder = Accept(1000);
  ConnId other = Accept(1001);
  ConnId starved = Accept(1002);
  for (const char* text : {"abc", "def", "ghi", "jkl"}) {
    Bring(holder, text);
    Bring(other, "x");
  }
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  Turn();
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), -ECANCELED);
  Turn();
  EXPECT_EQ(SendTaken(), "abcdefghi") << "until it has as many bytes as two buffers";
  EXPECT_EQ(ring_->BuffersFree(), 0u);
}

}  // namespace
}  // namespace ringecho::engine::uring

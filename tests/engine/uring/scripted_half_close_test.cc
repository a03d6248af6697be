// Peers that have said all they want to say, with a backlog for them to read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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

}  // namespace
}  // namespace ringecho::engine::uring

// A backlog of buffers goes out in one send, which may end at any byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

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
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "cde");
  EXPECT_EQ(ring_->BuffersFree(), 2u);
  ring_->Forget();
  ring_->Complete(Tag(Op::kSend, holder), 3);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "f");
}

}  // namespace
}  // namespace ringecho::engine::uring

// What takes the place of features that are not there or not wanted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <string>

#include "engine/uring/connection_buffers.h"
#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

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

TEST_F(ScriptedTest, AsMuchMemoryIsPinnedAsTheLimitAllows) {
  auto buffers = ConnectionBuffers::Create(16, 4096);
  ASSERT_TRUE(buffers.ok()) << buffers.status();
  ScriptedRing ring(8, 8);
  const std::array<std::byte, 64> payload{};
  ring.pinned_bytes_max = 5 * 4096;
  ASSERT_TRUE((*buffers)->Register(ring, payload).ok());
  EXPECT_EQ((*buffers)->registered_slots(), 4U);
  EXPECT_NE((*buffers)->payload_index(), ConnectionBuffers::kNotRegistered);
  EXPECT_EQ((*buffers)->SlotIndex(4), ConnectionBuffers::kNotRegistered);

  auto none = ConnectionBuffers::Create(16, 4096);
  ring.pinned_bytes_max = 4096;
  EXPECT_FALSE((*none)->Register(ring, payload).ok());
  EXPECT_EQ((*none)->registered_slots(), 0U);
}

TEST_F(ScriptedTest, TellsHowManyBuffersAreFixed) {
  Start({.max_connections = 24, .features = kFixedRung});
  EXPECT_EQ(engine_->counters().buffers_fixed.Get(), 24U);
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

}  // namespace
}  // namespace ringecho::engine::uring

// Zero-copy sends: what they read is given back when their notification comes, and never before,
// in whatever order results, notifications and closes arrive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr FeatureSet kZeroCopy = {FeatureId::kSendZc, FeatureId::kSendZcFixed};
constexpr uint32_t kCopied = IORING_NOTIF_USAGE_ZC_COPIED;

Capabilities ZeroCopyKernel() {
  Capabilities caps = Everything();
  caps.opcodes = {IORING_OP_SENDMSG_ZC};
  caps.send_zc_reports_usage = true;
  return caps;
}

class ScriptedZcTest : public ScriptedTest {
 protected:
  void StartZc(Options options = {}, FeatureSet features = kDefaultFeatures | kZeroCopy,
               const Capabilities& caps = ZeroCopyKernel()) {
    options.features.wanted = features;
    Start(options, caps);
  }

  // Data comes, and the zero-copy send that answers it is returned.
  io_uring_sqe Echo(ConnId id, const std::string& text) {
    ring_->Forget();
    ring_->CompleteWithData(Tag(Op::kReceive, id), text);
    Turn();
    return OnlySend();
  }
  io_uring_sqe OnlySend() {
    std::vector<io_uring_sqe> sends = ring_->Taken(Op::kSendZc);
    EXPECT_THAT(sends, SizeIs(1));
    return sends.empty() ? io_uring_sqe{} : sends[0];
  }

  // The result, which is followed by a notification.
  void Result(const io_uring_sqe& send, int result) {
    ring_->Complete(send.user_data, result, IORING_CQE_F_MORE);
    Turn();
  }
  void Notify(const io_uring_sqe& send, uint32_t usage = 0) {
    ring_->Complete(send.user_data, static_cast<int>(usage), IORING_CQE_F_NOTIF);
    Turn();
  }
};

TEST_F(ScriptedZcTest, ABufferGoesBackWithTheNotificationAndNotWithTheResult) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe send = Echo(id, "hello");
  EXPECT_EQ(send.opcode, IORING_OP_SEND_ZC);
  EXPECT_EQ(ScriptedRing::Text(send), "hello");
  EXPECT_THAT(ring_->Taken(Op::kSend), IsEmpty());
  Result(send, 5);
  EXPECT_THAT(handler_.sent, ElementsAre(5)) << "the bytes are sent";
  EXPECT_EQ(ring_->BuffersFree(), 3u) << "but may still be read";
  Notify(send);
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_EQ(engine_->counters().zc_sends.Get(), 1u);
  EXPECT_EQ(engine_->counters().zc_copied.Get(), 0u);
}

TEST_F(ScriptedZcTest, IsOffUnlessAskedFor) {
  StartZc({}, kDefaultFeatures);
  ConnId id = Accept();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "x");
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kSendZc), IsEmpty());
  EXPECT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
}

TEST_F(ScriptedZcTest, TheNextSendStartsWithTheResultOfTheOneBefore) {
  StartZc({.buffers = 8});
  ConnId id = Accept();
  io_uring_sqe first = Echo(id, "one");
  ring_->Forget();
  ring_->CompleteWithData(Tag(Op::kReceive, id), "two");
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kSendZc), IsEmpty()) << "one at a time";
  Result(first, 3);
  io_uring_sqe second = OnlySend();
  EXPECT_EQ(ScriptedRing::Text(second), "two");
  EXPECT_NE(second.user_data, first.user_data);
  Result(second, 3);
  EXPECT_EQ(ring_->BuffersFree(), 6u);
  Notify(second);
  EXPECT_EQ(ring_->BuffersFree(), 7u) << "each by its own notification, in any order";
  Notify(first);
  EXPECT_EQ(ring_->BuffersFree(), 8u);
}

TEST_F(ScriptedZcTest, AShortSendGoesOnAndItsBufferWaitsForBothNotifications) {
  for (bool last_first : {false, true}) {
    SCOPED_TRACE(last_first);
    handler_ = {};
    StartZc();
    ConnId id = Accept();
    io_uring_sqe first = Echo(id, "abcdef");
    ring_->Forget();
    Result(first, 2);
    io_uring_sqe second = OnlySend();
    EXPECT_EQ(ScriptedRing::Text(second), "cdef");
    Result(second, 4);
    Notify(last_first ? second : first);
    EXPECT_EQ(ring_->BuffersFree(), 3u);
    Notify(last_first ? first : second);
    EXPECT_EQ(ring_->BuffersFree(), 4u);
    EXPECT_THAT(handler_.sent, ElementsAre(2, 4));
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedZcTest, ANotificationOfTheFirstPartLeavesTheRestInTheQueue) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe first = Echo(id, "abcdef");
  ring_->Forget();
  Result(first, 2);
  Notify(first);
  EXPECT_EQ(ring_->BuffersFree(), 3u) << "four bytes of it are not sent yet";
  io_uring_sqe second = OnlySend();
  Result(second, 4);
  Notify(second);
  EXPECT_EQ(ring_->BuffersFree(), 4u);
}

TEST_F(ScriptedZcTest, AFailedSendKeepsItsBufferUntilTheNotification) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe send = Echo(id, "x");
  Result(send, -EPIPE);
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kReset));
  EXPECT_EQ(ring_->BuffersFree(), 3u);
  Notify(send, kCopied);
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_EQ(engine_->counters().zc_sends.Get(), 0u);
  EXPECT_EQ(engine_->counters().zc_copied.Get(), 0u) << "nothing was sent";
}

TEST_F(ScriptedZcTest, WithoutMoreTheResultIsAllThereIs) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe send = Echo(id, "x");
  ring_->Complete(send.user_data, 1, 0);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  Notify(send);
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 1u);
}

TEST_F(ScriptedZcTest, AStaleNotificationFreesNothingOfALaterSend) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe first = Echo(id, "one");
  Result(first, 3);
  Notify(first);
  io_uring_sqe second = Echo(id, "two");
  Notify(first);
  Result(first, 3);
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 2u);
  EXPECT_THAT(handler_.sent, ElementsAre(3));
  Result(second, 3);
  Notify(first);
  EXPECT_EQ(ring_->BuffersFree(), 3u);
  Notify(second);
  EXPECT_EQ(ring_->BuffersFree(), 4u);
}

TEST_F(ScriptedZcTest, ASecondResultIsDropped) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe send = Echo(id, "one");
  Result(send, 3);
  Result(send, 3);
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 1u);
  EXPECT_THAT(handler_.sent, ElementsAre(3));
}

TEST_F(ScriptedZcTest, ANotificationBeforeItsResultIsTakenForWhatItIs) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe send = Echo(id, "x");
  Notify(send, kCopied);
  EXPECT_EQ(ring_->BuffersFree(), 3u) << "it may have to be sent again";
  Result(send, 1);
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_EQ(engine_->counters().zc_copied.Get(), 1u);
}

// A peer that does not read has its notifications come long after the close, so the close does not
// wait for them: that would be for minutes.
TEST_F(ScriptedZcTest, ACloseWaitsForTheResultAndNotForTheNotification) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe send = Echo(id, "data");
  ring_->Forget();
  engine_->Close(id, CloseReason::kLocal);
  Turn();
  std::vector<uint64_t> cancelled;
  for (const io_uring_sqe& cancel : ring_->Taken(Op::kCancel)) cancelled.push_back(cancel.addr);
  EXPECT_THAT(cancelled, ::testing::UnorderedElementsAre(Tag(Op::kReceive, id), send.user_data));
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kClose), IsEmpty());
  Result(send, 2);  // a part was taken before the cancel
  ASSERT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kLocal));
  EXPECT_EQ(engine_->connections(), 0u);
  EXPECT_EQ(ring_->BuffersFree(), 3u) << "the kernel still sends from it";

  // The slot's next connection has nothing to do with it.
  ConnId next = Accept(1001);
  EXPECT_EQ(next.slot, id.slot);
  io_uring_sqe other = Echo(next, "other");
  Notify(send);
  EXPECT_EQ(ring_->BuffersFree(), 3u);
  Result(other, 5);
  Notify(other);
  EXPECT_EQ(ring_->BuffersFree(), 4u);
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 0u);
}

TEST_F(ScriptedZcTest, ACancelThatFoundNothingIsTriedAgainOnTheSameSend) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe send = Echo(id, "data");
  engine_->Close(id, CloseReason::kLocal);
  ring_->Complete(Tag(Op::kReceive, id), -ECANCELED);
  ring_->Forget();
  Turn();
  for (const io_uring_sqe& cancel : ring_->Taken(Op::kCancel)) {
    if (cancel.addr == send.user_data) ring_->Complete(cancel.user_data, -EALREADY);
  }
  ring_->Forget();
  Turn();
  usleep(1500);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kCancel)[0].addr, send.user_data);
  Result(send, -ECANCELED);
  EXPECT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
}

TEST_F(ScriptedZcTest, ABacklogGoesOutInOneZeroCopySend) {
  StartZc({.buffers = 16});
  ConnId id = Accept();
  io_uring_sqe first = Echo(id, "first");
  for (const char* text : {"second", "third"}) {
    ring_->CompleteWithData(Tag(Op::kReceive, id), text);
  }
  Turn();
  ring_->Forget();
  Result(first, 5);
  io_uring_sqe backlog = OnlySend();
  EXPECT_EQ(backlog.opcode, IORING_OP_SENDMSG_ZC);
  EXPECT_EQ(backlog.ioprio, IORING_SEND_ZC_REPORT_USAGE);
  EXPECT_EQ(ScriptedRing::Text(backlog), "secondthird");
  ring_->Forget();
  Result(backlog, 8);  // all of one and a part of the other
  EXPECT_EQ(ring_->BuffersFree(), 13u);
  io_uring_sqe rest = OnlySend();
  EXPECT_EQ(ScriptedRing::Text(rest), "ird");
  Result(rest, 3);
  Notify(backlog);
  EXPECT_EQ(ring_->BuffersFree(), 14u) << "the rest is still read";
  Notify(rest);
  Notify(first);
  EXPECT_EQ(ring_->BuffersFree(), 16u);
}

TEST_F(ScriptedZcTest, WithoutSendmsgZcABacklogIsCopied) {
  Capabilities caps = ZeroCopyKernel();
  caps.opcodes.clear();
  caps.send_zc_reports_usage = false;
  StartZc({.buffers = 16}, kDefaultFeatures | FeatureSet{FeatureId::kSendZc}, caps);
  ConnId id = Accept();
  io_uring_sqe first = Echo(id, "first");
  EXPECT_EQ(first.ioprio, 0) << "this kernel does not report usage";
  for (const char* text : {"second", "third"}) {
    ring_->CompleteWithData(Tag(Op::kReceive, id), text);
  }
  Turn();
  Result(first, 5);
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kSend)[0].opcode, IORING_OP_SENDMSG);
}

TEST_F(ScriptedZcTest, HalfOfTheBuffersAreNeverLeftToPeersThatDoNotRead) {
  StartZc({.buffers = 4});
  std::vector<ConnId> ids;
  std::vector<io_uring_sqe> sends;
  for (int i = 0; i < 2; ++i) {
    ids.push_back(Accept(1000 + i));
    sends.push_back(Echo(ids.back(), "x"));
    Result(sends.back(), 1);
  }
  ConnId third = Accept(1002);
  ring_->Forget();
  ring_->CompleteWithData(Tag(Op::kReceive, third), "y");
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kSendZc), IsEmpty());
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  ring_->Complete(Tag(Op::kSend, third), 1);
  Turn();
  EXPECT_EQ(ring_->BuffersFree(), 2u);
  Notify(sends[0]);
  Echo(third, "z");  // and again, now that there is room
}

TEST_F(ScriptedZcTest, WhileSomebodyStarvesSendsAreOrdinaryOnes) {
  StartZc({.buffers = 2});
  ConnId holder = Accept(1000);
  ConnId starved = Accept(1001);
  ring_->Forget();
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "one");
  ring_->CompleteWithData(Tag(Op::kReceive, holder), "two");
  Turn();
  io_uring_sqe stuck = OnlySend();
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  ring_->Forget();
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kCancel)[0].addr, stuck.user_data);
  ring_->Forget();
  Result(stuck, 1);
  // One buffer is back, the other with the kernel; what was in both is sent from a copy.
  EXPECT_EQ(ring_->BuffersFree(), 1u);
  EXPECT_THAT(ring_->Taken(Op::kSendZc), IsEmpty());
  ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
  EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "netwo");
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1)) << "the starved one has its turn";
  Notify(stuck);
  EXPECT_EQ(ring_->BuffersFree(), 2u);
}

// The first sixteen holders have nothing to give back but what the kernel still reads.
TEST_F(ScriptedZcTest, ReclaimingGoesOnBehindHoldersWhoseBuffersAreRead) {
  constexpr int kPool = 40;
  StartZc({.max_connections = 64, .buffers = kPool});
  std::vector<ConnId> ids;
  for (int i = 0; i < kPool; ++i) {
    ids.push_back(Accept(1000 + i));
    ring_->CompleteWithData(Tag(Op::kReceive, ids.back()), "xy");
    Turn();
  }
  ConnId starved = Accept(2000);
  std::vector<io_uring_sqe> stuck = ring_->Taken(Op::kSendZc);
  EXPECT_THAT(stuck, SizeIs(kPool / 2));
  EXPECT_EQ(ring_->BuffersFree(), 0u);
  ring_->Forget();
  ring_->Complete(Tag(Op::kReceive, starved), -ENOBUFS, 0);
  for (int round = 0; round < 4 && ring_->BuffersFree() == 0; ++round) {
    Turn();
    std::vector<io_uring_sqe> cancels = ring_->Taken(Op::kCancel);
    ring_->Forget();
    for (const io_uring_sqe& cancel : cancels) {
      bool zc = UserData::GetOp(cancel.addr) == Op::kSendZc;
      ring_->Complete(cancel.addr, -ECANCELED, zc ? IORING_CQE_F_MORE : 0);
      ring_->Complete(cancel.user_data, 0);
    }
    Turn();
  }
  EXPECT_GT(ring_->BuffersFree(), 0u);
}

TEST_F(ScriptedZcTest, ASocketThatRefusesGetsOrdinarySendsFromThenOn) {
  for (int error : {EOPNOTSUPP, ENOBUFS, ENOMEM}) {
    SCOPED_TRACE(error);
    handler_ = {};
    StartZc();
    ConnId id = Accept();
    io_uring_sqe refused = Echo(id, "abc");
    ring_->Forget();
    Result(refused, -error);
    ASSERT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
    EXPECT_EQ(ScriptedRing::Text(ring_->Taken(Op::kSend)[0]), "abc");
    ring_->Complete(Tag(Op::kSend, id), 3);
    Turn();
    EXPECT_EQ(ring_->BuffersFree(), 3u);
    Notify(refused);
    EXPECT_EQ(ring_->BuffersFree(), 4u);
    ring_->CompleteWithData(Tag(Op::kReceive, id), "more");
    ring_->Forget();
    Turn();
    EXPECT_THAT(ring_->Taken(Op::kSendZc), IsEmpty());
    EXPECT_THAT(ring_->Taken(Op::kSend), SizeIs(1));
    EXPECT_THAT(handler_.closed, IsEmpty());
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedZcTest, CopiesAreCounted) {
  StartZc();
  ConnId id = Accept();
  for (uint32_t usage : {kCopied, 0u, kCopied}) {
    io_uring_sqe send = Echo(id, "x");
    EXPECT_NE(send.ioprio & IORING_SEND_ZC_REPORT_USAGE, 0);
    Result(send, 1);
    Notify(send, usage);
  }
  EXPECT_EQ(engine_->counters().zc_sends.Get(), 3u);
  EXPECT_EQ(engine_->counters().zc_copied.Get(), 2u);
}

TEST_F(ScriptedZcTest, WithFixedTheBufferRingIsSentFromAsOneRegisteredBuffer) {
  StartZc();
  ConnId id = Accept();
  io_uring_sqe send = Echo(id, "x");
  EXPECT_NE(send.ioprio & IORING_RECVSEND_FIXED_BUF, 0);
  EXPECT_EQ(send.buf_index, 0);
}

TEST_F(ScriptedZcTest, WithFixedAPayloadIsSentFromItsRegisteredRegion) {
  std::string region = "payload";
  auto bytes = std::as_bytes(std::span(region));
  for (bool provided : {true, false}) {
    SCOPED_TRACE(provided);
    handler_ = {};
    StartZc({.payload_region = bytes},
            (provided ? kDefaultFeatures : kFixedRung.wanted) | kZeroCopy);
    ConnId id = Accept();
    engine_->Send(id, bytes);
    Turn();
    io_uring_sqe send = OnlySend();
    EXPECT_EQ(ScriptedRing::Text(send), "payload");
    EXPECT_NE(send.ioprio & IORING_RECVSEND_FIXED_BUF, 0);
    EXPECT_EQ(send.buf_index, 1);
    Result(send, 7);
    EXPECT_THAT(handler_.sent, ElementsAre(7));
    EXPECT_TRUE(engine_->CanSend(id)) << "it never changes, so nothing waits for the notification";
    Notify(send);
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedZcTest, WithoutFixedNothingIsRegistered) {
  StartZc({}, kDefaultFeatures | FeatureSet{FeatureId::kSendZc});
  ConnId id = Accept();
  EXPECT_EQ(Echo(id, "x").ioprio, IORING_SEND_ZC_REPORT_USAGE);
}

TEST_F(ScriptedZcTest, WhenMemoryMayNotBePinnedSendsAreNotFixed) {
  auto ring = std::make_unique<ScriptedRing>(64, 64);
  ring->register_buffers_result = -ENOMEM;
  Options options;
  options.features.wanted = kDefaultFeatures | kZeroCopy;
  auto engine = TestEngine::CreateOn(std::move(ring), std::make_unique<ScriptedWritableSet>(),
                                     options, ZeroCopyKernel(), handler_);
  ASSERT_TRUE(engine.ok()) << engine.status();
  for (const Feature& feature : (*engine)->features()) {
    if (feature.name == "send_zc") {
      EXPECT_TRUE(feature.effective);
    }
    if (feature.name != "send_zc_fixed") continue;
    EXPECT_FALSE(feature.effective);
    EXPECT_NE(feature.why_not.find("locked-memory"), std::string::npos) << feature.why_not;
  }
}

class ScriptedZcOwnBufferTest : public ScriptedZcTest {
 protected:
  void StartOwn(FeatureSet features = kFixedRung.wanted | kZeroCopy) { StartZc({}, features); }

  // Data comes into the connection's own buffer.
  io_uring_sqe EchoOwn(ConnId id, const std::string& text) {
    std::vector<io_uring_sqe> receives = ring_->Taken(Op::kReceive);
    EXPECT_THAT(receives, SizeIs(1));
    if (receives.empty()) return {};
    std::memcpy(reinterpret_cast<void*>(receives[0].addr), text.data(), text.size());
    ring_->Forget();
    ring_->Complete(Tag(Op::kReceive, id), static_cast<int>(text.size()));
    Turn();
    return OnlySend();
  }
};

TEST_F(ScriptedZcOwnBufferTest, TheNextReceiveWaitsForTheNotification) {
  StartOwn();
  ConnId id = Accept();
  io_uring_sqe send = EchoOwn(id, "abc");
  EXPECT_NE(send.ioprio & IORING_RECVSEND_FIXED_BUF, 0);
  EXPECT_EQ(send.buf_index, 0);
  ring_->Forget();
  Result(send, 1);
  io_uring_sqe rest = OnlySend();
  Result(rest, 2);
  EXPECT_THAT(handler_.sent, ElementsAre(1, 2));
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty());
  Notify(send);
  EXPECT_THAT(ring_->Taken(Op::kReceive), IsEmpty()) << "the rest is still read";
  Notify(rest);
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(1));
}

TEST_F(ScriptedZcOwnBufferTest, WithoutFixedBuffersReceivesAreOrdinaryAlthoughMemoryIsRegistered) {
  StartOwn(With(kZeroCopy, FeatureId::kMultishotAccept));
  ConnId id = Accept();
  EXPECT_EQ(ring_->Taken(Op::kReceive)[0].opcode, IORING_OP_RECV);
  EXPECT_NE(EchoOwn(id, "abc").ioprio & IORING_RECVSEND_FIXED_BUF, 0);
}

// The slot's buffer is the slot's: the connection ends, the slot waits.
TEST_F(ScriptedZcOwnBufferTest, TheSlotIsFreeWithTheLastNotification) {
  StartOwn();
  ConnId id = Accept();
  io_uring_sqe send = EchoOwn(id, "abc");
  ring_->Forget();
  Result(send, 1);
  io_uring_sqe rest = OnlySend();
  Result(rest, 2);
  engine_->Close(id, CloseReason::kLocal);
  Turn();
  ring_->Complete(Tag(Op::kWatch, id), -ECANCELED);
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kClose), SizeIs(1));
  CompleteClose(id);
  EXPECT_THAT(handler_.closed, ElementsAre(CloseReason::kLocal)) << "told without delay";
  EXPECT_EQ(engine_->connections(), 0u);
  EXPECT_EQ(engine_->Undelivered(id), 0);
  EXPECT_NE(Accept(1001).slot, id.slot);
  Notify(send);
  EXPECT_NE(Accept(1002).slot, id.slot);
  Notify(rest);
  EXPECT_EQ(Accept(1003).slot, id.slot);
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 0u);
  EXPECT_THAT(handler_.closed, SizeIs(1));
}

TEST_F(ScriptedZcOwnBufferTest, ATableFullOfSlotsThatWaitAcceptsAgainWithTheNotification) {
  StartZc({.max_connections = 1}, kFixedRung.wanted | kZeroCopy);
  ConnId id = Accept();
  io_uring_sqe send = EchoOwn(id, "abc");
  Result(send, 3);
  engine_->Close(id, CloseReason::kLocal);
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), -ECANCELED, 0);
  ring_->Complete(Tag(Op::kWatch, id), -ECANCELED);
  Turn();
  CompleteClose(id);
  ring_->Forget();
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  Notify(send);
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
}

}  // namespace
}  // namespace ringecho::engine::uring

// Accepting: multishot, several one-shot accepts at a time, and within a limit.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>
#include <vector>

#include "scripted_fixture.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ScriptedTest, ArmsOneMultishotAcceptAndKeepsIt) {
  Start();
  ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kAccept)[0].ioprio, IORING_ACCEPT_MULTISHOT);
  ring_->Forget();
  Accept(1000);
  Accept(1001);
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  EXPECT_THAT(handler_.opened, SizeIs(2));
  EXPECT_THAT(ring_->Taken(Op::kReceive), SizeIs(2));
}

TEST_F(ScriptedTest, AnAcceptWithoutMoreIsArmedAgain) {
  Start();
  ring_->Forget();
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), 1000, 0);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
  EXPECT_THAT(handler_.opened, SizeIs(1));
}

TEST_F(ScriptedTest, AcceptOutOfDescriptorsRestsInsteadOfSpinning) {
  Start();
  ring_->Forget();
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), -EMFILE, 0);
  Turn();
  for (int i = 0; i < 5; ++i) Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  EXPECT_EQ(engine_->counters().accept_emfile.Get(), 1u);
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1u);
}

TEST_F(ScriptedTest, AClosedConnectionEndsTheRestOfAcceptEarly) {
  Start();
  ConnId id = Accept();
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), -EMFILE, 0);
  ring_->Complete(Tag(Op::kReceive, id), 0, 0);
  Turn();
  ring_->Forget();
  CompleteClose(id);
  EXPECT_EQ(handler_.closed, std::vector{CloseReason::kEof});
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
}

TEST_F(ScriptedTest, APeersErrorDuringAcceptIsCountedAndAcceptGoesOn) {
  Start();
  ring_->Forget();
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), -ECONNABORTED, 0);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
  EXPECT_EQ(engine_->counters().accept_errors.Get(), 1u);
}

// A listener that really listens, and clients that wait to be accepted.
struct Backlog {
  explicit Backlog(int clients) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socklen_t length = sizeof(sa_family_t);  // autobind
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    listener.Reset(socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(bind(listener.get(), generic, length), 0);
    EXPECT_EQ(listen(listener.get(), clients), 0);
    length = sizeof(address);
    EXPECT_EQ(getsockname(listener.get(), generic, &length), 0);
    for (int i = 0; i < clients; ++i) {
      waiting.emplace_back(socket(AF_UNIX, SOCK_STREAM, 0));
      EXPECT_EQ(connect(waiting.back().get(), generic, length), 0);
    }
  }
  base::UniqueFd listener;
  std::vector<base::UniqueFd> waiting;
};

TEST_F(ScriptedTest, ALimitIsKeptExactlyAndTakesNoPlaceAhead) {
  AcceptGate gate(1);
  Backlog backlog(2);
  Start({.accept_gate = &gate}, Everything(), 64, 64, std::move(backlog.listener));
  ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
  EXPECT_EQ(ring_->Taken(Op::kAccept)[0].opcode, IORING_OP_POLL_ADD);
  EXPECT_TRUE(gate.TryEnter()) << "waiting for a client takes no place";
  ring_->Forget();
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), POLLIN, 0);
  Turn();
  EXPECT_THAT(handler_.opened, IsEmpty()) << "somebody else has the place";
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1u);
  gate.Leave();
  usleep(static_cast<useconds_t>(AcceptGate::kRetryNs / 1000 + 1000));
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1)) << "looks again after a while";
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), POLLIN, 0);
  Turn();
  ASSERT_THAT(handler_.opened, SizeIs(1));
  EXPECT_FALSE(gate.TryEnter());
  ConnId id = handler_.opened.back();
  ring_->Complete(Tag(Op::kReceive, id), 0, 0);
  Turn();
  CompleteClose(id);
  EXPECT_TRUE(gate.TryEnter()) << "the place is given back with the connection";
  gate.Leave();
}

TEST_F(ScriptedTest, AFullTableStopsTheMultishotAcceptAndClosesWhatStillComes) {
  Start({.max_connections = 1});
  Accept(1000);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), 1001, IORING_CQE_F_MORE);
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), -ECANCELED, 0);
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(1));
  EXPECT_EQ(engine_->counters().rejected.Get(), 1u);
}

constexpr FeatureRequest kOneShot{
    .wanted = kDefaultFeatures - FeatureSet{FeatureId::kMultishotAccept},
    .required = {},
    .asked = true};

uint64_t Numbered(uint32_t number) { return UserData::Pack(Op::kAccept, 0, number); }

TEST_F(ScriptedTest, OneShotAcceptsAreSeveralSoThatNobodyWaitsForATurnEach) {
  Start({.features = kOneShot});
  std::vector<io_uring_sqe> accepts = ring_->Taken(Op::kAccept);
  ASSERT_THAT(accepts, SizeIs(32));
  std::set<uint64_t> tags;
  for (const io_uring_sqe& accept : accepts) {
    EXPECT_EQ(accept.opcode, IORING_OP_ACCEPT);
    EXPECT_EQ(accept.ioprio, 0);
    tags.insert(accept.user_data);
  }
  EXPECT_THAT(tags, SizeIs(32)) << "each has a name of its own";
  ring_->Forget();
  for (uint32_t number : {3U, 0U, 31U}) {
    ring_->Complete(Numbered(number), 1000 + static_cast<int>(number));
  }
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(3));
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(3)) << "only those that are gone";
  ring_->Forget();
  ring_->Complete(Numbered(7), 1100);
  ring_->Complete(Numbered(7), 1101);
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(4)) << "each is answered once";
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 1u);
}

TEST_F(ScriptedTest, OneShotAcceptsAreFewerAsPlacesRunOut) {
  Start({.max_connections = 17, .features = kOneShot});
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(2));
  for (int i = 0; i < 17; ++i) {
    ring_->Forget();
    ring_->Complete(Numbered(i == 1 ? 1 : 0), 1000 + i);
    Turn();
  }
  EXPECT_THAT(handler_.opened, SizeIs(17));
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  EXPECT_EQ(engine_->counters().rejected.Get(), 0u);
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1u);
}

TEST_F(ScriptedTest, EachOneShotAcceptIsCancelledByItsName) {
  Start({.features = kOneShot});
  ring_->Forget();
  engine_->StopListening();
  Turn();
  std::set<uint64_t> cancelled;
  for (const io_uring_sqe& sqe : ring_->Taken(Op::kCancel)) {
    EXPECT_EQ(sqe.cancel_flags, 0u) << "no cancel by descriptor before Linux 5.19";
    cancelled.insert(sqe.addr);
  }
  EXPECT_THAT(cancelled, SizeIs(32));
  for (uint32_t number = 0; number < 32; ++number) {
    ring_->Complete(Numbered(number), -ECANCELED);
  }
  ring_->Forget();
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
}

TEST_F(ScriptedTest, AfterAnErrorOneFreshAcceptTriesForWhoeverWaits) {
  Start({.features = kOneShot});
  ConnId id;
  ring_->Complete(Numbered(0), 1000);
  Turn();
  id = handler_.opened.back();
  ring_->Forget();
  // The other 31 are in flight, but hear only of clients that are still to come.
  ring_->Complete(Numbered(1), -EMFILE);
  ring_->Complete(Tag(Op::kReceive, id), 0, 0);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  CompleteClose(id);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
  ring_->Forget();
  ring_->Complete(Numbered(1), -EMFILE);
  Turn();
  EXPECT_EQ(engine_->counters().accept_emfile.Get(), 2u);
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1u) << "it is still the same pause";
}

TEST_F(ScriptedTest, WithinALimitAllWhoWaitAreTakenInOneTurn) {
  AcceptGate gate(100);
  Backlog backlog(5);
  Start({.accept_gate = &gate}, Everything(), 64, 64, std::move(backlog.listener));
  ring_->Forget();
  ring_->Complete(Numbered(0), POLLIN);
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(5));
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(1)) << "and the next are waited for";
}

TEST_F(ScriptedTest, WithinALimitOneTurnTakesNotMoreThanSixtyFour) {
  AcceptGate gate(100);
  Backlog backlog(70);
  Start({.accept_gate = &gate}, Everything(), 256, 256, std::move(backlog.listener));
  ring_->Complete(Numbered(0), POLLIN);
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(64));
  ring_->Complete(Numbered(0), POLLIN);
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(70));
}

TEST_F(ScriptedTest, APlaceFreedInTheTurnThatFoundNoneIsTakenAtOnce) {
  AcceptGate gate(1);
  Backlog backlog(2);
  Start({.accept_gate = &gate}, Everything(), 64, 64, std::move(backlog.listener));
  ring_->Complete(Numbered(0), POLLIN);
  Turn();
  ASSERT_THAT(handler_.opened, SizeIs(1));
  ConnId first = handler_.opened.back();
  ring_->Complete(Tag(Op::kReceive, first), 0, 0);
  Turn();
  ring_->Forget();
  // Its close comes in the same turn in which the limit is met again, before or after.
  ring_->Complete(Numbered(0), POLLIN);
  ring_->Complete(Tag(Op::kClose, first), 0);
  ASSERT_TRUE(engine_->RunBatchForTest().ok());
  ASSERT_TRUE(engine_->RunBatchForTest().ok());
  ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1)) << "without waiting for the retry";
  ring_->Complete(Numbered(0), POLLIN);
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(2));
}

TEST_F(ScriptedTest, WithinALimitWantOfDescriptorsRestsInsteadOfSpinning) {
  AcceptGate gate(100);
  Backlog backlog(2);
  Start({.accept_gate = &gate}, Everything(), 64, 64, std::move(backlog.listener));
  ring_->Forget();
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ring_->Complete(Numbered(0), POLLIN);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int i = 0; i < 5; ++i) Turn();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  EXPECT_EQ(engine_->counters().accept_emfile.Get(), 1u);
  EXPECT_TRUE(gate.TryEnter()) << "the place is given back";
}

}  // namespace
}  // namespace ringecho::engine::uring

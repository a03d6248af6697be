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

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
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

// Without multishot: a poll, then bursts of accepts that do not wait.
class OneShotAcceptTest : public ScriptedTest {
 protected:
  // Nobody connects to it: what the accepts bring is written by the test.
  void StartOneShot(Options options = {}, unsigned sq_entries = 64) {
    options.features = kOneShot;
    Start(options, Everything(), sq_entries, 64, std::move(Backlog(0).listener));
  }

  // The accepts taken since the last call, by number; none is the poll.
  std::vector<uint32_t> Burst(uint32_t listener = 0) {
    std::vector<uint32_t> numbers;
    for (const io_uring_sqe& sqe : ring_->Taken(Op::kAccept)) {
      if (UserData::Slot(sqe.user_data) != listener) continue;
      EXPECT_EQ(sqe.opcode, IORING_OP_ACCEPT);
      EXPECT_EQ(sqe.ioprio, 0);
      numbers.push_back(UserData::Generation(sqe.user_data));
    }
    ring_->Forget();
    return numbers;
  }
  void ExpectPoll() {
    ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
    EXPECT_EQ(ring_->Taken(Op::kAccept)[0].opcode, IORING_OP_POLL_ADD);
    EXPECT_EQ(ring_->Taken(Op::kAccept)[0].user_data, Numbered(0));
    ring_->Forget();
  }
  void SomebodyWaits() {
    ring_->Complete(Numbered(0), POLLIN);
    Turn();
  }
  void Succeed(const std::vector<uint32_t>& numbers) {
    for (uint32_t number : numbers) ring_->Complete(Numbered(number), next_fd_++);
    Turn();
  }

  int next_fd_ = 1000;
};

TEST_F(OneShotAcceptTest, ABurstGrowsWhileSomebodyWaitsAndThenPollsAgain) {
  StartOneShot({.max_connections = 1000});
  ExpectPoll();
  SomebodyWaits();
  for (size_t most : {1U, 2U, 4U, 8U, 16U, 32U, 32U}) {
    std::vector<uint32_t> burst = Burst();
    ASSERT_THAT(burst, SizeIs(most));
    Succeed(burst);
  }
  EXPECT_THAT(handler_.opened, SizeIs(95));
  std::vector<uint32_t> burst = Burst();
  ASSERT_THAT(burst, SizeIs(32));
  for (uint32_t number : burst) ring_->Complete(Numbered(number), -EAGAIN);
  Turn();
  ExpectPoll();
  EXPECT_EQ(engine_->counters().accept_errors.Get(), 0U) << "nobody else waited, that is all";
}

TEST_F(OneShotAcceptTest, EachIsAnsweredOnceAndTheNextComeWhenAllAre) {
  StartOneShot();
  ring_->Forget();
  SomebodyWaits();
  Succeed(Burst());
  ASSERT_THAT(Burst(), ElementsAre(1, 2));
  ring_->Complete(Numbered(2), 1100);
  ring_->Complete(Numbered(2), 1101);
  ring_->Complete(Numbered(33), 1102);
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(2));
  EXPECT_EQ(engine_->counters().stale_completions.Get(), 2U);
  EXPECT_THAT(Burst(), IsEmpty());
  ring_->Complete(Numbered(1), -EAGAIN);
  Turn();
  ExpectPoll();
}

TEST_F(OneShotAcceptTest, TwoListenersTakeNoMoreThanThereArePlaces) {
  StartOneShot({.max_connections = 5});
  ASSERT_TRUE(engine_->Listen(std::move(Backlog(0).listener)).ok());
  Turn();
  ring_->Forget();
  uint32_t in_flight = 0;
  for (int round = 0; round < 8; ++round) {
    for (uint32_t listener : {0U, 1U}) {
      ring_->Complete(UserData::Pack(Op::kAccept, listener, 0), POLLIN);
    }
    Turn();
    std::vector<uint64_t> tags;
    for (const io_uring_sqe& sqe : ring_->Taken(Op::kAccept)) {
      if (sqe.opcode == IORING_OP_ACCEPT) tags.push_back(sqe.user_data);
    }
    in_flight = static_cast<uint32_t>(tags.size());
    ASSERT_LE(engine_->connections() + in_flight, 5U);
    ring_->Forget();
    for (uint64_t tag : tags) ring_->Complete(tag, next_fd_++);
    Turn();
  }
  EXPECT_THAT(handler_.opened, SizeIs(5));
  EXPECT_EQ(engine_->counters().rejected.Get(), 0U);
  ring_->Forget();
  ring_->Complete(Tag(Op::kReceive, handler_.opened[0]), 0, 0);
  Turn();
  CompleteClose(handler_.opened[0]);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), Not(IsEmpty())) << "a place is free";
}

TEST_F(OneShotAcceptTest, ACancelledPollIsCancelledByItsName) {
  StartOneShot();
  ring_->Forget();
  engine_->StopListening();
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  io_uring_sqe cancel = ring_->Taken(Op::kCancel)[0];
  EXPECT_EQ(cancel.cancel_flags, 0U) << "no cancel by descriptor before Linux 5.19";
  EXPECT_EQ(cancel.addr, Numbered(0));
  ring_->Complete(Numbered(0), -ECANCELED);
  ring_->Forget();
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
}

// Before Linux 5.8 they wait after all.
TEST_F(OneShotAcceptTest, WaitingAcceptsAreEachCancelledThoughTheQueueIsSmall) {
  StartOneShot({}, /*sq_entries=*/4);
  SomebodyWaits();
  ring_->Forget();
  Succeed({1});
  Succeed({1, 2});
  ASSERT_THAT(Burst(), SizeIs(2 + 4));
  engine_->StopListening();
  for (int i = 0; i < 4; ++i) Turn();
  std::set<uint64_t> cancelled;
  for (const io_uring_sqe& sqe : ring_->Taken(Op::kCancel)) cancelled.insert(sqe.addr);
  EXPECT_EQ(cancelled, (std::set{Numbered(1), Numbered(2), Numbered(3), Numbered(4)}));
}

TEST_F(OneShotAcceptTest, AfterAnErrorItRestsAndThenPollsForWhoeverWaits) {
  StartOneShot();
  SomebodyWaits();
  ring_->Forget();
  Succeed({1});
  ASSERT_THAT(Burst(), ElementsAre(1, 2));
  ring_->Complete(Numbered(1), 1001);
  ring_->Complete(Numbered(2), -EMFILE);
  for (int i = 0; i < 5; ++i) Turn();
  EXPECT_THAT(Burst(), IsEmpty());
  EXPECT_EQ(engine_->counters().accept_emfile.Get(), 1U);
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1U);
  ConnId id = handler_.opened.back();
  ring_->Complete(Tag(Op::kReceive, id), 0, 0);
  Turn();
  ring_->Forget();
  CompleteClose(id);
  Turn();
  ExpectPoll();
}

TEST_F(OneShotAcceptTest, APeersErrorEndsTheBurstNotTheAccepting) {
  StartOneShot();
  SomebodyWaits();
  ring_->Forget();
  ring_->Complete(Numbered(1), -ECONNABORTED);
  Turn();
  ExpectPoll();
  EXPECT_EQ(engine_->counters().accept_errors.Get(), 1U);
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
  for (bool freed_first : {false, true}) {
    SCOPED_TRACE(freed_first);
    handler_ = {};
    AcceptGate gate(1);
    Backlog backlog(2);
    Start({.accept_gate = &gate}, Everything(), 64, 64, std::move(backlog.listener));
    ring_->Complete(Numbered(0), POLLIN);
    Turn();
    ASSERT_THAT(handler_.opened, SizeIs(1));
    ConnId first = handler_.opened.back();
    ring_->Complete(Tag(Op::kReceive, first), 0, 0);
    Turn();
    usleep(static_cast<useconds_t>(AcceptGate::kRetryNs / 1000 + 1000));
    ring_->Forget();
    Turn();
    ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1))
        << "the second client was met by a full limit";
    ring_->Forget();
    if (freed_first) {
      ring_->Complete(Tag(Op::kClose, first), 0);
      ring_->Complete(Numbered(0), POLLIN);
    } else {
      ring_->Complete(Numbered(0), POLLIN);
      ring_->Complete(Tag(Op::kClose, first), 0);
    }
    Turn();
    if (!freed_first) {
      ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1)) << "without waiting for the retry";
      ring_->Complete(Numbered(0), POLLIN);
      Turn();
    }
    EXPECT_THAT(handler_.opened, SizeIs(2));
    TearDown();
    engine_.reset();
  }
}

TEST_F(ScriptedTest, WithinALimitAFullTableLeavesTheClientWaiting) {
  AcceptGate gate(100);
  Backlog backlog(2);
  Start({.max_connections = 1, .accept_gate = &gate}, Everything(), 64, 64,
        std::move(backlog.listener));
  ring_->Complete(Numbered(0), POLLIN);
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(1));
  EXPECT_EQ(engine_->counters().rejected.Get(), 0U);
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1U);
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

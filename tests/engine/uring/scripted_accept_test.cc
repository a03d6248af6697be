// Accepting: by multishot, and by calls once a poll has said that somebody waits.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
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

TEST_F(ScriptedTest, AFullTableStopsTheMultishotAcceptAndWhoStillComesWaits) {
  Start({.max_connections = 1});
  ConnId first = Accept(1000);
  Turn();
  EXPECT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), 1001, IORING_CQE_F_MORE);
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), 1002, IORING_CQE_F_MORE);
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), -ECANCELED, 0);
  ring_->Forget();
  Turn();
  EXPECT_THAT(handler_.opened, SizeIs(1));
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1u);
  // Each place that becomes free is for who came first, and nobody else is accepted before them.
  End(first);
  EXPECT_THAT(handler_.opened, SizeIs(2));
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  End(handler_.opened[1]);
  EXPECT_THAT(handler_.opened, SizeIs(3));
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  End(handler_.opened[2]);
  EXPECT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
  EXPECT_EQ(engine_->counters().rejected.Get(), 0u);
}

TEST_F(ScriptedTest, WhoComesWhileOthersWaitForAPlaceWaitsBehindThem) {
  Start({.max_connections = 1});
  ConnId first = Accept(1000);
  Turn();
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), 1001, IORING_CQE_F_MORE);
  Turn();
  ring_->Complete(Tag(Op::kReceive, first), 0, 0);
  Turn();
  ring_->Complete(Tag(Op::kClose, first), 0);
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), 1002, IORING_CQE_F_MORE);
  ring_->Forget();
  Turn();
  ASSERT_THAT(handler_.opened, SizeIs(2));
  EXPECT_EQ(ring_->Taken(Op::kReceive).front().fd, 1001);
}

TEST_F(ScriptedTest, WhoStillWaitsForAPlaceWhenListeningEndsIsTurnedAwayAndCounted) {
  base::UniqueFd client(dup(0));
  const int fd = client.get();
  Start({.max_connections = 1});
  Accept(1000);
  Turn();
  ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), client.Release(), IORING_CQE_F_MORE);
  Turn();
  EXPECT_NE(fcntl(fd, F_GETFD), -1);
  engine_->StopListening();
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
  EXPECT_EQ(engine_->counters().rejected.Get(), 1u);
}

constexpr FeatureRequest kOneShot{
    .wanted = kDefaultFeatures - FeatureSet{FeatureId::kMultishotAccept},
    .required = {},
    .asked = true};

// Taking clients by calls, once a poll has said that somebody waits: with a limit, and without
// multishot accept.
class PolledAcceptTest : public ScriptedTest, public ::testing::WithParamInterface<bool> {
 protected:
  bool limited() const { return GetParam(); }
  // 100 places; `rows` of the table.
  void StartWith(Backlog& backlog, uint32_t rows = 1000) {
    Options options{.max_connections = rows};
    if (limited()) {
      options.accept_gate = &gate_;
    } else {
      options.features = kOneShot;
    }
    Start(options, Everything(), 256, 256, std::move(backlog.listener));
    ExpectPoll();
  }
  void ExpectPoll() {
    ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1));
    EXPECT_EQ(ring_->Taken(Op::kAccept)[0].opcode, IORING_OP_POLL_ADD);
    ring_->Forget();
  }
  void SomebodyWaits() {
    ring_->Complete(Polled(), POLLIN);
    Turn();
  }
  static uint64_t Polled() { return UserData::Pack(Op::kAccept, 0, 0); }
  int PlacesLeft() {
    int left = 0;
    while (gate_.TryEnter()) ++left;
    for (int i = 0; i < left; ++i) gate_.Leave();
    return left;
  }

  AcceptGate gate_{100};
};

TEST_P(PolledAcceptTest, AllWhoWaitAreTakenInOneTurn) {
  Backlog backlog(5);
  StartWith(backlog);
  SomebodyWaits();
  EXPECT_THAT(handler_.opened, SizeIs(5));
  ExpectPoll();
  if (limited()) {
    EXPECT_EQ(PlacesLeft(), 95);
  }
}

TEST_P(PolledAcceptTest, OneTurnTakesNotMoreThanSixtyFour) {
  Backlog backlog(140);
  StartWith(backlog);
  for (size_t most : {64U, 128U, 140U}) {
    SomebodyWaits();
    // Of the limit's hundred places none are left for the rest.
    EXPECT_THAT(handler_.opened, SizeIs(limited() ? std::min<size_t>(most, 100) : most));
    ring_->Forget();
  }
}

TEST_P(PolledAcceptTest, SomebodyElseMayHaveBeenFaster) {
  Backlog backlog(0);
  StartWith(backlog);
  SomebodyWaits();
  EXPECT_THAT(handler_.opened, IsEmpty());
  ExpectPoll();
  EXPECT_EQ(engine_->counters().accept_errors.Get(), 0U);
  if (limited()) {
    EXPECT_EQ(PlacesLeft(), 100);
  }
}

TEST_P(PolledAcceptTest, AFullTableLeavesTheNextClientWaitingUntilThereIsRoom) {
  Backlog backlog(2);
  StartWith(backlog, 1);
  SomebodyWaits();
  ASSERT_THAT(handler_.opened, SizeIs(1));
  for (int i = 0; i < 3; ++i) Turn();
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  EXPECT_EQ(engine_->counters().rejected.Get(), 0U);
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 1U);
  ConnId first = handler_.opened[0];
  ring_->Complete(Tag(Op::kReceive, first), 0, 0);
  Turn();
  ring_->Forget();
  CompleteClose(first);
  Turn();
  ExpectPoll();
  SomebodyWaits();
  EXPECT_THAT(handler_.opened, SizeIs(2));
}

TEST_P(PolledAcceptTest, WantOfDescriptorsRestsInsteadOfSpinning) {
  Backlog backlog(2);
  StartWith(backlog);
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ring_->Complete(Polled(), POLLIN);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  for (int i = 0; i < 5; ++i) Turn();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
  EXPECT_EQ(engine_->counters().accept_emfile.Get(), 1U);
  if (limited()) {
    EXPECT_EQ(PlacesLeft(), 100);
  }
  ASSERT_TRUE(engine_->RunBatchForTest(base::kNsPerSec).ok());
  ASSERT_TRUE(engine_->RunBatchForTest().ok());
  ExpectPoll();
  SomebodyWaits();
  EXPECT_THAT(handler_.opened, SizeIs(2));
}

TEST_P(PolledAcceptTest, ThePollIsCancelledByItsName) {
  Backlog backlog(1);
  StartWith(backlog);
  engine_->StopListening();
  Turn();
  ASSERT_THAT(ring_->Taken(Op::kCancel), SizeIs(1));
  io_uring_sqe cancel = ring_->Taken(Op::kCancel)[0];
  EXPECT_EQ(cancel.cancel_flags, 0U) << "no cancel by descriptor before Linux 5.19";
  EXPECT_EQ(cancel.addr, Polled());
  // It comes too late: whoever waits is left to the next server.
  ring_->Complete(Polled(), POLLIN);
  Turn();
  EXPECT_THAT(handler_.opened, IsEmpty());
  EXPECT_THAT(ring_->Taken(Op::kAccept), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Ways, PolledAcceptTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "Limited" : "OneShot"; });

TEST_F(ScriptedTest, APlaceFreedInTheTurnThatFoundNoneIsTakenAtOnce) {
  for (bool freed_first : {false, true}) {
    SCOPED_TRACE(freed_first);
    handler_ = {};
    AcceptGate gate(1);
    Backlog backlog(2);
    Start({.accept_gate = &gate}, Everything(), 64, 64, std::move(backlog.listener));
    ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), POLLIN);
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
      ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), POLLIN);
    } else {
      ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), POLLIN);
      ring_->Complete(Tag(Op::kClose, first), 0);
    }
    Turn();
    if (!freed_first) {
      ASSERT_THAT(ring_->Taken(Op::kAccept), SizeIs(1)) << "without waiting for the retry";
      ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), POLLIN);
      Turn();
    }
    EXPECT_THAT(handler_.opened, SizeIs(2));
    TearDown();
    engine_.reset();
  }
}

}  // namespace
}  // namespace ringecho::engine::uring

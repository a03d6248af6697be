// The epoll engine when its system calls do less than they were asked for, or fail, at each offset
// of a message: what a busy kernel does once in a million runs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "net/socket.h"
#include "support/engine_thread.h"
#include "support/handlers.h"
#include "support/peer.h"
#include "system_calls.h"

namespace ringecho::engine::epoll {
namespace {

using support::AnyEngine;
using support::Peer;
using support::StreamEnd;
using support::WaitUntil;

class EpollFaultTest : public ::testing::Test {
 protected:
  static constexpr int kBytes = 64;

  void SetUp() override {
    Clear();
    address_ = *net::ResolveOne("127.0.0.1:0", 0);
    absl::StatusOr<net::Listeners> made = net::Listen(address_, {.backlog = 64, .count = 1});
    ASSERT_TRUE(made.ok()) << made.status();
    address_ = made->address;
    listener_ = std::move(made->sockets.front());
  }
  void TearDown() override { Clear(); }

  static void Clear() {
    for (Call call : {Call::kSend, Call::kRecv, Call::kAccept}) Script(call, {});
  }

  void Start(support::AnyHandler& handler, bool listens = true) {
    std::vector<base::UniqueFd> listeners;
    if (listens) listeners.push_back(std::move(listener_));
    auto started =
        support::EngineThread::Start({.name = "epoll"}, {}, handler, std::move(listeners));
    ASSERT_TRUE(started.ok()) << started.status();
    engine_ = *std::move(started);
  }

  // A message of which the engine's sends go as `steps` say comes back whole.
  void ExpectEcho(Peer& peer, const std::vector<int>& steps) {
    std::string message = support::RandomBytes(++seed_, kBytes);
    Script(Call::kSend, steps);
    ASSERT_TRUE(peer.Send(message));
    EXPECT_EQ(peer.Receive(kBytes), message);
    EXPECT_EQ(ScriptLeft(Call::kSend), 0U);
  }

  support::TestEcho echo_;
  support::TestClient client_;
  net::Address address_;
  base::UniqueFd listener_;
  std::unique_ptr<support::EngineThread> engine_;
  uint64_t seed_ = 0;
};

TEST_F(EpollFaultTest, AnEchoCutAtEachOffsetIsWhole) {
  Start(echo_);
  Peer peer = Peer::Connected(address_);
  for (int cut = 1; cut < kBytes; ++cut) {
    SCOPED_TRACE(cut);
    ExpectEcho(peer, {cut});
    if (HasFailure()) return;
  }
  EXPECT_EQ(engine_->counters().short_sends.Get(), kBytes - 1U);
  EXPECT_TRUE(
      WaitUntil([&] { return engine_->counters().bytes_sent.Get() == kBytes * (kBytes - 1U); }));
}

TEST_F(EpollFaultTest, AnEchoCutAtEachTwoOffsetsWithRefusalsBetweenIsWhole) {
  Start(echo_);
  Peer peer = Peer::Connected(address_);
  for (int first = 1; first < kBytes; ++first) {
    for (int second = first + 1; second < kBytes; second += 5) {
      SCOPED_TRACE(testing::Message() << first << ", " << second);
      ExpectEcho(peer, {-EAGAIN, -EINTR, first, -EAGAIN, -EAGAIN, second - first, -EINTR});
      if (HasFailure()) return;
    }
  }
}

TEST_F(EpollFaultTest, OneByteOfEachSendIsEnough) {
  Start(echo_);
  Peer peer = Peer::Connected(address_);
  std::string message = support::RandomBytes(1, 5'000);
  ScriptAlways(Call::kSend, 1);
  ASSERT_TRUE(peer.Send(message));
  EXPECT_EQ(peer.Receive(message.size()), message);
  EXPECT_TRUE(WaitUntil([&] { return engine_->counters().sends.Get() == message.size(); }));
}

TEST_F(EpollFaultTest, OneByteOfEachReceiveIsEnough) {
  Start(echo_);
  Peer peer = Peer::Connected(address_);
  std::string message = support::RandomBytes(1, 5'000);
  ScriptAlways(Call::kRecv, 1);
  ASSERT_TRUE(peer.Send(message));
  EXPECT_EQ(peer.Receive(message.size()), message);
  EXPECT_EQ(engine_->counters().receives.Get(), message.size());
}

TEST_F(EpollFaultTest, AHalfCloseWaitsForTheRestOfACutEcho) {
  Start(echo_);
  for (int cut = 1; cut < kBytes; ++cut) {
    SCOPED_TRACE(cut);
    Peer peer = Peer::Connected(address_);
    std::string message = support::RandomBytes(++seed_, kBytes);
    Script(Call::kSend, {cut, -EAGAIN, -EAGAIN, -EAGAIN});
    ASSERT_TRUE(peer.Send(message));
    peer.ShutdownWrite();
    StreamEnd end = StreamEnd::kOpen;
    ASSERT_EQ(peer.ReceiveRest(&end), message);
    ASSERT_EQ(end, StreamEnd::kEof);
  }
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kEof) == kBytes - 1; }));
}

TEST_F(EpollFaultTest, AResetAtEachOffsetEndsThatConnectionAlone) {
  Start(echo_);
  Peer neighbour = Peer::Connected(address_);
  for (int cut = 1; cut < kBytes; ++cut) {
    SCOPED_TRACE(cut);
    Peer peer = Peer::Connected(address_);
    std::string message = support::RandomBytes(++seed_, kBytes);
    Script(Call::kSend, {cut, -ECONNRESET});
    ASSERT_TRUE(peer.Send(message));
    ASSERT_EQ(peer.ReceiveRest(), message.substr(0, static_cast<size_t>(cut)));
    ASSERT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kReset) == cut; }));
    ExpectEcho(neighbour, {});
  }
  EXPECT_EQ(engine_->counters().open.Get(), 1U);
}

TEST_F(EpollFaultTest, APayloadCutAtEachOffsetIsWholeAndToldOnce) {
  Start(client_, /*listens=*/false);
  support::ConnectResult connected;
  engine_->Call([&](AnyEngine& engine) { connected = engine.Connect(address_, nullptr); });
  ASSERT_TRUE(connected.ok);
  Peer peer(base::UniqueFd(accept(listener_.get(), nullptr, nullptr)));
  ASSERT_TRUE(WaitUntil([&] { return client_.opened == 1; }));
  std::string payload = support::RandomBytes(1, kBytes);
  for (int cut = 1; cut < kBytes; ++cut) {
    SCOPED_TRACE(cut);
    Script(Call::kSend, {-EINTR, cut, -EAGAIN});
    engine_->Call([&](AnyEngine& engine) {
      ASSERT_TRUE(engine.CanSend(connected.id));
      engine.Send(connected.id, std::as_bytes(std::span(payload)));
    });
    ASSERT_EQ(peer.Receive(kBytes), payload);
    ASSERT_TRUE(WaitUntil([&] { return client_.sent_calls == cut; }));
  }
  EXPECT_EQ(client_.sent, kBytes * (kBytes - 1U));
}

TEST_F(EpollFaultTest, FailuresOfAcceptAreCountedAndTheClientIsTakenAllTheSame) {
  Start(echo_);
  Script(Call::kAccept, {-EINTR, -ECONNABORTED, -EPROTO, -EMFILE, -ENOBUFS});
  Peer peer = Peer::Connected(address_);
  ExpectEcho(peer, {});
  EXPECT_EQ(ScriptLeft(Call::kAccept), 0U);
  EXPECT_EQ(engine_->counters().accept_emfile.Get(), 1U);
  EXPECT_EQ(engine_->counters().accept_errors.Get(), 3U);
  EXPECT_EQ(engine_->counters().accept_pauses.Get(), 2U);
}

TEST_F(EpollFaultTest, AnUnknownErrorOfAReceiveEndsTheConnectionAndIsKept) {
  Start(echo_);
  Script(Call::kRecv, {-EIO});
  Peer peer = Peer::Connected(address_);
  ASSERT_TRUE(peer.Send("x"));
  EXPECT_EQ(peer.ReceiveRest(), "");
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kOther) == 1; }));
  EXPECT_EQ(engine_->counters().last_errno.Get(), static_cast<uint64_t>(EIO));
}

}  // namespace
}  // namespace ringecho::engine::epoll

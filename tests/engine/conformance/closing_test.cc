// The ends of a connection: whoever ends it, OnClosed comes once, with the reason, and the slot,
// the descriptor and the buffers are free again.
#include <functional>
#include <string>
#include <vector>

#include "engine/conformance/conformance_test.h"

namespace ringecho::support {
namespace {

constexpr int kSmallReceiveBuffer = 4096;
constexpr size_t kPatternBytes = 65'521;

TEST_P(ConformanceTest, TellsAResetFromAnEndAndOthersDoNotNotice) {
  if (is_unix()) GTEST_SKIP() << "unix sockets have no reset";
  auto server = StartServer();
  Peer other = Connect();
  Peer peer = Connect();
  ASSERT_TRUE(peer.Send("some"));
  ASSERT_EQ(peer.Receive(2), "so");
  peer.Reset();
  EXPECT_TRUE(WaitUntil([&] { return echo_.closed == 1; }));
  EXPECT_EQ(echo_.ClosedFor(CloseReason::kReset), 1);
  ASSERT_TRUE(other.Send("other"));
  EXPECT_EQ(other.Receive(5), "other");
}

TEST_P(ConformanceTest, AnIdlePeerThatLeavesIsAnEnd) {
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(WaitUntil([&] { return echo_.opened == 1; }));
  peer.Close();
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kEof) == 1; }));
}

TEST_P(ConformanceTest, ADeadlineOfTheHandlerCanCloseAnIdleConnection) {
  echo_.on_open = [this](AnyEngine&, ConnId id) {
    echo_.deadline_ns = base::NowNs() + 30 * base::kNsPerMs;
    echo_.on_deadline = [this, id](AnyEngine& engine, int64_t) {
      echo_.deadline_ns = base::kNever;
      engine.Close(id, CloseReason::kTimeout);
    };
  };
  auto server = StartServer();
  Peer peer = Connect();
  StreamEnd end;
  EXPECT_EQ(peer.ReceiveRest(&end), "");
  EXPECT_EQ(end, StreamEnd::kEof);
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kTimeout) == 1; }));
}

TEST_P(ConformanceTest, FinishClosesAnIdleConnectionWithTheReasonGiven) {
  ConnId id;
  echo_.on_open = [&](AnyEngine&, ConnId opened) { id = opened; };
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(peer.Send("x"));
  ASSERT_EQ(peer.Receive(1), "x");
  server->Call([&](AnyEngine& engine) { engine.Finish(id, CloseReason::kInterrupted); });
  StreamEnd end;
  EXPECT_EQ(peer.ReceiveRest(&end), "");
  EXPECT_EQ(end, StreamEnd::kEof);
  peer.Close();
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kInterrupted) == 1; }));
}

TEST_P(ConformanceTest, FinishSendsWhatIsQueuedThenCloses) {
  ConnId id;
  echo_.on_open = [&](AnyEngine&, ConnId opened) { id = opened; };
  auto server = StartServer();
  std::string pattern = RandomBytes(11, kPatternBytes);
  Peer peer = Connect(kSmallReceiveBuffer);
  // The peer goes on sending while it does not read, so there is always input that Finish leaves
  // unread: closing at once would reset the connection and destroy what is on its way.
  peer.SendUntilBlocked(pattern);
  server->Call([&](AnyEngine& engine) { engine.Finish(id, CloseReason::kLocal); });
  uint64_t got = peer.CountRest(pattern);
  EXPECT_EQ(got, echo_.received) << "every byte that was taken is sent back";
  peer.Close();
  EXPECT_TRUE(WaitUntil([&] { return echo_.closed == 1; }));
}

TEST_P(ConformanceTest, FinishDoesNotWaitForEverForAPeerThatDoesNotRead) {
  if (is_unix()) GTEST_SKIP() << "as over TCP, and it takes a second";
  // All of it fits into the kernels' buffers, where it stays: nothing is left for the engine to do.
  std::string payload = RandomBytes(15, 30'000);
  engine::Options options;
  options.payload_region = AsBytes(payload);
  echo_.on_open = [&](AnyEngine& engine, ConnId id) {
    engine.Send(id, AsBytes(payload));
    engine.Finish(id, CloseReason::kLocal);
  };
  auto server = StartServer(options);
  Peer peer = Connect(kSmallReceiveBuffer);
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kLocal) == 1; }));
  EXPECT_EQ(echo_.sent, payload.size());
  EXPECT_TRUE(SameBytes(peer.ReceiveRest(), payload)) << "what is on its way still arrives";
}

TEST_P(ConformanceTest, FinishInsideOnDataStillEchoesThoseBytes) {
  echo_.on_data = [](AnyEngine& engine, ConnId id, std::span<const std::byte>) {
    engine.Finish(id, CloseReason::kLocal);
    return Verdict::kEcho;
  };
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(peer.Send("last words"));
  EXPECT_EQ(peer.ReceiveRest(), "last words");
  peer.Close();
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kLocal) == 1; }));
}

TEST_P(ConformanceTest, CloseDropsWhatIsQueued) {
  ConnId id;
  echo_.on_open = [&](AnyEngine&, ConnId opened) { id = opened; };
  auto server = StartServer();
  std::string pattern = RandomBytes(12, kPatternBytes);
  Peer peer = Connect(kSmallReceiveBuffer);
  uint64_t sent = peer.SendUntilBlocked(pattern);
  server->Call([&](AnyEngine& engine) { engine.Close(id, CloseReason::kTimeout); });
  ASSERT_TRUE(WaitUntil([&] { return echo_.closed == 1; })) << "it waits for the peer";
  EXPECT_EQ(echo_.ClosedFor(CloseReason::kTimeout), 1);
  StreamEnd end;
  EXPECT_LT(peer.CountRest(pattern, &end), sent);
  EXPECT_NE(end, StreamEnd::kTimeout);
}

TEST_P(ConformanceTest, TheVerdictCloseEndsTheConnectionAtOnce) {
  echo_.on_data = [](AnyEngine&, ConnId, std::span<const std::byte> data) {
    return data[0] == std::byte{'q'} ? Verdict::kClose : Verdict::kEcho;
  };
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(peer.Send("a"));
  ASSERT_EQ(peer.Receive(1), "a");
  ASSERT_TRUE(peer.Send("q"));
  EXPECT_EQ(peer.ReceiveRest(), "");
  EXPECT_NE(peer.end(), StreamEnd::kTimeout);
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kLocal) == 1; }));
}

TEST_P(ConformanceTest, CloseInsideOnOpenIsFollowedByOnClosedAlone) {
  echo_.on_open = [](AnyEngine& engine, ConnId id) { engine.Close(id, CloseReason::kTimeout); };
  auto server = StartServer();
  for (int i = 0; i < 20; ++i) {
    Peer peer = Connect();
    peer.Send("x");
    EXPECT_EQ(peer.ReceiveRest(), "");
    EXPECT_NE(peer.end(), StreamEnd::kTimeout);
  }
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kTimeout) == 20; }));
  EXPECT_EQ(echo_.received, 0U);
}

TEST_P(ConformanceTest, CloseInsideOnDataWinsOverTheVerdict) {
  echo_.on_data = [](AnyEngine& engine, ConnId id, std::span<const std::byte>) {
    engine.Close(id, CloseReason::kPayloadMismatch);
    engine.Close(id, CloseReason::kOther);
    return Verdict::kEcho;
  };
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(peer.Send("x"));
  EXPECT_EQ(peer.ReceiveRest(), "");
  EXPECT_NE(peer.end(), StreamEnd::kTimeout);
  EXPECT_TRUE(WaitUntil([&] { return echo_.closed == 1; }));
  EXPECT_EQ(echo_.ClosedFor(CloseReason::kPayloadMismatch), 1);
}

TEST_P(ConformanceTest, CloseInsideOnSentOfAnEcho) {
  echo_.on_sent = [](AnyEngine& engine, ConnId id, size_t) {
    engine.Close(id, CloseReason::kLocal);
  };
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(peer.Send("x"));
  EXPECT_EQ(peer.ReceiveRest(), "x");
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kLocal) == 1; }));
}

TEST_P(ConformanceTest, CloseOfAnotherConnectionInTheSameBatch) {
  // Whoever is heard first closes all the others, whose bytes are there already.
  std::vector<ConnId> ids;
  echo_.on_open = [&](AnyEngine&, ConnId id) { ids.push_back(id); };
  echo_.on_data = [&](AnyEngine& engine, ConnId id, std::span<const std::byte>) {
    for (ConnId other : ids) {
      if (!(other == id)) engine.Close(other, CloseReason::kLocal);
    }
    return Verdict::kEcho;
  };
  auto server = StartServer();
  std::vector<Peer> peers = ConnectMany(10);
  ASSERT_TRUE(WaitUntil([&] { return echo_.opened == 10; }));
  server->Call([&](AnyEngine&) {
    for (Peer& peer : peers) peer.Send("x");
  });
  ASSERT_TRUE(WaitUntil([&] { return echo_.closed == 9; }));
  int served = 0;
  for (Peer& peer : peers) {
    peer.ShutdownWrite();
    served += peer.Receive(1) == "x" ? 1 : 0;
  }
  EXPECT_EQ(served, 1);
}

TEST_P(ConformanceTest, CloseOfABlockedConnectionThatBecomesWritableInTheSameBatch) {
  std::vector<ConnId> ids;
  echo_.on_open = [&](AnyEngine&, ConnId id) { ids.push_back(id); };
  echo_.on_data = [&](AnyEngine& engine, ConnId id, std::span<const std::byte>) {
    if (!(id == ids[0])) engine.Close(ids[0], CloseReason::kTimeout);
    return Verdict::kEcho;
  };
  auto server = StartServer();
  std::string pattern = RandomBytes(16, kPatternBytes);
  Peer blocked = Connect(kSmallReceiveBuffer);
  blocked.SendUntilBlocked(pattern);
  Peer other = Connect();
  ASSERT_TRUE(WaitUntil([&] { return echo_.opened == 2; }));
  server->Call([&](AnyEngine& engine) {
    other.Send("x");
    blocked.Receive(engine.counters().bytes_sent.Get());
  });
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kTimeout) == 1; }));
  EXPECT_EQ(other.Receive(1), "x");
}

TEST_P(ConformanceTest, SlotsDescriptorsAndBuffersAreUsedAgain) {
  constexpr int kRounds = 2000;
  engine::Options options;
  options.max_connections = 4;
  auto server = StartServer(options);
  int descriptors = OpenDescriptors();
  for (int i = 0; i < kRounds; ++i) {
    Peer peer = Connect();
    ASSERT_TRUE(peer.Send("0123456789"));
    // Every third leaves its echo unread, every other one resets.
    if (i % 3 != 0) {
      ASSERT_EQ(peer.Receive(10), "0123456789") << "round " << i;
    }
    if (i % 2 == 0) peer.Reset();
  }
  EXPECT_TRUE(WaitUntil([&] { return echo_.closed == echo_.opened; }));
  EXPECT_TRUE(WaitUntil([&] { return OpenDescriptors() == descriptors; }));
  server->Call([](AnyEngine& engine) { EXPECT_EQ(engine.connections(), 0U); });
  EXPECT_EQ(server->counters().open.Get(), 0U);
  EXPECT_TRUE(WaitUntil([&] { return server->counters().buffers_held.Get() == 0; }));
  std::string data = RandomBytes(13, 100'000);
  Peer peer = Connect();
  ASSERT_TRUE(peer.Send(data));
  EXPECT_TRUE(SameBytes(peer.Receive(data.size()), data));
}

TEST_P(ConformanceTest, CallsForAConnectionThatIsGoneAreIgnored) {
  std::vector<ConnId> ids;
  echo_.on_open = [&](AnyEngine&, ConnId id) { ids.push_back(id); };
  engine::Options options;
  options.max_connections = 1;
  auto server = StartServer(options);
  Connect().Close();
  ASSERT_TRUE(WaitUntil([&] { return echo_.closed == 1; }));
  Peer peer = Connect();
  ASSERT_TRUE(WaitUntil([&] { return echo_.opened == 2; }));
  server->Call([&](AnyEngine& engine) {
    ASSERT_EQ(ids.size(), 2U);
    EXPECT_EQ(ids[0].slot, ids[1].slot);
    EXPECT_FALSE(engine.CanSend(ids[0]));
    engine.Close(ids[0], CloseReason::kLocal);
    engine.Finish(ids[0], CloseReason::kLocal);
    engine.Close({.slot = 0, .generation = 12'345}, CloseReason::kLocal);
    EXPECT_FALSE(engine.CanSend({.slot = 77, .generation = 0}));
  });
  ASSERT_TRUE(peer.Send("still here"));
  EXPECT_EQ(peer.Receive(10), "still here");
}

TEST_P(ConformanceTest, ExitWithOpenConnectionsLeaksNothing) {
  int descriptors = OpenDescriptors();
  {
    auto server = StartServer();
    std::vector<Peer> peers = ConnectMany(20);
    std::string pattern = RandomBytes(14, kPatternBytes);
    ASSERT_TRUE(peers[0].Send("x"));
    ASSERT_EQ(peers[0].Receive(1), "x");
    peers[1].SendUntilBlocked(pattern);
    server->Stop();
    for (Peer& peer : peers) {
      peer.ReceiveRest();
      EXPECT_NE(peer.end(), StreamEnd::kTimeout) << "the peer is not told";
    }
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
}

TEST_P(ConformanceTest, ExitFromOnClosedEndsRun) {
  echo_.on_closed = [](AnyEngine& engine, ConnId, CloseReason) { engine.Exit(); };
  auto server = StartServer();
  Connect().Close();
  server->Join();
  EXPECT_EQ(echo_.ClosedFor(CloseReason::kEof), 1);
}

}  // namespace
}  // namespace ringecho::support

// Taking connections, and not taking them: limits, missing descriptors, shared listeners.
#include <algorithm>
#include <string>
#include <vector>

#include "engine/conformance/conformance_test.h"
#include "engine/conformance/few_descriptors.h"
#include "net/socket.h"

namespace ringecho::support {
namespace {

bool Served(Peer& peer) { return peer.Send("x") && peer.Receive(1) == "x"; }

// Peers that have connected and asked, all of them; how many have been answered by now.
size_t Answered(std::vector<Peer>& peers) {
  return static_cast<size_t>(std::count_if(peers.begin(), peers.end(), [](const Peer& peer) {
    char byte;
    return recv(peer.fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
  }));
}

// Takes an answer from one of them, which then leaves.
void OneLeaves(std::vector<Peer>& peers) {
  auto served = std::find_if(peers.begin(), peers.end(), [](const Peer& peer) {
    char byte;
    return recv(peer.fd(), &byte, 1, MSG_DONTWAIT) == 1;
  });
  ASSERT_NE(served, peers.end());
  peers.erase(served);
}

TEST_P(ConformanceTest, ClientsBeyondTheTableAreNotServedBeforeThereIsAPlace) {
  constexpr size_t kPlaces = 3;
  engine::Options options;
  options.max_connections = kPlaces;
  auto server = StartServer(options);
  std::vector<Peer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(Connect());
    peers.back().Send("x");
  }
  ASSERT_TRUE(WaitUntil([&] { return Answered(peers) == kPlaces; }));
  uint64_t syscalls_before = server->counters().syscalls.Get();
  Pause(100);
  EXPECT_LE(server->counters().syscalls.Get() - syscalls_before, 50U) << "spins";
  EXPECT_EQ(Answered(peers), kPlaces);
  EXPECT_GE(server->counters().accept_pauses.Get(), 1U);
  while (!peers.empty()) {
    size_t answered = std::min(kPlaces, peers.size());
    ASSERT_TRUE(WaitUntil([&] { return Answered(peers) == answered; })) << peers.size() << " left";
    OneLeaves(peers);
  }
  EXPECT_EQ(server->counters().rejected.Get(), 0U) << "a client is lost";
  // With places free again everybody is welcome.
  Peer late = Connect();
  EXPECT_TRUE(Served(late));
}

TEST_P(ConformanceTest, ClientsBeyondTheGateWaitAndAreServedLater) {
  constexpr size_t kPlaces = 3;
  engine::AcceptGate gate(kPlaces);
  engine::Options options;
  options.accept_gate = &gate;
  auto server = StartServer(options);
  std::vector<Peer> peers;
  for (int i = 0; i < 8; ++i) {
    peers.push_back(Connect());
    ASSERT_TRUE(peers.back().Send("x"));
  }
  while (!peers.empty()) {
    size_t answered = std::min(kPlaces, peers.size());
    ASSERT_TRUE(WaitUntil([&] { return Answered(peers) == answered; })) << peers.size() << " left";
    Pause(2);
    ASSERT_EQ(Answered(peers), answered);
    OneLeaves(peers);
  }
  EXPECT_EQ(echo_.opened, 8);
  EXPECT_EQ(server->counters().rejected.Get(), 0U);
  EXPECT_GE(server->counters().accept_pauses.Get(), 1U);
}

TEST_P(ConformanceTest, TheGateIsLookedAtAgainAndGetsEveryPlaceBack) {
  engine::AcceptGate gate(3);
  ASSERT_TRUE(gate.TryEnter());  // another engine's connection
  engine::Options options;
  options.accept_gate = &gate;
  auto server = StartServer(options);
  std::vector<Peer> peers;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(Connect());
    ASSERT_TRUE(peers.back().Send("x"));
  }
  ASSERT_TRUE(WaitUntil([&] { return Answered(peers) == 2; }));
  uint64_t syscalls_before = server->counters().syscalls.Get();
  Pause(100);
  // A look every 10 ms, which takes up to three calls, and with gathering, which waits twice, or an
  // SQPOLL thread, whose clock is read, up to five.
  bool more_calls = config().gather_ns > 0 || config().features.Has(engine::FeatureId::kSqpoll);
  EXPECT_LE(server->counters().syscalls.Get() - syscalls_before, more_calls ? 55U : 35U) << "spins";
  EXPECT_EQ(Answered(peers), 2U);
  gate.Leave();  // the other engine's connection is gone, and nothing tells this one
  EXPECT_TRUE(WaitUntil([&] { return Answered(peers) == 3; }));
  server->Stop();
  // Those of connections open at the end, too.
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(gate.TryEnter()) << i;
  EXPECT_FALSE(gate.TryEnter());
}

TEST_P(ConformanceTest, WithoutDescriptorsClientsWaitAndNothingSpins) {
  if (UsesDirectDescriptors(config())) GTEST_SKIP() << "connections take no descriptors";
  constexpr size_t kCanBeServed = 3;
  FewDescriptors few;
  auto server = StartServer();
  std::vector<Peer> peers = UnconnectedPeers(6);
  server->Call([](AnyEngine&) {});  // It is up: it needs no more descriptors for itself.
  few.Fill(kCanBeServed);
  for (Peer& peer : peers) {
    ASSERT_TRUE(peer.Connect(address()));
    ASSERT_TRUE(peer.Send("x"));
  }
  EXPECT_TRUE(WaitUntil([&] { return Answered(peers) == kCanBeServed; }));
  EXPECT_TRUE(WaitUntil([&] { return server->counters().accept_emfile.Get() > 0; }));
  uint64_t syscalls_before = server->counters().syscalls.Get();
  Pause(220);
  EXPECT_LE(server->counters().syscalls.Get() - syscalls_before, 50U) << "spins";
  EXPECT_EQ(Answered(peers), kCanBeServed);
  few.Release();
  EXPECT_TRUE(WaitUntil([&] { return Answered(peers) == peers.size(); })) << "does not recover";
  EXPECT_EQ(echo_.closed, 0);
}

TEST_P(ConformanceTest, ADescriptorFreedByTheEngineItselfIsUsed) {
  if (UsesDirectDescriptors(config())) GTEST_SKIP() << "connections take no descriptors";
  FewDescriptors few;
  auto server = StartServer();
  std::vector<Peer> peers = UnconnectedPeers(2);
  server->Call([](AnyEngine&) {});
  few.Fill(1);
  for (Peer& peer : peers) {
    ASSERT_TRUE(peer.Connect(address()));
    ASSERT_TRUE(peer.Send("x"));
  }
  ASSERT_TRUE(WaitUntil([&] { return Answered(peers) == 1; }));
  // The peers keep their own descriptors: the one that becomes free is the engine's.
  for (Peer& peer : peers) peer.ShutdownWrite();
  EXPECT_TRUE(WaitUntil([&] { return Answered(peers) == 2; }));
}

TEST_P(ConformanceTest, DirectDescriptorsDoWithoutOrdinaryOnes) {
  if (!UsesDirectDescriptors(config())) GTEST_SKIP() << "connections take descriptors";
  FewDescriptors few;
  auto server = StartServer();
  std::vector<Peer> peers = UnconnectedPeers(6);
  server->Call([](AnyEngine&) {});
  few.Fill(0);
  for (Peer& peer : peers) {
    ASSERT_TRUE(peer.Connect(address()));
    ASSERT_TRUE(peer.Send("x"));
  }
  EXPECT_TRUE(WaitUntil([&] { return Answered(peers) == peers.size(); }));
  for (Peer& peer : peers) peer.ShutdownWrite();
  EXPECT_TRUE(WaitUntil([&] { return echo_.closed == static_cast<int>(peers.size()); }));
}

TEST_P(ConformanceTest, StopListeningLeavesConnectionsAlone) {
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(Served(peer));
  server->Call([](AnyEngine& engine) { engine.StopListening(); });
  // With io_uring the socket is closed when the accept in flight has been cancelled.
  EXPECT_TRUE(WaitUntil([&] { return !Peer::Connected(address()).valid(); }));
  EXPECT_TRUE(Served(peer));
  server->Call([](AnyEngine& engine) { engine.StopListening(); });
  EXPECT_TRUE(Served(peer));
}

TEST_P(ConformanceTest, AcceptsOnSeveralListeners) {
  std::vector<base::UniqueFd> listeners;
  listeners.push_back(NewListener());
  net::Address first = address();
  net::Address second = *net::ResolveOne("127.0.0.1:0", 0);
  absl::StatusOr<net::Listeners> more = net::Listen(second, {});
  ASSERT_TRUE(more.ok()) << more.status();
  listeners.push_back(std::move(more->sockets[0]));
  auto server = StartEngine(echo_, {}, std::move(listeners));
  for (int i = 0; i < 5; ++i) {
    for (const net::Address& to : {first, more->address}) {
      Peer peer = Peer::Connected(to);
      EXPECT_TRUE(Served(peer)) << to.ToString();
    }
  }
}

TEST_P(ConformanceTest, EnginesShareAnAddress) {
  absl::StatusOr<net::Listeners> group = net::Listen(address(), {.backlog = 512, .count = 2});
  ASSERT_TRUE(group.ok()) << group.status();
  TestEcho echoes[2];
  std::unique_ptr<EngineThread> engines[2];
  for (size_t i = 0; i < 2; ++i) {
    std::vector<base::UniqueFd> listeners;
    listeners.push_back(std::move(group->sockets[i]));
    engines[i] = StartEngine(echoes[i], {}, std::move(listeners));
  }
  std::vector<Peer> peers;
  for (int i = 0; i < 100; ++i) {
    peers.push_back(Peer::Connected(group->address));
    ASSERT_TRUE(Served(peers.back())) << i;
  }
  EXPECT_EQ(echoes[0].opened + echoes[1].opened, 100);
  if (!is_unix()) {
    EXPECT_GT(echoes[0].opened, 0);
    EXPECT_GT(echoes[1].opened, 0);
    return;
  }
  // A unix listener is one socket with two descriptors: one engine's goodbye is not the other's.
  int opened_before = echoes[0].opened;
  engines[0]->Call([](AnyEngine& engine) { engine.StopListening(); });
  Pause(20);
  uint64_t calls_before = engines[0]->counters().enter_calls.Get();
  for (int i = 0; i < 50; ++i) {
    peers.push_back(Peer::Connected(group->address));
    ASSERT_TRUE(Served(peers.back())) << i;
  }
  EXPECT_EQ(echoes[0].opened, opened_before);
  EXPECT_LE(engines[0]->counters().enter_calls.Get() - calls_before, 5U)
      << "woken for a listener it has left";
}

}  // namespace
}  // namespace ringecho::support

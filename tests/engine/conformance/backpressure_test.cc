// Peers that send without reading: they wait, the others do not, and nothing of theirs is lost.
#include <string>
#include <thread>
#include <vector>

#include "engine/conformance/conformance_test.h"
#include "engine/conformance/few_descriptors.h"

namespace ringecho::support {
namespace {

constexpr int kSmallReceiveBuffer = 4096;

// Prime, so that a piece lost or repeated cannot fall into step again.
constexpr size_t kPatternBytes = 65'521;

// The engine has come to rest: next to no system calls for a while. False when it never does.
bool ComesToRest(const engine::Counters& counters) {
  return WaitUntil([&] {
    uint64_t before = counters.syscalls.Get();
    Pause(40);
    return counters.syscalls.Get() - before <= 5;
  });
}

// Sends until every buffer on the way is full, however slow the engine is: one that `pauses` has
// done so by then, unless it never does. Returns how much.
uint64_t FillUp(Peer& peer, std::string_view pattern, const engine::Counters& counters,
                bool pauses) {
  uint64_t sent = 0;
  for (int tries = 100; tries > 0;) {
    uint64_t more = peer.SendUntilBlocked(pattern, sent);
    EXPECT_TRUE(ComesToRest(counters)) << "spins while a peer does not read";
    sent += more;
    if (more > 0) continue;
    if (!pauses || counters.backpressure_pauses.Get() > 0) break;
    --tries;
  }
  return sent;
}

void ExpectServed(Peer& peer, int messages = 50) {
  std::string message = RandomBytes(9, 200);
  for (int i = 0; i < messages; ++i) {
    ASSERT_TRUE(peer.Send(message));
    ASSERT_TRUE(SameBytes(peer.Receive(message.size()), message)) << "message " << i;
  }
}

// Reads what was sent while nobody read, up to the end of the stream.
void ExpectRest(Peer& peer, std::string_view pattern, uint64_t sent) {
  peer.ShutdownWrite();
  StreamEnd end;
  EXPECT_EQ(peer.CountRest(pattern, &end), sent);
  EXPECT_EQ(end, StreamEnd::kEof);
}

TEST_P(ConformanceTest, HoldsLittleOfAPeerThatDoesNotReadAndLosesNothing) {
  engine::Options options;
  auto server = StartServer(options);
  std::string pattern = RandomBytes(6, kPatternBytes);
  Peer flooder = Connect(kSmallReceiveBuffer);
  const engine::Counters& counters = server->counters();
  uint64_t sent = FillUp(flooder, pattern, counters, reads_ahead());
  EXPECT_LE(counters.bytes_received.Get() - counters.bytes_sent.Get(), MostHeldBytes(options));
  EXPECT_LT(counters.bytes_received.Get(), sent) << "the peer's own kernel holds its backlog";
  if (reads_ahead()) {
    EXPECT_GE(counters.backpressure_pauses.Get(), 1U);
  }
  flooder.ShutdownWrite();
  EXPECT_TRUE(ComesToRest(counters)) << "spins on the end that waits behind the backlog";

  Peer other = Connect();
  ExpectServed(other);
  ExpectRest(flooder, pattern, sent);
  ExpectServed(other);
  EXPECT_EQ(echo_.received, sent + uint64_t{2} * 50 * 200);
}

TEST_P(ConformanceTest, ServesOthersWhileSeveralPeersDoNotRead) {
  constexpr size_t kFlooders = 5;
  auto server = StartServer();
  std::string pattern = RandomBytes(7, kPatternBytes);
  std::vector<Peer> flooders = ConnectMany(kFlooders, kSmallReceiveBuffer);
  std::vector<std::thread> threads(kFlooders);
  std::vector<uint64_t> sent(kFlooders);
  for (size_t i = 0; i < kFlooders; ++i) {
    threads[i] = std::thread([&, i] { sent[i] = flooders[i].SendUntilBlocked(pattern); });
  }
  Peer other = Connect();
  ExpectServed(other);
  for (std::thread& thread : threads) thread.join();
  ExpectServed(other);
  // In an order that is not that of their blocking.
  for (size_t i : {3U, 0U, 4U, 1U, 2U}) {
    ExpectRest(flooders[i], pattern, sent[i]);
    ExpectServed(other, 5);
  }
}

TEST_P(ConformanceTest, APeerThatStartsToReadCanGoOnSending) {
  auto server = StartServer();
  std::string pattern = RandomBytes(8, kPatternBytes);
  Peer flooder = Connect(kSmallReceiveBuffer);
  uint64_t sent = 0;
  for (int round = 0; round < 3; ++round) {
    uint64_t more = flooder.SendUntilBlocked(pattern, sent);
    std::string got = flooder.Receive(more);
    ASSERT_EQ(got.size(), more) << "round " << round;
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_EQ(got[i], pattern[(sent + i) % pattern.size()]) << "round " << round << " byte " << i;
    }
    sent += more;
  }
  ExpectRest(flooder, pattern.substr(sent % pattern.size()) + pattern, 0);
}

TEST_P(ConformanceTest, KnowsWhatAPeerHasNotTaken) {
  ConnId id;
  echo_.on_open = [&](AnyEngine&, ConnId opened) { id = opened; };
  auto server = StartServer();
  std::string pattern = RandomBytes(17, kPatternBytes);
  Peer peer = Connect(kSmallReceiveBuffer);
  auto undelivered = [&] {
    std::optional<int64_t> bytes;
    while (!bytes) server->Call([&](AnyEngine& engine) { bytes = engine.Undelivered(id); });
    return *bytes;
  };
  ASSERT_TRUE(WaitUntil([&] { return echo_.opened == 1; }));
  EXPECT_EQ(undelivered(), 0);
  uint64_t sent = FillUp(peer, pattern, server->counters(), reads_ahead());
  EXPECT_GT(undelivered(), 0);
  // The engine holds some of what it has received, and its kernel at most all of it (counted with
  // the kernel's own overhead on unix sockets); of the send under way a part may be with both.
  if (!is_unix()) {
    uint64_t received = server->counters().bytes_received.Get();
    uint64_t held = received - server->counters().bytes_sent.Get();
    EXPECT_LE(static_cast<uint64_t>(undelivered()), received + held);
  }
  EXPECT_EQ(peer.Receive(sent).size(), sent);
  EXPECT_TRUE(WaitUntil([&] { return undelivered() == 0; }));
  peer.Close();
  ASSERT_TRUE(WaitUntil([&] { return echo_.closed == 1; }));
  EXPECT_EQ(undelivered(), 0) << "of a connection that is gone";
}

// What half-closed peers that do not read wait in must not need a descriptor for each of them, nor
// the last of the process.
TEST_P(ConformanceTest, HalfClosedPeersThatDoNotReadWaitWithoutDescriptors) {
  FewDescriptors few;
  auto server = StartServer();
  std::string pattern = RandomBytes(10, kPatternBytes);
  std::vector<Peer> peers;
  std::vector<uint64_t> sent;
  for (int i = 0; i < 4; ++i) {
    peers.push_back(Connect(kSmallReceiveBuffer));
    sent.push_back(peers.back().SendUntilBlocked(pattern));
  }
  // Who is still in the backlog then stays there.
  ASSERT_TRUE(WaitUntil([&] { return server->counters().accepted.Get() == peers.size(); }));
  // For a moment each direct descriptor needs an ordinary one.
  few.Fill(UsesDirectDescriptors(config()) ? 1 : 0);
  for (Peer& peer : peers) peer.ShutdownWrite();
  EXPECT_TRUE(ComesToRest(server->counters())) << "spins for want of descriptors";
  // The last first, so that none depends on those before it.
  for (size_t i = peers.size(); i-- > 0;) {
    StreamEnd end;
    EXPECT_EQ(peers[i].CountRest(pattern, &end), sent[i]) << i;
    EXPECT_EQ(end, StreamEnd::kEof) << i;
  }
  few.Release();
}

TEST_P(ConformanceTest, APeerThatVanishesWithABacklogLeavesNothingBehind) {
  auto server = StartServer();
  std::string pattern = RandomBytes(10, kPatternBytes);
  for (int i = 0; i < 3; ++i) {
    Peer flooder = Connect(kSmallReceiveBuffer);
    flooder.SendUntilBlocked(pattern);
    flooder.Reset();
    ASSERT_TRUE(WaitUntil([&] { return echo_.closed == i + 1; }));
  }
  EXPECT_EQ(echo_.ClosedFor(CloseReason::kReset), 3);
  server->Call([](AnyEngine& engine) { EXPECT_EQ(engine.connections(), 0U); });
  Peer other = Connect();
  ExpectServed(other);
}

}  // namespace
}  // namespace ringecho::support

// Whatever arrives, in whatever chunks, comes back: the same bytes in the same order.
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "engine/conformance/conformance_test.h"

namespace ringecho::support {
namespace {

TEST_P(EchoTest, EchoesOneByte) {
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(peer.Send("x"));
  EXPECT_EQ(peer.Receive(1), "x");
  EXPECT_TRUE(WaitUntil([&] { return echo_.sent == 1; }));
  EXPECT_EQ(echo_.received, 1U);
  EXPECT_EQ(echo_.opened, 1);
}

TEST_P(EchoTest, EchoesEveryByteValueAndMessageAfterMessage) {
  auto server = StartServer();
  Peer peer = Connect();
  std::string all(256, '\0');
  for (size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i);
  for (int round = 0; round < 100; ++round) {
    ASSERT_TRUE(peer.Send(all));
    ASSERT_TRUE(SameBytes(peer.Receive(all.size()), all)) << "round " << round;
  }
}

TEST_P(EchoTest, EchoesChunksOfRandomSizes) {
  auto server = StartServer();
  Peer peer = Connect();
  std::string data = RandomBytes(1, 200'000);
  base::SplitMix64 random(2);
  for (size_t at = 0; at < data.size();) {
    size_t bytes =
        std::min<size_t>(1 + random.Below(random.Below(2) == 0 ? 16 : 20'000), data.size() - at);
    std::string_view chunk = std::string_view(data).substr(at, bytes);
    ASSERT_TRUE(peer.Send(chunk));
    ASSERT_TRUE(SameBytes(peer.Receive(bytes), chunk)) << "at " << at;
    at += bytes;
  }
}

TEST_P(EchoTest, EchoesAMegabyteWhileItIsStillComing) {
  auto server = StartServer();
  Peer peer = Connect();
  std::string data = RandomBytes(3, 1 << 20);
  std::thread sender([&] { EXPECT_TRUE(peer.Send(data)); });
  std::string got = peer.Receive(data.size());
  sender.join();
  EXPECT_TRUE(SameBytes(got, data));
  EXPECT_TRUE(WaitUntil([&] { return echo_.sent == data.size(); })) << "not all of it was told";
}

TEST_P(EchoTest, EchoesSingleBytesThatTrickleIn) {
  auto server = StartServer();
  Peer peer = Connect();
  std::string data = RandomBytes(4, 500);
  for (char byte : data) ASSERT_TRUE(peer.Send({&byte, 1}));
  EXPECT_TRUE(SameBytes(peer.Receive(data.size()), data));
}

TEST_P(EchoTest, KeepsManyConnectionsApart) {
  constexpr int kPeers = 200;
  auto server = StartServer();
  std::vector<Peer> peers;
  std::vector<std::string> data;
  for (int i = 0; i < kPeers; ++i) {
    peers.push_back(Connect());
    data.push_back(RandomBytes(100 + static_cast<uint64_t>(i), 3'000));
  }
  // All in flight at once, in three rounds, before anything is read.
  for (size_t part = 0; part < 3; ++part) {
    for (size_t i = 0; i < peers.size(); ++i) {
      ASSERT_TRUE(peers[i].Send(std::string_view(data[i]).substr(part * 1'000, 1'000)));
    }
  }
  for (size_t i = 0; i < peers.size(); ++i) {
    EXPECT_TRUE(SameBytes(peers[i].Receive(data[i].size()), data[i])) << "peer " << i;
  }
  EXPECT_EQ(echo_.opened, kPeers);
  EXPECT_EQ(server->counters().open.Get(), static_cast<uint64_t>(kPeers));
}

TEST_P(EchoTest, GivesAPeerThatHalfClosesEveryByteAndThenTheEnd) {
  auto server = StartServer();
  Peer peer = Connect();
  std::string data = RandomBytes(5, 300'000);
  // Nobody reads before all is sent: most of it piles up on the way.
  std::thread sender([&] {
    EXPECT_TRUE(peer.Send(data));
    peer.ShutdownWrite();
  });
  Pause(20);
  StreamEnd end;
  std::string got = peer.ReceiveRest(&end);
  sender.join();
  EXPECT_TRUE(SameBytes(got, data));
  EXPECT_EQ(end, StreamEnd::kEof);
  EXPECT_TRUE(WaitUntil([&] { return echo_.closed == 1; }));
  EXPECT_EQ(echo_.ClosedFor(CloseReason::kEof), 1);
}

TEST_P(EchoTest, GivesAPeerThatSendsAndHalfClosesAtOnceItsEcho) {
  auto server = StartServer();
  for (int i = 0; i < 50; ++i) {
    Peer peer = Connect();
    ASSERT_TRUE(peer.Send("hello"));
    peer.ShutdownWrite();
    StreamEnd end;
    EXPECT_EQ(peer.ReceiveRest(&end), "hello");
    EXPECT_EQ(end, StreamEnd::kEof);
  }
  EXPECT_TRUE(WaitUntil([&] { return echo_.ClosedFor(CloseReason::kEof) == 50; }));
}

TEST_P(EchoTest, CountsWhatItDoes) {
  auto server = StartServer();
  Peer peer = Connect();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(peer.Send("0123456789"));
    ASSERT_EQ(peer.Receive(10), "0123456789");
  }
  peer.Close();
  ASSERT_TRUE(WaitUntil([&] { return echo_.closed == 1; }));
  const engine::Counters& counters = server->counters();
  EXPECT_EQ(counters.accepted.Get(), 1U);
  EXPECT_EQ(counters.open.Get(), 0U);
  EXPECT_EQ(counters.bytes_received.Get(), 100U);
  EXPECT_EQ(counters.bytes_sent.Get(), 100U);
  EXPECT_EQ(counters.receives.Get(), 10U);
  EXPECT_EQ(counters.sends.Get(), 10U);
  EXPECT_EQ(counters.short_sends.Get(), 0U);
  EXPECT_GE(counters.syscalls.Get(), counters.enter_calls.Get());
  EXPECT_GT(counters.enter_calls.Get(), 0U);
  EXPECT_GT(counters.completions.Get(), 0U);
}

}  // namespace
}  // namespace ringecho::support

// The engine as a client: connecting, sending payloads of registered memory, giving up.
#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "engine/conformance/conformance_test.h"
#include "net/socket.h"

namespace ringecho::support {
namespace {

class Conversation {
 public:
  // `region` is what an engine may send from.
  explicit Conversation(std::string region_bytes) : region(std::move(region_bytes)) {}
  engine::Options Options(uint32_t max_connections = 1024) const {
    engine::Options options;
    options.max_connections = max_connections;
    options.payload_region = AsBytes(region);
    return options;
  }
  std::string region;
};

Peer Accept(const base::UniqueFd& listener) {
  return Peer(base::UniqueFd(accept(listener.get(), nullptr, nullptr)));
}

// Connects from the engine's thread and says what came of it.
ConnectResult ConnectFrom(EngineThread& client, const net::Address& to,
                          const net::Address* from = nullptr) {
  ConnectResult result;
  client.Call([&](AnyEngine& engine) { result = engine.Connect(to, from); });
  return result;
}

TEST_P(ConformanceTest, ClientSendsAPayloadAndReceives) {
  base::UniqueFd listener = NewListener();
  Conversation talk(RandomBytes(20, 5'000));
  TestClient client;
  client.on_open = [&](AnyEngine& engine, ConnId id) {
    EXPECT_TRUE(engine.CanSend(id));
    engine.Send(id, AsBytes(talk.region).subspan(1'000, 3'000));
    EXPECT_FALSE(engine.CanSend(id));
    EXPECT_EQ(client.sent_calls, 0) << "told from inside Send";
  };
  client.on_sent = [](AnyEngine& engine, ConnId id, size_t) { EXPECT_TRUE(engine.CanSend(id)); };
  auto engine = StartEngine(client, talk.Options());
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  Peer peer = Accept(listener);
  EXPECT_TRUE(SameBytes(peer.Receive(3'000), talk.region.substr(1'000, 3'000)));
  EXPECT_TRUE(WaitUntil([&] { return client.sent == 3'000; }));
  EXPECT_EQ(client.sent_calls, 1);
  ASSERT_TRUE(peer.Send("answer"));
  EXPECT_TRUE(WaitUntil([&] { return client.received == 6; }));
  EXPECT_EQ(engine->counters().connected.Get(), 1U);
  EXPECT_EQ(engine->counters().open.Get(), 1U);
  peer.Close();
  EXPECT_TRUE(WaitUntil([&] { return client.ClosedFor(CloseReason::kEof) == 1; }));
  EXPECT_EQ(engine->counters().open.Get(), 0U);
  engine->Stop();
  EXPECT_EQ(client.input[0], "answer");
}

TEST_P(ConformanceTest, ClientSendsOnePayloadAfterAnother) {
  base::UniqueFd listener = NewListener();
  Conversation talk(RandomBytes(21, 40'000));
  base::SplitMix64 random(22);
  std::string want;
  int left = 200;
  TestClient client;
  auto send = [&](AnyEngine& engine, ConnId id) {
    if (left-- == 0) return engine.Finish(id, CloseReason::kLocal);
    size_t bytes = 1 + random.Below(20'000);
    size_t at = random.Below(talk.region.size() - bytes);
    want += talk.region.substr(at, bytes);
    engine.Send(id, AsBytes(talk.region).subspan(at, bytes));
  };
  client.on_open = send;
  client.on_sent = [&](AnyEngine& engine, ConnId id, size_t) { send(engine, id); };
  client.deadline_ns = base::NowNs() + base::kNsPerSec * 3'600;  // Must not delay anything.
  auto engine = StartEngine(client, talk.Options());
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  Peer peer = Accept(listener);
  StreamEnd end;
  std::string got = peer.ReceiveRest(&end);
  peer.Close();
  ASSERT_TRUE(WaitUntil([&] { return client.ClosedFor(CloseReason::kLocal) == 1; }));
  EXPECT_TRUE(SameBytes(got, want));
  EXPECT_EQ(end, StreamEnd::kEof);
  EXPECT_EQ(client.sent_calls, 200);
}

TEST_P(ConformanceTest, ClientSendsAPayloadThatDoesNotFitAtOnce) {
  base::UniqueFd listener = NewListener();
  int small = ReceiveBuffer(4096);
  ASSERT_EQ(setsockopt(listener.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
  // More than both ends' sockets hold when the kernel has let them grow (tcp_wmem, 4 MiB).
  Conversation talk(RandomBytes(23, 16 << 20));
  TestClient client;
  client.on_open = [&](AnyEngine& engine, ConnId id) { engine.Send(id, AsBytes(talk.region)); };
  auto engine = StartEngine(client, talk.Options());
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  Peer peer = Accept(listener);
  ASSERT_TRUE(peer.Send("while it sends"));
  EXPECT_TRUE(WaitUntil([&] { return client.received == 14; })) << "a blocked Send stops receiving";
  Pause(20);
  EXPECT_EQ(client.sent_calls, 0);
  EXPECT_TRUE(SameBytes(peer.Receive(talk.region.size()), talk.region));
  EXPECT_TRUE(WaitUntil([&] { return client.sent == talk.region.size(); }));
  EXPECT_EQ(client.sent_calls, 1);
}

TEST_P(ConformanceTest, ClientAndServerTalkToEachOther) {
  constexpr uint32_t kConnections = 50;
  constexpr size_t kMessages = 20;
  constexpr size_t kBytes = 2'000;
  auto server = StartServer();
  Conversation talk(RandomBytes(24, kConnections + kMessages * kBytes));
  TestClient client(kConnections);
  std::vector<size_t> sent(kConnections);
  // Message k of slot s is the window of the region at s + k * kBytes.
  auto send = [&](AnyEngine& engine, ConnId id) {
    engine.Send(id, AsBytes(talk.region).subspan(id.slot + sent[id.slot]++ * kBytes, kBytes));
  };
  client.on_open = send;
  client.on_data = [&](AnyEngine& engine, ConnId id, std::span<const std::byte>) {
    size_t whole = client.input[id.slot].size() / kBytes;
    if (whole == kMessages) {
      engine.Close(id, CloseReason::kLocal);
    } else if (whole == sent[id.slot] && engine.CanSend(id)) {
      send(engine, id);
    }
    return Verdict::kConsumed;
  };
  // The echo may overtake the news that the payload is sent.
  client.on_sent = [&](AnyEngine& engine, ConnId id, size_t) {
    size_t whole = client.input[id.slot].size() / kBytes;
    if (whole == sent[id.slot] && whole < kMessages) send(engine, id);
  };
  auto engine = StartEngine(client, talk.Options(kConnections));
  engine->Call([&](AnyEngine& any) {
    for (uint32_t i = 0; i < kConnections; ++i) ASSERT_TRUE(any.Connect(address(), nullptr).ok);
    EXPECT_FALSE(any.Connect(address(), nullptr).ok) << "more than max_connections";
  });
  ASSERT_TRUE(WaitUntil([&] { return client.closed == static_cast<int>(kConnections); }));
  EXPECT_EQ(client.ClosedFor(CloseReason::kLocal), static_cast<int>(kConnections));
  engine->Stop();
  for (uint32_t slot = 0; slot < kConnections; ++slot) {
    EXPECT_TRUE(SameBytes(client.input[slot], talk.region.substr(slot, kMessages * kBytes)))
        << "slot " << slot;
  }
}

TEST_P(ConformanceTest, ClientOfALargePayloadGetsItsEchoMeanwhile) {
  auto server = StartServer();
  Conversation talk(RandomBytes(25, 8 << 20));
  TestClient client;
  client.on_open = [&](AnyEngine& engine, ConnId id) { engine.Send(id, AsBytes(talk.region)); };
  auto engine = StartEngine(client, talk.Options());
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  EXPECT_TRUE(WaitUntil([&] { return client.received == talk.region.size(); }));
  EXPECT_TRUE(WaitUntil([&] { return client.sent == talk.region.size(); }));
  engine->Stop();
  EXPECT_TRUE(SameBytes(client.input[0], talk.region));
}

TEST_P(ConformanceTest, AConnectInsideOnClosedMayHaveTheSameSlot) {
  auto server = StartServer();
  Conversation talk("ping");
  int left = 100;
  TestClient client;
  client.on_open = [&](AnyEngine& engine, ConnId id) { engine.Send(id, AsBytes(talk.region)); };
  client.on_data = [&](AnyEngine& engine, ConnId id, std::span<const std::byte>) {
    if (client.input[0].size() % 4 == 0) engine.Close(id, CloseReason::kLocal);
    return Verdict::kConsumed;
  };
  client.on_closed = [&](AnyEngine& engine, ConnId, CloseReason) {
    if (--left == 0) return;
    EXPECT_TRUE(engine.Connect(address(), nullptr).ok);
  };
  auto engine = StartEngine(client, talk.Options(1));
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  EXPECT_TRUE(WaitUntil([&] { return client.ClosedFor(CloseReason::kLocal) == 100; }));
  EXPECT_EQ(client.opened, 100);
  EXPECT_EQ(engine->counters().connected.Get(), 100U);
}

TEST_P(ConformanceTest, ConnectWhereNobodyListensIsRefused) {
  NewListener();  // And gone again: the port is free, the path is stale.
  TestClient client;
  auto engine = StartEngine(client);
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  EXPECT_TRUE(WaitUntil([&] { return client.closed == 1; }));
  EXPECT_EQ(client.ClosedFor(CloseReason::kRefused), 1);
  EXPECT_EQ(client.opened, 0);
  EXPECT_EQ(engine->counters().connected.Get(), 0U);
  EXPECT_EQ(engine->counters().open.Get(), 0U);
}

// It would echo everything, and nobody would be there.
TEST_P(ConformanceTest, AConnectionWithItselfIsRefused) {
  if (is_unix()) GTEST_SKIP() << "of ports";
  NewListener();  // And gone again: the port is free.
  const net::Address here = address();
  int descriptors = OpenDescriptors();
  TestClient client;
  {
    auto engine = StartEngine(client);
    ASSERT_TRUE(ConnectFrom(*engine, here, &here).ok);
    EXPECT_TRUE(WaitUntil([&] { return client.closed == 1; }));
    EXPECT_EQ(client.ClosedFor(CloseReason::kRefused), 1);
    EXPECT_EQ(client.opened, 0);
    EXPECT_EQ(engine->counters().connected.Get(), 0U);
    absl::StatusOr<net::Listeners> server = net::Listen(here, {});
    EXPECT_TRUE(server.ok()) << "the port is kept: " << server.status();
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
}

TEST_P(ConformanceTest, ConnectToAMissingPathIsRefused) {
  if (!is_unix()) GTEST_SKIP() << "of unix sockets";
  TestClient client;
  auto engine = StartEngine(client);
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  EXPECT_TRUE(WaitUntil([&] { return client.ClosedFor(CloseReason::kRefused) == 1; }));
}

TEST_P(ConformanceTest, ConnectFromASourceAddress) {
  if (address().family() != AF_INET) GTEST_SKIP() << "of 127.0.0.0/8";
  base::UniqueFd listener = NewListener();
  TestClient client;
  auto engine = StartEngine(client);
  net::Address ours = *net::ResolveOne("127.0.3.7:0", 0);
  ASSERT_TRUE(ConnectFrom(*engine, address(), &ours).ok);
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  base::UniqueFd fd(accept(listener.get(), reinterpret_cast<sockaddr*>(&storage), &length));
  net::Address seen(reinterpret_cast<const sockaddr*>(&storage), length);
  seen.set_port(0);
  EXPECT_EQ(seen, ours);

  net::Address not_ours = *net::ResolveOne("192.0.2.1:0", 0);
  ConnectResult result = ConnectFrom(*engine, address(), &not_ours);
  EXPECT_FALSE(result.ok);
  EXPECT_EQ(result.error, CloseReason::kAddrNotAvail);
}

TEST_P(ConformanceTest, CloseRightAfterConnect) {
  base::UniqueFd listener = NewListener();
  int descriptors = OpenDescriptors();
  TestClient client;
  {
    auto engine = StartEngine(client);
    for (int i = 0; i < 20; ++i) {
      engine->Call([&](AnyEngine& any) {
        ConnectResult result = any.Connect(address(), nullptr);
        ASSERT_TRUE(result.ok);
        any.Close(result.id, CloseReason::kTimeout);
      });
    }
    EXPECT_TRUE(WaitUntil([&] { return client.ClosedFor(CloseReason::kTimeout) == 20; }));
    EXPECT_EQ(client.opened, 0);
    engine->Call([](AnyEngine& any) { EXPECT_EQ(any.connections(), 0U); });
  }
  EXPECT_EQ(OpenDescriptors(), descriptors);
}

TEST_P(ConformanceTest, CloseWhileTheConnectHangs) {
  base::UniqueFd listener = NewListener(0);
  // A full backlog: TCP drops further SYNs, so connecting takes seconds. A unix socket answers
  // EAGAIN to who does not wait (refused), and lets the others wait.
  std::vector<Peer> backlog;
  for (int i = 0; i < 3; ++i) {
    backlog.push_back(Peer::Unconnected(address()));
    fcntl(backlog.back().fd(), F_SETFL, O_NONBLOCK);
    backlog.back().Connect(address());
  }
  Pause(20);
  TestClient client;
  auto engine = StartEngine(client);
  ConnectResult result = ConnectFrom(*engine, address());
  ASSERT_TRUE(result.ok);
  Pause(20);
  EXPECT_EQ(client.opened, 0);
  engine->Call([&](AnyEngine& any) {
    EXPECT_FALSE(any.CanSend(result.id));
    any.Close(result.id, CloseReason::kTimeout);
  });
  EXPECT_TRUE(WaitUntil([&] { return client.closed == 1; }));
  EXPECT_EQ(client.ClosedFor(CloseReason::kTimeout) + client.ClosedFor(CloseReason::kRefused), 1);
  EXPECT_TRUE(is_unix() || client.ClosedFor(CloseReason::kTimeout) == 1);
}

TEST_P(ConformanceTest, ClientMayCloseInsideEveryCall) {
  base::UniqueFd listener = NewListener();
  Conversation talk("payload");
  for (std::string_view where : {"open", "data", "sent"}) {
    TestClient client;
    client.on_open = [&](AnyEngine& engine, ConnId id) {
      if (where != "open") engine.Send(id, AsBytes(talk.region));
      if (where == "open") engine.Close(id, CloseReason::kLocal);
    };
    client.on_data = [&](AnyEngine& engine, ConnId id, std::span<const std::byte>) {
      if (where == "data") engine.Close(id, CloseReason::kLocal);
      return Verdict::kConsumed;
    };
    client.on_sent = [&](AnyEngine& engine, ConnId id, size_t) {
      if (where == "sent") engine.Close(id, CloseReason::kLocal);
    };
    auto engine = StartEngine(client, talk.Options());
    ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
    Peer peer = Accept(listener);
    peer.Send("answer");
    EXPECT_TRUE(WaitUntil([&] { return client.closed == 1; })) << where;
    EXPECT_EQ(client.ClosedFor(CloseReason::kLocal), 1) << where;
    peer.ReceiveRest();
    EXPECT_NE(peer.end(), StreamEnd::kTimeout) << where;
  }
}

TEST_P(ConformanceTest, CloseDropsAPayloadUnderWay) {
  base::UniqueFd listener = NewListener();
  Conversation talk(RandomBytes(26, 16 << 20));
  TestClient client;
  auto engine = StartEngine(client, talk.Options());
  client.on_open = [&](AnyEngine& any, ConnId id) { any.Send(id, AsBytes(talk.region)); };
  ConnectResult result = ConnectFrom(*engine, address());
  Peer peer = Accept(listener);
  Pause(20);
  engine->Call([&](AnyEngine& any) {
    EXPECT_FALSE(any.CanSend(result.id));
    any.Close(result.id, CloseReason::kLocal);
  });
  EXPECT_TRUE(WaitUntil([&] { return client.ClosedFor(CloseReason::kLocal) == 1; }));
  EXPECT_EQ(client.sent_calls, 0);
  EXPECT_LT(peer.ReceiveRest().size(), talk.region.size());
  EXPECT_NE(peer.end(), StreamEnd::kTimeout);
}

TEST_P(ConformanceTest, FinishSendsThePayloadUnderWayFirst) {
  base::UniqueFd listener = NewListener();
  Conversation talk(RandomBytes(27, 8 << 20));
  TestClient client;
  bool told_before_closed = false;
  client.on_open = [&](AnyEngine& engine, ConnId id) {
    engine.Send(id, AsBytes(talk.region));
    engine.Finish(id, CloseReason::kLocal);
    EXPECT_FALSE(engine.CanSend(id));
  };
  client.on_closed = [&](AnyEngine&, ConnId, CloseReason) {
    told_before_closed = client.sent == talk.region.size();
  };
  auto engine = StartEngine(client, talk.Options());
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  Peer peer = Accept(listener);
  Pause(20);
  StreamEnd end;
  EXPECT_TRUE(SameBytes(peer.ReceiveRest(&end), talk.region));
  EXPECT_EQ(end, StreamEnd::kEof);
  peer.Close();
  EXPECT_TRUE(WaitUntil([&] { return client.ClosedFor(CloseReason::kLocal) == 1; }));
  engine->Stop();
  EXPECT_TRUE(told_before_closed);
}

TEST_P(ConformanceTest, ThePeersEndDropsAPayloadUnderWay) {
  base::UniqueFd listener = NewListener();
  Conversation talk(RandomBytes(28, 16 << 20));
  TestClient client;
  client.on_open = [&](AnyEngine& engine, ConnId id) { engine.Send(id, AsBytes(talk.region)); };
  auto engine = StartEngine(client, talk.Options());
  ASSERT_TRUE(ConnectFrom(*engine, address()).ok);
  Peer peer = Accept(listener);
  ASSERT_EQ(peer.Receive(10), talk.region.substr(0, 10));
  peer.ShutdownWrite();
  EXPECT_TRUE(WaitUntil([&] { return client.closed == 1; }));
  EXPECT_EQ(client.ClosedFor(CloseReason::kEof), 1);
  EXPECT_EQ(client.sent_calls, 0);
}

}  // namespace
}  // namespace ringecho::support

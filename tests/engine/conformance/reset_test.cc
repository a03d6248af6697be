// Peers that reset at each point of a connection's life: the engine learns of it from a receive, a
// send, a cancel or a close, and each time everything comes back.
#include <filesystem>
#include <functional>
#include <future>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "engine/conformance/conformance_test.h"

namespace ringecho::support {
namespace {

constexpr int kSmallReceiveBuffer = 4096;

// Of this process. What an engine makes when it first needs it, such as an epoll instance, is none.
int OpenSockets() {
  int sockets = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;  // the descriptor that reads the folder, or one closed meanwhile
    std::string what = std::filesystem::read_symlink(entry, gone).string();
    if (what.starts_with("socket:")) ++sockets;
  }
  return sockets;
}

struct Scene {
  Peer& peer;
  EngineThread& server;
  ConnId id;  // of the peer's connection
  std::string_view pattern;
};

// What happens between the connection's being open and its reset.
struct Point {
  std::string_view name;
  std::function<void(Scene&)> before;
};

void Fill(Scene& scene) { scene.peer.SendUntilBlocked(scene.pattern); }

void WaitForEcho(Scene& scene, uint64_t bytes) {
  const engine::Counters& counters = scene.server.counters();
  uint64_t before = counters.bytes_sent.Get();
  scene.peer.Send(scene.pattern.substr(0, bytes));
  EXPECT_TRUE(WaitUntil([&] { return counters.bytes_sent.Get() >= before + bytes; }));
}

void OnEngine(Scene& scene, void (AnyEngine::*call)(ConnId, CloseReason)) {
  scene.server.Call([&](AnyEngine& engine) { (engine.*call)(scene.id, CloseReason::kLocal); });
}

std::vector<Point> Points() {
  return {
      {"idle", [](Scene&) {}},
      {"its bytes perhaps unread", [](Scene& s) { s.peer.Send(s.pattern); }},
      {"its echo unread", [](Scene& s) { WaitForEcho(s, 1000); }},
      {"its echo partly read",
       [](Scene& s) {
         WaitForEcho(s, 1000);
         s.peer.Receive(10);
       }},
      {"half-closed",
       [](Scene& s) {
         s.peer.Send("x");
         s.peer.ShutdownWrite();
       }},
      {"with a backlog", Fill},
      {"with a backlog that moves",
       [](Scene& s) {
         Fill(s);
         s.peer.Receive(s.pattern.size());
       }},
      {"half-closed with a backlog",
       [](Scene& s) {
         Fill(s);
         s.peer.ShutdownWrite();
         Pause(2);
       }},
      {"half-closed with a backlog that moves",
       [](Scene& s) {
         Fill(s);
         s.peer.ShutdownWrite();
         s.peer.Receive(s.pattern.size());
       }},
      {"while it is finished",
       [](Scene& s) {
         WaitForEcho(s, 1000);
         OnEngine(s, &AnyEngine::Finish);
       }},
      {"while it is finished with a backlog",
       [](Scene& s) {
         Fill(s);
         OnEngine(s, &AnyEngine::Finish);
       }},
      {"while it is closed",
       [](Scene& s) {
         s.peer.Send(s.pattern);
         OnEngine(s, &AnyEngine::Close);
       }},
      {"while it is closed with a backlog",
       [](Scene& s) {
         Fill(s);
         OnEngine(s, &AnyEngine::Close);
       }},
  };
}

TEST_P(ConformanceTest, AResetAtEachPointOfItsLifeLeavesNothingOfAConnection) {
  ConnId last;
  echo_.on_open = [&](AnyEngine&, ConnId id) { last = id; };
  auto server = StartServer();
  std::string pattern = RandomBytes(18, 65'521);
  Peer beside = Connect();
  ASSERT_TRUE(beside.Send("1"));
  ASSERT_EQ(beside.Receive(1), "1");
  int sockets = OpenSockets();
  int opened = 1;
  for (const Point& point : Points()) {
    SCOPED_TRACE(point.name);
    Peer peer = Connect(kSmallReceiveBuffer);
    ++opened;
    ASSERT_TRUE(WaitUntil([&] { return echo_.opened == opened; }));
    Scene scene{peer, *server, {}, pattern};
    server->Call([&](AnyEngine&) { scene.id = last; });
    point.before(scene);
    peer.Reset();
    ASSERT_TRUE(WaitUntil([&] { return echo_.closed == opened - 1; }));
    server->Call([](AnyEngine& engine) { EXPECT_EQ(engine.connections(), 1U); });
    ASSERT_TRUE(WaitUntil([&] { return server->counters().buffers_held.Get() == 0; }));
    ASSERT_TRUE(WaitUntil([&] { return OpenSockets() == sockets; }));
    ASSERT_TRUE(beside.Send("still here"));
    ASSERT_EQ(beside.Receive(10), "still here");
  }
  EXPECT_EQ(server->counters().stale_completions.Get(), 0U);
}

TEST_P(ConformanceTest, AResetBeforeTheAcceptLeavesNothingOfAConnection) {
  auto server = StartServer();
  Peer beside = Connect();
  ASSERT_TRUE(beside.Send("1"));
  ASSERT_EQ(beside.Receive(1), "1");
  int sockets = OpenSockets();
  // The engine's thread cannot accept meanwhile.
  std::promise<void> gone;
  server->Post([held = gone.get_future().share()](AnyEngine&) { held.wait(); });
  for (int i = 0; i < 20; ++i) {
    Peer peer = Connect();
    peer.Send("x");
    peer.Reset();
  }
  gone.set_value();
  // Accepted behind them.
  Peer next = Connect();
  ASSERT_TRUE(next.Send("2"));
  ASSERT_EQ(next.Receive(1), "2");
  next.Close();
  EXPECT_TRUE(WaitUntil([&] { return echo_.opened > 1 && echo_.closed == echo_.opened - 1; }));
  EXPECT_TRUE(WaitUntil([&] { return server->counters().buffers_held.Get() == 0; }));
  EXPECT_TRUE(WaitUntil([&] { return OpenSockets() == sockets; }));
  server->Call([](AnyEngine& engine) { EXPECT_EQ(engine.connections(), 1U); });
}

}  // namespace
}  // namespace ringecho::support

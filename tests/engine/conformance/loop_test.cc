// The loop itself: being woken, deadlines, sleeping when there is nothing to do.
#include <algorithm>
#include <thread>
#include <vector>

#include "engine/conformance/conformance_test.h"

namespace ringecho::support {
namespace {

TEST_P(ConformanceTest, WakesFromAnotherThread) {
  auto server = StartServer();
  for (int i = 0; i < 100; ++i) {
    int before = echo_.woken;
    server->Wake();
    ASSERT_TRUE(WaitUntil([&] { return echo_.woken > before; })) << "wake " << i;
  }
}

// A spinning engine does everything a sleeping one does; it only never waits for it.
TEST_P(ConformanceTest, ServesWhileItSpins) {
  for (int64_t spin_ns : {base::kNever, 100 * base::kNsPerUs}) {
    engine::Options options;
    options.wait.spin_ns = spin_ns;
    auto server = StartServer(options);
    Peer peer = Connect();
    for (int i = 0; i < 20; ++i) {
      ASSERT_TRUE(peer.Send("spin"));
      ASSERT_EQ(peer.Receive(4), "spin");
    }
    int before = echo_.woken;
    server->Wake();
    EXPECT_TRUE(WaitUntil([&] { return echo_.woken > before; }));
    // A busy machine may take the CPU away for as long as it would look on.
    EXPECT_TRUE(WaitUntil([&] {
      server->Wake();
      return server->counters().spun_ns.Get() > 0;
    }));
    peer.Close();
    EXPECT_TRUE(WaitUntil([&] { return server->counters().open.Get() == 0; }));
  }
}

TEST_P(ConformanceTest, NoWakeIsLostWhenManyThreadsWake) {
  auto server = StartServer();
  constexpr int kThreads = 3;
  constexpr int kEach = 500;
  int ran = 0;  // of the engine's thread
  std::vector<std::thread> threads(kThreads);
  for (std::thread& thread : threads) {
    thread = std::thread([&] {
      for (int i = 0; i < kEach; ++i) server->Post([&](AnyEngine&) { ++ran; });
    });
  }
  for (std::thread& thread : threads) thread.join();
  server->Call([](AnyEngine&) {});
  server->Call([&](AnyEngine&) { EXPECT_EQ(ran, kThreads * kEach); });
}

TEST_P(ConformanceTest, AWakeFromInsideTheHandlerComesBack) {
  int left = 10;
  echo_.on_data = [&](AnyEngine& engine, ConnId, std::span<const std::byte>) {
    engine.Wake();
    return Verdict::kEcho;
  };
  auto server = StartServer();
  Peer peer = Connect();
  for (; left > 0; --left) {
    int before = echo_.woken;
    ASSERT_TRUE(peer.Send("x"));
    ASSERT_EQ(peer.Receive(1), "x");
    ASSERT_TRUE(WaitUntil([&] { return echo_.woken > before; }));
  }
}

TEST_P(ConformanceTest, DeadlinesComeInOrderAndNotEarly) {
  // Some so close that one wait cannot be for one of them alone, one in the past.
  std::vector<int64_t> after_us = {0, 0, 100, 150, 2'000, 2'001, 30'000};
  std::vector<int64_t> due_ns;
  std::vector<int64_t> fired_ns;
  echo_.on_deadline = [&](AnyEngine&, int64_t now_ns) {
    fired_ns.push_back(now_ns);
    echo_.deadline_ns = fired_ns.size() < due_ns.size() ? due_ns[fired_ns.size()] : base::kNever;
  };
  auto server = StartServer();
  server->Call([&](AnyEngine&) {
    int64_t now_ns = base::NowNs();
    for (int64_t us : after_us) due_ns.push_back(now_ns + us * base::kNsPerUs);
    due_ns[0] = now_ns - base::kNsPerSec;
    echo_.deadline_ns = due_ns[0];
  });
  ASSERT_TRUE(WaitUntil([&] { return echo_.deadlines == static_cast<int>(due_ns.size()); }));
  server->Stop();
  for (size_t i = 0; i < due_ns.size(); ++i) EXPECT_GE(fired_ns[i], due_ns[i]) << i;
  EXPECT_TRUE(std::is_sorted(fired_ns.begin(), fired_ns.end()));
}

TEST_P(ConformanceTest, DeadlinesComeWhileConnectionsAreBusy) {
  echo_.on_deadline = [&](AnyEngine&, int64_t now_ns) {
    echo_.deadline_ns = now_ns + base::kNsPerMs;
  };
  echo_.deadline_ns = base::NowNs();
  auto server = StartServer();
  Peer peer = Connect();
  ASSERT_TRUE(WaitUntil([&] {
    EXPECT_TRUE(peer.Send("x"));
    EXPECT_EQ(peer.Receive(1), "x");
    return echo_.deadlines >= 10;
  }));
}

TEST_P(ConformanceTest, SleepsWhenThereIsNothingToDo) {
  auto server = StartServer();
  std::vector<Peer> peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(Connect());
    ASSERT_TRUE(peers.back().Send("x"));
    ASSERT_EQ(peers.back().Receive(1), "x");
  }
  Pause(20);
  uint64_t syscalls_before = server->counters().syscalls.Get();
  Pause(100);
  EXPECT_LE(server->counters().syscalls.Get() - syscalls_before, 2U);
}

TEST_P(ConformanceTest, AFarDeadlineDoesNotKeepItAwake) {
  echo_.deadline_ns = base::NowNs() + 3'600 * base::kNsPerSec;
  auto server = StartServer();
  Pause(20);
  uint64_t syscalls_before = server->counters().syscalls.Get();
  Pause(50);
  EXPECT_LE(server->counters().syscalls.Get() - syscalls_before, 2U);
  EXPECT_EQ(echo_.deadlines, 0);
}

TEST_P(ConformanceTest, ExitFromADeadlineEndsRun) {
  echo_.deadline_ns = base::NowNs() + base::kNsPerMs;
  echo_.on_deadline = [&](AnyEngine& engine, int64_t) {
    echo_.deadline_ns = base::kNever;
    engine.Exit();
  };
  auto server = StartServer();
  server->Join();
  EXPECT_EQ(echo_.deadlines, 1);
}

}  // namespace
}  // namespace ringecho::support

#include "engine/conformance/conformance_test.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "base/status.h"
#include "engine/defaults.h"
#include "net/socket.h"

namespace ringecho::support {
namespace {

bool HaveV6() {
  absl::StatusOr<net::Address> loopback = net::ResolveOne("[::1]:0", 0);
  return loopback.ok() && net::Listen(*loopback, {.backlog = 1, .count = 1}).ok();
}

// Why this kernel has no engine of this configuration; OK if it has.
absl::Status Available(const EngineConfig& config) {
  TestEcho handler;
  return EngineThread::Start(config, {}, handler).status();
}

std::string NameOf(const ::testing::TestParamInfo<ConformanceTest::ParamType>& test) {
  std::ostringstream name;
  name << std::get<0>(test.param) << "_" << std::get<1>(test.param);
  return name.str();
}

}  // namespace

void ConformanceTest::SetUp() {
  // As in the programs: io_uring's WRITE_FIXED is a write(2), which has no MSG_NOSIGNAL.
  std::signal(SIGPIPE, config().kind == EngineKind::kUring ? SIG_IGN : SIG_DFL);
  Transport transport = std::get<1>(GetParam());
  if (transport == Transport::kTcp6 && !HaveV6()) GTEST_SKIP() << "no IPv6 on this machine";
  if (absl::Status status = Available(config()); !status.ok()) {
    GTEST_SKIP() << config().name << " is not available here: " << status;
  }
  std::string where = transport == Transport::kTcp4 ? "127.0.0.1:0" : "[::1]:0";
  if (is_unix()) {
    folder_ = ::testing::TempDir() + "/conformanceXXXXXX";
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    where = "unix:" + folder_ + "/socket";
  }
  address_ = *net::ResolveOne(where, 0);
}

void ConformanceTest::TearDown() {
  if (folder_.empty()) return;
  unlink((folder_ + "/socket").c_str());
  rmdir(folder_.c_str());
}

base::UniqueFd ConformanceTest::NewListener(int backlog) {
  absl::StatusOr<net::Listeners> made = net::Listen(address_, {.backlog = backlog, .count = 1});
  if (!made.ok()) {
    ADD_FAILURE() << made.status();
    return {};
  }
  address_ = made->address;
  return std::move(made->sockets.front());
}

std::unique_ptr<EngineThread> ConformanceTest::StartEngine(AnyHandler& handler,
                                                           const engine::Options& options,
                                                           std::vector<base::UniqueFd> listeners) {
  absl::StatusOr<std::unique_ptr<EngineThread>> started =
      EngineThread::Start(config(), options, handler, std::move(listeners));
  if (started.ok()) return *std::move(started);
  throw std::runtime_error(started.status().ToString());
}

std::unique_ptr<EngineThread> ConformanceTest::StartServer(const engine::Options& options) {
  std::vector<base::UniqueFd> listeners;
  listeners.push_back(NewListener());
  return StartEngine(echo_, options, std::move(listeners));
}

std::vector<Peer> ConformanceTest::ConnectMany(size_t count, int receive_buffer_bytes) const {
  std::vector<Peer> peers(count);
  for (Peer& peer : peers) peer = Connect(receive_buffer_bytes);
  return peers;
}

std::vector<Peer> ConformanceTest::UnconnectedPeers(size_t count) const {
  std::vector<Peer> peers(count);
  for (Peer& peer : peers) peer = Peer::Unconnected(address_);
  return peers;
}

uint64_t ConformanceTest::MostHeldBytes(const engine::Options& asked) const {
  engine::Options options = asked;
  config().Apply(options);
  engine::EngineKind kind =
      config().kind == EngineKind::kEpoll ? engine::EngineKind::kEpoll : engine::EngineKind::kUring;
  engine::FeatureSet in_use = config().features - config().missing;
  uint64_t read_bytes = engine::EffectiveBufferBytes(kind, options.buffer_bytes, in_use);
  uint64_t buffers = engine::EffectiveBuffers(kind, options.buffers, in_use);
  // Beyond the mark there is what was on its way when it was reached: a multishot receive ends
  // some time after it has been cancelled, having used at most every buffer.
  return options.high_water_bytes + (UsesBufferRing(config()) ? buffers * read_bytes : read_bytes);
}

::testing::AssertionResult SameBytes(std::string_view got, std::string_view want) {
  if (got == want) return ::testing::AssertionSuccess();
  auto [at, _] = std::mismatch(got.begin(), got.end(), want.begin(), want.end());
  return ::testing::AssertionFailure() << "got " << got.size() << " bytes, want " << want.size()
                                       << ", different from byte " << at - got.begin() << " on";
}

INSTANTIATE_TEST_SUITE_P(Engines, ConformanceTest,
                         ::testing::Combine(::testing::ValuesIn(AllEngineConfigs()),
                                            ::testing::Values(Transport::kTcp4, Transport::kUnix)),
                         NameOf);

INSTANTIATE_TEST_SUITE_P(Engines, EchoTest,
                         ::testing::Combine(::testing::ValuesIn(AllEngineConfigs()),
                                            ::testing::Values(Transport::kTcp4, Transport::kTcp6,
                                                              Transport::kUnix)),
                         NameOf);

}  // namespace ringecho::support

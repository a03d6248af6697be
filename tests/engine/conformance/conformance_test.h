// The promises of engine/stream.h, checked on every engine configuration over real sockets.
//
// A scenario is a TEST_P of ConformanceTest and runs for each configuration (EngineConfig) over
// TCP v4 and unix sockets, or of EchoTest, which adds v6; both stand in the test's name. It talks
// to the engine through blocking sockets (Peer), or lets one engine talk to a blocking server. On
// top of what a scenario looks at, the seam checker judges every call between engine and handler.
#ifndef RINGECHO_TESTS_CONFORMANCE_TEST_H_
#define RINGECHO_TESTS_CONFORMANCE_TEST_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/unique_fd.h"
#include "engine/options.h"
#include "net/address.h"
#include "support/engine_config.h"
#include "support/engine_thread.h"
#include "support/handlers.h"
#include "support/peer.h"

namespace ringecho::support {

enum class Transport : uint8_t { kTcp4, kTcp6, kUnix };

inline std::ostream& operator<<(std::ostream& out, Transport transport) {
  return out << (transport == Transport::kTcp4   ? "tcp4"
                 : transport == Transport::kTcp6 ? "tcp6"
                                                 : "unix");
}

class ConformanceTest : public ::testing::TestWithParam<std::tuple<EngineConfig, Transport>> {
 protected:
  // Skips, saying why, where the kernel lacks the transport or the engine.
  void SetUp() override;
  void TearDown() override;

  const EngineConfig& config() const { return std::get<0>(GetParam()); }
  bool is_unix() const { return std::get<1>(GetParam()) == Transport::kUnix; }

  // Whether the engine may receive before it has sent what it received before; one that does not
  // never has to stop receiving from a peer that does not read.
  bool reads_ahead() const {
    return config().kind == EngineKind::kEpoll || UsesBufferRing(config());
  }

  // A listener at address(), which this sets.
  base::UniqueFd NewListener(int backlog = 4096);

  // A running engine of this configuration, which stops when the result is destroyed: it must be
  // declared after everything that its handler uses. Throws, which fails the test, when it cannot
  // start. StartServer: one with echo_ that listens at address().
  std::unique_ptr<EngineThread> StartServer(const engine::Options& options = {});
  std::unique_ptr<EngineThread> StartEngine(AnyHandler& handler,
                                            const engine::Options& options = {},
                                            std::vector<base::UniqueFd> listeners = {});

  const net::Address& address() const { return address_; }
  Peer Connect(int receive_buffer_bytes = 0) const {
    Peer peer = Peer::Connected(address_, ReceiveBuffer(receive_buffer_bytes));
    EXPECT_TRUE(peer.valid()) << "connect to " << address_.ToString();
    return peer;
  }

  // How small a receive buffer may be (0: the kernel's default). Segments of zero-copy sends take
  // more memory at the receiver; one that finds no room is lost, and the window may then stay
  // smaller than a segment: TCP sends 2 KB every 200 ms from there on [seen on Linux 6.18].
  int ReceiveBuffer(int bytes) const {
    bool zero_copy = config().features.Has(engine::FeatureId::kSendZc);
    return bytes != 0 && zero_copy ? std::max(bytes, 64 * 1024) : bytes;
  }

  std::vector<Peer> ConnectMany(size_t count, int receive_buffer_bytes = 0) const;
  // Sockets for address() that are not connected yet.
  std::vector<Peer> UnconnectedPeers(size_t count) const;

  // What a server of this configuration may hold of one connection's bytes at most.
  uint64_t MostHeldBytes(const engine::Options& options) const;

  TestEcho echo_;

 private:
  net::Address address_;
  std::string folder_;
};

class EchoTest : public ConformanceTest {};

// `got` is `want`; says where they part instead of printing megabytes.
::testing::AssertionResult SameBytes(std::string_view got, std::string_view want);

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace ringecho::support

#endif  // RINGECHO_TESTS_CONFORMANCE_TEST_H_

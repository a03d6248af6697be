// From which addresses to connect.
//
// A TCP connection to one destination needs a port of its own on its source address, and a closed
// one keeps it for a minute of TIME_WAIT. net.ipv4.ip_local_port_range has 28,232 ports by default,
// and finding a free one gets ten times slower as they run out; so more connections than a source
// address comfortably carries need more source addresses. Loopback has 16 million of them.
#ifndef RINGECHO_LOAD_SOURCES_H_
#define RINGECHO_LOAD_SOURCES_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "net/address.h"
#include "net/socket.h"

namespace ringecho::load {

// Measured: up to here a connect costs the same as the first one.
inline constexpr int64_t kConnectionsPerSource = 5000;
// Addresses spread over at most: TIME_WAIT of 5 million sessions.
inline constexpr int64_t kSourcesMax = 1024;

struct SourceRequest {
  net::Address to;
  int64_t connections = 0;  // open at the same time
  int64_t sessions = 0;     // connections made in all, at least `connections`
  // "auto", or addresses separated by commas: "10.0.0.2,10.0.0.3", "::1".
  std::string_view list = "auto";
  net::PortRange ports;
  // Where in 127.0.0.0/8 "auto" begins, any number: another one for each run keeps out of the
  // TIME_WAIT that the last one left.
  uint64_t start = 0;
};

// Addresses to take in turn, port 0 each; empty: the kernel picks.
//
// "auto" spreads an IPv4 loopback destination over 127.0.0.0/8, kConnectionsPerSource each, and
// leaves everything else to the kernel. INVALID_ARGUMENT for a list that does not parse or is of
// another family than the destination; RESOURCE_EXHAUSTED, naming how many ports are needed, how
// many there are and what to do, when the connections open at once cannot have a port each.
absl::StatusOr<std::vector<net::Address>> PlanSources(const SourceRequest& request);

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_SOURCES_H_

// Socket addresses as people write them: host:port, [v6]:port, unix:/path.
#ifndef RINGECHO_NET_ADDRESS_H_
#define RINGECHO_NET_ADDRESS_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ringecho::net {

// One resolved address. A value type that fits every family used here.
class Address {
 public:
  Address() = default;
  // Copies `length` bytes of a kernel socket address.
  Address(const sockaddr* addr, socklen_t length);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const { return length_; }
  int family() const { return storage_.ss_family; }
  bool is_unix() const { return family() == AF_UNIX; }
  bool is_loopback() const;  // 127.0.0.0/8, ::1 or unix

  // TCP port in host order; 0 for unix.
  uint16_t port() const;
  void set_port(uint16_t port);

  // "127.0.0.1:8888", "[::1]:8888", "unix:/path"; parses back to the same address.
  std::string ToString() const;

  bool operator==(const Address& other) const;

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

// What a person typed, split but not resolved.
struct HostPort {
  std::string host;  // without brackets; empty for unix
  uint16_t port = 0;
  std::string unix_path;  // set for unix:/path; "unix:@name" is the abstract namespace
};

// Accepts "host:port", "1.2.3.4:port", "[v6]:port", "unix:/path", and "host" or "[v6]" alone with
// `default_port`. Port 0 to 65535. INVALID_ARGUMENT says "got ..., takes ...".
absl::StatusOr<HostPort> ParseHostPort(std::string_view text, uint16_t default_port);

// Numeric addresses are converted directly (works in a static binary without name-service files);
// names go through getaddrinfo(3) and may block, so this is called before any clock starts and
// off every loop. Returns at least one address, in the resolver's order.
absl::StatusOr<std::vector<Address>> Resolve(const HostPort& where);

// ParseHostPort and Resolve, first address.
absl::StatusOr<Address> ResolveOne(std::string_view text, uint16_t default_port);

}  // namespace ringecho::net

#endif  // RINGECHO_NET_ADDRESS_H_

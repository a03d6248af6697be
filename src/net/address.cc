#include "net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace ringecho::net {
namespace {

using base::ToAbsl;

constexpr size_t kUnixPathOffset = offsetof(sockaddr_un, sun_path);
constexpr size_t kUnixPathMax = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::string_view kUnixPrefix = "unix:";

absl::Status Invalid(std::string_view text, std::string_view takes) {
  return absl::InvalidArgumentError(
      absl::StrCat("got \"", ToAbsl(text), "\", takes ", ToAbsl(takes)));
}

template <class Integer>
std::optional<Integer> ParseDecimal(std::string_view text) {
  Integer value = 0;
  const char* end = text.data() + text.size();
  auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

std::optional<Address> NumericV4(const std::string& host, uint16_t port) {
  sockaddr_in addr{};
  addr.sin_family = AF_INET;
  addr.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &addr.sin_addr) != 1) return std::nullopt;
  return Address(reinterpret_cast<const sockaddr*>(&addr), sizeof(addr));
}

// With an optional zone: fe80::1%eth0, fe80::1%2.
std::optional<Address> NumericV6(const std::string& host, uint16_t port) {
  sockaddr_in6 addr{};
  addr.sin6_family = AF_INET6;
  addr.sin6_port = htons(port);
  size_t percent = host.find('%');
  if (inet_pton(AF_INET6, host.substr(0, percent).c_str(), &addr.sin6_addr) != 1) {
    return std::nullopt;
  }
  if (percent != std::string::npos) {
    std::string zone = host.substr(percent + 1);
    addr.sin6_scope_id = ParseDecimal<uint32_t>(zone).value_or(if_nametoindex(zone.c_str()));
    if (addr.sin6_scope_id == 0) return std::nullopt;
  }
  return Address(reinterpret_cast<const sockaddr*>(&addr), sizeof(addr));
}

Address UnixAddress(std::string_view path) {
  sockaddr_un addr{};
  addr.sun_family = AF_UNIX;
  size_t length = std::min(path.size(), kUnixPathMax);
  std::memcpy(addr.sun_path, path.data(), length);
  bool abstract = path.starts_with('@');
  if (abstract) addr.sun_path[0] = '\0';
  // The length of an abstract name is significant, that of a path includes its terminating zero.
  return Address(reinterpret_cast<const sockaddr*>(&addr),
                 static_cast<socklen_t>(kUnixPathOffset + length + (abstract ? 0 : 1)));
}

absl::Status ResolverError(int error, int error_number, const std::string& host) {
  std::string what = absl::StrCat("resolve ", host);
  if (error == EAI_SYSTEM) return base::ErrnoStatus(error_number, what);
  std::string text = absl::StrCat(what, ": ", gai_strerror(error));
  return error == EAI_AGAIN ? absl::UnavailableError(text) : absl::NotFoundError(text);
}

}  // namespace

Address::Address(const sockaddr* addr, socklen_t length)
    : length_(std::min<socklen_t>(length, sizeof(storage_))) {
  std::memcpy(&storage_, addr, length_);
  // Callers and kernels differ in whether the length of a path counts its terminating zero.
  const auto* un = reinterpret_cast<const sockaddr_un*>(&storage_);
  if (family() == AF_UNIX && length_ > kUnixPathOffset && un->sun_path[0] != '\0') {
    size_t path_length = strnlen(un->sun_path, length_ - kUnixPathOffset);
    length_ =
        static_cast<socklen_t>(std::min(kUnixPathOffset + path_length + 1, sizeof(sockaddr_un)));
  }
}

bool Address::is_loopback() const {
  switch (family()) {
    case AF_UNIX:
      return true;
    case AF_INET: {
      const auto* in = reinterpret_cast<const sockaddr_in*>(&storage_);
      return (ntohl(in->sin_addr.s_addr) >> 24) == IN_LOOPBACKNET;
    }
    case AF_INET6: {
      const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&storage_);
      return std::memcmp(&in6->sin6_addr, &in6addr_loopback, sizeof(in6_addr)) == 0;
    }
    default:
      return false;
  }
}

uint16_t Address::port() const {
  switch (family()) {
    case AF_INET:
      return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
    case AF_INET6:
      return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
    default:
      return 0;
  }
}

void Address::set_port(uint16_t port) {
  if (family() == AF_INET) reinterpret_cast<sockaddr_in*>(&storage_)->sin_port = htons(port);
  if (family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&storage_)->sin6_port = htons(port);
}

std::string Address::ToString() const {
  char text[INET6_ADDRSTRLEN] = "";
  switch (family()) {
    case AF_INET: {
      const auto* in = reinterpret_cast<const sockaddr_in*>(&storage_);
      inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
      return absl::StrCat(text, ":", port());
    }
    case AF_INET6: {
      const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&storage_);
      inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
      std::string zone =
          in6->sin6_scope_id == 0 ? std::string() : absl::StrCat("%", in6->sin6_scope_id);
      return absl::StrCat("[", text, zone, "]:", port());
    }
    case AF_UNIX: {
      const auto* un = reinterpret_cast<const sockaddr_un*>(&storage_);
      if (length_ <= kUnixPathOffset) return std::string(kUnixPrefix);
      size_t length = length_ - kUnixPathOffset;
      if (un->sun_path[0] == '\0') {
        return absl::StrCat("unix:@", absl::string_view(un->sun_path + 1, length - 1));
      }
      return absl::StrCat("unix:", absl::string_view(un->sun_path, strnlen(un->sun_path, length)));
    }
    default:
      return "(no address)";
  }
}

bool Address::operator==(const Address& other) const {
  if (family() != other.family()) return false;
  switch (family()) {
    case AF_INET: {
      const auto* a = reinterpret_cast<const sockaddr_in*>(&storage_);
      const auto* b = reinterpret_cast<const sockaddr_in*>(&other.storage_);
      return a->sin_addr.s_addr == b->sin_addr.s_addr && a->sin_port == b->sin_port;
    }
    case AF_INET6: {
      const auto* a = reinterpret_cast<const sockaddr_in6*>(&storage_);
      const auto* b = reinterpret_cast<const sockaddr_in6*>(&other.storage_);
      return std::memcmp(&a->sin6_addr, &b->sin6_addr, sizeof(in6_addr)) == 0 &&
             a->sin6_port == b->sin6_port && a->sin6_scope_id == b->sin6_scope_id;
    }
    default:
      return length_ == other.length_ && std::memcmp(&storage_, &other.storage_, length_) == 0;
  }
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view text, uint16_t default_port) {
  constexpr std::string_view kTakes = "host:port, [v6]:port or unix:/path";
  HostPort result{.host = {}, .port = default_port, .unix_path = {}};
  if (text.starts_with(kUnixPrefix)) {
    result.unix_path = text.substr(kUnixPrefix.size());
    result.port = 0;
    if (result.unix_path.empty() || result.unix_path == "@") return Invalid(text, kTakes);
    if (result.unix_path.size() > kUnixPathMax) {
      return Invalid(text, absl::StrCat("a path of at most ", kUnixPathMax, " bytes"));
    }
    return result;
  }

  std::string_view rest;
  if (text.starts_with('[')) {
    size_t end = text.find(']');
    if (end == std::string_view::npos) return Invalid(text, kTakes);
    result.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (!NumericV6(result.host, 0)) return Invalid(text, "an IPv6 address between the brackets");
  } else {
    size_t colon = text.find(':');
    result.host = text.substr(0, colon);
    if (colon != std::string_view::npos) rest = text.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) {
      return Invalid(text, "an IPv6 address in brackets: [v6]:port");
    }
  }
  if (result.host.empty()) return Invalid(text, kTakes);
  if (rest.empty()) return result;
  std::optional<uint16_t> port;
  if (rest.front() == ':') port = ParseDecimal<uint16_t>(rest.substr(1));
  if (!port) return Invalid(text, "a port from 0 to 65535 after the address");
  result.port = *port;
  return result;
}

absl::StatusOr<std::vector<Address>> Resolve(const HostPort& where) {
  if (!where.unix_path.empty()) return std::vector<Address>{UnixAddress(where.unix_path)};
  if (auto v4 = NumericV4(where.host, where.port)) return std::vector<Address>{*v4};
  if (auto v6 = NumericV6(where.host, where.port)) return std::vector<Address>{*v6};

  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  int error = getaddrinfo(where.host.c_str(), nullptr, &hints, &list);
  if (error != 0) return ResolverError(error, errno, where.host);
  std::vector<Address> result;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    Address address(entry->ai_addr, entry->ai_addrlen);
    address.set_port(where.port);
    // /etc/hosts may name one address several times.
    if (std::find(result.begin(), result.end(), address) == result.end()) {
      result.push_back(address);
    }
  }
  freeaddrinfo(list);
  if (result.empty()) {
    return absl::NotFoundError(absl::StrCat("resolve ", where.host, ": no IPv4 or IPv6 address"));
  }
  return result;
}

absl::StatusOr<Address> ResolveOne(std::string_view text, uint16_t default_port) {
  absl::StatusOr<HostPort> where = ParseHostPort(text, default_port);
  if (!where.ok()) return where.status();
  absl::StatusOr<std::vector<Address>> found = Resolve(*where);
  if (!found.ok()) return found.status();
  return found->front();
}

}  // namespace ringecho::net

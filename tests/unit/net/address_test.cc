#include "net/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "base/status.h"

namespace ringecho::net {
namespace {

using ::testing::HasSubstr;

std::string Error(std::string_view text) {
  absl::StatusOr<HostPort> parsed = ParseHostPort(text, 8888);
  if (parsed.ok()) return "accepted";
  EXPECT_EQ(parsed.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(parsed.status().message());
}

TEST(ParseHostPortTest, TakesEveryWayAnAddressIsWritten) {
  struct Case {
    std::string_view text;
    std::string_view host;
    uint16_t port;
    std::string_view unix_path;
  };
  for (const Case& c :
       {Case{"localhost:80", "localhost", 80, ""}, Case{"localhost", "localhost", 8888, ""},
        Case{"127.0.0.1:0", "127.0.0.1", 0, ""}, Case{"10.0.0.1:65535", "10.0.0.1", 65535, ""},
        Case{"[::1]:9", "::1", 9, ""}, Case{"[::1]", "::1", 8888, ""},
        Case{"unix:/tmp/x:1", "", 0, "/tmp/x:1"}, Case{"unix:@n", "", 0, "@n"}}) {
    absl::StatusOr<HostPort> parsed = ParseHostPort(c.text, 8888);
    ASSERT_TRUE(parsed.ok()) << c.text << ": " << parsed.status();
    EXPECT_EQ(parsed->host, c.host) << c.text;
    EXPECT_EQ(parsed->port, c.port) << c.text;
    EXPECT_EQ(parsed->unix_path, c.unix_path) << c.text;
  }
}

TEST(ParseHostPortTest, SaysWhatItGotAndWhatItTakes) {
  for (std::string_view text : {"", ":80", "unix:", "unix:@", "[::1"}) {
    EXPECT_THAT(Error(text),
                HasSubstr(std::string("got \"") + std::string(text) + "\", takes host:port"));
  }
  for (std::string_view text : {"host:65536", "host:", "host:-1", "host:+1", "host:1x", "host: 1",
                                "[::1]8888", "[::1]:x"}) {
    EXPECT_THAT(Error(text), HasSubstr("a port from 0 to 65535")) << text;
  }
  EXPECT_THAT(Error("::1"), HasSubstr("brackets: [v6]:port"));
  EXPECT_THAT(Error("fe80::1:80"), HasSubstr("brackets: [v6]:port"));
  EXPECT_THAT(Error("[localhost]:80"), HasSubstr("IPv6 address between the brackets"));
  EXPECT_EQ(Error("unix:" + std::string(107, 'x')), "accepted");
  EXPECT_THAT(Error("unix:" + std::string(108, 'x')), HasSubstr("at most 107 bytes"));
}

TEST(AddressTest, TextParsesBackToTheSameAddress) {
  for (std::string_view text : {"127.0.0.1:8888", "0.0.0.0:0", "[::1]:8888", "[fe80::1%1]:7",
                                "unix:/tmp/a", "unix:@abstract"}) {
    absl::StatusOr<Address> address = ResolveOne(text, 1);
    ASSERT_TRUE(address.ok()) << text << ": " << address.status();
    EXPECT_EQ(address->ToString(), text);
    absl::StatusOr<Address> again = ResolveOne(address->ToString(), 1);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(*again, *address) << text;
  }
}

TEST(AddressTest, DiffersInEveryPart) {
  std::vector<Address> all;
  for (std::string_view text :
       {"127.0.0.1:1", "127.0.0.1:2", "127.0.0.2:1", "[::1]:1", "[::2]:1", "[fe80::1%1]:1",
        "[fe80::1%2]:1", "unix:/a", "unix:/ab", "unix:@a"}) {
    all.push_back(*ResolveOne(text, 0));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t k = 0; k < all.size(); ++k) {
      EXPECT_EQ(all[i] == all[k], i == k) << all[i].ToString() << " " << all[k].ToString();
    }
  }
}

TEST(AddressTest, KnowsLoopback) {
  for (std::string_view text : {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "unix:/x"}) {
    EXPECT_TRUE(ResolveOne(text, 0)->is_loopback()) << text;
  }
  for (std::string_view text : {"128.0.0.1:1", "0.0.0.0:1", "[::]:1", "[fe80::1]:1"}) {
    EXPECT_FALSE(ResolveOne(text, 0)->is_loopback()) << text;
  }
}

TEST(AddressTest, PortCanBeReadAndSet) {
  Address address = *ResolveOne("[::1]:80", 0);
  EXPECT_EQ(address.port(), 80);
  address.set_port(65535);
  EXPECT_EQ(address.ToString(), "[::1]:65535");
  EXPECT_EQ(ResolveOne("unix:/x", 5)->port(), 0);
}

TEST(AddressTest, AUnixPathIsTheSameWithAndWithoutItsTerminatingZero) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  std::strcpy(un.sun_path, "/tmp/x");
  const auto* addr = reinterpret_cast<const sockaddr*>(&un);
  Address without(addr, offsetof(sockaddr_un, sun_path) + 6);
  Address with(addr, offsetof(sockaddr_un, sun_path) + 7);
  Address padded(addr, sizeof(un));
  EXPECT_EQ(without, with);
  EXPECT_EQ(padded, with);
  EXPECT_EQ(with.ToString(), "unix:/tmp/x");
}

TEST(AddressTest, AnUnnamedPeerAndNoAddressHaveAText) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  Address unnamed(reinterpret_cast<const sockaddr*>(&un), sizeof(sa_family_t));
  EXPECT_EQ(unnamed.ToString(), "unix:");
  EXPECT_EQ(Address().ToString(), "(no address)");
  EXPECT_FALSE(Address().is_loopback());
}

// A minimal installation may have no /etc/hosts, and then no name at all.
bool KnowsLocalhost() {
  addrinfo* list = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &list) != 0) return false;
  freeaddrinfo(list);
  return true;
}

TEST(ResolveTest, FindsLocalhostByNameWithThePortAsked) {
  if (!KnowsLocalhost()) GTEST_SKIP() << "this machine has no localhost";
  absl::StatusOr<HostPort> where = ParseHostPort("localhost:4242", 0);
  ASSERT_TRUE(where.ok());
  absl::StatusOr<std::vector<Address>> found = Resolve(*where);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_FALSE(found->empty());
  for (size_t i = 0; i < found->size(); ++i) {
    EXPECT_TRUE((*found)[i].is_loopback());
    EXPECT_EQ((*found)[i].port(), 4242);
    for (size_t k = 0; k < i; ++k) EXPECT_FALSE((*found)[i] == (*found)[k]);
  }
}

TEST(ResolveTest, NamesTheHostThatCannotBeFound) {
  absl::StatusOr<Address> found = ResolveOne("no such host:1", 0);
  ASSERT_FALSE(found.ok());
  EXPECT_THAT(std::string(found.status().message()), HasSubstr("resolve no such host"));
}

}  // namespace
}  // namespace ringecho::net

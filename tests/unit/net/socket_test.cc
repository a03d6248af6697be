#include "net/socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace ringecho::net {
namespace {

using ::testing::HasSubstr;

Address At(std::string_view text) {
  absl::StatusOr<Address> address = ResolveOne(text, 0);
  EXPECT_TRUE(address.ok()) << address.status();
  return address.value_or(Address());
}

std::string Message(const absl::Status& status) { return std::string(status.message()); }

int IntOption(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof(value);
  EXPECT_EQ(getsockopt(fd, level, name, &value, &length), 0);
  return value;
}

base::UniqueFd Connected(const Address& to) {
  base::UniqueFd fd(NewConnectSocket(to, nullptr, 0));
  EXPECT_TRUE(fd.valid());
  EXPECT_EQ(connect(fd.get(), to.get(), to.length()), 0) << errno;
  return fd;
}

class UnixPathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/net_testXXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    path_ = folder_ + "/socket";
  }
  void TearDown() override {
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }
  Address address() const { return At("unix:" + path_); }

  std::string folder_;
  std::string path_;
};

TEST(ListenTest, PicksOnePortForTheWholeGroupAndAcceptsOnEverySocket) {
  absl::StatusOr<Listeners> group = Listen(At("127.0.0.1:0"), {.backlog = 64, .count = 3});
  ASSERT_TRUE(group.ok()) << group.status();
  ASSERT_EQ(group->sockets.size(), 3U);
  EXPECT_NE(group->address.port(), 0);
  for (const base::UniqueFd& fd : group->sockets) {
    EXPECT_EQ(IntOption(fd.get(), SOL_SOCKET, SO_ACCEPTCONN), 1);
    EXPECT_EQ(IntOption(fd.get(), IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
    ASSERT_EQ(fcntl(fd.get(), F_SETFL, O_NONBLOCK), 0);
  }
  // The kernel spreads connections by the hash of the source port: 60 that all miss one of three
  // sockets would be one chance in 10^10.
  std::vector<base::UniqueFd> clients;
  clients.reserve(60);
  for (int i = 0; i < 60; ++i) clients.push_back(Connected(group->address));
  std::set<int> used;
  int accepted = 0;
  for (const base::UniqueFd& fd : group->sockets) {
    for (;;) {
      base::UniqueFd peer(accept(fd.get(), nullptr, nullptr));
      if (!peer.valid()) break;
      EXPECT_EQ(IntOption(peer.get(), IPPROTO_TCP, TCP_NODELAY), 1);
      used.insert(fd.get());
      ++accepted;
    }
  }
  EXPECT_EQ(accepted, 60);
  EXPECT_EQ(used.size(), 3U);
}

TEST(ListenTest, RefusesAPortThatAGroupOfTheSameUserListensOn) {
  absl::StatusOr<Listeners> first = Listen(At("127.0.0.1:0"), {.backlog = 4, .count = 2});
  ASSERT_TRUE(first.ok()) << first.status();
  absl::StatusOr<Listeners> second = Listen(first->address, {.backlog = 4, .count = 2});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(Message(second.status()), HasSubstr("bind " + first->address.ToString()));
  EXPECT_THAT(Message(second.status()), HasSubstr("EADDRINUSE"));
  EXPECT_THAT(Message(second.status()), HasSubstr("use another port"));
}

TEST(ListenTest, WaitsForAPortThatIsBeingFreed) {
  absl::StatusOr<Listeners> killed = Listen(At("127.0.0.1:0"), {});
  ASSERT_TRUE(killed.ok()) << killed.status();
  std::thread kernel([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    killed->sockets.clear();
  });
  absl::StatusOr<Listeners> next = Listen(killed->address, {});
  kernel.join();
  EXPECT_TRUE(next.ok()) << next.status();
}

TEST(ListenTest, TakesAPortWhoseConnectionsAreInTimeWait) {
  absl::StatusOr<Listeners> first = Listen(At("127.0.0.1:0"), {});
  ASSERT_TRUE(first.ok()) << first.status();
  Address address = first->address;
  base::UniqueFd client = Connected(address);
  base::UniqueFd server(accept(first->sockets[0].get(), nullptr, nullptr));
  ASSERT_TRUE(server.valid());
  server.Reset();  // The side that closes first keeps TIME_WAIT.
  char byte;
  EXPECT_EQ(read(client.get(), &byte, 1), 0);
  client.Reset();
  first->sockets.clear();
  absl::StatusOr<Listeners> second = Listen(address, {});
  EXPECT_TRUE(second.ok()) << second.status();
}

TEST(ListenTest, V4AndV6WildcardShareAPort) {
  base::UniqueFd probe(socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!probe.valid()) GTEST_SKIP() << "no IPv6 here";
  absl::StatusOr<Listeners> v4 = Listen(At("0.0.0.0:0"), {});
  ASSERT_TRUE(v4.ok()) << v4.status();
  Address v6 = At("[::]:0");
  v6.set_port(v4->address.port());
  absl::StatusOr<Listeners> both = Listen(v6, {});
  EXPECT_TRUE(both.ok()) << both.status();
}

TEST(ListenTest, AnAddressThatIsNotOursSaysSo) {
  absl::StatusOr<Listeners> result = Listen(At("192.0.2.1:0"), {});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(Message(result.status()), HasSubstr("no such address"));
}

TEST_F(UnixPathTest, ListensWithOneSocketDuplicated) {
  absl::StatusOr<Listeners> group = Listen(address(), {.backlog = 4, .count = 2});
  ASSERT_TRUE(group.ok()) << group.status();
  ASSERT_EQ(group->sockets.size(), 2U);
  base::UniqueFd a = Connected(group->address);
  base::UniqueFd b = Connected(group->address);
  for (const base::UniqueFd& fd : group->sockets) {
    EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
    base::UniqueFd peer(accept(fd.get(), nullptr, nullptr));
    EXPECT_TRUE(peer.valid());
  }
}

TEST_F(UnixPathTest, RemovesAStaleSocketFileButNotALiveOne) {
  absl::StatusOr<Listeners> first = Listen(address(), {});
  ASSERT_TRUE(first.ok()) << first.status();
  absl::StatusOr<Listeners> second = Listen(address(), {});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(Message(second.status()), HasSubstr("a server is listening there"));

  first->sockets.clear();
  absl::StatusOr<Listeners> third = Listen(address(), {});
  ASSERT_TRUE(third.ok()) << third.status();
  Connected(third->address);
}

TEST_F(UnixPathTest, LeavesAFileThatIsNoSocketAlone) {
  std::ofstream(path_) << "precious";
  EXPECT_FALSE(Listen(address(), {}).ok());
  std::string text;
  std::ifstream(path_) >> text;
  EXPECT_EQ(text, "precious");
}

TEST_F(UnixPathTest, AMissingFolderSaysSo) {
  absl::StatusOr<Listeners> result = Listen(At("unix:" + folder_ + "/none/socket"), {});
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(Message(result.status()), HasSubstr("the folder of the path must exist"));
}

TEST(ListenTest, AbstractNamesNeedNoFile) {
  Address where = At(absl::StrCat("unix:@net_test_", getpid()));
  absl::StatusOr<Listeners> first = Listen(where, {});
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(Listen(where, {}).ok());
  Connected(where);
}

TEST(ConnectSocketTest, BindsTheSourceAddressAndLeavesThePortToConnect) {
  absl::StatusOr<Listeners> server = Listen(At("127.0.0.1:0"), {});
  ASSERT_TRUE(server.ok()) << server.status();
  Address from = At("127.0.3.7:0");
  base::UniqueFd fd(NewConnectSocket(server->address, &from, SOCK_NONBLOCK));
  ASSERT_TRUE(fd.valid());
  EXPECT_NE(fcntl(fd.get(), F_GETFL) & O_NONBLOCK, 0);
  EXPECT_NE(fcntl(fd.get(), F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(IntOption(fd.get(), IPPROTO_TCP, TCP_NODELAY), 1);
  sockaddr_storage local;
  socklen_t length = sizeof(local);
  ASSERT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&local), &length), 0);
  EXPECT_EQ(Address(reinterpret_cast<sockaddr*>(&local), length).ToString(), "127.0.3.7:0");
}

TEST(ConnectSocketTest, AnswersTheErrnoOfTheCallThatFailed) {
  Address from = At("192.0.2.1:0");
  EXPECT_EQ(NewConnectSocket(At("127.0.0.1:1"), &from, 0), -EADDRNOTAVAIL);
}

TEST(ConnectSocketTest, MayMeetItselfWhereTheKernelPicksTheServersPort) {
  const PortRange range = LocalPortRange();
  Address to = At("127.0.0.1:0"), from = At("127.0.0.1:0"), another = At("127.0.0.2:0");
  for (int port : {range.first, range.last}) {
    to.set_port(static_cast<uint16_t>(port));
    EXPECT_TRUE(MayMeetItself(to, nullptr)) << port;
    EXPECT_TRUE(MayMeetItself(to, &from)) << port;
    EXPECT_FALSE(MayMeetItself(to, &another)) << port;
    for (const char* there : {"0.0.0.0:0", "[::]:0", "[::1%lo]:0"}) {
      Address same = At(there);
      same.set_port(static_cast<uint16_t>(port));
      Address here = At(same.family() == AF_INET ? "127.0.0.2:0" : "[::1]:0");
      EXPECT_TRUE(MayMeetItself(same, &here)) << there;
    }
  }
  from.set_port(9);
  EXPECT_FALSE(MayMeetItself(to, &from));
  to.set_port(9);
  EXPECT_TRUE(MayMeetItself(to, &from));
  EXPECT_FALSE(MayMeetItself(to, nullptr));
  EXPECT_FALSE(MayMeetItself(At("unix:/x"), nullptr));
}

TEST(ConnectSocketTest, ConnectionsBetweenTwoSocketsDoNotMeetThemselves) {
  absl::StatusOr<Listeners> server = Listen(At("127.0.0.1:0"), {});
  ASSERT_TRUE(server.ok()) << server.status();
  base::UniqueFd client = Connected(server->address);
  base::UniqueFd accepted(accept(server->sockets[0].get(), nullptr, nullptr));
  EXPECT_FALSE(MeetsItself(client.get()));
  EXPECT_FALSE(MeetsItself(accepted.get()));
  EXPECT_FALSE(MeetsItself(server->sockets[0].get())) << "has no other end";
}

TEST(ConnectSocketTest, KnowsHowManyCallsItMakes) {
  Address tcp = At("127.0.0.1:1"), any_port = At("127.0.0.2:0"), port = At("127.0.0.2:9");
  EXPECT_EQ(NewConnectSocketCalls(At("unix:/x"), nullptr), 1);
  EXPECT_EQ(NewConnectSocketCalls(tcp, nullptr), 2);
  EXPECT_EQ(NewConnectSocketCalls(tcp, &port), 3);
  EXPECT_EQ(NewConnectSocketCalls(tcp, &any_port), 4);
}

TEST(SystemLimitsTest, AreRead) {
  EXPECT_GT(SomaxconnLimit(), 0);
  PortRange range = LocalPortRange();
  EXPECT_GT(range.first, 0);
  EXPECT_LE(range.first, range.last);
  EXPECT_LE(range.last, 65535);
}

}  // namespace
}  // namespace ringecho::net

#include "net/socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <chrono>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace ringecho::net {
namespace {

using base::UniqueFd;

// Since Linux 4.2; older C libraries do not name it.
#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

std::string_view Advice(int error, const Address& where) {
  switch (error) {
    case EADDRINUSE:
      return where.is_unix() ? "a server is listening there, or it is another kind of file: stop "
                               "the one or use another path"
                             : "another program has this port: stop it or use another port "
                               "(0 picks a free one)";
    case EADDRNOTAVAIL:
      return "this machine has no such address";
    case EACCES:
      return where.is_unix() ? "the folder must be writable"
                             : "low ports need root (net.ipv4.ip_unprivileged_port_start)";
    case EAFNOSUPPORT:
      return "this kernel has no support for that address family";
    case ENOENT:
      return "the folder of the path must exist";
    case EMFILE:
      return "raise the descriptor limit (ulimit -n)";
    default:
      return {};
  }
}

absl::Status Failure(int error, std::string_view call, const Address& where) {
  return base::ErrnoStatus(error, absl::StrCat(base::ToAbsl(call), " ", where.ToString()),
                           Advice(error, where));
}

int SetOption(int fd, int level, int name, int value) {
  return setsockopt(fd, level, name, &value, sizeof(value));
}

enum class Port : uint8_t { kAlone, kShared };

// 0 or the errno. A program's sockets outlive it where requests of io_uring hold them: a worker of
// the kernel closes them a little later (5 to 60 ms were seen), and a server that is killed and
// started again at once would find its own port taken.
int BindOnceFree(int fd, const Address& where) {
  constexpr auto kPatience = std::chrono::seconds(1);
  constexpr auto kPause = std::chrono::milliseconds(5);
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (bind(fd, where.get(), where.length()) != 0) {
    if (errno != EADDRINUSE || std::chrono::steady_clock::now() >= until) return errno;
    std::this_thread::sleep_for(kPause);
  }
  return 0;
}

// A TCP socket bound to `where`.
absl::StatusOr<UniqueFd> BoundTcpSocket(const Address& where, Port port) {
  UniqueFd fd(socket(where.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Failure(errno, "socket for", where);
  // SO_REUSEADDR: a restarted server must not wait for the TIME_WAIT of its last connections.
  // IPV6_V6ONLY: an address means itself, so 0.0.0.0:P and [::]:P can be listened on together.
  if (SetOption(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1) != 0 ||
      SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1) != 0 ||
      (port == Port::kShared && SetOption(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1) != 0) ||
      (where.family() == AF_INET6 && SetOption(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1) != 0)) {
    return Failure(errno, "setsockopt for", where);
  }
  if (int error = BindOnceFree(fd.get(), where); error != 0) return Failure(error, "bind", where);
  return fd;
}

// What getsockname or getpeername says; nothing, and errno, where it fails.
std::optional<Address> EndOf(int fd, int (*get)(int, sockaddr*, socklen_t*)) {
  sockaddr_storage storage;
  socklen_t length = sizeof(storage);
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  if (get(fd, generic, &length) != 0) return std::nullopt;
  return Address(generic, length);
}

absl::StatusOr<Listeners> ListenTcp(const Address& where, const ListenOptions& options) {
  // Not in the SO_REUSEPORT group, so its bind fails when anybody listens there, the same user's
  // leftover server included. It never listens itself, which lets the group bind beside it (all
  // have SO_REUSEADDR), and it holds the port until the group listens.
  absl::StatusOr<UniqueFd> guard = BoundTcpSocket(where, Port::kAlone);
  if (!guard.ok()) return guard.status();
  const std::optional<Address> address = EndOf(guard->get(), getsockname);
  if (!address) return Failure(errno, "getsockname", where);

  Listeners result{.address = *address, .sockets = {}};
  for (int i = 0; i < options.count; ++i) {
    absl::StatusOr<UniqueFd> fd = BoundTcpSocket(*address, Port::kShared);
    if (!fd.ok()) return fd.status();
    result.sockets.push_back(*std::move(fd));
  }
  for (const UniqueFd& fd : result.sockets) {
    if (listen(fd.get(), options.backlog) != 0) return Failure(errno, "listen on", *address);
  }
  return result;
}

// Removes the socket file a dead server left behind; nothing else: connect(2) answers
// ECONNREFUSED for a regular file too, and that one is not ours to delete.
bool RemoveStaleSocketFile(const Address& where) {
  const char* path = reinterpret_cast<const sockaddr_un*>(where.get())->sun_path;
  struct stat info;
  if (path[0] == '\0' || lstat(path, &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe.valid()) return false;
  if (connect(probe.get(), where.get(), where.length()) == 0 || errno != ECONNREFUSED) return false;
  return unlink(path) == 0;
}

absl::StatusOr<Listeners> ListenUnix(const Address& where, const ListenOptions& options) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return Failure(errno, "socket for", where);
  if (bind(fd.get(), where.get(), where.length()) != 0) {
    int error = errno;
    if (error != EADDRINUSE || !RemoveStaleSocketFile(where)) {
      return Failure(error, "bind", where);
    }
    if (bind(fd.get(), where.get(), where.length()) != 0) return Failure(errno, "bind", where);
  }
  if (listen(fd.get(), options.backlog) != 0) return Failure(errno, "listen on", where);

  Listeners result{.address = where, .sockets = {}};
  result.sockets.push_back(std::move(fd));
  while (static_cast<int>(result.sockets.size()) < options.count) {
    UniqueFd copy(fcntl(result.sockets.front().get(), F_DUPFD_CLOEXEC, 0));
    if (!copy.valid()) return Failure(errno, "dup of the listener on", where);
    result.sockets.push_back(std::move(copy));
  }
  return result;
}

}  // namespace

absl::StatusOr<Listeners> Listen(const Address& where, const ListenOptions& options) {
  assert(options.count >= 1);
  return where.is_unix() ? ListenUnix(where, options) : ListenTcp(where, options);
}

int NewConnectSocket(const Address& to, const Address* from, int flags) {
  UniqueFd fd(socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
  if (!fd.valid()) return -errno;
  if (!to.is_unix() && SetOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1) != 0) return -errno;
  if (from != nullptr) {
    // Refused by kernels before 4.2: then bind picks the port, which only runs out sooner.
    if (!to.is_unix() && from->port() == 0) {
      SetOption(fd.get(), IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
    }
    if (bind(fd.get(), from->get(), from->length()) != 0) return -errno;
  }
  return fd.Release();
}

int NewConnectSocketCalls(const Address& to, const Address* from) {
  int calls = to.is_unix() ? 1 : 2;
  if (from != nullptr) calls += !to.is_unix() && from->port() == 0 ? 2 : 1;
  return calls;
}

bool MayMeetItself(const Address& to, const Address* from) {
  static const PortRange picked = LocalPortRange();
  if (to.is_unix()) return false;
  if (from != nullptr) {
    // From one address of 127.0.0.0/8 to another; ::1 is alone. "Any" stands for the source's.
    Address there = to;
    there.set_port(from->port());
    const bool local = to.family() == AF_INET && to.is_loopback() && from->is_loopback();
    if (local && *from != there) return false;
    if (from->port() != 0) return from->port() == to.port();
  }
  return to.port() >= picked.first && to.port() <= picked.last;
}

bool MeetsItself(int fd) {
  const std::optional<Address> here = EndOf(fd, getsockname);
  if (!here || here != EndOf(fd, getpeername)) return false;
  const linger at_once{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  return true;
}

int SomaxconnLimit() {
  std::ifstream file("/proc/sys/net/core/somaxconn");
  int limit = 0;
  return file >> limit ? limit : 0;
}

PortRange LocalPortRange() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  PortRange range;
  return file >> range.first >> range.last ? range : PortRange();
}

}  // namespace ringecho::net

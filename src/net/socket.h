// Listening and connecting sockets, made the same way for every engine.
#ifndef RINGECHO_NET_SOCKET_H_
#define RINGECHO_NET_SOCKET_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "net/address.h"

namespace ringecho::net {

struct ListenOptions {
  int backlog = 4096;
  // How many sockets to return, one for each engine.
  int count = 1;
};

struct Listeners {
  Address address;                      // with the port the kernel picked when 0 was asked for
  std::vector<base::UniqueFd> sockets;  // `count` of them
};

// TCP: `count` sockets in one SO_REUSEPORT group, so that the kernel spreads connections over
// them; TCP_NODELAY is set on the listener because accepted sockets inherit it; v6 sockets take v6
// clients only. Before joining the group a plain bind makes sure that nobody listens there yet:
// with SO_REUSEPORT alone a leftover server of the same user would silently share the port. unix:
// one socket, duplicated `count` times (SO_REUSEPORT does not spread unix sockets); a stale socket
// file that nobody listens on is removed, a live one is an error. Sockets are blocking (what
// io_uring wants); an engine that needs O_NONBLOCK sets it. Errors name the address, the call, the
// errno and what to do.
absl::StatusOr<Listeners> Listen(const Address& where, const ListenOptions& options);

// A TCP or unix stream socket ready for connect(2), TCP_NODELAY set; bound to `from` when given,
// with IP_BIND_ADDRESS_NO_PORT so that the port is chosen at connect time, where the kernel can
// share it between destinations. Returns the descriptor, or the negative errno of the call that
// failed (this is used per connection, so no Status). `flags` are added to the socket type
// (SOCK_NONBLOCK).
int NewConnectSocket(const Address& to, const Address* from, int flags);

// Whether a connection to `to`, with `from` as for NewConnectSocket, may turn out to be one with
// itself. Where nobody listens on a port of this machine that is in net.ipv4.ip_local_port_range,
// the kernel may pick that very port as the source. TCP takes this for two ends that open at the
// same time: the connection succeeds, and whatever is sent comes back, a perfect echo from nobody.
// One in ten thousand tries hits it, and a loader that waits for its server makes many.
bool MayMeetItself(const Address& to, const Address* from);

// Whether a connected socket has itself at the other end. If so, its close drops it without
// TIME_WAIT, which would keep the port from the server for a minute. Two system calls, else.
bool MeetsItself(int fd);

// System calls a successful NewConnectSocket makes, for whoever counts them.
int NewConnectSocketCalls(const Address& to, const Address* from);

// A listening backlog larger than net.core.somaxconn is cut silently by the kernel; this is that
// limit, or 0 when it cannot be read.
int SomaxconnLimit();

// First and last port of net.ipv4.ip_local_port_range; {32768, 60999} when unreadable.
struct PortRange {
  int first = 32768;
  int last = 60999;
};
PortRange LocalPortRange();

}  // namespace ringecho::net

#endif  // RINGECHO_NET_SOCKET_H_

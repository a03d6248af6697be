#include "support/peer.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/random.h"

namespace ringecho::support {
namespace {

// No progress for this long: both kernels are full.
constexpr int kBlockedMs = 50;

constexpr size_t kChunkBytes = 65'536;

}  // namespace

Peer::Peer(base::UniqueFd fd) : fd_(std::move(fd)) {
  timeval patience{.tv_sec = kPatienceMs / 1000, .tv_usec = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
}

Peer Peer::Unconnected(const net::Address& to) {
  base::UniqueFd fd(socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  int on = 1;
  if (!to.is_unix()) setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return Peer(std::move(fd));
}

Peer Peer::Connected(const net::Address& to, int receive_buffer_bytes) {
  Peer peer = Unconnected(to);
  if (receive_buffer_bytes != 0) {
    setsockopt(peer.fd(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes,
               sizeof(receive_buffer_bytes));
  }
  if (!peer.Connect(to)) peer.Close();
  return peer;
}

bool Peer::Connect(const net::Address& to) {
  return connect(fd_.get(), to.get(), to.length()) == 0;
}

bool Peer::Send(std::string_view data) {
  while (!data.empty()) {
    ssize_t sent = send(fd_.get(), data.data(), data.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    data.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

uint64_t Peer::SendUntilBlocked(std::string_view pattern, uint64_t offset) {
  uint64_t at = offset;
  for (;;) {
    std::string_view next = pattern.substr(at % pattern.size());
    ssize_t sent = send(fd_.get(), next.data(), next.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) {
      at += static_cast<uint64_t>(sent);
      continue;
    }
    if (sent < 0 && errno == EINTR) continue;
    pollfd writable{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
    if (errno != EAGAIN || poll(&writable, 1, kBlockedMs) <= 0) return at - offset;
  }
}

size_t Peer::ReceiveSome(char* buffer, size_t bytes) {
  for (;;) {
    ssize_t got = recv(fd_.get(), buffer, bytes, 0);
    if (got > 0) return static_cast<size_t>(got);
    if (got < 0 && errno == EINTR) continue;
    end_ = got == 0 ? StreamEnd::kEof : errno == EAGAIN ? StreamEnd::kTimeout : StreamEnd::kReset;
    return 0;
  }
}

std::string Peer::Receive(size_t bytes) {
  std::string data(bytes, '\0');
  size_t have = 0;
  while (have < bytes) {
    size_t got = ReceiveSome(data.data() + have, bytes - have);
    if (got == 0) break;
    have += got;
  }
  data.resize(have);
  return data;
}

std::string Peer::ReceiveRest(StreamEnd* end) {
  std::string data;
  char buffer[kChunkBytes];
  while (size_t got = ReceiveSome(buffer, sizeof(buffer))) data.append(buffer, got);
  if (end != nullptr) *end = end_;
  return data;
}

uint64_t Peer::CountRest(std::string_view pattern, StreamEnd* end) {
  uint64_t at = 0;
  char buffer[kChunkBytes];
  while (size_t got = ReceiveSome(buffer, sizeof(buffer))) {
    for (size_t i = 0; i < got;) {
      std::string_view want = pattern.substr((at + i) % pattern.size());
      size_t bytes = std::min(want.size(), got - i);
      if (std::memcmp(want.data(), buffer + i, bytes) != 0) return at + i;
      i += bytes;
    }
    at += got;
  }
  if (end != nullptr) *end = end_;
  return at;
}

void Peer::ShutdownWrite() { shutdown(fd_.get(), SHUT_WR); }

void Peer::Reset() {
  linger abort{.l_onoff = 1, .l_linger = 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
  fd_.Reset();
}

std::string RandomBytes(uint64_t seed, size_t count) {
  base::SplitMix64 random(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

int OpenDescriptors() {
  std::filesystem::directory_iterator entries("/proc/self/fd");
  return static_cast<int>(std::distance(begin(entries), end(entries)));
}

void Pause(int ms) {
  timespec time{.tv_sec = 0, .tv_nsec = ms * base::kNsPerMs};
  nanosleep(&time, nullptr);
}

}  // namespace ringecho::support

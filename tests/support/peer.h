// A plain blocking socket as the other side of an engine: no code of the project between the test
// and the kernel. Every call gives up after some seconds, so that a hanging engine fails a test.
#ifndef RINGECHO_SUPPORT_PEER_H_
#define RINGECHO_SUPPORT_PEER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "net/address.h"

namespace ringecho::support {

inline constexpr int kPatienceMs = 10'000;

// How a stream ended.
enum class StreamEnd : uint8_t { kOpen, kEof, kReset, kTimeout };

class Peer {
 public:
  Peer() = default;
  // Takes over a connected socket.
  explicit Peer(base::UniqueFd fd);
  // Not yet connected; for tests that need the descriptor before the connection.
  static Peer Unconnected(const net::Address& to);
  // `receive_buffer_bytes`: SO_RCVBUF, which must be set before connecting; 0 leaves it.
  static Peer Connected(const net::Address& to, int receive_buffer_bytes = 0);

  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }

  // False, with errno, when refused or out of patience.
  bool Connect(const net::Address& to);

  // All of it; false when the stream broke.
  bool Send(std::string_view data);
  // As much as the kernels on both sides take while nobody reads: until nothing more has gone out
  // for a moment. The bytes are those of `pattern`, again and again, from stream offset `offset`.
  uint64_t SendUntilBlocked(std::string_view pattern, uint64_t offset = 0);

  // Exactly `bytes`, less when the stream ended before.
  std::string Receive(size_t bytes);
  // Everything until the stream ends, and how it ended.
  std::string ReceiveRest(StreamEnd* end = nullptr);
  // The same for streams too long to keep: the number of bytes, all checked against `pattern`.
  uint64_t CountRest(std::string_view pattern, StreamEnd* end = nullptr);
  StreamEnd end() const { return end_; }

  void ShutdownWrite();
  // RST in place of FIN (TCP).
  void Reset();
  void Close() { fd_.Reset(); }

 private:
  // Up to `bytes` into `buffer`; 0 at the end, which is noted in end_.
  size_t ReceiveSome(char* buffer, size_t bytes);

  base::UniqueFd fd_;
  StreamEnd end_ = StreamEnd::kOpen;
};

// Bytes that follow from `seed` alone.
std::string RandomBytes(uint64_t seed, size_t count);

// Open descriptors of this process.
int OpenDescriptors();

// Sleeps: to poll, or to give something unwanted the time to happen.
void Pause(int ms);

// Polls `done` until it is true; false when it is not after kPatienceMs.
template <class F>
bool WaitUntil(F done) {
  int64_t give_up_ns = base::NowNs() + kPatienceMs * base::kNsPerMs;
  while (!done()) {
    if (base::NowNs() > give_up_ns) return false;
    Pause(1);
  }
  return true;
}

}  // namespace ringecho::support

#endif  // RINGECHO_SUPPORT_PEER_H_

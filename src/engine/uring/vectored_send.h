// One send of several buffers: what sendmsg(2) reads, and a pool of it.
#ifndef RINGECHO_ENGINE_URING_VECTORED_SEND_H_
#define RINGECHO_ENGINE_URING_VECTORED_SEND_H_

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace ringecho::engine::uring {

class VectoredSend {
 public:
  // One of these sends a backlog of the default high-water mark in buffers of the default size.
  static constexpr size_t kBuffersMax = 16;

  VectoredSend() { message_.msg_iov = vectors_.data(); }
  VectoredSend(const VectoredSend&) = delete;
  VectoredSend& operator=(const VectoredSend&) = delete;

  bool full() const { return message_.msg_iovlen == kBuffersMax; }
  size_t size() const { return message_.msg_iovlen; }
  uint32_t bytes() const { return bytes_; }
  const msghdr* message() const { return &message_; }

  void Add(const std::byte* data, uint32_t bytes) {
    // sendmsg(2) reads only; iovec has no const.
    vectors_[message_.msg_iovlen++] = {const_cast<std::byte*>(data), bytes};
    bytes_ += bytes;
  }
  void Clear() {
    message_.msg_iovlen = 0;
    bytes_ = 0;
  }

 private:
  msghdr message_{};
  std::array<iovec, kBuffersMax> vectors_{};
  uint32_t bytes_ = 0;
};

// Grows to the most that were ever in use at one time.
class VectoredSends {
 public:
  VectoredSend* Take();
  void GiveBack(VectoredSend* send);

 private:
  std::vector<std::unique_ptr<VectoredSend>> all_;
  std::vector<VectoredSend*> free_;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_VECTORED_SEND_H_

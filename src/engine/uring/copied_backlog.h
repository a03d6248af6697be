// Bytes for a peer that does not read, copied out of provided buffers that others wait for.
#ifndef RINGECHO_ENGINE_URING_COPIED_BACKLOG_H_
#define RINGECHO_ENGINE_URING_COPIED_BACKLOG_H_

#include <cassert>
#include <cstddef>
#include <span>
#include <vector>

namespace ringecho::engine::uring {

// A queue of bytes in one piece of memory. One that is never empty, because more is added as often
// as some is sent, keeps at most twice what is not sent.
class CopiedBacklog {
 public:
  // What is not sent yet, good until the next Append.
  std::span<const std::byte> rest() const { return std::span(bytes_).subspan(sent_); }

  void Sent(size_t bytes) {
    assert(bytes <= bytes_.size() - sent_);
    sent_ += bytes;
  }

  void Append(std::span<const std::byte> more) {
    // Moving what is left when it is the smaller half costs each byte one move.
    if (sent_ >= bytes_.size() - sent_) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(sent_));
      sent_ = 0;
    }
    bytes_.insert(bytes_.end(), more.begin(), more.end());
  }

  // Bytes of memory in use, sent ones included.
  size_t kept() const { return bytes_.size(); }

 private:
  std::vector<std::byte> bytes_;
  size_t sent_ = 0;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_COPIED_BACKLOG_H_

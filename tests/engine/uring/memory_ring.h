// A Ring whose queues are ordinary memory and whose kernel is the test.
#ifndef RINGECHO_TESTS_ENGINE_URING_MEMORY_RING_H_
#define RINGECHO_TESTS_ENGINE_URING_MEMORY_RING_H_

#include <bit>
#include <cerrno>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "engine/uring/ring.h"

namespace ringecho::engine::uring {

// Lays out an io_uring as liburing's inline functions expect it. Completions that find the queue
// full are kept aside and flagged, as the kernel does (IORING_FEAT_NODROP).
class MemoryRing : public Ring {
 public:
  MemoryRing(unsigned sq_entries, unsigned cq_entries)
      : sqes_(std::bit_ceil(sq_entries)), cqes_(std::bit_ceil(cq_entries)) {
    ring_.sq.khead = &sq_head_;
    ring_.sq.ktail = &sq_tail_;
    ring_.sq.kflags = &sq_flags_;
    ring_.sq.sqes = sqes_.data();
    ring_.sq.ring_entries = static_cast<unsigned>(sqes_.size());
    ring_.sq.ring_mask = ring_.sq.ring_entries - 1;
    ring_.cq.khead = &cq_head_;
    ring_.cq.ktail = &cq_tail_;
    ring_.cq.cqes = cqes_.data();
    ring_.cq.ring_entries = static_cast<unsigned>(cqes_.size());
    ring_.cq.ring_mask = ring_.cq.ring_entries - 1;
    ring_.ring_fd = -1;
  }

  int RegisterBuffers(const iovec* buffers, unsigned count) override {
    size_t bytes = 0;
    for (unsigned i = 0; i < count; ++i) bytes += buffers[i].iov_len;
    if (bytes > pinned_bytes_max) return -ENOMEM;
    registered_buffers_ = count;
    return register_buffers_result;
  }
  int RegisterBufferRing(io_uring_buf_ring* ring, unsigned entries, uint16_t,
                         unsigned flags) override {
    if (short_of_memory > 0) {
      --short_of_memory;
      return -ENOMEM;
    }
    incremental_ = (flags & IOU_PBUF_RING_INC) != 0;
    buffer_ring_ = ring;
    buffer_ring_mask_ = entries - 1;
    return 0;
  }

  int RegisterFileTable(unsigned count) override {
    file_table_entries = count;
    return register_files_result;
  }
  int InstallFile(unsigned index, int fd) override {
    installed.emplace_back(index, fd);
    return install_result;
  }

  int short_of_memory = 0;  // so many registrations of buffer rings fail
  int register_buffers_result = 0;
  size_t pinned_bytes_max = SIZE_MAX;
  int register_files_result = 0;
  int install_result = 0;
  unsigned file_table_entries = 0;
  std::vector<std::pair<unsigned, int>> installed;

 protected:
  // The kernel's side of the submission queue.
  unsigned Queued() const { return ring_.sq.sqe_tail - sq_head_; }
  io_uring_sqe TakeSqe() { return sqes_[sq_head_++ & ring_.sq.ring_mask]; }

  bool CompletionQueueFull() const { return cq_tail_ - cq_head_ == cqes_.size(); }
  unsigned CompletionsReady() const { return cq_tail_ - cq_head_; }

  void Post(uint64_t user_data, int32_t res, uint32_t flags) {
    if (!aside_.empty() || CompletionQueueFull()) {
      aside_.push_back({user_data, res, flags});
      sq_flags_ |= IORING_SQ_CQ_OVERFLOW;
      return;
    }
    Place({user_data, res, flags});
  }

  // What entering the kernel with GETEVENTS does.
  void FlushAside() {
    while (!aside_.empty() && !CompletionQueueFull()) {
      Place(aside_.front());
      aside_.pop_front();
    }
    if (aside_.empty()) sq_flags_ &= ~IORING_SQ_CQ_OVERFLOW;
  }
  bool overflowing() const { return !aside_.empty(); }

  // The next provided buffer; nullptr when there is none. A kernel may write its address and
  // length.
  io_uring_buf* NextBuffer() {
    if (buffer_ring_ == nullptr || buffer_head_ == buffer_ring_->tail) return nullptr;
    return &buffer_ring_->bufs[buffer_head_ & buffer_ring_mask_];
  }
  // Uses `bytes` of it; `whole`: and gives up what is left. True when it is used up, which a buffer
  // of a ring that is not consumed incrementally always is.
  bool UseBuffer(uint32_t bytes, bool whole = false) {
    io_uring_buf* buffer = NextBuffer();
    if (incremental_ && !whole && bytes < buffer->len) {
      buffer->addr += bytes;
      buffer->len -= bytes;
      return false;
    }
    ++buffer_head_;
    return true;
  }
  unsigned BuffersFree() const {
    return buffer_ring_ == nullptr ? 0 : static_cast<uint16_t>(buffer_ring_->tail - buffer_head_);
  }

 private:
  struct Completion {
    uint64_t user_data;
    int32_t res;
    uint32_t flags;
  };

  void Place(const Completion& completion) {
    io_uring_cqe& cqe = cqes_[cq_tail_++ & ring_.cq.ring_mask];
    cqe.user_data = completion.user_data;
    cqe.res = completion.res;
    cqe.flags = completion.flags;
  }

  std::vector<io_uring_sqe> sqes_;
  std::vector<io_uring_cqe> cqes_;
  unsigned sq_head_ = 0;
  unsigned sq_tail_ = 0;
  unsigned sq_flags_ = 0;
  unsigned cq_head_ = 0;
  unsigned cq_tail_ = 0;
  std::deque<Completion> aside_;
  io_uring_buf_ring* buffer_ring_ = nullptr;
  unsigned buffer_ring_mask_ = 0;
  uint16_t buffer_head_ = 0;
  bool incremental_ = false;
  unsigned registered_buffers_ = 0;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_TESTS_ENGINE_URING_MEMORY_RING_H_

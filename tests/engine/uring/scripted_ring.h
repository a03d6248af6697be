// A ring whose completions the test writes down one by one.
#ifndef RINGECHO_TESTS_ENGINE_URING_SCRIPTED_RING_H_
#define RINGECHO_TESTS_ENGINE_URING_SCRIPTED_RING_H_

#include <algorithm>
#include <cstring>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/uring/connection.h"
#include "engine/uring/writable_set.h"
#include "memory_ring.h"

namespace ringecho::engine::uring {

// Takes every SQE at submission and remembers it; nothing completes by itself.
class ScriptedRing final : public MemoryRing {
 public:
  using MemoryRing::MemoryRing;

  int Submit() override {
    if (submit_error != 0) return -submit_error;
    int count = 0;
    while (Queued() > 0) {
      taken.push_back(TakeSqe());
      bool direct = taken.back().file_index != 0 && taken.back().opcode == IORING_OP_ACCEPT;
      if (direct) direct_accepts.insert(taken.back().user_data);
      ++count;
    }
    return count;
  }

  int SubmitAndWait(int64_t timeout_ns) override {
    waits.push_back(timeout_ns);
    int result = Submit();
    FlushAside();
    return result < 0 ? result : CompletionsReady() > 0 ? 0 : -ETIME;
  }

  void Complete(uint64_t user_data, int res, unsigned flags = 0) {
    direct_accepts.erase(user_data);
    Post(user_data, res, flags);
  }

  // Data as the kernel would bring it: into the next provided buffer, whose id is returned.
  // `nonempty`: and there is more in the socket. Of an incremental ring the rest of the buffer is
  // used next time.
  uint16_t CompleteWithData(uint64_t user_data, const std::string& data, bool more = true,
                            bool nonempty = false) {
    io_uring_buf* buffer = NextBuffer();
    if (buffer == nullptr) return kNoBuffer;
    uint16_t id = buffer->bid;
    std::memcpy(reinterpret_cast<void*>(buffer->addr), data.data(), data.size());
    bool used_up = UseBuffer(static_cast<uint32_t>(data.size()));
    Post(user_data, static_cast<int>(data.size()),
         Named(id) | (more ? IORING_CQE_F_MORE : 0) | (nonempty ? IORING_CQE_F_SOCK_NONEMPTY : 0) |
             (used_up ? 0 : IORING_CQE_F_BUF_MORE));
    return id;
  }

  // Data as a bundle would bring it: into the next buffers, each filled to its length. The first
  // one's id; kNoBuffer when there are not enough.
  uint16_t CompleteWithBundle(uint64_t user_data, const std::string& data, bool more = true) {
    uint16_t first = NextBuffer() == nullptr ? kNoBuffer : NextBuffer()->bid;
    for (size_t at = 0; at < data.size();) {
      io_uring_buf* buffer = NextBuffer();
      if (buffer == nullptr) return kNoBuffer;
      size_t bytes = std::min<size_t>(buffer->len, data.size() - at);
      std::memcpy(reinterpret_cast<void*>(buffer->addr), data.data() + at, bytes);
      UseBuffer(static_cast<uint32_t>(bytes));
      at += bytes;
    }
    Post(user_data, static_cast<int>(data.size()), Named(first) | (more ? IORING_CQE_F_MORE : 0));
    return first;
  }

  // What the kernel does with a buffer it expects less for than it holds, and may then not use.
  void ShortenNextBuffer(uint32_t bytes) { NextBuffer()->len = bytes; }

  // The flags of a completion that names a buffer.
  static uint32_t Named(uint16_t id) {
    return static_cast<uint32_t>(id) << IORING_CQE_BUFFER_SHIFT | IORING_CQE_F_BUFFER;
  }

  // The SQEs of one kind taken since the last call of Forget, in order.
  std::vector<io_uring_sqe> Taken(Op op) const {
    std::vector<io_uring_sqe> out;
    for (const io_uring_sqe& sqe : taken) {
      if (UserData::GetOp(sqe.user_data) == op) out.push_back(sqe);
    }
    return out;
  }
  void Forget() { taken.clear(); }

  // What a send of one or several buffers is to send.
  static std::string Text(const io_uring_sqe& send) {
    if (send.opcode == IORING_OP_SENDMSG || send.opcode == IORING_OP_SENDMSG_ZC) {
      const auto* message = reinterpret_cast<const msghdr*>(send.addr);
      std::string out;
      for (size_t i = 0; i < message->msg_iovlen; ++i) {
        out.append(static_cast<const char*>(message->msg_iov[i].iov_base),
                   message->msg_iov[i].iov_len);
      }
      return out;
    }
    return {reinterpret_cast<const char*>(send.addr), send.len};
  }

  using MemoryRing::BuffersFree;

  std::vector<io_uring_sqe> taken;
  std::set<uint64_t> direct_accepts;  // in flight
  std::vector<int64_t> waits;
  int submit_error = 0;
};

// Says what the test says.
class ScriptedWritableSet final : public WritableSet {
 public:
  int Add(int fd, uint64_t tag) override {
    if (!members.insert(fd).second) return -EEXIST;
    added.emplace_back(fd, tag);
    return add_result;
  }
  int AddAgain(int fd, uint64_t tag) override {
    if (!members.contains(fd)) return -ENOENT;
    added.emplace_back(fd, tag);
    return add_result;
  }
  int AddForGood(int fd, uint64_t tag) override {
    added_for_good.emplace_back(fd, tag);
    return add_result;
  }
  void Remove(int fd) override {
    removed.push_back(fd);
    members.erase(fd);
  }
  int fd() const override { return added.empty() && added_for_good.empty() ? -1 : 901; }
  size_t Take(std::span<uint64_t> tags) override {
    size_t count = std::min(tags.size(), writable.size());
    std::copy_n(writable.begin(), count, tags.begin());
    writable.erase(writable.begin(), writable.begin() + static_cast<ptrdiff_t>(count));
    return count;
  }

  std::vector<std::pair<int, uint64_t>> added;
  std::vector<std::pair<int, uint64_t>> added_for_good;
  std::vector<int> removed;
  std::set<int> members;
  std::vector<uint64_t> writable;
  int add_result = 0;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_TESTS_ENGINE_URING_SCRIPTED_RING_H_

// A simulated kernel behind the ring: sockets, buffers and faults, driven by a seed.
//
// It does what io_uring does with the operations the engine uses, and everything it may do is
// left to chance within what the real one promises: which socket makes progress, how many bytes a
// receive or a send takes, when a multishot ends, whether a cancel comes before or after what it
// cancels, how many entries a submission takes, when the notification of a zero-copy send comes
// once the far end has read its bytes. What the engine must never do (close a descriptor with a
// request in flight, two sends at once, use of a buffer the kernel owns, memory of a zero-copy send
// changed before its notification) is reported as a violation.
#ifndef RINGECHO_TESTS_ENGINE_URING_SIM_KERNEL_H_
#define RINGECHO_TESTS_ENGINE_URING_SIM_KERNEL_H_

#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "engine/uring/writable_set.h"
#include "memory_ring.h"

namespace ringecho::engine::uring {

// One TCP connection as the kernel and the far end see it.
struct SimSocket {
  // Far end to engine.
  std::string unsent;  // what the far end has not sent yet
  bool eof_after_unsent = false;
  std::string arrived;  // in the receive queue
  bool eof = false;     // behind `arrived`
  bool reset = false;
  // Engine to far end.
  std::string echoed;     // what the far end has read
  std::string in_flight;  // in the send queue and on the wire
  bool reads = true;      // whether the far end reads
  bool closed = false;    // by the engine

  struct Request {
    explicit Request(const io_uring_sqe& sqe)
        : user_data(sqe.user_data),
          memory(reinterpret_cast<char*>(sqe.addr)),
          bytes(sqe.len),
          selects_buffer((sqe.flags & IOSQE_BUFFER_SELECT) != 0),
          multishot((sqe.ioprio & IORING_RECV_MULTISHOT) != 0 && sqe.opcode == IORING_OP_RECV),
          bundle((sqe.ioprio & IORING_RECVSEND_BUNDLE) != 0 && sqe.opcode == IORING_OP_RECV),
          may_wait((sqe.msg_flags & MSG_DONTWAIT) == 0 || !HasMessageFlags(sqe)),
          waits_for_all(HasMessageFlags(sqe) && (sqe.msg_flags & MSG_WAITALL) != 0) {
      zero_copy = sqe.opcode == IORING_OP_SEND_ZC || sqe.opcode == IORING_OP_SENDMSG_ZC;
      if (sqe.opcode != IORING_OP_SENDMSG && sqe.opcode != IORING_OP_SENDMSG_ZC) return;
      message = reinterpret_cast<const msghdr*>(sqe.addr);
      bytes = 0;
      for (size_t i = 0; i < message->msg_iovlen; ++i) {
        bytes += static_cast<uint32_t>(message->msg_iov[i].iov_len);
      }
    }
    static bool HasMessageFlags(const io_uring_sqe& sqe) {
      return sqe.opcode == IORING_OP_SEND || sqe.opcode == IORING_OP_SENDMSG ||
             sqe.opcode == IORING_OP_SEND_ZC || sqe.opcode == IORING_OP_SENDMSG_ZC;
    }
    // Bytes [from, from + count) of what is to be sent, read when they are sent: memory that was
    // given up too early shows.
    std::string Bytes(uint32_t from, uint32_t count) const;
    std::vector<std::pair<const char*, size_t>> Pieces() const;

    uint64_t user_data;
    char* memory;
    uint32_t bytes;
    const msghdr* message = nullptr;  // of a SENDMSG
    bool selects_buffer;
    bool multishot;
    bool bundle;
    bool may_wait;
    bool waits_for_all;
    bool zero_copy = false;
    uint32_t done = 0;
  };
  // A zero-copy send whose result has been told. The stack reads its memory until the notification,
  // which comes after the far end has read what was sent, or the connection is lost.
  struct Notification {
    uint64_t user_data;
    uint64_t after_read;  // bytes in all
    std::vector<std::pair<const char*, size_t>> memory;
    std::string sent;
  };
  std::deque<Notification> notifications;
  std::optional<Request> receive;
  std::optional<Request> send;
  std::optional<uint64_t> watch;
  // Of the WritableSet: who is told once, and who is told whenever room follows on a want of it.
  std::optional<uint64_t> set_tag;
  bool in_set = false;
  std::optional<uint64_t> edge_tag;
  bool wants_edge = false;
};

class SimKernel final : public MemoryRing {
 public:
  static constexpr int kFirstFd = 100000;  // never descriptors of this process
  static constexpr size_t kSendQueue = 64;

  SimKernel(uint64_t seed, unsigned sq_entries, unsigned cq_entries)
      : MemoryRing(sq_entries, cq_entries), random_(seed) {}

  // The far end connects; comes to the engine by accept.
  SimSocket& AddClient(std::string to_send, bool eof_after, bool reads);

  int Submit() override;
  int SubmitAndWait(int64_t timeout_ns) override;

  // Called when nothing can happen any more: every socket is out of work and the queues are empty.
  // The test then changes the world (a peer starts to read) or ends the run with WakeEngine.
  std::function<void()> on_quiet;
  void WakeEngine();

  std::map<int, SimSocket>& sockets() { return sockets_; }
  const std::vector<std::string>& violations() const { return violations_; }
  bool Chance(unsigned percent) { return random_.Below(100) < percent; }
  using MemoryRing::BuffersFree;

  // To be used with this kernel.
  std::unique_ptr<WritableSet> NewWritableSet();
  static bool Writable(const SimSocket& socket) {
    return socket.reset || socket.in_flight.size() < kSendQueue;
  }
  static bool IsToBeTold(const SimSocket& socket) {
    return (socket.set_tag || (socket.edge_tag && socket.wants_edge)) && Writable(socket);
  }

  unsigned reset_percent = 0;  // per step, of some open connection

 private:
  void Take(io_uring_sqe sqe);
  bool Resolve(io_uring_sqe& sqe);
  void TakeAccept(const io_uring_sqe& sqe);
  void EndAccept(size_t which, int res, uint32_t flags);
  void TakeReceive(const io_uring_sqe& sqe);
  void TakeSend(const io_uring_sqe& sqe);
  bool NoticeHalfClose(SimSocket& socket);
  bool Notify(SimSocket& socket);
  bool ReportWritable();
  void Cancel(const io_uring_sqe& sqe);
  void Close(const io_uring_sqe& sqe);
  bool Step();
  bool StepSocket(SimSocket& socket);
  bool Arrive(SimSocket& socket);
  bool Receive(SimSocket& socket);
  bool ReceiveIntoRing(SimSocket& socket);
  uint32_t FillNextBuffer(SimSocket& socket, bool& used_up);
  bool SendSome(SimSocket& socket);
  bool AcceptOne();
  void EndReceive(SimSocket& socket, int res, uint32_t flags);
  void EndSend(SimSocket& socket, int res);
  uint32_t Some(size_t most);  // 1 to most
  void Violation(const std::string& what) { violations_.push_back(what); }

  base::SplitMix64 random_;
  std::map<int, SimSocket> sockets_;
  std::deque<int> backlog_;
  std::deque<io_uring_sqe> accepts_;
  std::map<unsigned, int> files_;  // the table of direct descriptors
  std::optional<io_uring_sqe> wake_;
  std::optional<uint64_t> writable_poll_;
  std::vector<std::string> violations_;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_TESTS_ENGINE_URING_SIM_KERNEL_H_

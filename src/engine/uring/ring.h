// One submission/completion ring, and the only place that enters the kernel for it.
//
// The queues are plain memory and are used directly, without a virtual call per operation. What
// enters the kernel, once per batch, is virtual: that is the point where tests put a scripted or
// simulated kernel behind the very same state machine.
#ifndef RINGECHO_ENGINE_URING_RING_H_
#define RINGECHO_ENGINE_URING_RING_H_

#include <sys/uio.h>

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "engine/uring/compat.h"

namespace ringecho::engine::uring {

class Ring {
 public:
  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  virtual ~Ring() = default;

  // Hands queued SQEs to the kernel without waiting for completions: how many it took, or a
  // negative errno (-EBUSY and -EAGAIN: completions must be taken first). With SQPOLL it waits
  // until the kernel's thread has made room in a queue that is full.
  virtual int Submit() = 0;

  // The same, then waits until a completion is there or `timeout_ns` have passed (base::kNever: no
  // limit; 0: does not wait, but has the kernel run deferred work and flush overflowed
  // completions). -ETIME and -EINTR are ordinary answers.
  virtual int SubmitAndWait(int64_t timeout_ns) = 0;

  // The same for a batch: waits `gather_ns` (above 0) or until `most` completions are there, and
  // only if there is none then, for the first. `timeout_ns` (not 0) ends all of it. `by_kernel`:
  // in one call (IORING_FEAT_MIN_TIMEOUT).
  struct Gather {
    int64_t gather_ns;
    unsigned most;
    bool by_kernel;
  };
  virtual int SubmitAndGather(int64_t timeout_ns, const Gather&) {
    return SubmitAndWait(timeout_ns);
  }

  // System calls that the last Submit, SubmitAndWait or SubmitAndGather made: with SQPOLL there may
  // be none to make.
  unsigned calls() const { return calls_; }

  // 0 or a negative errno, as io_uring_register(2).
  virtual int RegisterBuffers(const iovec* buffers, unsigned count) = 0;
  // `flags`: IOU_PBUF_RING_*.
  virtual int RegisterBufferRing(io_uring_buf_ring* ring, unsigned entries, uint16_t group,
                                 unsigned flags) = 0;
  // A table of files without descriptors, all of it empty.
  virtual int RegisterFileTable(unsigned count) = 0;
  // Puts the file behind a descriptor into an empty place of the table; the descriptor stays the
  // caller's.
  virtual int InstallFile(unsigned index, int fd) = 0;

  // An SQE to fill, or nullptr when the queue is full.
  io_uring_sqe* GetSqe() { return io_uring_get_sqe(&ring_); }

  unsigned sq_queued() const { return io_uring_sq_ready(&ring_); }
  unsigned sq_entries() const { return ring_.sq.ring_entries; }
  unsigned cq_entries() const { return ring_.cq.ring_entries; }
  bool overflowed() const { return io_uring_cq_has_overflow(&ring_); }
  unsigned setup_flags() const { return ring_.flags; }
  bool registered() const { return registered_; }
  bool has_napi() const { return has_napi_; }

  // CPU time of the kernel's SQPOLL thread of this ring so far, ns; 0 without one.
  virtual int64_t PollerCpuNs() const { return 0; }

  // Calls f(const io_uring_cqe&) for every completion there is, then gives all their places back
  // at once. Returns how many there were. f may queue SQEs and Submit.
  template <class F>
  unsigned Drain(F f) {
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      ++count;
      f(static_cast<const io_uring_cqe&>(*cqe));
    }
    io_uring_cq_advance(&ring_, count);
    return count;
  }

 protected:
  io_uring ring_{};
  bool registered_ = false;
  bool has_napi_ = false;
  unsigned calls_ = 1;
};

// How long the kernel's SQPOLL thread looks for requests, taking a CPU, before it sleeps and must
// be woken by a call: longer than the pauses of a busy connection, short for a program that idles.
inline constexpr unsigned kPollerIdleMs = 10;

// How long a thread that is about to sleep polls the network device first, as net.core.busy_poll
// is recommended to be set.
inline constexpr uint32_t kNapiBusyPollUs = 50;

// What to ask of io_uring_setup. `flags` without CQSIZE and CLAMP, which are always tried.
struct RingConfig {
  unsigned sq_entries = 4096;
  unsigned cq_entries = 16384;
  unsigned flags = 0;
};

// The least an engine works with: completions beyond it are kept aside by the kernel, submissions
// go in smaller batches.
inline constexpr RingConfig kSmallestRing{.sq_entries = 256, .cq_entries = 1024, .flags = 0};

// A ring of the kernel's, made with exactly `config.flags`. Must be called on the thread that will
// use the ring (SINGLE_ISSUER, 6.0). Errors carry the errno of io_uring_setup(2).
class KernelRing final : public Ring {
 public:
  static absl::StatusOr<std::unique_ptr<KernelRing>> Create(const RingConfig& config);
  // The same as a plain errno (0 is success), for those who ask what a failure means.
  static int Create(const RingConfig& config, std::unique_ptr<KernelRing>* ring);

  ~KernelRing() override;
  int Submit() override;
  int SubmitAndWait(int64_t timeout_ns) override;
  int SubmitAndGather(int64_t timeout_ns, const Gather& gather) override;
  int RegisterBuffers(const iovec* buffers, unsigned count) override;
  int RegisterBufferRing(io_uring_buf_ring* ring, unsigned entries, uint16_t group,
                         unsigned flags) override;
  int RegisterFileTable(unsigned count) override;
  int InstallFile(unsigned index, int fd) override;

  // Linux 5.18: a number of its own for the ring, so that a call need not look its descriptor up.
  // By the thread that uses it, which is the only one the number is good for. False when the kernel
  // does not do it; the ring works all the same.
  bool RegisterRing();

  // Linux 6.9: polls the network device for so long before it sleeps. The same.
  bool RegisterNapi(uint32_t busy_poll_us);

  int64_t PollerCpuNs() const override;

  unsigned features() const { return ring_.features; }
  io_uring* raw() { return &ring_; }

 private:
  KernelRing() = default;

  bool polled() const { return (ring_.flags & IORING_SETUP_SQPOLL) != 0; }
  unsigned Publish();
  unsigned WakeFlags(unsigned queued) const;
  int Enter(unsigned submit, unsigned wait, unsigned flags, const GetEventsArgument* argument);
  int WaitPolled(int64_t timeout_ns, unsigned count);
  int WaitUnpolled(int64_t timeout_ns, unsigned count);
  int Wait(int64_t timeout_ns, unsigned count);
  int WaitAtLeast(int64_t timeout_ns, const Gather& gather);

  int poller_tid_ = 0;  // 0: there is none, or it is not known
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_RING_H_

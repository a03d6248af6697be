#include "engine/uring/ring.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "stats/usage.h"

namespace ringecho::engine::uring {
namespace {

__kernel_timespec TimespecOf(int64_t ns) {
  __kernel_timespec time{};
  time.tv_sec = ns / base::kNsPerSec;
  time.tv_nsec = ns % base::kNsPerSec;
  return time;
}

// Finds the SQPOLL thread of a ring: the one that is there after it was made and was not before.
// The kernel tells the thread's number only as it is outside of containers. While one object of
// this class lives, no other thread makes such a ring here.
class PollerFinder {
 public:
  PollerFinder() : lock_(mutex_), before_(Threads()) {}

  // 0 when it does not show up: then its time is in the sums of the process only.
  int Find() const {
    constexpr useconds_t kRestUs = 200;
    constexpr int kTries = 100;
    for (int i = 0; i < kTries; ++i) {
      for (int tid : Threads()) {
        if (std::find(before_.begin(), before_.end(), tid) == before_.end()) return tid;
      }
      usleep(kRestUs);  // it takes its name when it first runs
    }
    return 0;
  }

 private:
  static std::vector<int> Threads() { return stats::PollerThreads().value_or(std::vector<int>()); }

  static inline std::mutex mutex_;
  std::lock_guard<std::mutex> lock_;
  std::vector<int> before_;
};

}  // namespace

int KernelRing::Create(const RingConfig& config, std::unique_ptr<KernelRing>* out) {
  std::unique_ptr<KernelRing> ring(new KernelRing);
  io_uring_params params{};
  // Linux 5.5 / 5.6: CQSIZE and CLAMP. Every kernel that has the operations this engine needs
  // (5.6) has both.
  params.flags = config.flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = config.cq_entries;
  params.sq_thread_idle = kPollerIdleMs;  // read with SQPOLL only
  std::optional<PollerFinder> finder;
  if ((config.flags & IORING_SETUP_SQPOLL) != 0) finder.emplace();
  int error = io_uring_queue_init_params(config.sq_entries, &ring->ring_, &params);
  if (error < 0) {
    // Nothing was mapped; the destructor must not unmap it.
    ring->ring_.ring_fd = -1;
    return -error;
  }
  if (finder) ring->poller_tid_ = finder->Find();
  *out = std::move(ring);
  return 0;
}

absl::StatusOr<std::unique_ptr<KernelRing>> KernelRing::Create(const RingConfig& config) {
  std::unique_ptr<KernelRing> ring;
  if (int error = Create(config, &ring); error != 0) {
    return base::ErrnoStatus(error, "io_uring_setup");
  }
  return ring;
}

KernelRing::~KernelRing() {
  if (ring_.ring_fd >= 0) io_uring_queue_exit(&ring_);
}

bool KernelRing::RegisterRing() {
  registered_ = io_uring_register_ring_fd(&ring_) == 1;
  return registered_;
}

bool KernelRing::RegisterNapi(uint32_t busy_poll_us) {
  NapiArgument argument{};
  argument.busy_poll_to = busy_poll_us;
  has_napi_ = io_uring_register(ring_.ring_fd, kRegisterNapi, &argument, 1) == 0;
  return has_napi_;
}

int KernelRing::Submit() {
  calls_ = 1;
  if (!polled()) return io_uring_submit(&ring_);
  calls_ = 0;
  unsigned queued = Publish();
  unsigned flags = WakeFlags(queued);
  if (io_uring_sq_space_left(&ring_) == 0) flags |= IORING_ENTER_SQ_WAIT;
  if (flags == 0) return static_cast<int>(queued);
  return Enter(queued, 0, flags, nullptr);
}

int KernelRing::SubmitAndWait(int64_t timeout_ns) {
  calls_ = 0;
  return Wait(timeout_ns, 1);
}

int KernelRing::SubmitAndGather(int64_t timeout_ns, const Gather& gather) {
  calls_ = 0;
  int64_t gather_ns = std::min(gather.gather_ns, timeout_ns);
  if (gather.by_kernel) return WaitAtLeast(timeout_ns, {gather_ns, gather.most, true});
  int result = Wait(gather_ns, gather.most);
  bool nothing = io_uring_cq_ready(&ring_) == 0 && (result >= 0 || result == -ETIME);
  if (!nothing || timeout_ns == gather_ns) return result;
  return Wait(timeout_ns == base::kNever ? base::kNever : timeout_ns - gather_ns, 1);
}

int KernelRing::Wait(int64_t timeout_ns, unsigned count) {
  return polled() ? WaitPolled(timeout_ns, count) : WaitUnpolled(timeout_ns, count);
}

int KernelRing::WaitUnpolled(int64_t timeout_ns, unsigned count) {
  ++calls_;
  if (timeout_ns <= 0) return io_uring_submit_and_get_events(&ring_);
  if (timeout_ns == base::kNever) return io_uring_submit_and_wait(&ring_, count);
  __kernel_timespec timeout = TimespecOf(timeout_ns);
  io_uring_cqe* unused = nullptr;
  return io_uring_submit_and_wait_timeout(&ring_, &unused, count, &timeout, nullptr);
}

// With SQPOLL requests are made and completed by the kernel's thread: a call is needed to wake it,
// to sleep, and to have completions that were kept aside put into the queue.
int KernelRing::WaitPolled(int64_t timeout_ns, unsigned count) {
  unsigned queued = Publish();
  unsigned flags = WakeFlags(queued);
  bool sleeps = timeout_ns > 0 && io_uring_cq_ready(&ring_) < count;
  if (sleeps || overflowed()) flags |= IORING_ENTER_GETEVENTS;
  if (flags == 0) return static_cast<int>(queued);
  if (!sleeps) return Enter(queued, 0, flags, nullptr);
  __kernel_timespec timeout = TimespecOf(timeout_ns == base::kNever ? 0 : timeout_ns);
  GetEventsArgument argument{};
  if (timeout_ns != base::kNever) argument.ts = reinterpret_cast<uintptr_t>(&timeout);
  return Enter(queued, count, flags, &argument);
}

// Linux 6.12: min_wait_usec. Detect: IORING_FEAT_MIN_TIMEOUT. Otherwise: two waits. The kernel
// takes the end of the least time for the end of all when there is no other one, and would wake an
// idle thread over and over.
int KernelRing::WaitAtLeast(int64_t timeout_ns, const Gather& gather) {
  constexpr int64_t kVeryLongNs = 3'600 * base::kNsPerSec;
  unsigned queued = Publish();
  __kernel_timespec timeout = TimespecOf(std::min(timeout_ns, kVeryLongNs));
  GetEventsArgument argument{};
  argument.ts = reinterpret_cast<uintptr_t>(&timeout);
  argument.min_wait_usec = static_cast<uint32_t>(gather.gather_ns / base::kNsPerUs);
  return Enter(queued, gather.most, IORING_ENTER_GETEVENTS, &argument);
}

// Shows the kernel what was queued, and returns how much it has not taken yet.
unsigned KernelRing::Publish() {
  io_uring_sq& sq = ring_.sq;
  sq.sqe_head = sq.sqe_tail;
  io_uring_smp_store_release(sq.ktail, sq.sqe_tail);
  return io_uring_sq_ready(&ring_);
}

// The thread says that it sleeps and then looks at the queue once more, so the tail must be seen
// before the flag is read.
unsigned KernelRing::WakeFlags(unsigned queued) const {
  if (queued == 0) return 0;
  io_uring_smp_mb();
  bool sleeps = (IO_URING_READ_ONCE(*ring_.sq.kflags) & IORING_SQ_NEED_WAKEUP) != 0;
  return sleeps ? IORING_ENTER_SQ_WAKEUP : 0;
}

int KernelRing::Enter(unsigned submit, unsigned wait, unsigned flags,
                      const GetEventsArgument* argument) {
  ++calls_;
  if (registered_) flags |= IORING_ENTER_REGISTERED_RING;
  // Linux 5.11: EXT_ARG. What comes here (sqpoll, min_wait) is probed with it.
  if (argument != nullptr) flags |= IORING_ENTER_EXT_ARG;
  auto* memory = reinterpret_cast<sigset_t*>(const_cast<GetEventsArgument*>(argument));
  return io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), submit, wait, flags, memory,
                         argument != nullptr ? sizeof(*argument) : 0);
}

int64_t KernelRing::PollerCpuNs() const { return stats::CpuNsOfThread(poller_tid_); }

int KernelRing::RegisterBuffers(const iovec* buffers, unsigned count) {
  return io_uring_register_buffers(&ring_, buffers, count);
}

int KernelRing::RegisterBufferRing(io_uring_buf_ring* ring, unsigned entries, uint16_t group,
                                   unsigned flags) {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<uintptr_t>(ring);
  registration.ring_entries = entries;
  registration.bgid = group;
  auto flags16 = static_cast<uint16_t>(flags);
  std::memcpy(reinterpret_cast<char*>(&registration) + kBufRegFlagsOffset, &flags16,
              sizeof(flags16));
  return io_uring_register_buf_ring(&ring_, &registration, 0);
}

int KernelRing::RegisterFileTable(unsigned count) {
  return io_uring_register_files_sparse(&ring_, count);
}

int KernelRing::InstallFile(unsigned index, int fd) {
  int done = io_uring_register_files_update(&ring_, index, &fd, 1);
  return done < 0 ? done : 0;
}

}  // namespace ringecho::engine::uring

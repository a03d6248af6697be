#include "engine/uring/ring.h"

#include <cerrno>
#include <cstring>

#include "base/clock.h"
#include "base/status.h"

namespace ringecho::engine::uring {

int KernelRing::Create(const RingConfig& config, std::unique_ptr<KernelRing>* out) {
  std::unique_ptr<KernelRing> ring(new KernelRing);
  io_uring_params params{};
  // Linux 5.5 / 5.6: CQSIZE and CLAMP. Every kernel that has the operations this engine needs
  // (5.6) has both.
  params.flags = config.flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = config.cq_entries;
  int error = io_uring_queue_init_params(config.sq_entries, &ring->ring_, &params);
  if (error < 0) {
    // Nothing was mapped; the destructor must not unmap it.
    ring->ring_.ring_fd = -1;
    return -error;
  }
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

int KernelRing::Submit() { return io_uring_submit(&ring_); }

int KernelRing::SubmitAndWait(int64_t timeout_ns) {
  if (timeout_ns <= 0) return io_uring_submit_and_get_events(&ring_);
  if (timeout_ns == base::kNever) return io_uring_submit_and_wait(&ring_, 1);
  __kernel_timespec timeout{};
  timeout.tv_sec = timeout_ns / base::kNsPerSec;
  timeout.tv_nsec = timeout_ns % base::kNsPerSec;
  io_uring_cqe* unused = nullptr;
  return io_uring_submit_and_wait_timeout(&ring_, &unused, 1, &timeout, nullptr);
}

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

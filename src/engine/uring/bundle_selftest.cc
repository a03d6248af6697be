#include "engine/uring/bundle_selftest.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "engine/uring/buffer_ring.h"

namespace ringecho::engine::uring {
namespace {

constexpr int kRounds = 100;
constexpr uint32_t kBuffers = 16;
constexpr uint32_t kBufferBytes = 256;
constexpr uint32_t kSegmentsMax = 4;
constexpr uint32_t kSegmentBytesMax = 1500;
constexpr size_t kHeldMax = 5;
constexpr int64_t kPatienceNs = base::kNsPerSec;

// What stands at each place of the stream.
std::byte ByteAt(uint64_t position) {
  return static_cast<std::byte>(position * 0x9e3779b97f4a7c15 >> 56);
}

class Selftest {
 public:
  Selftest(std::unique_ptr<Ring> ring, const std::function<void(std::span<std::byte>)>& corrupt)
      : corrupt_(corrupt), ring_(std::move(ring)) {}

  BundleSelftest Run() {
    auto buffers = BufferRing::Create(*ring_, kBuffers, kBufferBytes);
    if (!buffers.ok()) return NotRun(ENOMEM, "a buffer ring");
    buffers_ = *std::move(buffers);
    if (!MakePair()) return NotRun(errno, "a TCP connection over loopback");
    for (int round = 0; round < kRounds; ++round) {
      if (!SendSegments()) return NotRun(errno, "sending over loopback");
      while (received_ < sent_) {
        if (!Turn()) return {.passed = false, .error = 0, .why_not = why_not_};
      }
    }
    return {.passed = true, .error = 0, .why_not = ""};
  }

 private:
  static BundleSelftest NotRun(int error, const char* what) {
    return {.passed = false,
            .error = error,
            .why_not = absl::StrCat("its self-test could not be run: ", what, ": ",
                                    base::ErrnoText(error))};
  }

  bool MakePair() {
    base::UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sender_.Reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (!listener.valid() || !sender_.valid() || bind(listener.get(), generic, length) != 0 ||
        listen(listener.get(), 1) != 0 || getsockname(listener.get(), generic, &length) != 0) {
      return false;
    }
    if (connect(sender_.get(), generic, length) != 0) return false;
    receiver_.Reset(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    // No TIME_WAIT for each start of a program.
    constexpr linger kReset{.l_onoff = 1, .l_linger = 0};
    return receiver_.valid() &&
           setsockopt(sender_.get(), SOL_SOCKET, SO_LINGER, &kReset, sizeof(kReset)) == 0;
  }

  bool SendSegments() {
    for (uint64_t segments = 1 + random_.Below(kSegmentsMax); segments > 0; --segments) {
      std::array<std::byte, kSegmentBytesMax> segment;
      size_t bytes = 1 + random_.Below(kSegmentBytesMax);
      for (size_t i = 0; i < bytes; ++i) segment[i] = ByteAt(sent_ + i);
      // All of it or nothing: a socket's buffer holds many rounds.
      if (send(sender_.get(), segment.data(), bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes)) {
        return false;
      }
      sent_ += bytes;
    }
    return true;
  }

  bool Turn() {
    if (!armed_) Arm();
    int result = ring_->SubmitAndWait(kPatienceNs);
    unsigned completions = ring_->Drain([this](const io_uring_cqe& cqe) { Take(cqe); });
    if (result < 0 && result != -EINTR) Fail(absl::StrCat("waiting: ", base::ErrnoText(-result)));
    if (completions == 0 && result != -EINTR) Fail("bytes did not come");
    GiveBackSome();
    return why_not_.empty();
  }

  void Arm() {
    io_uring_sqe* sqe = ring_->GetSqe();
    io_uring_prep_rw(IORING_OP_RECV, sqe, receiver_.get(), nullptr, 0, 0);
    sqe->ioprio = IORING_RECV_MULTISHOT | IORING_RECVSEND_BUNDLE;
    sqe->flags = IOSQE_BUFFER_SELECT;
    sqe->buf_group = BufferRing::kGroup;
    sqe->user_data = 0;
    armed_ = true;
  }

  void Take(const io_uring_cqe& cqe) {
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) armed_ = false;
    if (cqe.res == -ENOBUFS) return;
    uint32_t id = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
    if (cqe.res <= 0 || (cqe.flags & IORING_CQE_F_BUFFER) == 0 || !buffers_->IsKernels(id)) {
      Fail(absl::StrCat("a receive ended with ", cqe.res));
      return;
    }
    uint16_t position = buffers_->Position(static_cast<uint16_t>(id));
    for (auto left = static_cast<uint32_t>(cqe.res); left > 0; ++position) {
      BufferRing::Part part = buffers_->TakeOfBundle(position, left);
      if (part.bytes == 0) {
        Fail("more bytes than its buffers hold");
        return;
      }
      Compare({buffers_->Data(part.id), part.bytes});
      held_.push_back(part.id);
      left -= part.bytes;
    }
  }

  void Compare(std::span<std::byte> bytes) {
    if (corrupt_) corrupt_(bytes);
    for (std::byte byte : bytes) {
      if (byte != ByteAt(received_++)) {
        Fail("bytes came out of order");
        return;
      }
    }
  }

  // In no order, and not all of them.
  void GiveBackSome() {
    size_t keep = random_.Below(kHeldMax + 1);
    while (held_.size() > keep) {
      std::swap(held_[random_.Below(held_.size())], held_.back());
      buffers_->Release(held_.back());
      held_.pop_back();
    }
    buffers_->Publish();
  }

  void Fail(const std::string& what) {
    if (why_not_.empty()) why_not_ = absl::StrCat("this kernel's fails its self-test: ", what);
  }

  const std::function<void(std::span<std::byte>)>& corrupt_;
  base::SplitMix64 random_{1};  // every start does the same
  base::UniqueFd sender_;
  base::UniqueFd receiver_;
  std::unique_ptr<BufferRing> buffers_;
  std::unique_ptr<Ring> ring_;  // gone before the buffers it may still use
  std::vector<uint16_t> held_;
  uint64_t sent_ = 0;
  uint64_t received_ = 0;
  bool armed_ = false;
  std::string why_not_;
};

}  // namespace

BundleSelftest RunBundleSelftest(std::unique_ptr<Ring> ring,
                                 const std::function<void(std::span<std::byte>)>& corrupt) {
  return Selftest(std::move(ring), corrupt).Run();
}

}  // namespace ringecho::engine::uring

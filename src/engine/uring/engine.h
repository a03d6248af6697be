// The io_uring engine: one ring, one connection table, one handler, one thread.
#ifndef RINGECHO_ENGINE_URING_ENGINE_H_
#define RINGECHO_ENGINE_URING_ENGINE_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/limits.h"
#include "engine/uring/core.h"
#include "engine/uring/make_ring.h"

namespace ringecho::engine::uring {

// Implements the engine of engine/stream.h over io_uring.
template <class Handler>
class Engine {
 public:
  // On the thread that will Run. Errors name the system call and what to do.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(const Options& options, Handler& handler) {
    auto engine = CreateWith(options, handler);
    bool limited = base::LockedMemoryLimit() != base::kUnlimited;
    if (engine.ok() || !limited || !absl::IsResourceExhausted(engine.status())) return engine;
    // The ring left no room for the buffers.
    Options small = options;
    small.sq_entries = kSmallestRing.sq_entries;
    small.cq_entries = kSmallestRing.cq_entries;
    return CreateWith(small, handler);
  }

  // For tests: on a given ring, using only what `caps` allow.
  static absl::StatusOr<std::unique_ptr<Engine>> CreateOn(std::unique_ptr<Ring> ring,
                                                          std::unique_ptr<WritableSet> writable,
                                                          const Options& options,
                                                          const Capabilities& caps,
                                                          Handler& handler) {
    absl::StatusOr<std::unique_ptr<Core>> core =
        Core::Create(options, caps, std::move(ring), std::move(writable));
    if (!core.ok()) return core.status();
    return std::unique_ptr<Engine>(new Engine(*std::move(core), handler));
  }

  // Connections still open are closed without telling the handler; waits, briefly, until the
  // kernel has let go of every request, because requests in flight use this object's memory.
  ~Engine() {
    silent_ = true;
    core_->TerminateAll();
    int64_t give_up_at = base::NowNs() + kTeardownNs;
    while (!core_->idle() && base::NowNs() < give_up_at) {
      if (!RunBatch(std::min(give_up_at, base::NowNs() + kTeardownStepNs)).ok()) break;
    }
  }

  absl::Status Listen(base::UniqueFd listener) { return core_->Listen(std::move(listener)); }
  ConnectResult Connect(const net::Address& to, const net::Address* from) {
    return core_->Connect(to, from);
  }
  bool CanSend(ConnId id) { return core_->CanSend(id); }
  void Send(ConnId id, std::span<const std::byte> payload) { core_->Send(id, payload); }
  std::optional<int64_t> Undelivered(ConnId id) { return core_->Undelivered(id); }
  void Close(ConnId id, CloseReason reason) { core_->Close(id, reason); }
  void Finish(ConnId id, CloseReason reason) { core_->Finish(id, reason); }
  void StopListening() { core_->StopListening(); }
  void Exit() { exit_ = true; }
  void Wake() const { core_->Wake(); }

  absl::Status Run() {
    static_assert(StreamHandler<Handler, Engine>);
    while (!exit_) {
      absl::Status status = RunBatch(std::min(handler_.NextDeadline(), core_->NextDeadline()));
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  // For tests that are the kernel: one turn of the loop, as Run has it. At its end it is so much
  // later than by the clock.
  absl::Status RunBatchForTest(int64_t later_ns = 0) {
    return RunBatch(core_->NextDeadline(), later_ns);
  }

  const Counters& counters() const { return core_->counters(); }
  size_t connections() const { return core_->connections(); }
  const Features& features() const { return core_->features(); }

 private:
  static constexpr int64_t kTeardownNs = base::kNsPerSec;
  static constexpr int64_t kTeardownStepNs = 10 * base::kNsPerMs;

  static absl::StatusOr<std::unique_ptr<Engine>> CreateWith(const Options& options,
                                                            Handler& handler) {
    absl::StatusOr<std::unique_ptr<Ring>> ring = MakeRing(options, ThisKernel());
    if (!ring.ok()) return ring.status();
    return CreateOn(*std::move(ring), NewWritableSet(), options, ThisKernel(), handler);
  }

  Engine(std::unique_ptr<Core> core, Handler& handler) : core_(std::move(core)), handler_(handler) {
    core_->EndBatch(base::NowNs());
  }

  // One turn of the loop: submit and wait, take every completion, then the deadlines, then what
  // the batch left to do. One submission and one publication of buffers per turn.
  absl::Status RunBatch(int64_t deadline_ns, int64_t later_ns = 0) {
    absl::Status status = core_->Wait(deadline_ns);
    if (!status.ok()) return status;
    core_->Drain([this](const io_uring_cqe& cqe) { Dispatch(cqe); });
    while (auto id = core_->NextParked()) Opened(*id);
    int64_t now = base::NowNs() + later_ns;
    if (!silent_ && handler_.NextDeadline() <= now) handler_.OnDeadline(*this, now);
    core_->EndBatch(now);
    return absl::OkStatus();
  }

  void Dispatch(const io_uring_cqe& cqe) {
    switch (UserData::GetOp(cqe.user_data)) {
      case Op::kReceive:
        for (Received r = core_->OnReceive(cqe); !r.data.empty(); r = core_->Next(r)) {
          core_->Resolve(r, silent_ ? Verdict::kConsumed : handler_.OnData(*this, r.id, r.data));
        }
        break;
      case Op::kSend:
        if (Sent s = core_->OnSend(cqe); s.bytes != 0 && !silent_) {
          handler_.OnSent(*this, s.id, s.bytes);
        }
        break;
      case Op::kSendZc:
        if (Sent s = core_->OnSendZc(cqe); s.bytes != 0 && !silent_) {
          handler_.OnSent(*this, s.id, s.bytes);
        }
        break;
      case Op::kAccept:
        for (auto id = core_->OnAccept(cqe); id; id = core_->NextAccepted(cqe)) Opened(*id);
        break;
      case Op::kConnect:
        if (auto id = core_->OnConnect(cqe)) Opened(*id);
        break;
      case Op::kClose:
        if (auto closed = core_->OnClose(cqe); closed && !silent_) {
          handler_.OnClosed(*this, closed->id, closed->reason);
        }
        break;
      case Op::kWake:
        core_->OnWake();
        if (!silent_) handler_.OnWake(*this);
        break;
      case Op::kWatch:
        core_->OnWatch(cqe);
        break;
      case Op::kWritable:
        core_->OnWritable();
        break;
      case Op::kInstall:
        core_->OnInstall(cqe);
        break;
      case Op::kCancel:
        core_->OnCancel(cqe);
        break;
    }
  }

  // The handler first: it may close the connection at once, or send before anything is received.
  void Opened(ConnId id) {
    if (silent_) {
      core_->Close(id, CloseReason::kLocal);
      return;
    }
    handler_.OnOpen(*this, id);
    core_->Pump(id);
  }

  std::unique_ptr<Core> core_;
  Handler& handler_;
  bool exit_ = false;
  bool silent_ = false;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_ENGINE_H_

// The epoll engine: the baseline of every comparison. Level-triggered, one thread, one handler.
#ifndef RINGECHO_ENGINE_EPOLL_ENGINE_H_
#define RINGECHO_ENGINE_EPOLL_ENGINE_H_

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "engine/counters.h"
#include "engine/epoll/core.h"
#include "engine/features.h"
#include "engine/options.h"
#include "engine/stream.h"
#include "net/address.h"

namespace ringecho::engine::epoll {

// Implements the engine of engine/stream.h over epoll. Where the seam leaves a choice: OnClosed is
// not called for connections still open when the engine is destroyed, and Finish waits up to a
// second for a peer that has not acknowledged the last bytes.
template <class Handler>
class Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(const Options& options, Handler& handler) {
    absl::StatusOr<Core::Descriptors> descriptors = Core::Open();
    if (!descriptors.ok()) return descriptors.status();
    return std::unique_ptr<Engine>(new Engine(options, *std::move(descriptors), handler));
  }

  absl::Status Listen(base::UniqueFd listener) { return core_.Listen(std::move(listener)); }
  ConnectResult Connect(const net::Address& to, const net::Address* from) {
    return core_.Connect(to, from);
  }
  bool CanSend(ConnId id) { return core_.CanSend(id); }
  void Send(ConnId id, std::span<const std::byte> payload) { core_.Send(id, payload); }
  std::optional<int64_t> Undelivered(ConnId id) { return core_.Undelivered(id); }
  void Close(ConnId id, CloseReason reason) { core_.Close(id, reason); }
  void Finish(ConnId id, CloseReason reason) { core_.Finish(id, reason); }
  void StopListening() { core_.StopListening(); }
  void Exit() { exit_ = true; }
  void Wake() const { core_.Wake(); }

  absl::Status Run() {
    static_assert(StreamHandler<Handler, Engine>);
    while (!exit_) {
      int64_t deadline_ns = RunDeadline();
      int events = core_.Wait(deadline_ns, exit_);
      if (events < 0) return base::ErrnoStatus(-events, "epoll_wait");
      for (int i = 0; i < events; ++i) Dispatch(core_.event(i));
      DeliverDue();
    }
    // What the last batch closed is told.
    DeliverDue();
    return absl::OkStatus();
  }

  const Counters& counters() const { return core_.counters(); }
  size_t connections() const { return core_.connections(); }
  // There is nothing to choose: what newer kernels add (EPOLLEXCLUSIVE, epoll_pwait2) changes no
  // figure and is simply used.
  Features features() const { return {}; }

 private:
  // Connections accepted, and reads of one connection, before others get their turn; what is left
  // is reported again.
  static constexpr int kAcceptBatch = 64;
  static constexpr int kReadRounds = 4;

  Engine(const Options& options, Core::Descriptors descriptors, Handler& handler)
      : core_(options, std::move(descriptors)), handler_(handler) {}

  // Calls OnDeadline if it is time and returns the deadline to wait for.
  int64_t RunDeadline() {
    int64_t deadline_ns = handler_.NextDeadline();
    if (deadline_ns == base::kNever) return deadline_ns;
    int64_t now_ns = base::NowNs();
    if (deadline_ns > now_ns) return deadline_ns;
    handler_.OnDeadline(*this, now_ns);
    return handler_.NextDeadline();
  }

  void Dispatch(const epoll_event& event) {
    uint32_t slot = Core::SlotOf(event.data.u64);
    if (event.data.u64 == kWakeupData) {
      core_.ClearWakeup();
      handler_.OnWake(*this);
    } else if (slot >= kListenerBase) {
      Accept(slot - kListenerBase);
    } else if (Connection* c = core_.Find(event.data.u64); c != nullptr) {
      OnEvents(slot, *c, event.events);
    }
  }

  void Accept(size_t listener) {
    for (int i = 0; i < kAcceptBatch; ++i) {
      uint32_t slot = core_.Accept(listener);
      if (slot == kNoSlot) return;
      handler_.OnOpen(*this, core_.Id(slot));
      core_.UpdateInterest(slot, core_.At(slot));
    }
  }

  void OnEvents(uint32_t slot, Connection& c, uint32_t events) {
    constexpr uint32_t kTrouble = EPOLLERR | EPOLLHUP;
    if (c.state == State::kConnecting) {
      if (core_.FinishConnect(slot, c)) handler_.OnOpen(*this, core_.Id(slot));
    } else if (c.state == State::kLingering) {
      core_.DiscardInput(slot, c);
    } else {
      Tell(slot, c);
      bool was_blocked = c.echo_blocked();
      if (c.out_left != 0 && c.state != State::kClosing && (events & (EPOLLOUT | kTrouble)) != 0) {
        size_t sent = core_.Flush(slot, c);
        if (sent != 0) handler_.OnSent(*this, core_.Id(slot), sent);
      }
      // Behind an echo that was blocked there is input waiting: no need to be told of it.
      bool whole = (events & (EPOLLRDHUP | kTrouble)) != 0;
      if (was_blocked || events != EPOLLOUT) Receive(slot, c, whole);
    }
    core_.UpdateInterest(slot, c);
  }

  // Reads and answers. `whole`: the peer's end is there to be read too.
  void Receive(uint32_t slot, Connection& c, bool whole) {
    for (int round = 0; round < kReadRounds; ++round) {
      if (c.state != State::kOpen || c.echo_blocked()) return;
      Core::Input input = core_.Receive(slot, c);
      if (input.data.empty()) return;
      ConnId id = core_.Id(slot);
      Verdict verdict = handler_.OnData(*this, id, input.data);
      if (c.state == State::kClosing) return;
      if (verdict == Verdict::kClose) {
        core_.StartClosing(slot, c, CloseReason::kLocal);
      } else if (verdict == Verdict::kEcho) {
        size_t sent = core_.Echo(slot, c, input.data);
        if (sent != 0 && c.state != State::kClosing) handler_.OnSent(*this, id, sent);
      }
      if (!input.full && !whole) return;
    }
  }

  // What the handler has to know of a connection before anything else happens to it.
  void Tell(uint32_t slot, Connection& c) {
    if (c.state == State::kOpening) {
      core_.MarkOpen(c);
      handler_.OnOpen(*this, core_.Id(slot));
    }
    if (c.state == State::kClosing) return;
    if (size_t sent = core_.TakeSent(c); sent != 0) handler_.OnSent(*this, core_.Id(slot), sent);
  }

  // Works off the list as it stands; what the handler's answers add to it waits for the next turn,
  // so that connections that always have something due cannot keep out the others.
  void DeliverDue() {
    for (uint32_t left = core_.due(); left != 0; --left) {
      uint32_t slot = core_.TakeDue();
      ConnId id = core_.Id(slot);
      Tell(slot, core_.At(slot));
      CloseReason reason;
      if (core_.Settle(slot, reason)) handler_.OnClosed(*this, id, reason);
    }
  }

  Core core_;
  Handler& handler_;
  bool exit_ = false;
};

}  // namespace ringecho::engine::epoll

#endif  // RINGECHO_ENGINE_EPOLL_ENGINE_H_

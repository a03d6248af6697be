// The echo protocol (RFC 862) as a stream handler: whatever arrives goes back, and a peer that ends
// its side gets everything back before the connection is closed. The echo itself is one verdict;
// the rest of this file is counting, idle connections and draining.
#ifndef RINGECHO_SERVER_ECHO_HANDLER_H_
#define RINGECHO_SERVER_ECHO_HANDLER_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/timeout_wheel.h"
#include "engine/counters.h"
#include "engine/stream.h"
#include "server/control.h"
#include "server/interval_poster.h"
#include "stats/counter.h"

namespace ringecho::server {

// Written by the handler's thread, readable from any while it runs.
struct alignas(64) HandlerCounters {
  stats::Counter messages;  // reads that were echoed
  stats::Counter bytes;     // of them
  stats::Counter open;      // connections now (a gauge)
  stats::Counter open_max;  // the most there were at one time (a gauge)
  std::array<stats::Counter, engine::kCloseReasonCount> closed;  // by CloseReason
};

struct HandlerOptions {
  uint32_t max_connections = 0;  // slots of the engine
  int64_t idle_timeout_ns = 0;   // 0: connections may idle for ever
  bool verbose = false;
  const Control* control = nullptr;
  // Called once, on the thread of the engine, when it learns that it is to drain: what was echoed
  // before is counted by then.
  std::function<void()> on_drain = nullptr;
};

class EchoHandler {
 public:
  // While draining, a connection without traffic for this long is taken to be done; one with
  // traffic is served until the grace is over; and what cannot even be closed in an orderly way
  // after that is left to the kernel.
  static constexpr int64_t kDrainIdleNs = 100 * base::kNsPerMs;
  static constexpr int64_t kDrainGraceNs = 2 * base::kNsPerSec;
  // When the engine does not know yet what a peer is still owed.
  static constexpr int64_t kAskAgainNs = base::kNsPerMs;
  static constexpr int64_t kDrainLastNs = kDrainGraceNs + base::kNsPerSec;

  EchoHandler(const HandlerOptions& options, const IntervalPoster& poster);

  template <class E>
  void OnOpen(E&, engine::ConnId id) {
    Opened(id);
  }

  template <class E>
  engine::Verdict OnData(E&, engine::ConnId id, std::span<const std::byte> data) {
    counters_.messages.Increment();
    counters_.bytes.Add(data.size());
    Touch(id);
    return engine::Verdict::kEcho;
  }

  // A peer that only reads what it is owed is not idle.
  template <class E>
  void OnSent(E&, engine::ConnId id, size_t) {
    Touch(id);
  }

  template <class E>
  void OnClosed(E&, engine::ConnId id, engine::CloseReason reason) {
    Closed(id, reason);
    if (draining() && counters_.open.Get() == 0) next_drain_look_ns_ = 0;
  }

  template <class E>
  void OnWake(E& engine) {
    Order order = options_.control->order();
    if (order == Order::kAbort) {
      engine.Exit();
    } else if (order == Order::kDrain && !draining()) {
      engine.StopListening();
      if (options_.on_drain) options_.on_drain();
      // Whoever connected before the order may be told of after it in the same batch, so that
      // nobody is there is only seen at its end, when the deadlines come.
      StartDraining(base::NowNs());
    }
  }

  int64_t NextDeadline() const {
    return std::min({poster_.NextNs(), idle_.NextNs(), next_ask_ns_, next_drain_look_ns_});
  }

  template <class E>
  void OnDeadline(E& engine, int64_t now_ns) {
    poster_.Tick(now_ns, Sums(engine.counters()));
    if (now_ns >= idle_.NextNs()) {
      idle_.Expire(now_ns, [&](uint32_t slot) { return CheckIdle(engine, slot, now_ns); });
    }
    if (now_ns >= next_ask_ns_) AskAgain(engine, now_ns);
    if (now_ns >= next_drain_look_ns_) Drain(engine, now_ns);
  }

  // The last, partial interval; called by the thread of the engine when it has ended.
  void Finish(int64_t now_ns, const engine::Counters& engine) {
    poster_.Finish(now_ns, Sums(engine));
  }

  const HandlerCounters& counters() const { return counters_; }

 private:
  struct Slot {
    uint32_t generation = 0;
    bool open = false;
    int64_t active_ns = 0;    // last traffic; kept only when something looks at it
    int64_t undelivered = 0;  // when it was last looked at
  };

  bool draining() const { return drain_started_ns_ != base::kNever; }

  // Traffic: the coarse clock costs a few nanoseconds and is exact to a few milliseconds.
  void Touch(engine::ConnId id) {
    if (watches_activity_) slots_[id.slot].active_ns = base::ClockNs(CLOCK_MONOTONIC_COARSE);
  }

  // The timeout wheel's question: when is this connection due? Closes it when it is.
  template <class E>
  int64_t CheckIdle(E& engine, uint32_t index, int64_t now_ns) {
    Slot& slot = slots_[index];
    if (!slot.open) return base::kNever;
    int64_t due = slot.active_ns + options_.idle_timeout_ns;
    if (due > now_ns) return due;
    // The kernel takes more only when much has been read; a slow reader shows in what it
    // acknowledges.
    engine::ConnId id{index, slot.generation};
    if (std::optional<int64_t> undelivered = engine.Undelivered(id)) {
      CloseIfStill(engine, id, *undelivered, now_ns);
    } else {
      asking_.push_back(id);
      next_ask_ns_ = std::min(next_ask_ns_, now_ns + kAskAgainNs);
    }
    return now_ns + options_.idle_timeout_ns;
  }

  // Nothing has come from the peer for long; whether it takes what it is owed decides.
  template <class E>
  void CloseIfStill(E& engine, engine::ConnId id, int64_t undelivered, int64_t now_ns) {
    Slot& slot = slots_[id.slot];
    if (undelivered == slot.undelivered) {
      engine.Close(id, engine::CloseReason::kTimeout);
    } else {
      slot.undelivered = undelivered;
      slot.active_ns = now_ns;
    }
  }

  // Of those the engine could not tell at once.
  template <class E>
  void AskAgain(E& engine, int64_t now_ns) {
    std::vector<engine::ConnId> asking;
    asking.swap(asking_);
    for (engine::ConnId id : asking) {
      const Slot& slot = slots_[id.slot];
      bool idle = slot.open && slot.generation == id.generation &&
                  slot.active_ns + options_.idle_timeout_ns <= now_ns;
      if (!idle) continue;
      if (std::optional<int64_t> undelivered = engine.Undelivered(id)) {
        CloseIfStill(engine, id, *undelivered, now_ns);
      } else {
        asking_.push_back(id);
      }
    }
    next_ask_ns_ = asking_.empty() ? base::kNever : now_ns + kAskAgainNs;
  }

  template <class E>
  void Drain(E& engine, int64_t now_ns) {
    int64_t drained_for = now_ns - drain_started_ns_;
    if (counters_.open.Get() == 0 || drained_for >= kDrainLastNs) {
      engine.Exit();
      return;
    }
    next_drain_look_ns_ = now_ns + kDrainIdleNs / 5;
    for (uint32_t i = 0; i < slots_used_; ++i) {
      const Slot& slot = slots_[i];
      if (!slot.open) continue;
      engine::ConnId id{i, slot.generation};
      if (drained_for >= kDrainGraceNs) {
        engine.Close(id, engine::CloseReason::kInterrupted);
      } else if (now_ns - slot.active_ns >= kDrainIdleNs && engine.Undelivered(id) == 0) {
        // Somebody who is still owed something may also have sent more than was taken from them.
        engine.Finish(id, engine::CloseReason::kLocal);
      }
    }
  }

  void Opened(engine::ConnId id);
  void Closed(engine::ConnId id, engine::CloseReason reason);
  void StartDraining(int64_t now_ns);
  IntervalSums Sums(const engine::Counters& engine) const;

  const HandlerOptions options_;
  HandlerCounters counters_;
  IntervalPoster poster_;
  bool watches_activity_;
  std::vector<Slot> slots_;
  uint32_t slots_used_ = 0;
  base::TimeoutWheel idle_;
  std::vector<engine::ConnId> asking_;  // what peers are owed: idle, and not known yet
  int64_t next_ask_ns_ = base::kNever;
  int64_t drain_started_ns_ = base::kNever;
  int64_t next_drain_look_ns_ = base::kNever;
};

}  // namespace ringecho::server

#endif  // RINGECHO_SERVER_ECHO_HANDLER_H_

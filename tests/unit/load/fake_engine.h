// An engine without sockets: keeps the rules of the seam, records what the handler asks for, and
// leaves it to the test what happens and when.
#ifndef RINGECHO_TESTS_UNIT_LOAD_FAKE_ENGINE_H_
#define RINGECHO_TESTS_UNIT_LOAD_FAKE_ENGINE_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/slot_table.h"
#include "engine/counters.h"
#include "engine/stream.h"
#include "load/handler.h"
#include "load/sessions.h"
#include "net/address.h"

namespace ringecho::load {

class FakeEngine {
 public:
  struct Peer {
    bool open = false;
    bool sending = false;                        // OnSent is owed
    std::optional<engine::CloseReason> closing;  // Close was called
    size_t send_bytes = 0;                       // of the Send under way
    std::deque<std::byte> unechoed;              // sent and not echoed
    std::string all;                             // everything sent
    int sends = 0;
    const net::Address* from = nullptr;
  };

  explicit FakeEngine(uint32_t slots) : peers_(slots), table_(slots) {}

  engine::ConnectResult Connect(const net::Address&, const net::Address* from) {
    ++connects;
    if (refuse_at_once) return {.ok = false, .id = {}, .error = *refuse_at_once};
    const uint32_t slot = table_.Allocate();
    EXPECT_NE(slot, base::SlotTable<int>::kNone) << "more connections than slots";
    peers_[slot] = Peer();
    peers_[slot].from = from;
    return {.ok = true, .id = {slot, table_.generation(slot)}, .error = {}};
  }

  bool CanSend(engine::ConnId id) {
    Peer* peer = Find(id);
    return peer != nullptr && peer->open && !peer->closing && !peer->sending;
  }

  void Send(engine::ConnId id, std::span<const std::byte> payload) {
    ASSERT_TRUE(CanSend(id)) << "Send while another is under way";
    ASSERT_FALSE(payload.empty());
    Peer& peer = *Find(id);
    peer.sending = true;
    peer.send_bytes = payload.size();
    ++peer.sends;
    peer.unechoed.insert(peer.unechoed.end(), payload.begin(), payload.end());
    peer.all.append(reinterpret_cast<const char*>(payload.data()), payload.size());
  }

  void Close(engine::ConnId id, engine::CloseReason reason) {
    Peer* peer = Find(id);
    if (peer != nullptr && !peer->closing) peer->closing = reason;
  }

  void Exit() { exited = true; }
  void Wake() const {}
  const engine::Counters& counters() const { return counters_; }

  // For tests.
  bool live(uint32_t slot) { return table_.Find(slot, table_.generation(slot)) != nullptr; }
  Peer& peer(uint32_t slot) { return peers_[slot]; }
  engine::ConnId id(uint32_t slot) const { return {slot, table_.generation(slot)}; }
  uint32_t slots() const { return static_cast<uint32_t>(peers_.size()); }
  size_t connections() const { return table_.size(); }
  void Free(uint32_t slot) { table_.Free(slot); }

  int connects = 0;
  bool exited = false;
  std::optional<engine::CloseReason> refuse_at_once;

 private:
  Peer* Find(engine::ConnId id) {
    return table_.Find(id.slot, id.generation) == nullptr ? nullptr : &peers_[id.slot];
  }

  std::vector<Peer> peers_;
  base::SlotTable<int> table_;
  engine::Counters counters_;
};
static_assert(engine::StreamHandler<LoadHandler, FakeEngine>);

// A worker of the loader on a FakeEngine and a clock that stands still unless it is moved.
class World {
 public:
  static constexpr uint32_t kMessageBytes = 64;
  static constexpr int64_t kStart = 1'000'000'000'000;

  World(const Plan& plan, uint64_t sessions)
      : control(sessions, [this] { ++notified; }),
        board(1),
        payload(PayloadFor(plan.depth)),
        to(*net::ResolveOne("127.0.0.1:8888", 0)),
        work(Complete(plan), control, board),
        handler(work),
        engine(plan.lanes) {
    now = kStart;
    if (plan.messages != 0) control.go_ns = now;
    work.Begin(engine.counters());
    Turn();
  }

  static int64_t Clock() { return now; }

  // Events. They must be allowed by the seam.
  void Open(uint32_t slot) {
    ASSERT_TRUE(engine.live(slot));
    engine.peer(slot).open = true;
    handler.OnOpen(engine, engine.id(slot));
  }
  void Sent(uint32_t slot) {
    FakeEngine::Peer& peer = engine.peer(slot);
    ASSERT_TRUE(peer.sending);
    peer.sending = false;
    handler.OnSent(engine, engine.id(slot), peer.send_bytes);
  }
  void Data(uint32_t slot, std::span<const std::byte> data) {
    const engine::Verdict verdict = handler.OnData(engine, engine.id(slot), data);
    EXPECT_NE(verdict, engine::Verdict::kEcho);
    if (verdict == engine::Verdict::kClose) {
      engine.Close(engine.id(slot), engine::CloseReason::kLocal);
    }
  }
  // The oldest `bytes` of what was sent come back.
  void Echo(uint32_t slot, size_t bytes) {
    std::deque<std::byte>& unechoed = engine.peer(slot).unechoed;
    ASSERT_LE(bytes, unechoed.size());
    const std::vector<std::byte> data(unechoed.begin(),
                                      unechoed.begin() + static_cast<ptrdiff_t>(bytes));
    unechoed.erase(unechoed.begin(), unechoed.begin() + static_cast<ptrdiff_t>(bytes));
    Data(slot, data);
  }
  void EchoAll(uint32_t slot) { Echo(slot, engine.peer(slot).unechoed.size()); }
  void Drop(uint32_t slot, engine::CloseReason reason) {
    const engine::ConnId id = engine.id(slot);
    engine.Free(slot);
    handler.OnClosed(engine, id, reason);
  }
  // Completes every Close that was asked for.
  void FinishCloses() {
    for (uint32_t slot = 0; slot < engine.slots(); ++slot) {
      if (engine.live(slot) && engine.peer(slot).closing) Drop(slot, *engine.peer(slot).closing);
    }
  }
  // Sent, echoed and closed as a good server does, once around.
  void Serve() {
    for (uint32_t slot = 0; slot < engine.slots(); ++slot) {
      if (!engine.live(slot)) continue;
      if (!engine.peer(slot).open && !engine.peer(slot).closing) Open(slot);
      if (engine.peer(slot).sending) Sent(slot);
      if (!engine.peer(slot).unechoed.empty() && !engine.peer(slot).closing) EchoAll(slot);
    }
    FinishCloses();
  }

  // Lets deadlines come that are due by now; fails when the handler would spin.
  void Turn() {
    for (int i = 0; handler.NextDeadline() <= now && !engine.exited; ++i) {
      ASSERT_LT(i, 100) << "deadlines that are always due";
      handler.OnDeadline(engine, now);
    }
  }
  // Moves the clock on, stopping at every deadline.
  void Pass(int64_t ns) {
    const int64_t until = now + ns;
    while (handler.NextDeadline() <= until && !engine.exited) {
      now = std::max(now, handler.NextDeadline());
      Turn();
    }
    now = until;
  }
  void Go(int64_t at_ns) {
    control.go_ns = at_ns;
    handler.OnWake(engine);
    Turn();
  }
  void Stop() {
    control.stop = true;
    handler.OnWake(engine);
    Turn();
  }

  uint64_t Exceptions(engine::CloseReason reason) const {
    return work.tally().exception_reasons[static_cast<size_t>(reason)].Get();
  }
  uint64_t Damages(Damage damage) const {
    return work.tally().damages[static_cast<size_t>(damage)].Get();
  }

  static inline int64_t now = kStart;

  int notified = 0;
  std::vector<std::string> lines;
  RunControl control;
  stats::IntervalBoard board;
  const Payload& payload;
  net::Address to;
  std::vector<net::Address> sources;
  Sessions work;
  LoadHandler handler;
  FakeEngine engine;

 private:
  // Made once for each depth: it is what takes time in hundreds of worlds.
  static const Payload& PayloadFor(uint32_t depth) {
    static std::map<uint32_t, Payload> payloads;
    const auto found = payloads.find(depth);
    if (found != payloads.end()) return found->second;
    return payloads.emplace(depth, *Payload::Random(5, kMessageBytes, depth)).first->second;
  }

  Plan Complete(Plan plan) {
    plan.payload = &payload;
    plan.to = &to;
    plan.sources = &sources;
    plan.clock = Clock;
    plan.log = [this](const std::string& line) { lines.push_back(line); };
    return plan;
  }
};

}  // namespace ringecho::load

#endif  // RINGECHO_TESTS_UNIT_LOAD_FAKE_ENGINE_H_

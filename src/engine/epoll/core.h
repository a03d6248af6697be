// The epoll engine without its handler: connections, what waits to be sent, and what is due to be
// told. Engine<Handler> (engine.h) is the thin template that carries events from here to the
// handler and verdicts back.
//
// Shape: input and output are done where the event is found; whatever must reach the handler from
// elsewhere (a Send that completed at once, a Close, a Connect that needed no waiting) puts the
// connection on the list of those due, which the loop works off before it waits again. A slot is
// freed only there, so a Connection& stays valid through any call the handler makes.
#ifndef RINGECHO_ENGINE_EPOLL_CORE_H_
#define RINGECHO_ENGINE_EPOLL_CORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/slot_table.h"
#include "base/unique_fd.h"
#include "engine/counters.h"
#include "engine/epoll/acceptor.h"
#include "engine/epoll/connection.h"
#include "engine/epoll/poller.h"
#include "engine/options.h"
#include "engine/stream.h"
#include "engine/wakeup.h"
#include "net/address.h"

namespace ringecho::engine::epoll {

// epoll data: the generation above the slot; listeners and the wakeup use slot numbers that no
// table has.
inline constexpr uint64_t kListenerBase = 0x80000000;
inline constexpr uint64_t kWakeupData = 0xffffffff;

class Core {
 public:
  // Descriptors an engine needs for itself, made first because making them can fail.
  struct Descriptors {
    base::UniqueFd epoll;
    Wakeup wakeup;
  };
  static absl::StatusOr<Descriptors> Open();

  Core(const Options& options, Descriptors descriptors);
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core();

  // What the seam promises (engine/stream.h).
  absl::Status Listen(base::UniqueFd listener) { return acceptor_.Add(std::move(listener)); }
  ConnectResult Connect(const net::Address& to, const net::Address* from);
  bool CanSend(ConnId id);
  void Send(ConnId id, std::span<const std::byte> payload);
  std::optional<int64_t> Undelivered(ConnId id);
  void Close(ConnId id, CloseReason reason);
  void Finish(ConnId id, CloseReason reason);
  void StopListening() { acceptor_.StopListening(); }
  void Wake() const { wakeup_.Signal(); }

  // Waits until `deadline_ns` (monotonic) at most, not at all if `poll_only` or if something is
  // due. Returns the number of events, or a negative errno when epoll itself is broken.
  int Wait(int64_t deadline_ns, bool poll_only);
  const epoll_event& event(int index) const { return poller_.event(index); }
  void ClearWakeup();

  // The connection an event is about, or nullptr for one that has been closed since.
  Connection* Find(uint64_t event_data);
  static uint32_t SlotOf(uint64_t event_data) { return static_cast<uint32_t>(event_data); }
  ConnId Id(uint32_t slot) const { return {slot, table_.generation(slot)}; }
  Connection& At(uint32_t slot) { return table_[slot]; }

  // Slot of a connection taken from listener `index`, or kNoSlot when there is none to take now.
  uint32_t Accept(size_t index);

  // For kConnecting, on an event: true if the connection is open now.
  bool FinishConnect(uint32_t slot, Connection& c);

  // Of one that has just connected; such a connection is none.
  bool MetItself(const Connection& c);

  // For kOpening: the handler is about to be told.
  void MarkOpen(Connection& c);

  // Bytes read into the engine's scratch space, valid until the next call; empty when there is
  // nothing to read now or the connection is over. `full` tells whether there may be more.
  struct Input {
    std::span<const std::byte> data;
    bool full = false;
  };
  Input Receive(uint32_t slot, Connection& c);

  // Sends `data` back. Returns how much the kernel took; the rest is copied and blocks reading.
  size_t Echo(uint32_t slot, Connection& c, std::span<const std::byte> data);

  // On EPOLLOUT or an error. Returns what OnSent is to be told: echoed bytes the kernel took, or
  // the whole payload when its last byte went; 0 for nothing.
  size_t Flush(uint32_t slot, Connection& c);

  // The size of a payload sent whole and not yet told, once; 0 for none.
  size_t TakeSent(Connection& c) { return c.sent_due() ? std::exchange(c.payload_bytes, 0) : 0; }

  // For kLingering, on an event: reads and throws away; closes at the peer's end.
  enum class Rest : uint8_t { kOver, kNothingNow, kMore };
  Rest DiscardInput(uint32_t slot, Connection& c);

  // After everything else about an event: what epoll is to report next.
  void UpdateInterest(uint32_t slot, Connection& c);

  // The list of connections due. The one taken off must be settled.
  uint32_t due() const { return due_count_; }
  uint32_t TakeDue();
  // Finishes what can be finished; for kClosing frees the slot and returns true with the reason.
  bool Settle(uint32_t slot, CloseReason& reason);

  void StartClosing(uint32_t slot, Connection& c, CloseReason reason);

  const Counters& counters() const { return counters_; }
  size_t connections() const { return table_.size(); }

 private:
  struct Lingering {
    ConnId id;
    int64_t until_ns;
  };

  Connection* Find(ConnId id) { return table_.Find(id.slot, id.generation); }
  uint64_t DataOf(uint32_t slot) const {
    return static_cast<uint64_t>(table_.generation(slot)) << 32 | slot;
  }

  void List(uint32_t slot, Connection& c);
  void CloseForErrno(uint32_t slot, Connection& c, int error);
  bool Watch(uint32_t slot, Connection& c, uint32_t events);
  uint32_t WantedInterest(const Connection& c) const;

  // One send(2); returns how much the kernel took and closes the connection on an error.
  size_t SendSome(uint32_t slot, Connection& c, std::span<const std::byte> data);
  void FinishOutput(uint32_t slot, Connection& c);
  // Bytes this kernel keeps until the peer's kernel has them (a unix socket: until the peer reads
  // them).
  int Unacknowledged(const Connection& c);

  int64_t WaitNs(int64_t deadline_ns, bool sleeps);
  int64_t Gather(int64_t wait_ns);
  int64_t NextTimerNs() const;
  void RunTimers(int64_t now_ns);

  const Options options_;
  Counters counters_;
  Spinner spinner_;
  std::vector<std::byte> scratch_;
  Wakeup wakeup_;
  Poller poller_;
  Acceptor acceptor_;
  base::SlotTable<Connection> table_;

  uint32_t due_head_ = kNoSlot;
  uint32_t due_tail_ = kNoSlot;
  uint32_t due_count_ = 0;

  std::deque<Lingering> lingering_;  // in the order of their deadlines
};

}  // namespace ringecho::engine::epoll

#endif  // RINGECHO_ENGINE_EPOLL_CORE_H_

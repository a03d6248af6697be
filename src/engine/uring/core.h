// The io_uring engine without its handler: the connection table, what is armed and queued for each
// connection, and the transitions that completions cause. Engine<Handler> (engine.h) is the thin
// template that carries events from here to the handler and verdicts back.
//
// Shape of every transition: a completion changes a connection's state, then Pump brings the
// kernel's side in line with it (arm, send, cancel, close). Pump may be called at any time and
// does nothing twice; when the submission queue is full it puts the connection on a list and is
// called again. So no event order can leave a connection without the request it needs.
#ifndef RINGECHO_ENGINE_URING_CORE_H_
#define RINGECHO_ENGINE_URING_CORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/slot_table.h"
#include "base/unique_fd.h"
#include "engine/counters.h"
#include "engine/defaults.h"
#include "engine/feature_set.h"
#include "engine/features.h"
#include "engine/options.h"
#include "engine/stream.h"
#include "engine/uring/buffer_ring.h"
#include "engine/uring/capabilities.h"
#include "engine/uring/connection.h"
#include "engine/uring/connection_buffers.h"
#include "engine/uring/fixed_regions.h"
#include "engine/uring/notifications.h"
#include "engine/uring/piece_pool.h"
#include "engine/uring/ring.h"
#include "engine/uring/slot_list.h"
#include "engine/uring/vectored_send.h"
#include "engine/uring/writable_set.h"
#include "engine/wakeup.h"
#include "net/address.h"

namespace ringecho::engine::uring {

// Bytes for the handler, and where they lie. Empty data: nothing to tell.
struct Received {
  ConnId id;
  std::span<const std::byte> data;
  uint16_t buffer = kNoBuffer;  // of the buffer ring, when there is one
  uint32_t at = 0;              // in that buffer
  bool more_waits = false;      // more is there, and is told next or has its completion on its way

  // The rest of a bundle, in the buffers behind this one in the ring.
  uint32_t rest_bytes = 0;
  uint16_t rest_position = 0;
};

// A finished send. 0 bytes: nothing to tell.
struct Sent {
  ConnId id;
  size_t bytes = 0;
};

// A connection whose descriptor is closed and whose slot is free again.
struct Closed {
  ConnId id;
  CloseReason reason = CloseReason::kLocal;
};

class Core {
 public:
  // `ring` was made on this thread. `caps` says what it may be asked for (tests hand in less than
  // the kernel has).
  static absl::StatusOr<std::unique_ptr<Core>> Create(const Options& options,
                                                      const Capabilities& caps,
                                                      std::unique_ptr<Ring> ring,
                                                      std::unique_ptr<WritableSet> writable);
  ~Core();

  // What the seam promises (engine/stream.h).
  absl::Status Listen(base::UniqueFd listener);
  ConnectResult Connect(const net::Address& to, const net::Address* from);
  bool CanSend(ConnId id);
  void Send(ConnId id, std::span<const std::byte> payload);
  std::optional<int64_t> Undelivered(ConnId id);
  void Close(ConnId id, CloseReason reason);
  void Finish(ConnId id, CloseReason reason);
  void StopListening();
  void Wake() const { wakeup_.Signal(); }

  // One completion each, by its Op.
  std::optional<ConnId> OnAccept(const io_uring_cqe& cqe);
  // And then this, until it has none: who else waits.
  std::optional<ConnId> NextAccepted(const io_uring_cqe& cqe) {
    return polls_first() ? NextWaiting(cqe) : std::nullopt;
  }
  // And after the batch this, until it has none: who found no place and now has one.
  std::optional<ConnId> NextParked() {
    if (parked_.empty() || table_.full()) return std::nullopt;
    return AdoptParked();
  }
  std::optional<ConnId> OnConnect(const io_uring_cqe& cqe);
  Received OnReceive(const io_uring_cqe& cqe);
  // Must follow every OnReceive that had data.
  void Resolve(const Received& received, Verdict verdict);
  // And then this, until it has none: what else the completion brought.
  Received Next(const Received& received) {
    return received.rest_bytes == 0 ? Received{} : NextOfBundle(received);
  }
  Sent OnSend(const io_uring_cqe& cqe);
  // Of a zero-copy send: its result, or its notification, which tells nothing.
  Sent OnSendZc(const io_uring_cqe& cqe);
  std::optional<Closed> OnClose(const io_uring_cqe& cqe);
  void OnWatch(const io_uring_cqe& cqe);
  void OnInstall(const io_uring_cqe& cqe);
  void OnCancel(const io_uring_cqe& cqe);
  void OnWritable();
  void OnWake() { wake_armed_ = false; }

  // Brings the kernel's side of a connection in line with its state.
  void Pump(ConnId id);

  // Submits, and waits for a completion until `deadline_ns` (monotonic). An error means that the
  // ring is unusable.
  absl::Status Wait(int64_t deadline_ns);

  // Calls f for every completion there is.
  template <class F>
  void Drain(F f) {
    unsigned count = ring_->Drain(f);
    counters_.completions.Add(count);
    spinner_.Saw(count);
  }

  // After a batch: returns buffers to the kernel, re-arms starved connections and listeners, and
  // serves those that found the submission queue full.
  void EndBatch(int64_t now_ns);

  // When EndBatch has something to do although no completion comes.
  int64_t NextDeadline() const {
    int64_t linger_at = lingering_.empty() ? INT64_MAX : lingering_.front().until_ns;
    return std::min({accept_retry_at_, rest_until_, linger_at});
  }

  // Starts closing everything; the caller goes on draining until idle().
  void TerminateAll();
  // No connection, and no accept in flight.
  bool idle() const;

  Counters& counters() { return counters_; }
  const Counters& counters() const { return counters_; }
  size_t connections() const { return table_.size() - places_kept_ - closed_slots_; }
  const Features& features() const { return features_; }

 private:
  struct Listener {
    base::UniqueFd fd;
    uint32_t accepts = 0;  // in flight, or 1 for the poll that stands in for one
    uint32_t refused = 0;  // direct accepts that failed though their clients wait on
    bool cancelled = false;
    bool is_unix = false;
    bool paused = false;  // none in flight for want of a place or a descriptor
  };

  Core(const Options& options, const Capabilities& caps, std::unique_ptr<Ring> ring,
       std::unique_ptr<WritableSet> writable, Wakeup wakeup);
  absl::Status SetUpBuffers();
  void SetUpFiles();
  void SetUpZeroCopy(const Capabilities& caps);
  bool Uses(FeatureId id) const { return plan_.use.Has(id); }

  uint64_t Tag(Op op, uint32_t slot) const {
    return UserData::Pack(op, slot, table_.generation(slot));
  }
  ConnId Id(uint32_t slot) const { return {slot, table_.generation(slot)}; }
  Connection* Find(ConnId id) { return table_.Find(id.slot, id.generation); }
  Connection* FindFor(const io_uring_cqe& cqe);

  int Enter(int64_t timeout_ns);
  void AccountPoller(int64_t now_ns);

  // An SQE, or nullptr when neither queueing nor submitting makes room.
  io_uring_sqe* Sqe();
  // The same for a connection, which is put on the list of those to be pumped again.
  io_uring_sqe* SqeFor(uint32_t slot);

  // What a request on a connection has in common: its file and its name.
  void Address(io_uring_sqe* sqe, Op op, uint32_t slot) const;

  void Pump(uint32_t slot, Connection& c);
  bool PumpReceive(uint32_t slot, Connection& c);
  bool PumpSend(uint32_t slot, Connection& c);
  void PumpTermination(uint32_t slot, Connection& c);
  bool PumpWatch(uint32_t slot, Connection& c);
  bool ArmReceive(uint32_t slot, Connection& c);
  void ArmOwnPolls();
  bool CancelOp(uint32_t slot, Op op);
  void SelectSource(uint32_t slot, Connection& c);
  void PrepareSend(uint32_t slot, Connection& c, io_uring_sqe* sqe) const;
  // The user_data of the send that is in flight or about to be.
  uint64_t SendTag(uint32_t slot, const Connection& c) const {
    return c.zc_send == Notifications::kNone ? Tag(Op::kSend, slot)
                                             : notifications_->Tag(c.zc_send);
  }
  Sent EndSend(uint32_t slot, Connection& c, int result);
  void WaitWritable(uint32_t slot, Connection& c);
  void EnterWritableSet(uint32_t slot, Connection& c);
  int PlainDescriptor(uint32_t slot, Connection& c);
  void PlainDescriptorDone(Connection& c);
  void OnSendFailed(uint32_t slot, Connection& c, int error);
  void Gather(Connection& c);
  void Ungather(Connection& c);
  size_t AccountSent(uint32_t slot, Connection& c, uint32_t taken);
  void ReleaseSent(uint32_t slot, Connection& c, uint32_t taken);
  bool NothingToSend(const Connection& c) const;

  bool MayZeroCopy(const Connection& c) const;
  bool PrepareZeroCopy(uint32_t slot, Connection& c, io_uring_sqe* sqe);
  int FixedIndex(uint32_t slot, const Connection& c) const;
  void OnNotification(uint32_t number, ZcSend& send, int result);
  void EndZeroCopy(uint32_t number, ZcSend& send);

  void Terminate(uint32_t slot, Connection& c, CloseReason reason);
  void TerminateWithErrno(uint32_t slot, Connection& c, int error);
  void EndOutput(uint32_t slot, Connection& c);
  void EndLingering(int64_t now_ns);
  void RestBeforePump(uint32_t slot);
  void OnPeerEof(uint32_t slot, Connection& c);
  void OnReceiveError(uint32_t slot, Connection& c, int error);
  void CloseNow(uint32_t slot, Connection& c);
  void FreeSlot(uint32_t slot);

  void BeginDelivery(uint32_t slot, Connection& c, const Received& received);
  void StarveAfterBundle(uint32_t slot, Connection& c);
  Received TakeReceived(uint32_t slot, const io_uring_cqe& cqe);
  Received TakeProvided(const io_uring_cqe& cqe);
  Received NextOfBundle(const Received& received);
  bool TakeNextBuffer(Received& received);
  void Drop(Received received);
  void GiveBack(uint16_t buffer);
  void Enqueue(uint32_t slot, Connection& c, const Received& received);
  const std::byte* DataOf(const Piece& piece) const {
    return buffers_->Data(piece.buffer) + piece.at;
  }
  void PopPiece(uint32_t slot, Connection& c);
  void Spill(uint32_t slot, Connection& c);
  void RecycleQueue(uint32_t slot, Connection& c);
  void ServeStarved();
  bool PoolIsLow() const {
    return buffers_ != nullptr && buffers_->free() < PoolLowWater(buffers_->count());
  }
  void ReclaimBuffers();
  static bool WantsToReceive(const Connection& c) {
    return (c.state == State::kOpen && !c.paused) || c.state == State::kLingering;
  }

  std::optional<ConnId> Adopt(int fd, bool holds_place, bool is_unix);
  std::optional<ConnId> Adopted(uint32_t slot);
  std::optional<ConnId> AdoptParked();
  void Park(base::UniqueFd fd, bool is_unix);
  int TakeOver(uint32_t slot, int fd);
  bool MetItself(Connection& c);
  std::optional<ConnId> OnDirectAccept(const io_uring_cqe& cqe);
  std::optional<ConnId> AcceptWaiting(Listener& listener);
  std::optional<ConnId> NextWaiting(const io_uring_cqe& cqe);
  void OnAcceptError(Listener& listener, int error);
  void NotePause(Listener& listener);
  void ArmAccepts(int64_t now_ns);
  bool ArmOrdinaryAccept(size_t index);
  bool ArmDirectAccepts(size_t index);
  uint32_t DirectAcceptsWanted(const Listener& listener) const;
  bool CancelAccepts(size_t index);
  bool accepts_direct() const {
    return Uses(FeatureId::kDirectDescriptors) && options_.accept_gate == nullptr;
  }
  // Whether a poll says first that somebody waits. See ArmOrdinaryAccept.
  bool polls_first() const {
    return !accepts_direct() &&
           (options_.accept_gate != nullptr || !Uses(FeatureId::kMultishotAccept));
  }
  void PauseAccepting(int64_t until_ns);

  const Options options_;
  FeaturePlan plan_;
  // MSG_WAITALL or 0. Before Linux 6.1 a send with it that is cancelled after a part was taken may
  // report ECANCELED instead of the part (kernel commit 7e6b638ed501), and the part would be sent
  // twice. Detect: defer_taskrun came with the same release.
  const int wait_all_;
  Counters counters_;
  Spinner spinner_;
  Features features_;

  // Memory the kernel may use outlives the ring: members are destroyed from the bottom up.
  base::SlotTable<Connection> table_;
  std::unique_ptr<BufferRing> buffers_;             // with buffer_ring
  std::unique_ptr<ConnectionBuffers> own_buffers_;  // otherwise
  PiecePool pieces_;                                // with buffer_ring
  VectoredSends vectors_;
  std::unique_ptr<Notifications> notifications_;  // with send_zc
  FixedRegions fixed_regions_;                    // with send_zc_fixed and buffer_ring
  bool sendmsg_zc_ = false;
  uint16_t zc_flags_ = 0;
  uint64_t wake_count_ = 0;
  Wakeup wakeup_;
  std::unique_ptr<WritableSet> writable_;
  std::unique_ptr<Ring> ring_;

  SlotList<&Connection::starved> starved_;
  SlotList<&Connection::holding> holding_;
  SlotList<&Connection::wants_pump> wants_pump_;
  SlotList<&Connection::resting> resting_;
  int64_t rest_until_ = INT64_MAX;  // base::kNever: nothing to cancel again

  // Since Finish, oldest first; ids of connections that have ended meanwhile are skipped.
  struct Lingering {
    ConnId id;
    int64_t until_ns;
  };
  std::deque<Lingering> lingering_;

  // Clients that a multishot accept brought before it could be stopped, more than the table holds.
  struct Parked {
    base::UniqueFd fd;
    bool is_unix;
  };
  std::deque<Parked> parked_;

  std::vector<Listener> listeners_;
  size_t first_listener_ = 0;
  int64_t accept_retry_at_ = INT64_MAX;  // base::kNever: accepting is not paused
  uint32_t installs_ = 0;                // in flight
  uint32_t places_kept_ = 0;             // rows of the table for accepts in flight
  uint32_t accepted_in_turn_ = 0;
  bool stop_listening_ = false;
  bool accept_again_ = false;  // a place may have become free
  bool wake_armed_ = false;
  bool writable_armed_ = false;
  bool more_work_ = false;  // something still needs an SQE: do not sleep
  uint32_t recycled_in_batch_ = 0;
  int64_t poller_accounted_ns_ = 0;
  uint32_t closed_slots_ = 0;  // not free yet: notifications of sends from their buffers are due
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_CORE_H_

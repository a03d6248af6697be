// One row of the connection-state table: what is in flight for a connection, and what waits.
#ifndef RINGECHO_ENGINE_URING_CONNECTION_H_
#define RINGECHO_ENGINE_URING_CONNECTION_H_

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/unique_fd.h"
#include "engine/stream.h"
#include "engine/uring/copied_backlog.h"
#include "engine/uring/vectored_send.h"

namespace ringecho::engine::uring {

// What an SQE was for. Together with slot and generation it is the SQE's user_data, so a
// completion finds its connection, or is recognised as a dead one's and dropped.
enum class Op : uint8_t {
  kAccept,
  kConnect,
  kReceive,
  kSend,
  kWatch,  // poll for the peer's half-close
  kClose,
  kCancel,
  kWake,
  kWritable,  // poll of the WritableSet
  kInstall,   // an ordinary descriptor for a direct one
  kSendZc,    // a zero-copy send: its result and its notification
};

// user_data: slot in bits 0-23, generation in 24-47, op in 48-51. For kAccept the slot is the
// listener's number, or with direct descriptors the place that is kept for whoever comes; for
// kSendZc that of the send (Notifications); kWake and kWritable use neither. A kCancel carries slot
// and generation of what it cancels, and that op in bits 52-55.
struct UserData {
  static constexpr uint32_t kMask24 = (1u << 24) - 1;

  static uint64_t Pack(Op op, uint32_t slot, uint32_t generation) {
    assert(slot <= kMask24);
    return static_cast<uint64_t>(op) << 48 | static_cast<uint64_t>(generation & kMask24) << 24 |
           slot;
  }
  static uint64_t PackCancel(uint64_t target) {
    constexpr uint64_t kId = (uint64_t{1} << 48) - 1;
    return (target & kId) | static_cast<uint64_t>(Op::kCancel) << 48 |
           static_cast<uint64_t>(GetOp(target)) << 52;
  }
  static Op CancelTarget(uint64_t data) { return static_cast<Op>(data >> 52 & 0xf); }
  static Op GetOp(uint64_t data) { return static_cast<Op>(data >> 48 & 0xf); }
  static uint32_t Slot(uint64_t data) { return static_cast<uint32_t>(data) & kMask24; }
  static uint32_t Generation(uint64_t data) { return static_cast<uint32_t>(data >> 24) & kMask24; }
};

// The life of a connection, always forward:
//
//   kConnecting --> kOpen --> kDraining --> kLingering --> kTerminating --> kClosing --> (freed)
//        |            |           |                            ^
//        +------------+-----------+----------------------------+
//
// kDraining asks for no more input and sends what is queued. kLingering has shut down its side and
// throws away what still comes: close(2) with input unread resets the connection, and a reset
// destroys what the peer's kernel has not acknowledged, bytes that Finish promised to deliver.
// kTerminating is a join on the work in flight: it waits for the last completion of the receive,
// the send, the watch and the connect, having cancelled each. Only then is the descriptor closed
// (kClosing): closing earlier would send no FIN while a multishot receive still holds the file, and
// its late completions would find a stranger.
//
// kAccepting is a place kept for a connection that an accept will bring (direct descriptors only):
// nobody has heard of it.
enum class State : uint8_t {
  kAccepting,
  kConnecting,
  kOpen,
  kDraining,
  kLingering,
  kTerminating,
  kClosing
};

// Whose memory the send under way reads from, which is whom to give it back to.
enum class SendSource : uint8_t {
  kNone,      // no send
  kProvided,  // provided buffers at the head of this connection's queue
  kOwn,       // the connection's own receive buffer
  kSpill,     // private memory that starved buffers were copied to
  kPayload,   // the handler's registered region
};

inline constexpr uint16_t kNoBuffer = 0xffff;  // buffer ids are below 32,768
inline constexpr uint32_t kNoPiece = 0xffffffff;
inline constexpr uint32_t kNoSlot = 0xffffffff;

// Neighbours in one of the intrusive lists of connections (SlotList).
struct Links {
  uint32_t next = kNoSlot;
  uint32_t prev = kNoSlot;
  bool linked = false;
};

struct Connection {
  int fd = -1;  // a descriptor, or with direct descriptors the place in the ring's table
  State state = State::kOpen;
  CloseReason reason = CloseReason::kLocal;
  SendSource source = SendSource::kNone;

  // In flight: the request has been queued and its last completion has not come.
  bool connect_armed : 1 = false;
  bool receive_armed : 1 = false;
  bool send_armed : 1 = false;
  bool watch_armed : 1 = false;
  bool install_armed : 1 = false;
  // A cancel of it has been queued; a second one only after the first came to nothing.
  bool connect_cancelled : 1 = false;
  bool receive_cancelled : 1 = false;
  bool send_cancelled : 1 = false;
  bool watch_cancelled : 1 = false;

  // The peer has ended its side, as told by a receive or by the watch. From then on sends must not
  // wait in the kernel (WritableSet).
  bool half_closed : 1 = false;
  bool send_may_wait : 1 = false;   // the send in flight is one that waits in the kernel
  bool waits_writable : 1 = false;  // in the WritableSet, or about to be
  bool enters_set : 1 = false;      // not in it yet for want of an ordinary descriptor
  bool was_in_set : 1 = false;
  bool turned_writable : 1 = false;  // so the WritableSet said when nothing waited for it
  bool delivering : 1 = false;       // the handler is looking at received bytes

  bool paused : 1 = false;        // not receiving because the peer does not read
  bool spill_wanted : 1 = false;  // give some provided buffers back as soon as no send reads them
  bool holds_place : 1 = false;   // of the AcceptGate
  bool is_unix : 1 = false;       // a unix socket
  bool may_meet_itself : 1 = false;  // to be asked when it has connected (net::MeetsItself)
  bool zc_refused : 1 = false;       // the kernel will not send without copying
  bool closed : 1 = false;           // told, only the slot is not free yet (own_buffer_sends)

  // Pieces of provided buffers waiting to be echoed, oldest first, linked in Core's PiecePool.
  uint32_t queue_head = kNoPiece;
  uint32_t queue_tail = kNoPiece;
  uint32_t head_sent = 0;  // bytes of the first that are sent already

  // Bytes received and not yet sent back, wherever they are.
  uint32_t queued_bytes = 0;

  // The send under way, or (source kOwn, kPayload) the one to start.
  const std::byte* send_at = nullptr;
  uint32_t send_left = 0;
  uint32_t send_total = 0;
  VectoredSend* vector = nullptr;  // of a send of several buffers; the pool's
  uint32_t zc_send = kNoSlot;      // number of the zero-copy send in flight
  // Zero-copy sends that read the slot's own receive buffer and are not over: until then nothing is
  // received into it, and nobody else gets it.
  uint32_t own_buffer_sends = 0;

  std::unique_ptr<CopiedBacklog> spill;  // comes before what is queued

  // Of a direct descriptor, while something is done that takes an ordinary one.
  base::UniqueFd plain_fd;
  uint32_t listener = 0;  // of kAccepting

  Links starved;     // waits for a free provided buffer
  Links holding;     // holds provided buffers
  Links wants_pump;  // at the end of the batch: found the submission queue full, or has more coming
  Links resting;     // tries again after a little while
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_CONNECTION_H_

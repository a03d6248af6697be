// Zero-copy sends, each from its submission until the kernel reads its memory no more.
//
// IORING_OP_SEND_ZC answers twice: with its result and, if that carries F_MORE, some time later
// with a notification (F_NOTIF) when the network stack has let go of the memory, also after a send
// that failed or was short. The order of sends follows from results, so the next send of a
// connection starts with notifications of earlier ones outstanding. They come when the peer has
// acknowledged the bytes, and for one that does not read they do not come: neither when the send is
// cancelled nor when the descriptor is closed, but minutes later, when the kernel gives the
// connection up [seen on Linux 6.18]. So what a send reads belongs to the send here, not to the
// connection, which may be gone long before.
#ifndef RINGECHO_ENGINE_URING_NOTIFICATIONS_H_
#define RINGECHO_ENGINE_URING_NOTIFICATIONS_H_

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/slot_table.h"
#include "engine/uring/connection.h"
#include "engine/uring/vectored_send.h"

namespace ringecho::engine::uring {

struct ZcSend {
  uint32_t slot = 0;  // of the connection, and its generation
  uint32_t generation = 0;
  bool reads_own_buffer = false;  // that of the connection's slot
  bool result_came = false;
  bool took_bytes = false;
  bool notified = false;
  bool copied = false;  // as notified
  uint8_t buffer_count = 0;
  std::array<uint16_t, VectoredSend::kBuffersMax> buffers{};  // provided ones it reads

  void Reads(uint16_t buffer) { buffers[buffer_count++] = buffer; }
};

// The sends that are not over, and which provided buffers they hold. Not thread-safe.
class Notifications {
 public:
  static constexpr uint32_t kNone = base::SlotTable<ZcSend>::kNone;

  // `buffers` is how many the buffer ring has, 0 when there is none.
  explicit Notifications(uint32_t buffers) : sends_(kMostSends), buffers_(buffers) {}

  // Whether so many more provided buffers may be held. Half of the pool is left to sends that copy,
  // which can be cancelled to have their buffers back: peers that do not read never get hold of
  // all.
  bool MayHold(size_t more) const { return held_ + more <= buffers_.size() / 2; }

  // A number for the send, which holds its buffers until End; kNone when there are too many.
  uint32_t Start(const ZcSend& send);
  void End(uint32_t number) {
    assert(sends_[number].buffer_count == 0);
    sends_.Free(number);
  }

  // The user_data of a send, and the send of a completion; nullptr when that one is over.
  uint64_t Tag(uint32_t number) const {
    return UserData::Pack(Op::kSendZc, number, sends_.generation(number));
  }
  ZcSend* Find(uint64_t user_data) {
    return sends_.Find(UserData::Slot(user_data), UserData::Generation(user_data),
                       UserData::kMask24);
  }

  // A buffer the application is through with. True when a send holds it: then Release asks for it
  // to be given back, as often as this was called.
  bool Defer(uint16_t buffer) {
    if (buffer >= buffers_.size() || buffers_[buffer].sends == 0) return false;
    ++buffers_[buffer].deferred;
    return true;
  }

  // The send reads its buffers no more. Calls give_back(buffer) for those that wait for it.
  template <class F>
  void Release(ZcSend& send, F give_back) {
    while (send.buffer_count > 0) {
      uint16_t buffer = send.buffers[--send.buffer_count];
      Buffer& state = buffers_[buffer];
      assert(state.sends > 0);
      if (--state.sends > 0) continue;
      --held_;
      for (uint32_t n = std::exchange(state.deferred, 0); n > 0; --n) give_back(buffer);
    }
  }

  uint32_t outstanding() const { return sends_.size(); }
  uint32_t held_buffers() const { return held_; }

 private:
  // Reserved, not touched; below the 24 bits of a slot in user_data.
  static constexpr uint32_t kMostSends = 1 << 20;

  struct Buffer {
    uint32_t sends = 0;     // that read it
    uint32_t deferred = 0;  // times it is to be given back after the last of them
  };

  base::SlotTable<ZcSend> sends_;
  std::vector<Buffer> buffers_;
  uint32_t held_ = 0;  // buffers with sends
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_NOTIFICATIONS_H_

// One row of the epoll engine's connection table.
#ifndef RINGECHO_ENGINE_EPOLL_CONNECTION_H_
#define RINGECHO_ENGINE_EPOLL_CONNECTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/unique_fd.h"
#include "engine/stream.h"

namespace ringecho::engine::epoll {

// The life of a connection, always forward:
//
//   kConnecting --> kOpening --> kOpen --> kFinishing --> kLingering --> kClosing --> (slot freed)
//
// any state may go straight to kClosing; an accepted connection starts in kOpen.
enum class State : uint8_t {
  kConnecting,  // connect(2) under way, EPOLLOUT will tell
  kOpening,     // connected at once; OnOpen is due
  kOpen,
  kFinishing,  // receives no more, sends what is queued
  kLingering,  // all is sent but not yet acknowledged: waits for the peer's end, discarding input
  kClosing,    // OnClosed is due, then the slot is freed
};

inline constexpr uint32_t kNoSlot = 0xffffffff;

struct Connection {
  base::UniqueFd fd;
  State state = State::kOpen;
  CloseReason reason = CloseReason::kLocal;  // from kFinishing on
  bool was_open = false;                     // counted in Counters::open
  bool accepted = false;
  bool holds_place = false;      // of the AcceptGate
  bool may_meet_itself = false;  // to be asked when it has connected (net::MeetsItself)

  // In Core's list of connections with something to tell the handler, or to be settled.
  bool listed = false;
  uint32_t next_listed = kNoSlot;

  // Events armed with epoll; 0 when not registered.
  uint32_t interest = 0;

  // Output the socket did not take: in `tail` when it was echoed, otherwise in the handler's
  // payload.
  const std::byte* out = nullptr;
  size_t out_left = 0;
  std::unique_ptr<std::byte[]> tail;
  // Size of the payload under way; back to 0 when OnSent is delivered. 0: none.
  size_t payload_bytes = 0;

  bool echo_blocked() const { return tail != nullptr; }
  bool sent_due() const { return payload_bytes != 0 && out_left == 0; }
};

}  // namespace ringecho::engine::epoll

#endif  // RINGECHO_ENGINE_EPOLL_CONNECTION_H_

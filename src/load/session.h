// One connection of the loader and what it is about.
#ifndef RINGECHO_LOAD_SESSION_H_
#define RINGECHO_LOAD_SESSION_H_

#include <cstdint>
#include <limits>

#include "engine/stream.h"
#include "load/payload.h"

namespace ringecho::load {

// A session occupies one lane of its worker from its first connect until its last connection is
// closed; then the lane takes the next session. -c is the number of lanes.
enum class SessionState : uint8_t {
  kIdle,        // the lane has no session (any more)
  kWaiting,     // for its turn to connect, or for the time of a retry
  kConnecting,  // Connect was called
  kOpen,        // the connection is up
  kSuspect,     // a wrong byte came: nothing more is sent, the rest is collected
  kClosing,     // how it ends is known, OnClosed is not here yet
};

enum class Ending : uint8_t {
  kCompleted,      // every byte came back
  kFailedConnect,  // never came up, or was lost before its first echoed byte: may be tried again
  kException,      // ended otherwise, for `reason`
  kCut,            // the run was interrupted
};

struct alignas(64) Session {
  static constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

  // What is touched for every message fills the first cache line.
  SessionState state = SessionState::kIdle;
  Ending ending = Ending::kCompleted;                        // when kClosing
  engine::CloseReason reason = engine::CloseReason::kLocal;  // likewise
  bool watched = false;      // by the timeout wheel, as far as is known
  uint32_t at = 0;           // where in the text the next byte to come stands
  uint32_t line = 0;         // the message it belongs to
  uint32_t partial = 0;      // bytes of that message that have come
  uint32_t owed = 0;         // messages to send as soon as the engine takes them
  uint32_t first = 0;        // place of the oldest message in flight in the lane's ring of times
  uint32_t in_flight = 0;    // messages handed to the engine and not back
  uint32_t outstanding = 0;  // bytes of them that are not back; at most kMaxRunBytes
  Payload::Cursor next;      // the next message to send
  uint64_t to_send = 0;      // messages not owed yet; kNoLimit until the time is up
  uint64_t verified = 0;     // bytes back, all right
  int64_t active_ns = 0;     // last progress, or begin of what is waited for

  uint64_t number = 0;     // of this session, and of its payload stream
  engine::ConnId id;       // from kConnecting on
  int64_t connect_ns = 0;  // when its last Connect was called
  int tries = 0;           // retries used
  bool up = false;         // open now, or closing after having been open
  bool made = false;       // has been open
  bool settled = false;    // neither waiting nor connecting, and will not again
};
static_assert(sizeof(Session) == 128);

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_SESSION_H_

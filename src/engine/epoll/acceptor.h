// The listening sockets of one epoll engine: accepting, and not accepting when it cannot be.
#ifndef RINGECHO_ENGINE_EPOLL_ACCEPTOR_H_
#define RINGECHO_ENGINE_EPOLL_ACCEPTOR_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/unique_fd.h"
#include "engine/counters.h"
#include "engine/epoll/poller.h"
#include "engine/options.h"

namespace ringecho::engine::epoll {

// Not thread-safe. When a connection cannot be taken (table full, gate closed, no descriptors) the
// listeners leave the epoll set, because level-triggered they would be reported for ever, and come
// back when a connection of this engine is gone or after a while: clients wait in the backlog.
class Acceptor {
 public:
  // Out of descriptors: another part of the process or system must free one.
  static constexpr int64_t kErrorRetryNs = 100 * base::kNsPerMs;

  // Listener `index` is registered as `data_base | index`. `gate` may be null.
  Acceptor(Poller& poller, AcceptGate* gate, uint64_t data_base, Counters& counters)
      : poller_(poller), gate_(gate), data_base_(data_base), counters_(counters) {}

  absl::Status Add(base::UniqueFd listener);

  // A new non-blocking connection, which holds a place of the gate if there is one; or -1 when
  // nobody is waiting or accepting has been paused.
  int Accept(size_t index, bool table_full);

  // A connection of this engine is gone.
  void PlaceFreed() {
    if (paused_) Resume();
  }

  // Monotonic; base::kNever when there is nothing to wait for.
  int64_t retry_at_ns() const { return retry_at_ns_; }
  void Retry() { Resume(); }

  void StopListening();

 private:
  int AcceptCall(int listener);
  int Register(size_t index);
  void Pause(int64_t retry_after_ns);
  void Resume();

  Poller& poller_;
  AcceptGate* gate_;
  uint64_t data_base_;
  Counters& counters_;
  std::vector<base::UniqueFd> listeners_;
  bool paused_ = false;
  int64_t retry_at_ns_ = base::kNever;
};

}  // namespace ringecho::engine::epoll

#endif  // RINGECHO_ENGINE_EPOLL_ACCEPTOR_H_

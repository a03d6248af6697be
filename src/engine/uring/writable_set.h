// Waiting until a half-closed peer reads again.
//
// io_uring's own poll cannot do that: it always reports EPOLLRDHUP, so a send that is blocked on a
// socket whose peer has shut down its side is woken again and again at once, and after 128 tries
// the kernel hands it to an io-wq thread, which sits in sendmsg until the peer reads [seen on Linux
// 6.18; io_uring/poll.c, IO_POLL_UNMASK and APOLL_MAX_RETRY]. One kernel thread for each such peer
// is growth without bound. epoll's poll reports what was asked for; so these few sockets wait in an
// epoll set, and the ring polls the set.
#ifndef RINGECHO_ENGINE_URING_WRITABLE_SET_H_
#define RINGECHO_ENGINE_URING_WRITABLE_SET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/unique_fd.h"

namespace ringecho::engine::uring {

// Virtual for the sake of tests; nothing here is on the hot path.
class WritableSet {
 public:
  virtual ~WritableSet() = default;
  // Reports `tag` once, when the socket can be written to. 0 or a negative errno. Each of these
  // makes one system call.
  virtual int Add(int fd, uint64_t tag) = 0;
  // The same for a socket that was given to Add before.
  virtual int AddAgain(int fd, uint64_t tag) = 0;
  // Reports `tag` now if the socket can be written to, and whenever it can be again after it could
  // not, until it is closed. `fd` need not stay open: the set knows the socket behind it, which
  // lives as long as somebody holds it, and the ring's table of files does.
  virtual int AddForGood(int fd, uint64_t tag) = 0;
  // Before a socket that was ever given to Add is closed.
  virtual void Remove(int fd) = 0;
  // Readable when Take has something to give; -1 before the first Add.
  virtual int fd() const = 0;
  // Tags of sockets that can be written to; how many were put into `tags`.
  virtual size_t Take(std::span<uint64_t> tags) = 0;
};

// Over epoll. Made at once, for when it is needed there may be no descriptor left.
std::unique_ptr<WritableSet> NewWritableSet();

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_WRITABLE_SET_H_

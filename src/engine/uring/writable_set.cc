#include "engine/uring/writable_set.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace ringecho::engine::uring {
namespace {

class EpollWritableSet final : public WritableSet {
 public:
  int Add(int fd, uint64_t tag) override {
    return Control(EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLONESHOT, tag);
  }

  int AddAgain(int fd, uint64_t tag) override {
    return Control(EPOLL_CTL_MOD, fd, EPOLLOUT | EPOLLONESHOT, tag);
  }

  // tcp(7) and unix(7) promise an edge after each EAGAIN.
  int AddForGood(int fd, uint64_t tag) override {
    return Control(EPOLL_CTL_ADD, fd, EPOLLOUT | EPOLLET, tag);
  }

  void Remove(int fd) override { epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

  int fd() const override { return used_ ? epoll_.get() : -1; }

  size_t Take(std::span<uint64_t> tags) override {
    std::array<epoll_event, 64> events;
    int most = static_cast<int>(std::min(events.size(), tags.size()));
    int count = epoll_wait(epoll_.get(), events.data(), most, 0);
    for (int i = 0; i < count; ++i) {
      tags[static_cast<size_t>(i)] = events[static_cast<size_t>(i)].data.u64;
    }
    return count < 0 ? 0 : static_cast<size_t>(count);
  }

 private:
  int Control(int what, int fd, uint32_t events, uint64_t tag) {
    if (!epoll_.valid()) epoll_.Reset(epoll_create1(EPOLL_CLOEXEC));
    if (!epoll_.valid()) return -errno;
    epoll_event event{};
    event.events = events;
    event.data.u64 = tag;
    if (epoll_ctl(epoll_.get(), what, fd, &event) != 0) return -errno;
    used_ = true;
    return 0;
  }

  base::UniqueFd epoll_{epoll_create1(EPOLL_CLOEXEC)};
  bool used_ = false;
};

}  // namespace

std::unique_ptr<WritableSet> NewWritableSet() { return std::make_unique<EpollWritableSet>(); }

}  // namespace ringecho::engine::uring

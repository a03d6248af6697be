#include "engine/epoll/poller.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "engine/counters.h"

namespace ringecho::engine::epoll {
namespace {

constexpr int64_t kHalfMs = base::kNsPerMs / 2;

// From now on the calling thread's epoll_pwait2 fails with `error`; false when that cannot be had.
bool DenyPwait2(uint16_t error) {
  // The call's number is the same everywhere; other architectures' tables do not matter to a test.
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 441, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  sock_fprog program{.len = 4, .filter = code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(PollerTest, WaitsForADeadlineBelowAMillisecondAndNotLess) {
  Counters counters;
  Poller poller(Poller::NewDescriptor(), 16, counters);
  for (int i = 0; i < 20; ++i) {
    int64_t before_ns = base::NowNs();
    ASSERT_EQ(poller.Wait(kHalfMs), 0);
    ASSERT_GE(base::NowNs() - before_ns, kHalfMs);
  }
}

TEST(PollerTest, WithoutPwait2ItRoundsUpAndTriesOnce) {
  for (int error : {ENOSYS, EPERM}) {
    // A thread of its own: a filter stays for as long as its thread.
    std::thread([error] {
      if (!DenyPwait2(static_cast<uint16_t>(error))) GTEST_SKIP() << "no seccomp filters here";
      Counters counters;
      Poller poller(Poller::NewDescriptor(), 16, counters);
      for (int i = 0; i < 5; ++i) {
        int64_t before_ns = base::NowNs();
        EXPECT_EQ(poller.Wait(base::kNsPerMs + 1), 0);
        EXPECT_GE(base::NowNs() - before_ns, base::kNsPerMs + 1);
      }
      EXPECT_EQ(counters.enter_calls.Get(), 1U + 5U);
    }).join();
  }
}

TEST(PollerTest, OnlyLooksWhenTheTimeoutIsZeroOrPast) {
  Counters counters;
  Poller poller(Poller::NewDescriptor(), 16, counters);
  EXPECT_EQ(poller.Wait(0), 0);
  EXPECT_EQ(poller.Wait(-5), 0);
}

TEST(PollerTest, ReportsWhatIsWatchedAndCountsEveryCall) {
  Counters counters;
  Poller poller(Poller::NewDescriptor(), 1, counters);
  base::UniqueFd fds[2] = {base::UniqueFd(eventfd(1, 0)), base::UniqueFd(eventfd(1, 0))};
  EXPECT_EQ(poller.Add(fds[0].get(), 77, EPOLLIN), 0);
  EXPECT_EQ(poller.Add(fds[0].get(), 77, EPOLLIN), EEXIST);
  EXPECT_EQ(poller.Add(fds[1].get(), 78, EPOLLIN), 0);
  ASSERT_EQ(poller.Wait(Poller::kForever), 1) << "one at a time, as asked";
  EXPECT_EQ(poller.Remove(fds[1].get()), 0);
  ASSERT_EQ(poller.Wait(Poller::kForever), 1);
  EXPECT_EQ(poller.event(0).data.u64, 77U);
  EXPECT_EQ(poller.event(0).events, uint32_t{EPOLLIN});
  EXPECT_EQ(poller.Modify(fds[0].get(), 79, EPOLLOUT), 0);
  ASSERT_EQ(poller.Wait(base::kNsPerSec), 1);
  EXPECT_EQ(poller.event(0).data.u64, 79U);
  EXPECT_EQ(counters.syscalls.Get(), 8U);
  EXPECT_EQ(counters.enter_calls.Get(), 3U);
  EXPECT_EQ(counters.completions.Get(), 3U);
}

TEST(PollerTest, ASignalEndsTheWaitWithoutEvents) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = [](int) {};
  ASSERT_EQ(sigaction(SIGUSR2, &action, &before), 0);
  std::atomic<bool> done{false};
  Counters counters;
  std::thread waiting([&] {
    Poller poller(Poller::NewDescriptor(), 16, counters);
    EXPECT_EQ(poller.Wait(Poller::kForever), 0);
    done = true;
  });
  // Again and again: the first may come before the wait has begun.
  while (!done) {
    pthread_kill(waiting.native_handle(), SIGUSR2);
    std::this_thread::yield();
  }
  waiting.join();
  sigaction(SIGUSR2, &before, nullptr);
}

TEST(PollerTest, ABrokenDescriptorIsAnError) {
  Counters counters;
  Poller poller(base::UniqueFd(), 16, counters);
  EXPECT_EQ(poller.Wait(0), -EBADF);
  EXPECT_EQ(poller.Add(0, 0, EPOLLIN), EBADF);
}

}  // namespace
}  // namespace ringecho::engine::epoll

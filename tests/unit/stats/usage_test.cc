#include "stats/usage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace ringecho::stats {
namespace {

using testing::HasSubstr;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

// Burns CPU time until the thread's own account shows it, whatever the clock's resolution.
void UseCpu(int64_t at_least_ns) {
  const CpuUsage start = ThreadCpuUsage();
  while ((ThreadCpuUsage() - start).total_ns() < at_least_ns) {
  }
}

TEST(CpuUsageTest, SubtractsAndAddsEveryField) {
  const CpuUsage a{
      .user_ns = 10, .system_ns = 20, .voluntary_switches = 3, .involuntary_switches = 4};
  const CpuUsage b{
      .user_ns = 11, .system_ns = 23, .voluntary_switches = 8, .involuntary_switches = 13};
  const CpuUsage difference = b - a;
  EXPECT_EQ(difference, (CpuUsage{1, 3, 5, 9}));
  EXPECT_EQ(difference.total_ns(), 4);
  CpuUsage sum = a;
  sum += difference;
  EXPECT_EQ(sum, b);
}

TEST(CpuUsageTest, AThreadIsChargedForItselfTheProcessForAll) {
  constexpr int64_t kWorkNs = 20'000'000;
  const CpuUsage thread_before = ThreadCpuUsage();
  const CpuUsage process_before = ProcessCpuUsage();
  std::thread other([] { UseCpu(kWorkNs); });
  other.join();
  const CpuUsage thread = ThreadCpuUsage() - thread_before;
  const CpuUsage process = ProcessCpuUsage() - process_before;
  EXPECT_LT(thread.total_ns(), kWorkNs);
  EXPECT_GE(process.total_ns(), kWorkNs);
}

TEST(CpuUsageTest, CountsAWaitAsAVoluntarySwitch) {
  const CpuUsage before = ThreadCpuUsage();
  usleep(1000);
  EXPECT_GE((ThreadCpuUsage() - before).voluntary_switches, 1);
}

TEST(MemoryUsageTest, ReadsResidentAndPeakBytes) {
  absl::StatusOr<MemoryUsage> usage = ParseMemoryUsage(
      "Name:\tx\nVmPeak:\t    5000 kB\nVmHWM:\t    1996 kB\nVmRSS:\t    1024 kB\nThreads:\t1\n");
  ASSERT_TRUE(usage.ok()) << usage.status();
  EXPECT_EQ(usage->rss_bytes, 1024 * 1024);
  EXPECT_EQ(usage->rss_peak_bytes, 1996 * 1024);
}

TEST(MemoryUsageTest, RefusesWhatIsMissingOrNotANumber) {
  EXPECT_EQ(Message(ParseMemoryUsage("").status()), "/proc/self/status has no line VmRSS:");
  EXPECT_EQ(Message(ParseMemoryUsage("VmRSS: 1 kB\n").status()),
            "/proc/self/status has no line VmHWM:");
  for (const char* line : {"VmRSS: kB", "VmRSS: x kB", "VmRSS: -1 kB", "VmRSS: 1 MB",
                           "VmRSS:", "VmRSS: 9223372036854775807 kB", "VmRSS: 1 kB 2"}) {
    EXPECT_THAT(Message(ParseMemoryUsage(std::string("VmHWM: 1 kB\n") + line).status()),
                HasSubstr("is not \"VmRSS: <number> kB\""))
        << line;
  }
}

TEST(MemoryUsageTest, SeesMemoryThatIsTouched) {
  const absl::StatusOr<MemoryUsage> before = CurrentMemoryUsage();
  ASSERT_TRUE(before.ok()) << before.status();
  constexpr int64_t kBytes = 64 << 20;
  const std::vector<char> block(kBytes, 'x');
  const absl::StatusOr<MemoryUsage> after = CurrentMemoryUsage();
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(block[kBytes - 1], 'x');
  EXPECT_GE(after->rss_bytes, before->rss_bytes + kBytes / 2);
  EXPECT_GE(after->rss_peak_bytes, before->rss_bytes + kBytes / 2);
}

TEST(IoWorkersTest, KnowsTheirNames) {
  EXPECT_TRUE(IsIoWorker("iou-wrk-5633\n"));
  EXPECT_FALSE(IsIoWorker("iou-sqp-5633"));
  EXPECT_FALSE(IsIoWorker("ringecho-load"));
  EXPECT_FALSE(IsIoWorker(""));
}

TEST(IoWorkersTest, CountsThreadsOfThatName) {
  const absl::StatusOr<int64_t> before = CountIoWorkers();
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_EQ(*before, 0);
  std::atomic<bool> named = false, counted = false;
  std::thread worker([&] {
    pthread_setname_np(pthread_self(), "iou-wrk-1");
    named = true;
    named.notify_one();
    counted.wait(false);
  });
  named.wait(false);
  const absl::StatusOr<int64_t> during = CountIoWorkers();
  counted = true;
  counted.notify_one();
  worker.join();
  ASSERT_TRUE(during.ok()) << during.status();
  EXPECT_EQ(*during, 1);
}

TEST(PollerThreadsTest, FindsThreadsOfThatNameAndWhatTheyUse) {
  constexpr int64_t kWorkNs = 5'000'000;
  std::atomic<bool> worked = false, looked = false;
  std::thread poller([&] {
    pthread_setname_np(pthread_self(), "iou-sqp-1");
    UseCpu(kWorkNs);
    worked = true;
    worked.notify_one();
    looked.wait(false);
  });
  worked.wait(false);
  const absl::StatusOr<std::vector<int>> found = PollerThreads();
  const int tid = found.ok() && found->size() == 1 ? found->front() : 0;
  const int64_t used_ns = CpuNsOfThread(tid);
  looked = true;
  looked.notify_one();
  poller.join();
  ASSERT_NE(tid, 0) << found.status();
  EXPECT_GE(used_ns, kWorkNs);
  EXPECT_EQ(CpuNsOfThread(0), 0);
}

TEST(MachineCpuTest, AddsUpTheTimesWithoutTheGuestsOnes) {
  const absl::StatusOr<MachineCpu> first =
      ParseMachineCpu("cpu  100 1 2 3 4 5 6 70 50 9\ncpu0 1 2 3 4 5 6 7 8 9 10\n", 100);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->total_ticks, 191);
  EXPECT_EQ(first->steal_ticks, 70);
  EXPECT_EQ(first->tick_ns, 10'000'000);
  const absl::StatusOr<MachineCpu> second = ParseMachineCpu("cpu 200 1 2 3 4 5 6 73", 100);
  ASSERT_TRUE(second.ok()) << second.status();
  const MachineCpuSpan span = second->Since(*first);
  EXPECT_EQ(span.total_ns, 1'030'000'000);
  EXPECT_EQ(span.steal_ns, 30'000'000);
}

TEST(MachineCpuTest, ManyCpusOverYearsDoNotOverflow) {
  // 4,096 CPUs, three years: 2^63 ns are 292 years.
  const absl::StatusOr<MachineCpu> first =
      ParseMachineCpu("cpu 38000000000000 0 0 0 0 0 0 38000000000000", 100);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::StatusOr<MachineCpu> second =
      ParseMachineCpu("cpu 38000000000100 0 0 0 0 0 0 38000000000001", 100);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->Since(*first).total_ns, 1'010'000'000);
  EXPECT_EQ(second->Since(*first).steal_ns, 10'000'000);
}

TEST(MachineCpuTest, RefusesOtherLines) {
  for (const char* text :
       {"", "\n", "cpu", "cpu 1 2 3 4 5 6 7", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3 4 5 6 7 x",
        "cpu 1 2 3 4 5 6 7 -8", "intr 1 2 3 4 5 6 7 8", "cpu 9223372036854775807 2 3 4 5 6 7 8"}) {
    EXPECT_THAT(Message(ParseMachineCpu(text, 100).status()), HasSubstr("8 times")) << text;
  }
  EXPECT_FALSE(ParseMachineCpu("cpu 1 2 3 4 5 6 7 8", 0).ok());
  EXPECT_FALSE(ParseMachineCpu("cpu 1 2 3 4 5 6 7 8", -1).ok());
}

TEST(MachineCpuTest, ReadsThisMachine) {
  const absl::StatusOr<MachineCpu> now = CurrentMachineCpu();
  ASSERT_TRUE(now.ok()) << now.status();
  EXPECT_GT(now->total_ticks, 0);
  EXPECT_GE(now->steal_ticks, 0);
  EXPECT_GT(now->tick_ns, 0);
}

}  // namespace
}  // namespace ringecho::stats

#include "load/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace ringecho::load {
namespace {

TEST(BackoffTest, DoublesUpToItsCapAndStaysInTheUpperHalf) {
  const Backoff backoff{.base_ns = 100, .cap_ns = 1000};
  base::SplitMix64 random(1);
  const std::vector<int64_t> full = {100, 200, 400, 800, 1000, 1000, 1000};
  for (int retry = 0; retry < static_cast<int>(full.size()); ++retry) {
    const int64_t limit = full[static_cast<size_t>(retry)];
    for (int i = 0; i < 1000; ++i) {
      const int64_t delay = backoff.DelayNs(retry, &random);
      ASSERT_GE(delay, limit / 2) << retry;
      ASSERT_LT(delay, limit) << retry;
    }
  }
  EXPECT_LT(backoff.DelayNs(1'000'000, &random), 1000);
}

TEST(BackoffTest, IsSpreadAndRepeatsWithItsSeed) {
  const Backoff backoff{.base_ns = 1 << 20, .cap_ns = 1 << 20};
  base::SplitMix64 a(5);
  base::SplitMix64 b(5);
  std::set<int64_t> seen;
  for (int i = 0; i < 100; ++i) {
    const int64_t delay = backoff.DelayNs(0, &a);
    EXPECT_EQ(delay, backoff.DelayNs(0, &b));
    seen.insert(delay);
  }
  EXPECT_GT(seen.size(), 95u);
}

TEST(BackoffTest, TheDefaultRetriesOutlastARestartOfSeconds) {
  base::SplitMix64 random(9);
  int64_t total_ns = 0;
  for (int retry = 0; retry < 10; ++retry) total_ns += Backoff().DelayNs(retry, &random);
  EXPECT_GT(total_ns, 5 * base::kNsPerSec / 2);
}

TEST(RetryQueueTest, GivesItemsInTheOrderOfTheirTimes) {
  RetryQueue queue;
  EXPECT_EQ(queue.NextNs(), base::kNever);
  for (int64_t due : {50, 10, 40, 30, 20, 10}) queue.Push(due, static_cast<uint32_t>(due));
  std::vector<uint32_t> order;
  while (!queue.empty()) {
    EXPECT_EQ(queue.NextNs(), std::min<int64_t>(queue.NextNs(), 50));
    order.push_back(queue.Pop());
  }
  EXPECT_EQ(order, (std::vector<uint32_t>{10, 10, 20, 30, 40, 50}));
}

}  // namespace
}  // namespace ringecho::load

#include "load/connect_queue.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringecho::load {
namespace {

constexpr int64_t kMs = base::kNsPerMs;
constexpr int64_t kStart = 1'000'000 * kMs;

std::vector<uint32_t> TakeAll(ConnectQueue& queue, int64_t now_ns) {
  std::vector<uint32_t> items;
  for (uint32_t item = 0; queue.Next(now_ns, &item);) items.push_back(item);
  return items;
}

TEST(ConnectQueueTest, StartsInOrderUpToTheLimitInFlight) {
  ConnectQueue queue(2, 0);
  EXPECT_EQ(queue.NextNs(), base::kNever);
  for (uint32_t item : {7u, 8u, 9u}) queue.Add(item);
  EXPECT_LE(queue.NextNs(), kStart);
  EXPECT_EQ(TakeAll(queue, kStart), (std::vector<uint32_t>{7, 8}));
  EXPECT_EQ(queue.NextNs(), base::kNever);
  queue.Finished();
  EXPECT_LE(queue.NextNs(), kStart);
  EXPECT_EQ(TakeAll(queue, kStart), (std::vector<uint32_t>{9}));
}

TEST(ConnectQueueTest, RetriesWaitForTheirTimeAndThenGoFirst) {
  ConnectQueue queue(10, 0);
  queue.AddAt(kStart + 5, 1);
  EXPECT_EQ(queue.NextNs(), kStart + 5);
  EXPECT_TRUE(TakeAll(queue, kStart + 4).empty());
  queue.Add(2);
  EXPECT_EQ(TakeAll(queue, kStart + 5), (std::vector<uint32_t>{1, 2}));
}

TEST(ConnectQueueTest, KeepsTheRateAndCatchesUpOnlyALittle) {
  ConnectQueue queue(1000, 1000);  // one per ms
  for (uint32_t item = 0; item < 200; ++item) queue.Add(item);
  // The first time there is nothing to catch up with but the limit.
  const size_t first = TakeAll(queue, kStart).size();
  EXPECT_LE(first, 11u);
  EXPECT_GT(queue.NextNs(), kStart);
  EXPECT_LE(queue.NextNs(), kStart + kMs);
  EXPECT_TRUE(TakeAll(queue, queue.NextNs() - 1).empty());
  EXPECT_EQ(TakeAll(queue, queue.NextNs()).size(), 1u);
  // After a stall of a second not a thousand at once.
  EXPECT_LE(TakeAll(queue, kStart + 1000 * kMs).size(), 11u);
}

TEST(ConnectQueueTest, ClearGivesBackWhatWasNotStarted) {
  ConnectQueue queue(1, 0);
  queue.Add(1);
  queue.Add(2);
  queue.AddAt(kStart + 5, 3);
  EXPECT_EQ(TakeAll(queue, kStart), (std::vector<uint32_t>{1}));
  EXPECT_EQ(queue.Clear(), (std::vector<uint32_t>{2, 3}));
  queue.Finished();
  EXPECT_EQ(queue.NextNs(), base::kNever);
}

}  // namespace
}  // namespace ringecho::load

#include "stats/intervals.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "stats/histogram.h"

namespace ringecho::stats {
namespace {

IntervalCounts Messages(uint64_t messages) {
  return {.start_ns = 0, .end_ns = 1, .messages = messages};
}

// A post without latencies.
void Post(IntervalBoard& board, int worker, int64_t index, uint64_t messages = 1) {
  EXPECT_EQ(board.Post(worker, index, Messages(messages), nullptr), nullptr);
}

// A post in which `count` latencies of `value_ns` were recorded.
std::unique_ptr<Histogram> PostLatencies(IntervalBoard& board, int worker, int64_t index,
                                         std::unique_ptr<Histogram> histogram, uint64_t value_ns,
                                         uint64_t count) {
  histogram->RecordN(value_ns, count);
  return board.Post(worker, index, Messages(count), std::move(histogram));
}

TEST(IntervalBoardTest, AnIntervalIsTakenOnceEveryWorkerHasPostedIt) {
  IntervalBoard board(2);
  EXPECT_FALSE(board.Take());
  board.Post(0, 0,
             {.start_ns = 95,
              .end_ns = 205,
              .messages = 10,
              .errors = 1,
              .bytes = 640,
              .cpu_ns = 50,
              .open_connections = 3},
             nullptr);
  EXPECT_FALSE(board.Take());
  board.Post(1, 0,
             {.start_ns = 100,
              .end_ns = 201,
              .messages = 5,
              .errors = 2,
              .bytes = 320,
              .cpu_ns = 30,
              .open_connections = 4},
             nullptr);
  const std::optional<Interval> taken = board.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->index, 0);
  EXPECT_EQ(taken->workers, 2);
  EXPECT_EQ(taken->counts.start_ns, 95);
  EXPECT_EQ(taken->counts.end_ns, 205);
  EXPECT_EQ(taken->counts.messages, 15u);
  EXPECT_EQ(taken->counts.errors, 3u);
  EXPECT_EQ(taken->counts.bytes, 960u);
  EXPECT_EQ(taken->counts.cpu_ns, 80);
  EXPECT_EQ(taken->counts.open_connections, 7);
  EXPECT_EQ(taken->samples, 0u);
  EXPECT_FALSE(taken->p50_ns);
  EXPECT_FALSE(taken->p99_ns);
  EXPECT_FALSE(board.Take());
}

TEST(IntervalBoardTest, PercentilesAreThoseOfAllWorkersTogether) {
  IntervalBoard board(2);
  auto a = PostLatencies(board, 0, 0, board.NewHistogram(), 1'000, 90);
  auto b = PostLatencies(board, 1, 0, board.NewHistogram(), 2'000, 10);
  const std::optional<Interval> taken = board.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->samples, 100u);
  EXPECT_EQ(taken->p50_ns, 1'000u);
  EXPECT_EQ(taken->p99_ns, 2'000u);
  // What a worker gets back is empty.
  EXPECT_EQ(a->count(), 0u);
  EXPECT_EQ(b->count(), 0u);
}

TEST(IntervalBoardTest, AnIntervalWithoutSamplesHasNoPercentiles) {
  IntervalBoard board(1);
  EXPECT_NE(board.Post(0, 0, Messages(0), board.NewHistogram()), nullptr);
  const std::optional<Interval> taken = board.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->samples, 0u);
  EXPECT_FALSE(taken->p50_ns);
}

TEST(IntervalBoardTest, HistogramsAreReusedAndComeBackEmpty) {
  const HistogramLayout layout = HistogramLayout::Create(10'000, 2).value();
  IntervalBoard board(1, layout);
  std::unique_ptr<Histogram> histogram = board.NewHistogram();
  const Histogram* first = histogram.get();
  histogram = PostLatencies(board, 0, 0, std::move(histogram), 1'000, 7);
  const Histogram* second = histogram.get();
  // Kept, so that a histogram freed and made anew would stand at another address.
  std::vector<std::unique_ptr<Histogram>> others;
  for (int64_t index = 1; index < 100; ++index) {
    ASSERT_TRUE(board.Take());
    others.push_back(std::make_unique<Histogram>(layout));
    histogram = PostLatencies(board, 0, index, std::move(histogram), 5'000, 1);
    EXPECT_EQ(histogram->count(), 0u);
    EXPECT_TRUE(histogram.get() == first || histogram.get() == second);
  }
  const std::optional<Interval> last = board.Take();
  ASSERT_TRUE(last);
  EXPECT_EQ(last->samples, 1u);
}

TEST(IntervalBoardTest, IntervalsComeInOrder) {
  IntervalBoard board(2);
  for (int64_t index = 0; index < 3; ++index) Post(board, 0, index, 10);
  EXPECT_FALSE(board.Take());
  for (int64_t index = 0; index < 3; ++index) Post(board, 1, index, index);
  for (int64_t index = 0; index < 3; ++index) {
    const std::optional<Interval> taken = board.Take();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->index, index);
    EXPECT_EQ(taken->counts.messages, 10u + static_cast<uint64_t>(index));
  }
}

TEST(IntervalBoardTest, AFinishedWorkerIsNotWaitedFor) {
  IntervalBoard board(2);
  Post(board, 0, 0);
  Post(board, 0, 1);
  Post(board, 1, 0);
  board.Finish(1);
  ASSERT_TRUE(board.Take());
  std::optional<Interval> taken = board.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->index, 1);
  EXPECT_EQ(taken->workers, 1);
  Post(board, 0, 2);
  board.Finish(0);
  taken = board.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->index, 2);
  EXPECT_FALSE(board.Take());
  EXPECT_FALSE(board.Take());
}

TEST(IntervalBoardTest, IntervalsLeftOutAreNotWaitedFor) {
  IntervalBoard board(2);
  Post(board, 0, 0);
  Post(board, 0, 1);
  Post(board, 0, 5);
  Post(board, 1, 5);  // slept through 0 to 4
  for (int64_t index : {0, 1, 5}) {
    const std::optional<Interval> taken = board.Take();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->index, index);
    EXPECT_EQ(taken->workers, index == 5 ? 2 : 1);
  }
  EXPECT_FALSE(board.Take());
}

TEST(IntervalBoardTest, AWorkerTooFarAheadLosesPostsAndIsNotHeldUp) {
  IntervalBoard board(2);
  std::unique_ptr<Histogram> histogram = board.NewHistogram();
  constexpr int64_t kPosts = IntervalBoard::kPendingMax + 2;
  for (int64_t index = 0; index < kPosts; ++index) {
    histogram = PostLatencies(board, 0, index, std::move(histogram), 1'000, 1);
    ASSERT_NE(histogram, nullptr);
    EXPECT_EQ(histogram->count(), 0u);
  }
  EXPECT_EQ(board.dropped(), 2u);
  EXPECT_FALSE(board.Take());

  // The other one comes back; what both have posted is taken with both in it.
  for (int64_t index = 0; index < IntervalBoard::kPendingMax; ++index) {
    Post(board, 1, index);
    const std::optional<Interval> taken = board.Take();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->index, index);
    EXPECT_EQ(taken->workers, 2);
    EXPECT_EQ(taken->samples, 1u);
  }
  Post(board, 1, IntervalBoard::kPendingMax);
  const std::optional<Interval> partial = board.Take();
  ASSERT_TRUE(partial);
  EXPECT_EQ(partial->index, IntervalBoard::kPendingMax);
  EXPECT_EQ(partial->workers, 1);
  EXPECT_EQ(board.dropped(), 2u);
}

TEST(IntervalBoardTest, WhatIsCountedIsNeverLost) {
  IntervalBoard board(1);
  IntervalCounts counts;
  counts.messages = 1;
  counts.cpu_ns = 10;
  counts.syscalls = 3;
  counts.enter_calls = 2;
  counts.completions = 7;
  for (int64_t index = 0; index < 100; ++index) board.Post(0, index, counts, nullptr);
  uint64_t messages = 0;
  int64_t cpu_ns = 0;
  IntervalCounts work;
  while (const std::optional<Interval> taken = board.Take()) {
    messages += taken->counts.messages;
    cpu_ns += taken->counts.cpu_ns;
    work.syscalls += taken->counts.syscalls;
    work.enter_calls += taken->counts.enter_calls;
    work.completions += taken->counts.completions;
  }
  EXPECT_EQ(messages, 100u);
  EXPECT_EQ(work.syscalls, 300u);
  EXPECT_EQ(work.enter_calls, 200u);
  EXPECT_EQ(work.completions, 700u);
  EXPECT_EQ(cpu_ns, 1000);
}

TEST(IntervalBoardTest, ACoordinatorThatWasAwayGetsTheOldestAndThenTheNew) {
  IntervalBoard board(1);
  constexpr int64_t kPosts = 100;
  for (int64_t index = 0; index < kPosts; ++index) Post(board, 0, index);
  EXPECT_EQ(board.dropped(), static_cast<uint64_t>(kPosts - IntervalBoard::kPendingMax));
  for (int64_t index = 0; index < IntervalBoard::kPendingMax; ++index) {
    const std::optional<Interval> taken = board.Take();
    ASSERT_TRUE(taken);
    EXPECT_EQ(taken->index, index);
  }
  EXPECT_FALSE(board.Take());
  // What was dropped does not keep its place.
  Post(board, 0, kPosts);
  const std::optional<Interval> taken = board.Take();
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->index, kPosts);
}

// For ThreadSanitizer too: workers post while the coordinator takes.
TEST(IntervalBoardTest, ThreadsLoseNothingWhileTheCoordinatorKeepsUp) {
  constexpr int kWorkers = 4;
  constexpr int64_t kIntervals = 200;
  const HistogramLayout layout = HistogramLayout::Create(1'000'000, 2).value();
  IntervalBoard board(kWorkers, layout);
  // Intervals taken so far: the workers stay close, as time would keep them.
  std::atomic<int64_t> taken = 0;
  std::vector<std::thread> workers;
  workers.reserve(kWorkers);
  for (int worker = 0; worker < kWorkers; ++worker) {
    workers.emplace_back([&board, &taken, worker] {
      std::unique_ptr<Histogram> histogram = board.NewHistogram();
      for (int64_t index = 0; index < kIntervals; ++index) {
        while (index - taken.load() >= IntervalBoard::kPendingMax) std::this_thread::yield();
        histogram = PostLatencies(board, worker, index, std::move(histogram),
                                  100 * (static_cast<uint64_t>(worker) + 1), 25);
      }
      board.Finish(worker);
    });
  }
  uint64_t messages = 0, samples = 0;
  while (taken < kIntervals) {
    const std::optional<Interval> interval = board.Take();
    if (!interval) {
      std::this_thread::yield();
      continue;
    }
    EXPECT_EQ(interval->index, taken.load());
    EXPECT_EQ(interval->workers, kWorkers);
    EXPECT_EQ(interval->p50_ns, 200u);
    messages += interval->counts.messages;
    samples += interval->samples;
    ++taken;
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_FALSE(board.Take());
  EXPECT_EQ(messages, static_cast<uint64_t>(kWorkers * kIntervals * 25));
  EXPECT_EQ(samples, messages);
  EXPECT_EQ(board.dropped(), 0u);
}

}  // namespace
}  // namespace ringecho::stats

#include "base/timeout_wheel.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/random.h"

namespace ringecho::base {
namespace {

constexpr int64_t kTimeout = 3200 * kNsPerMs;  // one tick is 100 ms
constexpr int64_t kTick = 100 * kNsPerMs;

TEST(TimeoutWheelTest, HasNothingToDoWhenNothingIsWatched) {
  TimeoutWheel wheel(4, kTimeout);
  EXPECT_EQ(wheel.NextNs(), kNever);
  wheel.Expire(1'000'000 * kTick, [](uint32_t) -> int64_t {
    ADD_FAILURE();
    return kNever;
  });
}

TEST(TimeoutWheelTest, LooksNeitherEarlyNorMoreThanATickLate) {
  SplitMix64 random(1);
  const int64_t start = 123'456'789'012'345;
  TimeoutWheel wheel(200, kTimeout);
  wheel.Expire(start, [](uint32_t) { return kNever; });
  std::vector<int64_t> due(200);
  for (uint32_t item = 0; item < 200; ++item) {
    due[item] = start + static_cast<int64_t>(random.Below(kTimeout)) + 1;
    wheel.Watch(item, due[item]);
  }
  std::map<uint32_t, int64_t> looked;
  int64_t now = start;
  while (wheel.NextNs() != kNever) {
    ASSERT_GT(wheel.NextNs(), now);
    now = wheel.NextNs();
    wheel.Expire(now, [&](uint32_t item) {
      EXPECT_GE(now, due[item]);
      EXPECT_LE(now, due[item] + kTick);
      ++looked[item];
      return kNever;
    });
  }
  EXPECT_EQ(looked.size(), 200u);
}

TEST(TimeoutWheelTest, MovesAnItemOnUntilItIsDropped) {
  TimeoutWheel wheel(1, kTimeout);
  wheel.Expire(kTick * 1000, [](uint32_t) { return kNever; });
  wheel.Watch(0, kTick * 1010);
  std::vector<int64_t> looks;
  while (wheel.NextNs() != kNever) {
    const int64_t now = wheel.NextNs();
    wheel.Expire(now, [&](uint32_t) {
      looks.push_back(now / kTick);
      return looks.size() < 3 ? now + 20 * kTick : kNever;
    });
  }
  EXPECT_EQ(looks, (std::vector<int64_t>{1011, 1032, 1053}));
}

TEST(TimeoutWheelTest, WatchingTwiceKeepsTheFirstTime) {
  TimeoutWheel wheel(1, kTimeout);
  wheel.Watch(0, 5 * kTick);
  wheel.Watch(0, 7 * kTick);
  int looks = 0;
  wheel.Expire(100 * kTick, [&](uint32_t) {
    ++looks;
    return kNever;
  });
  EXPECT_EQ(looks, 1);
}

TEST(TimeoutWheelTest, MissesNothingAfterALongPause) {
  TimeoutWheel wheel(3, kTimeout);
  wheel.Watch(0, 1 * kTick);
  wheel.Watch(1, 30 * kTick);
  wheel.Watch(2, 1'000'000 * kTick);  // further away than the wheel is round
  std::vector<uint32_t> looked;
  wheel.Expire(5000 * kTick, [&](uint32_t item) {
    looked.push_back(item);
    return item == 2 ? 1'000'000 * kTick : kNever;
  });
  EXPECT_EQ(looked.size(), 3u);
  EXPECT_NE(wheel.NextNs(), kNever);
}

}  // namespace
}  // namespace ringecho::base

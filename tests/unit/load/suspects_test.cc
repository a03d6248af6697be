#include "load/suspects.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/clock.h"

namespace ringecho::load {
namespace {

constexpr int64_t kWait = base::kNsPerSec;
constexpr int64_t kNow = 1'000'000 * base::kNsPerSec;

class SuspectsTest : public ::testing::Test {
 protected:
  std::vector<std::byte> Bytes(size_t count) { return std::vector<std::byte>(count, std::byte{1}); }

  const Payload payload_ = *Payload::Random(1, 64, 4096);
  Suspects suspects_{payload_, kWait};
};

TEST_F(SuspectsTest, HaveEnoughWhenEverythingOutstandingHasCome) {
  ASSERT_TRUE(suspects_.Open(3, 0, 0, 100, kNow));
  EXPECT_FALSE(suspects_.Collect(3, Bytes(99)));
  EXPECT_TRUE(suspects_.Collect(3, Bytes(1)));
  EXPECT_TRUE(suspects_.Conclude(3).has_value());
}

TEST_F(SuspectsTest, WaitForALittleMoreThanNothing) {
  ASSERT_TRUE(suspects_.Open(3, 0, 0, 0, kNow));
  EXPECT_FALSE(suspects_.Collect(3, Bytes(1)));
  EXPECT_TRUE(suspects_.Collect(3, Bytes(31)));
}

TEST_F(SuspectsTest, KeepNoMoreThanTheirShare) {
  ASSERT_TRUE(suspects_.Open(3, 0, 0, 200'000, kNow));
  EXPECT_FALSE(suspects_.Collect(3, Bytes(Suspects::kBytesMax - 1)));
  EXPECT_TRUE(suspects_.Collect(3, Bytes(100'000)));
  EXPECT_TRUE(suspects_.Collect(3, Bytes(100'000)));
  EXPECT_EQ(suspects_.Conclude(3)->damage, Damage::kAltered);
}

TEST_F(SuspectsTest, AreDueInTheirOrderAndOnlyOnce) {
  ASSERT_TRUE(suspects_.Open(1, 0, 0, 100, kNow));
  ASSERT_TRUE(suspects_.Open(2, 0, 0, 100, kNow + 5));
  EXPECT_EQ(suspects_.NextNs(), kNow + kWait);
  EXPECT_FALSE(suspects_.PopDue(kNow + kWait - 1).has_value());
  EXPECT_EQ(suspects_.PopDue(kNow + kWait), 1u);
  EXPECT_FALSE(suspects_.PopDue(kNow + kWait).has_value());
  EXPECT_EQ(suspects_.PopDue(kNow + kWait + 5), 2u);
  EXPECT_EQ(suspects_.NextNs(), base::kNever);
}

TEST_F(SuspectsTest, OneThatWasConcludedIsNotDueForItsSuccessor) {
  ASSERT_TRUE(suspects_.Open(1, 0, 0, 100, kNow));
  suspects_.Conclude(1);
  ASSERT_TRUE(suspects_.Open(1, 0, 0, 100, kNow + 7));
  EXPECT_FALSE(suspects_.PopDue(kNow + kWait).has_value());
  EXPECT_EQ(suspects_.PopDue(kNow + kWait + 7), 1u);
}

}  // namespace
}  // namespace ringecho::load

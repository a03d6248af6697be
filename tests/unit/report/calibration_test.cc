#include "report/calibration.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>

namespace ringecho::report {
namespace {

TEST(CalibrationTest, EveryCostIsMeasured) {
  CalibrationOptions options;
  options.budget_ns = 1'000'000'000;  // enough for a busy machine to measure all of them
  options.floors = {{1, 64}, {8, 1}, {2, 1'000'000}};
  Calibration c = Calibrate(options);
  EXPECT_GT(c.syscall_ns, 0);
  EXPECT_GT(c.wakeup_ns, 0);
  ASSERT_EQ(c.loopback_echo_floor.size(), 3U);
  EXPECT_EQ(c.loopback_echo_floor[0].connections, 1);
  EXPECT_EQ(c.loopback_echo_floor[0].size_bytes, 64);
  EXPECT_EQ(c.loopback_echo_floor[1].connections, 8);
  EXPECT_EQ(c.loopback_echo_floor[2].size_bytes, kFloorBytesMax);
  // Four system calls take longer than one.
  for (const EchoFloor& floor : c.loopback_echo_floor) EXPECT_GT(floor.ns_per_echo, c.syscall_ns);
}

TEST(CalibrationTest, WithoutTimeNothingHangs) {
  CalibrationOptions options;
  options.budget_ns = 0;
  Calibration c = Calibrate(options);
  EXPECT_GT(c.syscall_ns, 0);
  EXPECT_TRUE(c.loopback_echo_floor.empty());
}

class DescriptorLimit {
 public:
  explicit DescriptorLimit(rlim_t limit) {
    getrlimit(RLIMIT_NOFILE, &before_);
    rlimit lower = before_;
    lower.rlim_cur = limit;
    setrlimit(RLIMIT_NOFILE, &lower);
  }
  ~DescriptorLimit() { setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_;
};

TEST(CalibrationTest, FewDescriptorsMakeFewConnections) {
  CalibrationOptions options;
  options.budget_ns = 50'000'000;
  options.floors = {{1000, 64}};
  Calibration c;
  {
    DescriptorLimit limit(64);
    c = Calibrate(options);
  }
  ASSERT_EQ(c.loopback_echo_floor.size(), 1U);
  EXPECT_GE(c.loopback_echo_floor[0].connections, 1);
  EXPECT_LT(c.loopback_echo_floor[0].connections, 32);
}

TEST(CalibrationTest, WithoutDescriptorsWhatNeedsThemIsUnknown) {
  CalibrationOptions options;
  options.budget_ns = 1'000'000;
  Calibration c;
  {
    DescriptorLimit limit(0);
    c = Calibrate(options);
  }
  EXPECT_GT(c.syscall_ns, 0);
  EXPECT_TRUE(std::isnan(c.wakeup_ns));
  EXPECT_TRUE(c.loopback_echo_floor.empty());
}

}  // namespace
}  // namespace ringecho::report

// The self-test of receive bundles on the real kernel, and that it finds what it is there for.
#include "engine/uring/bundle_selftest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <utility>

#include "engine/uring/capabilities.h"
#include "memory_ring.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Ring> NewRing() {
  auto ring = KernelRing::Create({.sq_entries = 8, .cq_entries = 64, .flags = 0});
  return ring.ok() ? *std::move(ring) : nullptr;
}

class BundleSelftestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!ThisKernel().has.Has(FeatureId::kRecvBundle)) {
      GTEST_SKIP() << "no receive bundles here: "
                   << ThisKernel().declined[static_cast<size_t>(FeatureId::kRecvBundle)];
    }
  }
};

TEST_F(BundleSelftestTest, PassesOnEveryRunAndSeesBundles) {
  for (int i = 0; i < 5; ++i) {
    BundleSelftest result = RunBundleSelftest(NewRing());
    EXPECT_TRUE(result.passed) << result.why_not;
    EXPECT_EQ(result.why_not, "");
  }
}

TEST_F(BundleSelftestTest, FindsBytesThatAreOutOfOrder) {
  int parts = 0;
  BundleSelftest result = RunBundleSelftest(NewRing(), [&](std::span<std::byte> bytes) {
    if (++parts == 100 && bytes.size() > 1) std::swap(bytes.front(), bytes.back());
  });
  EXPECT_GE(parts, 100);
  EXPECT_FALSE(result.passed);
  EXPECT_EQ(result.error, 0);
  EXPECT_THAT(result.why_not, HasSubstr("fails its self-test: bytes came out of order"));
}

// A kernel that takes requests and never answers.
class MuteRing final : public MemoryRing {
 public:
  MuteRing() : MemoryRing(8, 8) {}
  int Submit() override {
    int count = 0;
    for (; Queued() > 0; ++count) TakeSqe();
    return count;
  }
  int SubmitAndWait(int64_t) override {
    Submit();
    return -ETIME;
  }
};

TEST(BundleSelftestWithoutKernelTest, GivesUpOnAKernelThatDoesNotAnswer) {
  BundleSelftest result = RunBundleSelftest(std::make_unique<MuteRing>());
  EXPECT_FALSE(result.passed);
  EXPECT_THAT(result.why_not, HasSubstr("fails its self-test"));
}

}  // namespace
}  // namespace ringecho::engine::uring

// What is probed against what the real kernel does. Skipped where io_uring is absent, unless
// RINGECHO_REQUIRE_IO_URING is set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "base/clock.h"
#include "engine/uring/capabilities.h"
#include "engine/uring/connection_buffers.h"
#include "engine/uring/make_ring.h"
#include "engine/uring/names.h"
#include "engine/uring/plan.h"
#include "engine/uring/ring.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::Contains;

class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (ThisKernel().available) return;
    if (std::getenv("RINGECHO_REQUIRE_IO_URING") != nullptr) FAIL() << ThisKernel().why_not;
    GTEST_SKIP() << "io_uring is not available: " << ThisKernel().why_not;
  }
};

TEST_F(KernelTest, TheProbeIsConsistent) {
  const Capabilities& caps = ThisKernel();
  EXPECT_EQ(caps.why_not, "");
  EXPECT_TRUE(std::is_sorted(caps.opcodes.begin(), caps.opcodes.end()));
  EXPECT_THAT(OpcodeNames(caps.opcodes), Contains("RECV"));
  // Each came with or after the other.
  EXPECT_LE(caps.has.Has(FeatureId::kMultishotRecv), caps.has.Has(FeatureId::kBufferRing));
  EXPECT_LE(caps.has.Has(FeatureId::kDeferTaskrun), caps.has.Has(FeatureId::kSingleIssuer));
  EXPECT_LE(caps.has.Has(FeatureId::kRecvBundle), caps.has.Has(FeatureId::kMultishotRecv));
  EXPECT_LE(caps.has.Has(FeatureId::kIncrementalBuffers), caps.has.Has(FeatureId::kBufferRing));
  // A reason is told for what was tried and found wanting, and for nothing else.
  for (const FeatureInfo& info : kFeatureTable) {
    if (caps.has.Has(info.id)) {
      EXPECT_EQ(caps.declined[static_cast<size_t>(info.id)], "") << info.name;
    }
  }
}

// Each feature the probe found, alone and in all: the ring is made with just its flags.
TEST_F(KernelTest, WhatWasProbedCanBeUsed) {
  std::vector<FeatureSet> sets = {kDefaultFeatures, kBaselineFeatures, FeatureSet()};
  for (const FeatureInfo& info : kFeatureTable) sets.push_back({info.id});
  sets.push_back({FeatureId::kSingleIssuer, FeatureId::kDeferTaskrun});
  for (FeatureSet set : sets) {
    Options options{.max_connections = 10'000};
    options.features.wanted = set & ThisKernel().has;
    FeatureSet use = PlanFeatures(options, ThisKernel()).use;
    auto ring = MakeRing(options, ThisKernel());
    ASSERT_TRUE(ring.ok()) << ring.status();
    constexpr unsigned kAlways = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    EXPECT_EQ((*ring)->setup_flags() & ~kAlways, SetupFlags(use));
    EXPECT_EQ((*ring)->registered(), use.Has(FeatureId::kRegisteredRing));
    EXPECT_GE((*ring)->cq_entries(), 20'000u);
  }
}

TEST_F(KernelTest, WaitingEndsAtItsDeadline) {
  auto ring = MakeRing({}, ThisKernel());
  ASSERT_TRUE(ring.ok()) << ring.status();
  int64_t before = base::NowNs();
  EXPECT_EQ((*ring)->SubmitAndWait(5 * base::kNsPerMs), -ETIME);
  EXPECT_GE(base::NowNs() - before, 5 * base::kNsPerMs);
  EXPECT_EQ((*ring)->SubmitAndWait(0), 0);
}

TEST_F(KernelTest, FixedBuffersWorkOnSockets) {
  auto ring = MakeRing({}, ThisKernel());
  ASSERT_TRUE(ring.ok()) << ring.status();
  auto buffers = ConnectionBuffers::Create(2, 4096);
  ASSERT_TRUE(buffers.ok()) << buffers.status();
  constexpr std::array<std::byte, 5> kPayload = {};
  if (absl::Status status = (*buffers)->Register(**ring, kPayload); !status.ok()) {
    GTEST_SKIP() << "memory may not be pinned here: " << status;
  }
  EXPECT_EQ((*buffers)->SlotIndex(1), 0);
  EXPECT_EQ((*buffers)->SlotIndex(2), ConnectionBuffers::kNotRegistered);
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  io_uring_sqe* sqe = (*ring)->GetSqe();
  io_uring_prep_write_fixed(sqe, pair[0], kPayload.data(), 5, 0, (*buffers)->payload_index());
  sqe->user_data = 1;
  sqe = (*ring)->GetSqe();
  io_uring_prep_read_fixed(sqe, pair[1], (*buffers)->Data(1), 4096, 0, 0);
  sqe->user_data = 2;
  int completed = 0;
  while (completed < 2 && (*ring)->SubmitAndWait(base::kNsPerSec) >= 0) {
    (*ring)->Drain([&](const io_uring_cqe& cqe) {
      EXPECT_EQ(cqe.res, 5) << cqe.user_data;
      ++completed;
    });
  }
  EXPECT_EQ(completed, 2);
  close(pair[0]);
  close(pair[1]);
  ring->reset();
}

TEST(CompletionEntriesTest, FollowsTheConnectionsWithinTheKernelsLimits) {
  EXPECT_EQ(CompletionEntries(1), 1024u);
  EXPECT_EQ(CompletionEntries(10'000), 32'768u);
  EXPECT_EQ(CompletionEntries(1 << 24), 65'536u);
}

TEST(NamesTest, AreTheKernels) {
  EXPECT_EQ(FeatureNames(1u << 8 | 1u << 14),
            (std::vector<std::string>{"EXT_ARG", "RECVSEND_BUNDLE"}));
  EXPECT_EQ(SetupFlagNames(IORING_SETUP_DEFER_TASKRUN), std::vector<std::string>{"DEFER_TASKRUN"});
  EXPECT_EQ(OpcodeNames({IORING_OP_ACCEPT, 47, 250}),
            (std::vector<std::string>{"ACCEPT", "SEND_ZC", "op_250"}));
  EXPECT_EQ(FeatureNames(1u << 31), std::vector<std::string>{"bit_31"});
}

}  // namespace
}  // namespace ringecho::engine::uring

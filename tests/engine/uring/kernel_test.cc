// What is probed against what the real kernel does. Skipped where io_uring is absent, unless
// RINGECHO_REQUIRE_IO_URING is set.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "engine/uring/capabilities.h"
#include "engine/uring/connection_buffers.h"
#include "engine/uring/make_ring.h"
#include "engine/uring/names.h"
#include "engine/uring/plan.h"
#include "engine/uring/ring.h"
#include "stats/usage.h"

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
    EXPECT_EQ((*ring)->has_napi(), use.Has(FeatureId::kNapi));
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

// ---- sqpoll ----------------------------------------------------------------------------------

class PolledRingTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (!ThisKernel().has.Has(FeatureId::kSqpoll)) GTEST_SKIP() << "no sqpoll here";
    Options options{.sq_entries = 8};
    options.features.wanted.Add(FeatureId::kSqpoll);
    auto made = MakeRing(options, ThisKernel());
    ASSERT_TRUE(made.ok()) << made.status();
    ring_ = *std::move(made);
  }

  bool QueueNop(uint64_t user_data) {
    io_uring_sqe* sqe = ring_->GetSqe();
    if (sqe == nullptr) return false;
    io_uring_prep_nop(sqe);
    sqe->user_data = user_data;
    return true;
  }

  std::unique_ptr<Ring> ring_;
};

// The thread falls asleep after kPollerIdleMs and must be woken, with every way to submit.
TEST_F(PolledRingTest, WakesTheKernelsThread) {
  for (int64_t timeout_ns : {base::kNever, 10 * base::kNsPerSec}) {
    usleep(5 * kPollerIdleMs * 1000);
    ASSERT_TRUE(QueueNop(1));
    EXPECT_GE(ring_->SubmitAndWait(timeout_ns), 0);
    EXPECT_EQ(ring_->Drain([](const io_uring_cqe&) {}), 1u);
  }
  usleep(5 * kPollerIdleMs * 1000);
  ASSERT_TRUE(QueueNop(1));
  EXPECT_GE(ring_->Submit(), 0);
  EXPECT_EQ(ring_->calls(), 1u) << "the thread slept, so a call was needed";
  EXPECT_GE(ring_->SubmitAndWait(10 * base::kNsPerSec), 0);
  EXPECT_EQ(ring_->Drain([](const io_uring_cqe&) {}), 1u);
}

// Far more requests than the queue holds, as fast as it goes: Submit waits for room.
TEST_F(PolledRingTest, AFullQueueMakesRoom) {
  constexpr uint64_t kRequests = 20'000;
  uint64_t next = 0;
  for (uint64_t i = 0; i < kRequests; ++i) {
    // The wait may end early for work of the kernel's, and the engine then comes again, too.
    while (!QueueNop(i)) ASSERT_GE(ring_->Submit(), 0);
    ring_->Drain([&](const io_uring_cqe& cqe) { EXPECT_EQ(cqe.user_data, next++); });
  }
  while (next < kRequests) {
    ASSERT_GE(ring_->SubmitAndWait(10 * base::kNsPerSec), 0) << next;
    ring_->Drain([&](const io_uring_cqe& cqe) { EXPECT_EQ(cqe.user_data, next++); });
  }
}

// What polling is for: while both sides are awake neither submitting nor looking takes a call.
TEST_F(PolledRingTest, NeedsNoCallWhileTheThreadIsAwake) {
  bool without_a_call = false;
  while (!without_a_call) {
    ASSERT_TRUE(QueueNop(1));
    unsigned calls = 0;
    for (unsigned got = 0; got == 0; got = ring_->Drain([](const io_uring_cqe&) {})) {
      ASSERT_GE(ring_->SubmitAndWait(0), 0);
      calls += ring_->calls();
    }
    without_a_call = calls == 0;
  }
}

TEST_F(PolledRingTest, WaitingEndsAtItsDeadline) {
  int64_t before = base::NowNs();
  EXPECT_EQ(ring_->SubmitAndWait(5 * base::kNsPerMs), -ETIME);
  EXPECT_GE(base::NowNs() - before, 5 * base::kNsPerMs);
}

// The thread's CPU time is the process's, and is known of each ring.
TEST_F(PolledRingTest, TheThreadIsChargedToTheProcess) {
  const stats::CpuUsage thread_before = stats::ThreadCpuUsage();
  const stats::CpuUsage process_before = stats::ProcessCpuUsage();
  const int64_t poller_before = ring_->PollerCpuNs();
  constexpr int64_t kWorkNs = 20 * base::kNsPerMs;
  while (ring_->PollerCpuNs() - poller_before < kWorkNs) {
    ASSERT_TRUE(QueueNop(1));
    ring_->SubmitAndWait(base::kNever);
    ring_->Drain([](const io_uring_cqe&) {});
  }
  const int64_t ours_ns = (stats::ThreadCpuUsage() - thread_before).total_ns();
  const int64_t all_ns = (stats::ProcessCpuUsage() - process_before).total_ns();
  // getrusage counts in microseconds.
  EXPECT_GE(all_ns + 2 * base::kNsPerUs, ours_ns + kWorkNs);
}

// ---- Gathering -------------------------------------------------------------------------------

// Both ways of doing it: in one call, and by waiting twice.
TEST_F(KernelTest, GatheringWaitsForABatchAndThenForTheFirst) {
  constexpr int64_t kGatherNs = 20 * base::kNsPerMs;
  constexpr unsigned kMost = 4;
  for (bool by_kernel : {false, true}) {
    if (by_kernel && !ThisKernel().has.Has(FeatureId::kMinWait)) continue;
    auto made = MakeRing({}, ThisKernel());
    ASSERT_TRUE(made.ok()) << made.status();
    Ring& ring = **made;
    auto nops = [&](unsigned count) {
      for (; count > 0; --count) {
        io_uring_sqe* sqe = ring.GetSqe();
        io_uring_prep_nop(sqe);
        sqe->user_data = 0;
      }
    };
    auto wait = [&](int64_t timeout_ns) {
      int64_t before_ns = base::NowNs();
      int result = ring.SubmitAndGather(timeout_ns, {kGatherNs, kMost, by_kernel});
      EXPECT_TRUE(result >= 0 || result == -ETIME) << result;
      return base::NowNs() - before_ns;
    };
    auto drained = [&] { return ring.Drain([](const io_uring_cqe&) {}); };

    // One is there at once, but there may be more.
    nops(1);
    EXPECT_GE(wait(base::kNever), kGatherNs);
    EXPECT_EQ(ring.calls(), 1u);
    EXPECT_EQ(drained(), 1u);
    // A whole batch ends it: forever is not so long.
    nops(kMost);
    ring.SubmitAndGather(base::kNever, {3'600 * base::kNsPerSec, kMost, by_kernel});
    EXPECT_EQ(drained(), kMost);
    // Never beyond the deadline.
    nops(1);
    EXPECT_GE(wait(kGatherNs / 4), kGatherNs / 4);
    EXPECT_EQ(drained(), 1u);
    EXPECT_GE(wait(2 * kGatherNs), 2 * kGatherNs);
    EXPECT_EQ(drained(), 0u);
    // Nothing came within the time: then the first one counts.
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    const int64_t begin_ns = base::NowNs();
    std::thread late([&] {
      usleep(3 * kGatherNs / base::kNsPerUs);
      EXPECT_EQ(write(pair[1], "x", 1), 1);
    });
    char byte;
    io_uring_sqe* sqe = ring.GetSqe();
    io_uring_prep_rw(IORING_OP_RECV, sqe, pair[0], &byte, 1, 0);
    sqe->user_data = 0;
    wait(base::kNever);
    EXPECT_GE(base::NowNs() - begin_ns, 3 * kGatherNs);
    EXPECT_EQ(drained(), 1u);
    late.join();
    close(pair[0]);
    close(pair[1]);
  }
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

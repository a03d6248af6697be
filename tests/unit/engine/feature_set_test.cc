#include "engine/feature_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ringecho::engine {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using enum FeatureId;

FeatureRequest Parsed(const char* text) {
  absl::StatusOr<FeatureRequest> request = ParseFeatures(text);
  EXPECT_TRUE(request.ok()) << request.status();
  return request.value_or(FeatureRequest{});
}

TEST(FeatureSetTest, TheTableIsInTheOrderOfTheIds) {
  for (size_t i = 0; i < kFeatureTable.size(); ++i) {
    EXPECT_EQ(static_cast<size_t>(kFeatureTable[i].id), i);
    EXPECT_EQ(FeatureFromName(kFeatureTable[i].name), kFeatureTable[i].id);
  }
  EXPECT_EQ(FeatureFromName("list"), std::nullopt);
}

TEST(FeatureSetTest, SaysNothingByDefault) {
  FeatureRequest request;
  EXPECT_EQ(request.wanted, kDefaultFeatures);
  EXPECT_TRUE(request.required.empty());
  EXPECT_FALSE(request.asked);
}

TEST(FeatureSetTest, ParsesPresetsAdditionsAndRemovals) {
  EXPECT_EQ(Parsed("best").wanted, kDefaultFeatures);
  EXPECT_EQ(Parsed("baseline").wanted, kBaselineFeatures);
  EXPECT_EQ(Parsed("minimal").wanted, FeatureSet());
  EXPECT_TRUE(Parsed("best").required.empty());
  EXPECT_TRUE(Parsed("best").asked);

  FeatureRequest request = Parsed("minimal,+buffer_ring,+submit_all,-submit_all");
  EXPECT_EQ(request.wanted, FeatureSet{kBufferRing});
  EXPECT_EQ(request.required, FeatureSet{kBufferRing});
  EXPECT_EQ(Parsed("-multishot_recv").wanted, kDefaultFeatures - FeatureSet{kMultishotRecv});
}

TEST(FeatureSetTest, RefusesWhatItDoesNotKnow) {
  for (const char* text : {"", "bestest", "multishot_recv", "+", "+nothing", "best,", ",best",
                           "+best", "+buffer_ring baseline"}) {
    absl::StatusOr<FeatureRequest> request = ParseFeatures(text);
    ASSERT_FALSE(request.ok()) << text;
    EXPECT_THAT(std::string(request.status().message()), HasSubstr("takes best, baseline or"))
        << text;
  }
  EXPECT_THAT(std::string(ParseFeatures("+buffer_ring,minimal").status().message()),
              HasSubstr("takes a preset first"));
}

TEST(FeatureSetTest, RefusesContradictionsWithTheReason) {
  struct Case {
    const char* text;
    const char* says;
  };
  for (const Case& c : {
           Case{"+multishot_recv,-buffer_ring", "multishot_recv needs buffer_ring"},
           Case{"minimal,+defer_taskrun", "defer_taskrun needs single_issuer"},
           Case{"+coop_taskrun", "coop_taskrun excludes defer_taskrun; add -defer_taskrun"},
           Case{"+fixed_buffers", "fixed_buffers excludes buffer_ring; add -buffer_ring"},
           Case{"baseline,+vectored_send", "vectored_send needs buffer_ring; add +buffer_ring"},
           Case{"-multishot_recv,+recv_bundle", "recv_bundle needs multishot_recv; add"},
           Case{"+recv_bundle,-buffer_ring",
                "recv_bundle needs multishot_recv, which needs buffer_ring; add +buffer_ring"},
           Case{"+incremental_buffers", "excludes recv_bundle; add -recv_bundle"},
           Case{"+send_zc_fixed", "send_zc_fixed needs send_zc; add +send_zc"},
           Case{"baseline,+incremental_buffers", "incremental_buffers needs buffer_ring"},
           Case{"+sqpoll,+defer_taskrun",
                "defer_taskrun excludes sqpoll (whose thread makes the completions); add -sqpoll"},
           Case{"-defer_taskrun,+coop_taskrun,+sqpoll", "coop_taskrun excludes sqpoll (whose"},
           Case{"+sqpoll,+min_wait",
                "min_wait excludes sqpoll (with which some kernels oversleep)"},
           Case{"baseline,+poll_first", "poll_first needs buffer_ring; add +buffer_ring"},
       }) {
    absl::StatusOr<FeatureRequest> request = ParseFeatures(c.text);
    ASSERT_FALSE(request.ok()) << c.text;
    EXPECT_THAT(std::string(request.status().message()), HasSubstr(c.says));
  }
  // Switching off what a default feature needs is no contradiction.
  EXPECT_TRUE(ParseFeatures("-buffer_ring").ok());
  EXPECT_TRUE(ParseFeatures("-defer_taskrun,+coop_taskrun").ok());
  EXPECT_TRUE(ParseFeatures("+send_zc,+send_zc_fixed").ok());
  // Nor is what cannot come into use itself.
  EXPECT_TRUE(ParseFeatures("-multishot_recv,+incremental_buffers").ok());
  EXPECT_TRUE(ParseFeatures("-single_issuer,+coop_taskrun").ok());
  EXPECT_TRUE(ParseFeatures("-recv_bundle,+incremental_buffers").ok());
  // What is only on by default gives way.
  EXPECT_TRUE(ParseFeatures("+sqpoll").ok());
}

TEST(FeatureSetTest, WhatCostsSomethingEverywhereIsOff) {
  EXPECT_EQ(kAllFeatures - kDefaultFeatures, kOffByDefault);
  EXPECT_EQ(Parsed("+poll_first").wanted, kDefaultFeatures | FeatureSet{kPollFirst});
}

FeaturePlan Dropped(FeatureSet wanted) {
  FeaturePlan plan;
  plan.use = wanted;
  DropUnusable(plan);
  return plan;
}

std::string Why(const FeaturePlan& plan, FeatureId id) {
  return plan.why_not[static_cast<size_t>(id)];
}

TEST(FeatureSetTest, DropsWhatTheRestLeavesNoUseFor) {
  FeaturePlan best = Dropped(kDefaultFeatures);
  EXPECT_EQ(best.use, kDefaultFeatures - FeatureSet({kCoopTaskrun, kFixedBuffers}));
  EXPECT_EQ(Why(best, kCoopTaskrun), "defer_taskrun takes its place");
  EXPECT_EQ(Why(best, kFixedBuffers), "buffer_ring takes its place");

  FeaturePlan one_shot = Dropped(kDefaultFeatures - FeatureSet{kBufferRing});
  EXPECT_FALSE(one_shot.use.Has(kMultishotRecv));
  EXPECT_FALSE(one_shot.use.Has(kVectoredSend));
  EXPECT_FALSE(one_shot.use.Has(kRecvBundle)) << "what it needs needs something, too";
  EXPECT_TRUE(one_shot.use.Has(kFixedBuffers));
  EXPECT_EQ(Why(one_shot, kMultishotRecv), "needs buffer_ring");

  FeaturePlan polled = Dropped(kDefaultFeatures | FeatureSet{kSqpoll});
  EXPECT_TRUE(polled.use.Has(kSqpoll));
  for (FeatureId id : {kDeferTaskrun, kCoopTaskrun, kMinWait}) {
    EXPECT_FALSE(polled.use.Has(id)) << Info(id).name;
    EXPECT_THAT(Why(polled, id), StartsWith("sqpoll (")) << Info(id).name;
    EXPECT_THAT(Why(polled, id), EndsWith(") excludes it")) << Info(id).name;
  }
  EXPECT_TRUE(polled.use.Has(kSingleIssuer));

  FeaturePlan shared = Dropped(kDefaultFeatures - FeatureSet{kSingleIssuer});
  EXPECT_FALSE(shared.use.Has(kDeferTaskrun));
  EXPECT_TRUE(shared.use.Has(kCoopTaskrun));
}

TEST(FeatureSetTest, WithMakesAFeatureUsable) {
  for (const FeatureInfo& info : kFeatureTable) {
    EXPECT_TRUE(Dropped(With(kDefaultFeatures, info.id)).use.Has(info.id)) << info.name;
    EXPECT_TRUE(Dropped(With({}, info.id)).use.Has(info.id)) << info.name;
  }
  EXPECT_EQ(With({}, kRecvBundle), FeatureSet({kBufferRing, kMultishotRecv, kRecvBundle}));
  EXPECT_FALSE(With(kDefaultFeatures, kIncrementalBuffers).Has(kRecvBundle));
}

}  // namespace
}  // namespace ringecho::engine

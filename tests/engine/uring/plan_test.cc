// From what was asked for and what a kernel has to what is used; the kernels are made up.
#include "engine/uring/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "engine/uring/compat.h"

namespace ringecho::engine::uring {
namespace {

using ::testing::HasSubstr;
using enum FeatureId;

Capabilities KernelWith(FeatureSet has) {
  Capabilities caps;
  caps.available = true;
  caps.has = has;
  return caps;
}

Options Asking(const char* features) {
  Options options;
  options.features = *ParseFeatures(features);
  return options;
}

const Feature& Find(const Features& features, FeatureId id) {
  return features[static_cast<size_t>(id)];
}

std::string WhyRefused(const Options& options, const Capabilities& caps) {
  return std::string(CheckRequired(options.features, PlanFeatures(options, caps)).message());
}

TEST(PlanTest, SqpollTakesThePlaceOfTheTaskrunFlags) {
  Options options = Asking("+sqpoll");
  FeaturePlan plan = PlanFeatures(options, KernelWith(kAllFeatures));
  EXPECT_TRUE(CheckRequired(options.features, plan).ok());
  unsigned flags = SetupFlags(plan.use);
  EXPECT_NE(flags & IORING_SETUP_SQPOLL, 0u);
  EXPECT_NE(flags & IORING_SETUP_SINGLE_ISSUER, 0u);
  EXPECT_EQ(flags & (IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN), 0u);
  Features told = DescribePlan(options.features, plan);
  EXPECT_TRUE(Find(told, kSqpoll).requested && Find(told, kSqpoll).effective);
  EXPECT_TRUE(Find(told, kDeferTaskrun).requested) << "by default";
  EXPECT_THAT(Find(told, kDeferTaskrun).why_not, HasSubstr("excludes it"));

  Capabilities without = KernelWith(kAllFeatures - FeatureSet{kSqpoll});
  EXPECT_TRUE(PlanFeatures(options, without).use.Has(kDeferTaskrun));
  EXPECT_THAT(WhyRefused(options, without), HasSubstr("sqpoll cannot be used: this kernel does"));
}

TEST(PlanTest, NoSqarrayNeedsALiburingThatKnowsIt) {
  FeaturePlan plan = PlanFeatures({}, KernelWith(kDefaultFeatures));
  EXPECT_NE(SetupFlags(plan.use) & IORING_SETUP_NO_SQARRAY, 0u);
  if (kLiburingHasNoSqarray || !ThisKernel().available) return;
  plan = PlanFeatures({}, ThisKernel());
  EXPECT_FALSE(plan.use.Has(kNoSqarray));
  EXPECT_EQ(plan.why_not[static_cast<size_t>(kNoSqarray)],
            "needs liburing 2.5, and this program was built with an older one");
}

TEST(PlanTest, MinWaitIsUsedByBatchesOnly) {
  Capabilities caps = KernelWith(kAllFeatures);
  Options options = Asking("+min_wait");
  EXPECT_THAT(WhyRefused(options, caps), HasSubstr("only --wait batch:TIME waits so"));
  options.wait.gather_ns = 20 * base::kNsPerUs;
  EXPECT_TRUE(PlanFeatures(options, caps).use.Has(kMinWait));

  FeaturePlan blocking = PlanFeatures({}, caps);
  EXPECT_FALSE(blocking.use.Has(kMinWait));
  EXPECT_TRUE(Find(DescribePlan({}, blocking), kMinWait).requested);
  EXPECT_EQ(Find(DescribePlan({}, blocking), kMinWait).why_not, "only --wait batch:TIME waits so");

  Options old;
  old.wait.gather_ns = 20 * base::kNsPerUs;
  FeaturePlan without = PlanFeatures(old, KernelWith(kAllFeatures - FeatureSet{kMinWait}));
  Features told = DescribePlan({}, without);
  EXPECT_TRUE(Find(told, kMinWait).requested);
  EXPECT_EQ(Find(told, kMinWait).why_not, "this kernel does not have it");
}

TEST(PlanTest, WhatARoleHasNoUseForIsDeclinedWithItsReason) {
  Options options = Asking("best");
  options.no_use[static_cast<size_t>(kMultishotAccept)] = "nothing is accepted";
  FeaturePlan plan = PlanFeatures(options, KernelWith(kAllFeatures));
  EXPECT_FALSE(plan.use.Has(kMultishotAccept));
  Features told = DescribePlan(options.features, plan);
  EXPECT_TRUE(Find(told, kMultishotAccept).requested);
  EXPECT_EQ(Find(told, kMultishotAccept).why_not, "nothing is accepted");
  EXPECT_EQ(Find(told, kSendZc).why_not, "") << "nobody wanted it";
}

// Whatever a kernel has: who reads a result finds all that was asked for in use or declined.
TEST(PlanTest, EverythingWantedIsInUseOrDeclinedWithAReason) {
  for (const char* asked : {"best", "baseline", "+sqpoll", "+direct_descriptors", "-buffer_ring",
                            "-single_issuer", "-recv_bundle,+incremental_buffers"}) {
    for (FeatureSet has :
         {kAllFeatures, kDefaultFeatures - FeatureSet{kBufferRing}, FeatureSet()}) {
      Options options = Asking(asked);
      Features told = DescribePlan(options.features, PlanFeatures(options, KernelWith(has)));
      for (const FeatureInfo& info : kFeatureTable) {
        const Feature& feature = Find(told, info.id);
        EXPECT_EQ(feature.requested, options.features.wanted.Has(info.id)) << asked << info.name;
        EXPECT_EQ(feature.requested && !feature.effective, !feature.why_not.empty())
            << asked << " " << info.name;
      }
    }
  }
}

TEST(PlanTest, WhatIsOffByDefaultIsUsedWhenNamed) {
  Capabilities caps = KernelWith(kAllFeatures);
  for (FeatureId id : {kPollFirst, kNapi}) {
    EXPECT_FALSE(PlanFeatures({}, caps).use.Has(id)) << Info(id).name;
    std::string text = "+" + std::string(Info(id).name);
    EXPECT_TRUE(PlanFeatures(Asking(text.c_str()), caps).use.Has(id)) << text;
    EXPECT_THAT(WhyRefused(Asking(text.c_str()), KernelWith(kDefaultFeatures)),
                HasSubstr("this kernel does not have it"));
  }
}

}  // namespace
}  // namespace ringecho::engine::uring

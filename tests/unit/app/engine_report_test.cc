#include "app/engine_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ringecho::app {
namespace {

engine::Feature Asked(bool effective, const char* why_not = "") {
  return {.name = "fixed_buffers", .requested = true, .effective = effective, .why_not = why_not};
}

TEST(InAll, IsWhatOneHas) {
  EXPECT_TRUE(InAll({{Asked(true)}})[0].effective);
  EXPECT_EQ(InAll({{Asked(false, "no memory")}})[0].why_not, "no memory");
}

TEST(InAll, AFeatureThatOneLacksIsNotInUse) {
  for (const auto& engines :
       {std::vector<engine::Features>{{Asked(true)}, {Asked(false, "short")}},
        std::vector<engine::Features>{{Asked(false, "short")}, {Asked(true)}}}) {
    const engine::Feature feature = InAll(engines)[0];
    EXPECT_FALSE(feature.effective);
    EXPECT_EQ(feature.why_not, "1 of 2 threads: short");
  }
}

TEST(InAll, TellsTheReasonOfAllOnce) {
  EXPECT_EQ(InAll({{Asked(false, "too old")}, {Asked(false, "too old")}})[0].why_not, "too old");
}

TEST(InAll, WhatNobodyAskedForNeedsNoReason) {
  engine::Feature unasked{.name = "napi", .requested = false, .effective = false, .why_not = ""};
  engine::Feature used = unasked;
  used.effective = true;
  EXPECT_EQ(InAll({{unasked}, {used}})[0].why_not, "");
}

}  // namespace
}  // namespace ringecho::app

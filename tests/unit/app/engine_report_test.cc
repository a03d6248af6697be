#include "app/engine_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ringecho::app {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Pair;

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

report::NamedValues Buffers(engine::EngineKind kind, int64_t asked_bytes,
                            const engine::Features& features = {}) {
  report::NamedValues out;
  DescribeBuffers(kind, features, 0, asked_bytes, out);
  return out;
}

TEST(DescribeBuffers, SaysWhatWasAskedAndWhatCameOfIt) {
  const auto requested = [](int64_t bytes) {
    return Contains(Pair("buffer_size_requested_bytes", report::Value(bytes)));
  };
  const auto used = [](int64_t bytes) {
    return Contains(Pair("buffer_size_bytes", report::Value(bytes)));
  };
  const engine::Features ring = {
      {.name = "buffer_ring", .requested = true, .effective = true, .why_not = ""}};
  EXPECT_THAT(Buffers(engine::EngineKind::kUring, 0, ring), AllOf(requested(0), used(4096)));
  EXPECT_THAT(Buffers(engine::EngineKind::kUring, 0), AllOf(requested(0), used(65536)));
  EXPECT_THAT(Buffers(engine::EngineKind::kEpoll, 0), AllOf(requested(0), used(65536)));
  EXPECT_THAT(Buffers(engine::EngineKind::kUring, 65536), AllOf(requested(65536), used(65536)));
}

}  // namespace
}  // namespace ringecho::app

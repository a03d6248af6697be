#include "engine/choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ringecho::engine {
namespace {

using ::testing::HasSubstr;

const UringStatus kThere = {
    .available = true, .resources_short = false, .why_not = "", .why_not_id = ""};
const UringStatus kDenied = {.available = false,
                             .resources_short = false,
                             .why_not = "a filter denies it",
                             .why_not_id = "seccomp"};
const UringStatus kShort = {.available = false,
                            .resources_short = true,
                            .why_not = "descriptors are short",
                            .why_not_id = "out_of_resources"};

TEST(ChoiceTest, AutoTakesIoUringWhereItIs) {
  auto choice = ChooseEngine(EngineKind::kAuto, kThere);
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->kind, EngineKind::kUring);
  EXPECT_EQ(choice->absence, "");
}

TEST(ChoiceTest, AutoFallsBackAndSaysWhy) {
  auto choice = ChooseEngine(EngineKind::kAuto, kDenied);
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->kind, EngineKind::kEpoll);
  EXPECT_EQ(choice->absence, "seccomp");
  EXPECT_THAT(choice->reason, HasSubstr("a filter denies it"));
}

TEST(ChoiceTest, AShortageIsNeverTakenForAbsence) {
  auto choice = ChooseEngine(EngineKind::kAuto, kShort);
  ASSERT_FALSE(choice.ok());
  EXPECT_THAT(std::string(choice.status().message()), HasSubstr("descriptors are short"));
}

TEST(ChoiceTest, AnEngineAskedForByNameIsThatOneOrAnError) {
  EXPECT_EQ(ChooseEngine(EngineKind::kEpoll, kThere)->kind, EngineKind::kEpoll);
  EXPECT_EQ(ChooseEngine(EngineKind::kEpoll, kShort)->kind, EngineKind::kEpoll);
  EXPECT_EQ(ChooseEngine(EngineKind::kUring, kThere)->kind, EngineKind::kUring);
  auto denied = ChooseEngine(EngineKind::kUring, kDenied);
  EXPECT_EQ(denied.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(denied.status().message()), HasSubstr("a filter denies it"));
}

TEST(ChoiceTest, NamesGoBothWays) {
  for (EngineKind kind : {EngineKind::kAuto, EngineKind::kUring, EngineKind::kEpoll}) {
    EXPECT_EQ(EngineFromName(EngineName(kind)), kind);
  }
  EXPECT_FALSE(EngineFromName("iouring"));
}

}  // namespace
}  // namespace ringecho::engine

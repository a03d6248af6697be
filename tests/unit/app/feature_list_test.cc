#include "app/feature_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_split.h"

namespace ringecho::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(FeatureListTest, HasEveryFeatureOnceIn80Columns) {
  std::string text = FeatureListText({engine::FeatureId::kBufferRing}, {}, "");
  for (const engine::FeatureInfo& info : engine::kFeatureTable) {
    EXPECT_THAT(text, HasSubstr("\n" + std::string(info.name) + " "));
    EXPECT_THAT(text, HasSubstr(std::string(info.what)));
  }
  for (absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_THAT(text, HasSubstr("buffer_ring         5.19   yes   on\n"));
  EXPECT_THAT(text, HasSubstr("multishot_recv      6.0    no    on\n"));
  EXPECT_THAT(text, HasSubstr("sqpoll              5.11   no    off\n"));
  EXPECT_THAT(text, HasSubstr("no_sqarray          6.6    no    on\n"));
  EXPECT_THAT(text, HasSubstr("poll_first          5.19   no    off\n"));
  EXPECT_THAT(text, HasSubstr("min_wait            6.12   no    on\n"));
  EXPECT_THAT(text, HasSubstr("napi                6.9    no    off\n"));
  EXPECT_THAT(text, HasSubstr("cannot help on loopback"));
  EXPECT_THAT(text, Not(HasSubstr("not available")));
  EXPECT_THAT(text, Not(HasSubstr("not here")));
}

TEST(FeatureListTest, SaysWhyOneIsNotHereIn80Columns) {
  engine::FeatureReasons why_not;
  for (std::string& reason : why_not) {
    reason =
        "this kernel's fails its self-test: a receive of so many bytes that it needs a second "
        "line ended with -105";
  }
  std::string text = FeatureListText({engine::FeatureId::kBufferRing}, why_not, "");
  for (absl::string_view line : absl::StrSplit(text, '\n')) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_THAT(text, HasSubstr("no use when it fits in one\n"
                              "    not here: this kernel's fails its self-test: a receive of so "
                              "many bytes that\n      it needs a second line ended with -105\n"));
  EXPECT_THAT(text, HasSubstr("hold none\nfixed_buffers")) << "buffer_ring is here";
}

TEST(FeatureListTest, SaysWhyThereIsNone) {
  EXPECT_THAT(FeatureListText({}, {}, "seccomp"),
              HasSubstr("io_uring is not available: seccomp\n"));
}

}  // namespace
}  // namespace ringecho::app

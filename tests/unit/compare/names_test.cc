#include "compare/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ringecho::compare {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Names = std::vector<std::string>;

Names Short(const Names& names) {
  Names legend;
  Names out = ShortNames(names, legend);
  EXPECT_THAT(legend, IsEmpty());
  for (const std::string& name : out) EXPECT_LE(Width(name), 24U);
  return out;
}

TEST(Width, CountsCharacters) {
  EXPECT_EQ(Width("abc"), 3U);
  EXPECT_EQ(Width("\u00e4\u20ac\U0001f600"), 3U);
  EXPECT_EQ(Head("\u00e4\u20ac\U0001f600", 2), "\u00e4\u20ac");
  EXPECT_EQ(Head("ab", 0), "");
  EXPECT_EQ(Head("ab", 9), "ab");
}

TEST(ShortNames, AreTheNamesWhereTheseAreShort) {
  EXPECT_THAT(Short({"bench/a", "bench/b"}), ElementsAre("bench/a", "bench/b"));
}

TEST(ShortNames, LackWhatIsCommonToAll) {
  EXPECT_THAT(Short({"bench_results/20261123T081642Z-6.18.44-engines",
                     "bench_results/20261123T081643Z-6.18.44-engines"}),
              ElementsAre("..20261123T081642Z..", "..20261123T081643Z.."));
  EXPECT_THAT(Short({"bench_results/a_long_folder/base", "bench_results/a_long_folder/new"}),
              ElementsAre("..base", "..new"));
  // One that would be nothing without it.
  EXPECT_THAT(Short({"bench_results/one_more_folder-", "bench_results/one_more_folder-x"}),
              ElementsAre("..sults/one_more_folder-", "..ults/one_more_folder-x"));
}

TEST(ShortNames, AreTheEndOfWhatIsLongAllTheSame) {
  EXPECT_THAT(Short({"epoll", "-recv_bundle,+incremental_buffers"}),
              ElementsAre("epoll", "..e,+incremental_buffers"));
  EXPECT_THAT(Short({"a\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20acbcdefghijklmnop"}),
              ElementsAre("..\u20ac\u20ac\u20ac\u20ac\u20ac\u20ac\u20acbcdefghijklmnop"));
}

TEST(ShortNames, AreNumberedWhereTheirEndsAreEqual) {
  const std::string end(30, 'x');
  Names legend;
  const Names names = ShortNames({"a" + end, "b" + end}, legend);
  EXPECT_THAT(names, ElementsAre("#1 .." + end.substr(0, 19), "#2 .." + end.substr(0, 19)));
  EXPECT_THAT(legend, ElementsAre("#1 is a" + end, "#2 is b" + end));
}

}  // namespace
}  // namespace ringecho::compare

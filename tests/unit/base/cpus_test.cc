#include "base/cpus.h"

#include <gtest/gtest.h>

#include <thread>

namespace ringecho::base {
namespace {

TEST(CpusTest, ParsesTheKernelsListFormat) {
  EXPECT_EQ(*ParseCpuList("0"), (std::vector<int>{0}));
  EXPECT_EQ(*ParseCpuList("3,0-2"), (std::vector<int>{3, 0, 1, 2}));
  EXPECT_EQ(*ParseCpuList("10-10"), (std::vector<int>{10}));
}

TEST(CpusTest, RefusesNonsense) {
  for (const char* text :
       {"", ",", "a", "1-", "-1", "2-1", "1,1", "0-3,2", "1024", "1-2-3", "1 2"}) {
    EXPECT_FALSE(ParseCpuList(text).ok()) << text;
  }
}

TEST(CpusTest, FormatsRanges) {
  EXPECT_EQ(FormatCpuList({}), "");
  EXPECT_EQ(FormatCpuList({4}), "4");
  EXPECT_EQ(FormatCpuList({0, 2, 3}), "0,2-3");
  EXPECT_EQ(FormatCpuList({0, 1, 2, 5}), "0-2,5");
}

TEST(CpusTest, PinsTheCallingThreadOnly) {
  std::vector<int> before = AllowedCpus();
  ASSERT_FALSE(before.empty());
  std::thread([&] {
    EXPECT_TRUE(PinThread({before.back()}).ok());
    EXPECT_EQ(AllowedCpus(), (std::vector<int>{before.back()}));
  }).join();
  EXPECT_EQ(AllowedCpus(), before);
}

TEST(CpusTest, ACpuThatIsNotThereIsAnError) {
  absl::Status status = PinThread({AllowedCpus().front(), 1000});
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find("CPU 1000 is not available"), std::string::npos) << status;
}

}  // namespace
}  // namespace ringecho::base

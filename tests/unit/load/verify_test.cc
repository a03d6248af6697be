#include "load/verify.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringecho::load {
namespace {

TEST(VerifyTest, FindsTheFirstWrongByteWhereverItIs) {
  const std::vector<std::byte> sent(200, std::byte{7});
  EXPECT_TRUE(Matches(sent.data(), sent));
  EXPECT_EQ(MatchingBytes(sent.data(), sent), 200u);
  for (size_t at = 0; at < sent.size(); ++at) {
    std::vector<std::byte> got = sent;
    got[at] = std::byte{8};
    EXPECT_FALSE(Matches(sent.data(), got)) << at;
    EXPECT_EQ(MatchingBytes(sent.data(), got), at);
  }
}

}  // namespace
}  // namespace ringecho::load

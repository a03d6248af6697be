#include "engine/uring/copied_backlog.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

#include "engine/defaults.h"

namespace ringecho::engine::uring {
namespace {

void Append(CopiedBacklog& backlog, std::string_view text) {
  backlog.Append(std::as_bytes(std::span(text)));
}

std::string Rest(const CopiedBacklog& backlog) {
  const auto rest = backlog.rest();
  return {reinterpret_cast<const char*>(rest.data()), rest.size()};
}

TEST(CopiedBacklogTest, IsSentInOrder) {
  CopiedBacklog backlog;
  EXPECT_EQ(Rest(backlog), "");
  Append(backlog, "abcdef");
  backlog.Sent(1);
  EXPECT_EQ(Rest(backlog), "bcdef");
  Append(backlog, "gh");
  EXPECT_EQ(Rest(backlog), "bcdefgh");
  backlog.Sent(5);
  Append(backlog, "i");
  EXPECT_EQ(Rest(backlog), "ghi");
  backlog.Sent(3);
  EXPECT_EQ(Rest(backlog), "");
}

TEST(CopiedBacklogTest, DoesNotGrowByWhatIsSent) {
  CopiedBacklog backlog;
  const std::string piece(100, 'x');
  for (int i = 0; i < 10; ++i) Append(backlog, piece);
  for (int i = 0; i < 10'000; ++i) {
    backlog.Sent(piece.size());
    Append(backlog, piece);
    ASSERT_EQ(backlog.rest().size(), 10 * piece.size());
    ASSERT_LE(backlog.kept(), 20 * piece.size());
  }
}

TEST(CopiedBacklogTest, AtOnceIsA256thOfThePoolAndNeverNothing) {
  EXPECT_EQ(SpillAtOnce(kDefaultBuffers), 16U);
  EXPECT_EQ(SpillAtOnce(1024), 4U);
  EXPECT_EQ(SpillAtOnce(1), 2U);
}

}  // namespace
}  // namespace ringecho::engine::uring

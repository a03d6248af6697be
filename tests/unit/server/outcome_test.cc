#include "server/outcome.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"

namespace ringecho::server {
namespace {

using ::testing::Contains;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;

net::Address Parse(const char* text) { return *net::ResolveOne(text, 1); }

TEST(OutcomeTest, NamesTransportsOnce) {
  EXPECT_EQ(TransportName({Parse("127.0.0.1:1")}), "tcp4");
  EXPECT_EQ(TransportName({Parse("unix:/tmp/x"), Parse("[::1]:1"), Parse("127.0.0.1:1"),
                           Parse("127.0.0.1:2")}),
            "tcp4+tcp6+unix");
}

TEST(OutcomeTest, AddsUpWorkersAndKeepsOrderlyEndsOutOfTheErrors) {
  HandlerCounters first;
  HandlerCounters second;
  first.messages.Add(3);
  second.messages.Add(4);
  first.open_max.Add(10);
  second.open_max.Add(5);
  first.closed[static_cast<size_t>(engine::CloseReason::kEof)].Add(7);
  second.closed[static_cast<size_t>(engine::CloseReason::kReset)].Add(2);
  engine::Counters counters;
  counters.accepted.Add(20);
  counters.bytes_received.Add(640);
  counters.syscalls.Add(14);

  Outcome outcome(first, counters);
  outcome += Outcome(second, engine::Counters{});
  report::Result result;
  FillOutcome(outcome, outcome, 2 * base::kNsPerSec, result);
  EXPECT_EQ(result.totals.messages, 7);
  EXPECT_EQ(result.totals.messages_per_s, 3.5);
  EXPECT_EQ(result.totals.bytes_per_s, 320);
  EXPECT_EQ(result.totals.connections, 20);
  EXPECT_EQ(result.totals.connections_open_max, 15);
  EXPECT_THAT(result.errors, Contains(Pair("reset", 2)));
  EXPECT_THAT(result.errors, Not(Contains(Key("eof"))));
  EXPECT_THAT(result.engine_stats, Contains(Key("syscalls_per_message")));
}

TEST(OutcomeTest, NothingMeasuredIsNoDivisionByZero) {
  report::Result result;
  FillOutcome(Outcome{}, Outcome{}, 0, result);
  EXPECT_EQ(result.totals.messages_per_s, 0);
  EXPECT_THAT(result.engine_stats, Not(Contains(Key("syscalls_per_message"))));
}

}  // namespace
}  // namespace ringecho::server

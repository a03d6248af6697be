#include "server/echo_handler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>
#include <vector>

#include "base/clock.h"
#include "stats/intervals.h"

namespace ringecho::server {
namespace {

using engine::CloseReason;
using engine::ConnId;
using engine::Verdict;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

// Writes down what the handler asks for.
struct FakeEngine {
  // Of one that is closing it is nothing new.
  void Close(ConnId id, CloseReason reason) {
    if (closing.insert(id.slot).second) closed.emplace_back(id.slot, reason);
  }
  void Finish(ConnId id, CloseReason reason) { finished.emplace_back(id.slot, reason); }
  std::optional<int64_t> Undelivered(ConnId) const { return undelivered; }
  void StopListening() { listening = false; }
  void Exit() { exited = true; }
  const engine::Counters& counters() const { return counts; }

  engine::Counters counts;
  std::set<uint32_t> closing;
  std::vector<std::pair<uint32_t, CloseReason>> closed;
  std::vector<std::pair<uint32_t, CloseReason>> finished;
  bool listening = true;
  std::optional<int64_t> undelivered = 0;
  bool exited = false;
};

class EchoHandlerTest : public ::testing::Test {
 protected:
  void Make(HandlerOptions options = {}) {
    options.max_connections = 8;
    options.control = &control_;
    handler_ = std::make_unique<EchoHandler>(options,
                                             IntervalPoster(board_, 0, start_ns_, base::kNsPerSec));
  }

  void Open(uint32_t slot) {
    engine_.closing.erase(slot);
    handler_->OnOpen(engine_, {slot, 0});
  }
  void Close(uint32_t slot, CloseReason reason) { handler_->OnClosed(engine_, {slot, 0}, reason); }
  // As an engine does after the events of a batch.
  void EndBatch() {
    int64_t now_ns = base::NowNs();
    if (handler_->NextDeadline() <= now_ns) handler_->OnDeadline(engine_, now_ns);
  }
  Verdict Data(uint32_t slot, size_t bytes) {
    std::vector<std::byte> data(bytes);
    return handler_->OnData(engine_, {slot, 0}, data);
  }

  const int64_t start_ns_ = base::NowNs();
  stats::IntervalBoard board_{1};
  Control control_;
  FakeEngine engine_;
  std::unique_ptr<EchoHandler> handler_;
};

TEST_F(EchoHandlerTest, EchoesEverythingAndCounts) {
  Make();
  Open(0);
  EXPECT_EQ(Data(0, 5), Verdict::kEcho);
  EXPECT_EQ(Data(0, 7), Verdict::kEcho);
  EXPECT_EQ(handler_->counters().messages.Get(), 2u);
  EXPECT_EQ(handler_->counters().bytes.Get(), 12u);
}

TEST_F(EchoHandlerTest, CountsEveryEndByItsReasonAndTheMostConnections) {
  Make();
  for (uint32_t slot = 0; slot < 3; ++slot) Open(slot);
  Close(0, CloseReason::kEof);
  Close(1, CloseReason::kReset);
  Open(0);
  EXPECT_EQ(handler_->counters().open.Get(), 2u);
  EXPECT_EQ(handler_->counters().open_max.Get(), 3u);
  EXPECT_EQ(handler_->counters().closed[static_cast<size_t>(CloseReason::kEof)].Get(), 1u);
  EXPECT_EQ(handler_->counters().closed[static_cast<size_t>(CloseReason::kReset)].Get(), 1u);
}

TEST_F(EchoHandlerTest, ClosesOnlyConnectionsThatHaveBeenIdleForSoLong) {
  Make({.idle_timeout_ns = 10 * base::kNsPerSec});
  Open(0);
  Open(1);
  int64_t opened = base::NowNs();
  handler_->OnDeadline(engine_, opened + 9 * base::kNsPerSec);
  EXPECT_THAT(engine_.closed, IsEmpty());
  handler_->OnDeadline(engine_, opened + 12 * base::kNsPerSec);
  EXPECT_THAT(engine_.closed,
              ElementsAre(Pair(0, CloseReason::kTimeout), Pair(1, CloseReason::kTimeout)));
}

TEST_F(EchoHandlerTest, ASlowReaderIsNotIdle) {
  Make({.idle_timeout_ns = base::kNsPerSec});
  Open(0);
  int64_t now = base::NowNs();
  for (int i = 1; i <= 5; ++i) {
    engine_.undelivered = 1000 - i;
    handler_->OnDeadline(engine_, now += 1100 * base::kNsPerMs);
    EXPECT_THAT(engine_.closed, IsEmpty()) << i;
  }
  handler_->OnDeadline(engine_, now += 1100 * base::kNsPerMs);
  EXPECT_THAT(engine_.closed, ElementsAre(Pair(0, CloseReason::kTimeout)))
      << "one that has stopped reading is";
}

TEST_F(EchoHandlerTest, WhatIsOwedMayBecomeKnownLater) {
  Make({.idle_timeout_ns = base::kNsPerSec});
  Open(0);
  engine_.undelivered = std::nullopt;
  int64_t now = base::NowNs() + 1100 * base::kNsPerMs;
  handler_->OnDeadline(engine_, now);
  EXPECT_THAT(engine_.closed, IsEmpty());
  EXPECT_LE(handler_->NextDeadline(), now + EchoHandler::kAskAgainNs) << "asked again soon";
  engine_.undelivered = 0;
  handler_->OnDeadline(engine_, now + EchoHandler::kAskAgainNs);
  EXPECT_THAT(engine_.closed, ElementsAre(Pair(0, CloseReason::kTimeout)));
}

TEST_F(EchoHandlerTest, DrainingWaitsForThoseWhoAreOwedSomething) {
  Make();
  Open(0);
  control_.Give(Order::kDrain);
  handler_->OnWake(engine_);
  engine_.undelivered = 1;
  int64_t now = base::NowNs();
  handler_->OnDeadline(engine_, now + 2 * EchoHandler::kDrainIdleNs);
  EXPECT_THAT(engine_.finished, IsEmpty());
  engine_.undelivered = 0;
  handler_->OnDeadline(engine_, now + 4 * EchoHandler::kDrainIdleNs);
  EXPECT_THAT(engine_.finished, ElementsAre(Pair(0, CloseReason::kLocal)));
}

TEST_F(EchoHandlerTest, WithoutAnIdleTimeoutConnectionsMayIdleForEver) {
  Make();
  Open(0);
  handler_->OnDeadline(engine_, base::NowNs() + 1000 * base::kNsPerSec);
  EXPECT_THAT(engine_.closed, IsEmpty());
}

TEST_F(EchoHandlerTest, ASlotReusedIsWatchedAfresh) {
  Make({.idle_timeout_ns = base::kNsPerSec});
  Open(0);
  Close(0, CloseReason::kEof);
  handler_->OnDeadline(engine_, base::NowNs() + 2 * base::kNsPerSec);
  EXPECT_THAT(engine_.closed, IsEmpty());
}

TEST_F(EchoHandlerTest, TellsOnceThatItDrainsBeforeAnythingIsLetGo) {
  std::vector<size_t> finished_when_told;
  HandlerOptions options;
  options.on_drain = [&] { finished_when_told.push_back(engine_.finished.size()); };
  Make(options);
  Open(0);
  handler_->OnWake(engine_);
  EXPECT_THAT(finished_when_told, IsEmpty());
  control_.Give(Order::kDrain);
  handler_->OnWake(engine_);
  handler_->OnWake(engine_);
  handler_->OnDeadline(engine_, base::NowNs() + 2 * EchoHandler::kDrainIdleNs);
  EXPECT_THAT(finished_when_told, ElementsAre(0));
}

TEST_F(EchoHandlerTest, DrainingStopsListeningAndEndsAtOnceWhenNobodyIsThere) {
  Make();
  control_.Give(Order::kDrain);
  handler_->OnWake(engine_);
  EXPECT_FALSE(engine_.listening);
  EndBatch();
  EXPECT_TRUE(engine_.exited);
}

TEST_F(EchoHandlerTest, DrainingServesWhoeverIsToldOfInTheSameBatch) {
  Make();
  control_.Give(Order::kDrain);
  handler_->OnWake(engine_);
  Open(0);
  EndBatch();
  EXPECT_FALSE(engine_.exited);
  Close(0, CloseReason::kEof);
  Open(1);
  EndBatch();
  EXPECT_FALSE(engine_.exited);
  Close(1, CloseReason::kEof);
  EndBatch();
  EXPECT_TRUE(engine_.exited);
}

TEST_F(EchoHandlerTest, DrainingFinishesIdleConnectionsAndEndsWithTheLast) {
  Make();
  Open(0);
  control_.Give(Order::kDrain);
  handler_->OnWake(engine_);
  EXPECT_FALSE(engine_.exited);
  handler_->OnDeadline(engine_, base::NowNs() + 2 * EchoHandler::kDrainIdleNs);
  EXPECT_THAT(engine_.finished, ElementsAre(Pair(0, CloseReason::kLocal)));
  EXPECT_FALSE(engine_.exited);
  Close(0, CloseReason::kLocal);
  EndBatch();
  EXPECT_TRUE(engine_.exited);
}

TEST_F(EchoHandlerTest, DrainingServesABusyConnectionUntilTheGraceIsOver) {
  Make();
  Open(0);
  control_.Give(Order::kDrain);
  handler_->OnWake(engine_);
  int64_t now = base::NowNs();
  Data(0, 1);
  handler_->OnDeadline(engine_, now + EchoHandler::kDrainIdleNs / 2);
  EXPECT_THAT(engine_.finished, IsEmpty());
  EXPECT_THAT(engine_.closed, IsEmpty());
  handler_->OnDeadline(engine_, now + EchoHandler::kDrainGraceNs + base::kNsPerMs);
  EXPECT_THAT(engine_.closed, ElementsAre(Pair(0, CloseReason::kInterrupted)));
  EXPECT_FALSE(engine_.exited);
  handler_->OnDeadline(engine_, now + EchoHandler::kDrainLastNs + base::kNsPerMs);
  EXPECT_TRUE(engine_.exited) << "even when the engine cannot close it";
}

TEST_F(EchoHandlerTest, AbortEndsAtOnce) {
  Make();
  Open(0);
  control_.Give(Order::kAbort);
  handler_->OnWake(engine_);
  EXPECT_TRUE(engine_.exited);
}

TEST_F(EchoHandlerTest, PostsWhatHappenedInEachInterval) {
  Make();
  Open(0);
  Data(0, 10);
  handler_->OnDeadline(engine_, start_ns_ + base::kNsPerSec);
  Data(0, 20);
  Data(0, 30);
  Close(0, CloseReason::kReset);
  handler_->OnDeadline(engine_, start_ns_ + 2 * base::kNsPerSec);
  Data(0, 5);
  handler_->Finish(start_ns_ + 2 * base::kNsPerSec + 1, engine_.counts);

  auto first = board_.Take();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->counts.messages, 1u);
  EXPECT_EQ(first->counts.bytes, 10u);
  EXPECT_EQ(first->counts.open_connections, 1);
  auto second = board_.Take();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->counts.messages, 2u);
  EXPECT_EQ(second->counts.errors, 1u);
  EXPECT_EQ(second->counts.start_ns, start_ns_ + base::kNsPerSec);
  auto rest = board_.Take();
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->counts.messages, 1u);
  EXPECT_FALSE(board_.Take());
}

// The kernel's thread that works for this engine alone costs what a thread of ours would.
TEST_F(EchoHandlerTest, AnIntervalIsChargedForTheSqpollThread) {
  constexpr int64_t kFar = base::kNsPerSec * 3'600;  // no test takes so much CPU time
  Make();
  engine_.counts.sq_thread_ns.Add(kFar);
  handler_->OnDeadline(engine_, start_ns_ + base::kNsPerSec);
  engine_.counts.sq_thread_ns.Add(2 * kFar);
  handler_->Finish(start_ns_ + base::kNsPerSec + 1, engine_.counts);
  for (int64_t charged : {kFar, 2 * kFar}) {
    auto interval = board_.Take();
    ASSERT_TRUE(interval);
    EXPECT_GE(interval->counts.cpu_ns, charged);
    EXPECT_LT(interval->counts.cpu_ns, charged + kFar);
  }
}

TEST_F(EchoHandlerTest, AnIntervalSleptThroughIsPartOfTheNextPost) {
  Make();
  Open(0);
  Data(0, 1);
  handler_->OnDeadline(engine_, start_ns_ + 5 * base::kNsPerSec + 1);
  handler_->Finish(start_ns_ + 5 * base::kNsPerSec + 2, engine_.counts);
  auto interval = board_.Take();
  ASSERT_TRUE(interval);
  EXPECT_EQ(interval->counts.messages, 1u);
  EXPECT_EQ(interval->counts.start_ns, start_ns_);
  EXPECT_EQ(interval->counts.end_ns, start_ns_ + 5 * base::kNsPerSec + 1);
}

}  // namespace
}  // namespace ringecho::server

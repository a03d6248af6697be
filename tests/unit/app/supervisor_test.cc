#include "app/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <new>
#include <thread>

#include "app/workers.h"
#include "base/clock.h"
#include "base/cpus.h"

namespace ringecho::app {
namespace {

using Kind = Supervisor::Event::Kind;

class SupervisorTest : public ::testing::Test {
 protected:
  SupervisorTest() : supervisor_(*Supervisor::Create()) {}

  std::unique_ptr<Supervisor> supervisor_;
};

TEST_F(SupervisorTest, TakesSignalsInsteadOfDyingOfThem) {
  for (int signal : {SIGINT, SIGTERM, SIGUSR1}) {
    kill(getpid(), signal);
    Supervisor::Event event = supervisor_->WaitUntil(base::kNever);
    EXPECT_EQ(event.kind, Kind::kSignal);
    EXPECT_EQ(event.signal, signal);
  }
}

TEST_F(SupervisorTest, ABrokenPipeIsNoDeath) { EXPECT_EQ(raise(SIGPIPE), 0); }

TEST_F(SupervisorTest, ANotificationIsSeenOnceHoweverOftenItWasGiven) {
  std::thread([&] {
    supervisor_->Notify();
    supervisor_->Notify();
  }).join();
  EXPECT_EQ(supervisor_->WaitUntil(base::kNever).kind, Kind::kNotified);
  EXPECT_EQ(supervisor_->WaitUntil(base::NowNs()).kind, Kind::kTimeout);
}

TEST_F(SupervisorTest, ASignalBeforeTheRunIsKeptForIt) {
  kill(getpid(), SIGTERM);
  supervisor_->Notify();
  supervisor_->WaitNotified(base::kNever);
  Supervisor::Event event = supervisor_->WaitUntil(base::kNever);
  EXPECT_EQ(event.kind, Kind::kSignal);
  EXPECT_EQ(event.signal, SIGTERM);
}

TEST_F(SupervisorTest, WorkThatEndsIsWaitedFor) {
  bool done = false;
  supervisor_->RunOrExit([&] { done = true; }, [] {}, 1);
  EXPECT_TRUE(done);
}

TEST_F(SupervisorTest, WorkThatBlocksIsLeftAtASignal) {
  auto leave = [this] {
    kill(getpid(), SIGUSR1);  // no reason to leave
    kill(getpid(), SIGINT);
    supervisor_->RunOrExit([] { pause(); }, [] { std::fputs("left", stderr); }, 130);
  };
  EXPECT_EXIT(leave(), ::testing::ExitedWithCode(130), "left");
}

TEST_F(SupervisorTest, AWorkerThatRunsOutOfMemoryHasFailed) {
  Workers workers(*supervisor_);
  workers.Start(2, {}, [](int index) {
    if (index == 1) throw std::bad_alloc();
    return absl::OkStatus();
  });
  EXPECT_EQ(workers.Join(), OutOfMemory());
}

TEST_F(SupervisorTest, TheFirstErrorOfTheWorkersIsReported) {
  Workers workers(*supervisor_);
  workers.Start(3, {}, [](int index) {
    return index == 1 ? absl::InternalError("second") : absl::OkStatus();
  });
  while (workers.running()) supervisor_->WaitUntil(base::kNever);
  EXPECT_EQ(workers.Join().message(), "second");
}

TEST_F(SupervisorTest, WorkersArePinnedInTurn) {
  int cpu = base::AllowedCpus().back();
  Workers workers(*supervisor_);
  std::vector<std::vector<int>> seen(2);
  workers.Start(2, {cpu}, [&](int index) {
    seen[static_cast<size_t>(index)] = base::AllowedCpus();
    return absl::OkStatus();
  });
  EXPECT_TRUE(workers.Join().ok());
  EXPECT_EQ(seen, (std::vector<std::vector<int>>{{cpu}, {cpu}}));
}

TEST_F(SupervisorTest, AWorkerThatCannotBePinnedFailsInsteadOfRunningElsewhere) {
  Workers workers(*supervisor_);
  bool ran = false;
  workers.Start(1, {1023}, [&](int) {
    ran = true;
    return absl::OkStatus();
  });
  EXPECT_FALSE(workers.Join().ok());
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace ringecho::app

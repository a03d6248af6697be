// The course of a run as one worker sees it: connect, warm-up, measure, drain.
#include <algorithm>

#include "load/sessions.h"

namespace ringecho::load {

void Sessions::Woken() {
  now_ns_ = plan_.clock();
  if (phase_ == Phase::kConnect) boundary_ns_ = control_.go_ns.load();
  if (control_.stop.load() && !stopping_ && phase_ != Phase::kDone) {
    stopping_ = true;
    EnterDrain(now_ns_);
  }
  Tick(now_ns_);
  if (control_.abort.load()) Finish();
}

void Sessions::Tick(int64_t now_ns) {
  now_ns_ = now_ns;
  has_work_ = true;
  if (now_ns_ >= boundary_ns_) Cross();
  timeouts_.Expire(now_ns_, [this](uint32_t lane) { return CheckTimeout(lane); });
  while (std::optional<uint32_t> lane = suspects_.PopDue(now_ns_)) Conclude(sessions_[*lane]);
  FinishIfIdle();
}

int64_t Sessions::NextDeadline() const {
  if (has_work_) return 0;
  return std::min(std::min(boundary_ns_, queue_.NextNs()),
                  std::min(timeouts_.NextNs(), suspects_.NextNs()));
}

// Passes every boundary that lies before now_ns_. Called before whatever has just happened is
// counted, so that it counts in the phase and the interval it happened in.
void Sessions::Cross() {
  const auto open = [this] { return static_cast<int64_t>(tally_.open.Get()); };
  while (now_ns_ >= boundary_ns_) {
    switch (phase_) {
      case Phase::kConnect:
        phase_ = Phase::kWarmup;
        measure_ns_ = boundary_ns_ + plan_.warmup_ns;
        if (plan_.warmup_ns > 0) meter_.WarmUp(boundary_ns_);
        boundary_ns_ = std::min(meter_.interval_end_ns(), measure_ns_);
        StartSweep();
        break;
      case Phase::kWarmup:
        if (boundary_ns_ == measure_ns_) {
          phase_ = Phase::kMeasure;
          meter_.Begin(measure_ns_, tally_.exceptions.Get(), open());
          if (by_time()) measure_end_ns_ = measure_ns_ + plan_.duration_ns;
          boundary_ns_ = std::min(meter_.interval_end_ns(), measure_end_ns_);
        } else {
          meter_.CloseInterval(tally_.exceptions.Get(), open());
          boundary_ns_ = std::min(meter_.interval_end_ns(), measure_ns_);
        }
        break;
      case Phase::kMeasure:
        if (boundary_ns_ == measure_end_ns_) {
          EnterDrain(measure_end_ns_);
        } else {
          meter_.CloseInterval(tally_.exceptions.Get(), open());
          boundary_ns_ = std::min(meter_.interval_end_ns(), measure_end_ns_);
        }
        break;
      case Phase::kDrain:
        boundary_ns_ = base::kNever;
        GiveUpDraining();
        break;
      case Phase::kDone:
        boundary_ns_ = base::kNever;
        break;
    }
  }
}

// No more messages and connections; what is outstanding may still come for a while.
void Sessions::EnterDrain(int64_t end_ns) {
  if (phase_ != Phase::kDrain) {
    meter_.End(end_ns, tally_.exceptions.Get(), static_cast<int64_t>(tally_.open.Get()));
    in_flight_at_end_ = in_flight_;
    phase_ = Phase::kDrain;
    boundary_ns_ = now_ns_ + plan_.timeout_ns;
  }
  for (uint32_t lane : queue_.Clear()) {
    Settle(sessions_[lane], stopping_ ? Ending::kCut : Ending::kException, sessions_[lane].reason);
  }
  StartSweep();
}

// A peer that sends a byte now and then must not keep the run from ending.
void Sessions::GiveUpDraining() {
  for (Session& session : sessions_) {
    if (session.state == SessionState::kSuspect) {
      Conclude(session);
    } else if (session.state == SessionState::kOpen) {
      End(session, Ending::kException, engine::CloseReason::kTimeout);
    }
  }
}

void Sessions::DrainOne(Session& session) {
  if (session.state == SessionState::kConnecting) {
    End(session, stopping_ ? Ending::kCut : Ending::kFailedConnect,
        stopping_ ? engine::CloseReason::kInterrupted : engine::CloseReason::kTimeout);
  } else if (session.state == SessionState::kOpen && session.outstanding == 0) {
    End(session, by_time() ? Ending::kCompleted : Ending::kCut, engine::CloseReason::kLocal);
  }
}

void Sessions::StartSweep() {
  sweep_ = 0;
  has_work_ = true;
}

void Sessions::FinishIfIdle() {
  if (busy_ == 0) Finish();
}

void Sessions::Finish() {
  if (phase_ == Phase::kDone) return;
  meter_.End(now_ns_, tally_.exceptions.Get(), static_cast<int64_t>(tally_.open.Get()));
  meter_.Finish();
  phase_ = Phase::kDone;
  boundary_ns_ = base::kNever;
  has_work_ = true;
  if (!announced_) {
    announced_ = true;
    control_.AnnounceSettled();
  }
}

}  // namespace ringecho::load

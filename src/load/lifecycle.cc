// How the loader's connections come, go and are tried again.
#include <algorithm>
#include <cassert>

#include "load/sessions.h"

namespace ringecho::load {

bool Sessions::StartSession(uint32_t lane) {
  uint64_t number = 0;
  if (!control_.TakeSession(&number)) return false;
  Session& session = sessions_[lane];
  session = Session();
  session.number = number;
  session.state = SessionState::kWaiting;
  ++unsettled_;
  tally_.started.Increment();
  queue_.Add(lane);
  return true;
}

bool Sessions::NextConnect(ConnectRequest* request) {
  now_ns_ = plan_.clock();
  uint32_t lane = 0;
  if (!queue_.Next(now_ns_, &lane)) return false;
  Session& session = sessions_[lane];
  assert(session.state == SessionState::kWaiting);
  session.state = SessionState::kConnecting;
  session.next = plan_.payload->Begin(session.number);
  session.at = session.next.at;
  session.line = session.next.line;
  session.partial = session.owed = session.first = 0;
  session.verified = session.outstanding = 0;
  session.to_send = by_time() ? Session::kNoLimit : plan_.messages;
  session.connect_ns = session.active_ns = now_ns_;
  request->lane = lane;
  request->to = plan_.to;
  request->from = nullptr;
  if (!plan_.sources->empty()) {
    // The next source for a retry: this one's ports may be what it failed for.
    const uint64_t turn = session.number + static_cast<uint64_t>(session.tries);
    request->from = &(*plan_.sources)[turn % plan_.sources->size()];
  }
  return true;
}

void Sessions::ConnectAnswered(uint32_t lane, const engine::ConnectResult& result) {
  Session& session = sessions_[lane];
  if (result.ok) {
    session.id = result.id;
    lane_of_slot_[result.id.slot] = lane;
    Watch(session);
    return;
  }
  queue_.Finished();
  Settle(session, Ending::kFailedConnect, result.error);
  FinishIfIdle();
}

void Sessions::Closed(engine::ConnId id, engine::CloseReason reason) {
  Session& session = Find(id);
  now_ns_ = plan_.clock();
  has_work_ = true;
  if (now_ns_ >= boundary_ns_) Cross();
  if (session.up) tally_.open.Sub(1);
  session.up = false;
  switch (session.state) {
    case SessionState::kConnecting:
      queue_.Finished();
      Settle(session, Ending::kFailedConnect, reason);
      break;
    case SessionState::kOpen: {
      // Nothing has come back yet: as likely as not the connection was only ever in the backlog of
      // a server that has gone. Echoing the same bytes again does no harm.
      const bool early = session.verified == 0 && (!by_time() || phase_ == Phase::kConnect);
      Settle(session, early ? Ending::kFailedConnect : Ending::kException, reason);
      break;
    }
    case SessionState::kSuspect:
      CountDamage(session);
      Settle(session, Ending::kException, engine::CloseReason::kPayloadMismatch);
      break;
    default:
      Settle(session, session.ending, session.reason);
      break;
  }
  FinishIfIdle();
}

// Decides how a session ends and has its connection closed; Settle follows when it is.
void Sessions::End(Session& session, Ending ending, engine::CloseReason reason) {
  if (session.state == SessionState::kConnecting) queue_.Finished();
  session.state = SessionState::kClosing;
  session.ending = ending;
  session.reason = reason;
  closes_.push_back({session.id, reason});
  has_work_ = true;
}

// The session has no connection any more.
void Sessions::Settle(Session& session, Ending ending, engine::CloseReason reason) {
  has_work_ = true;
  in_flight_ -= session.in_flight;
  session.in_flight = 0;
  if (ending == Ending::kFailedConnect) {
    if (TryAgain(session, reason)) return;
    ending = stopping_ ? Ending::kCut : Ending::kException;
  }
  if (ending == Ending::kCompleted) {
    tally_.completed.Increment();
    if (plan_.log) Log(session, std::to_string(session.verified) + " bytes back, complete");
  } else if (ending == Ending::kCut) {
    tally_.cut.Increment();
  } else {
    tally_.exceptions.Increment();
    tally_.exception_reasons[static_cast<size_t>(reason)].Increment();
    if (plan_.log) Log(session, std::string("failed: ").append(CloseReasonName(reason)));
  }
  EndLane(session);
}

bool Sessions::TryAgain(Session& session, engine::CloseReason reason) {
  if (session.tries >= plan_.retries || phase_ == Phase::kDrain) return false;
  const int64_t delay_ns = plan_.backoff.DelayNs(session.tries, &random_);
  ++session.tries;
  tally_.retries.Increment();
  tally_.retry_reasons[static_cast<size_t>(reason)].Increment();
  if (plan_.log) {
    Log(session, std::string(CloseReasonName(reason)) + ", retry " + std::to_string(session.tries) +
                     " in " + std::to_string(delay_ns / base::kNsPerMs) + " ms");
  }
  if (session.settled) {
    session.settled = false;
    ++unsettled_;
  }
  session.reason = reason;
  session.state = SessionState::kWaiting;
  queue_.AddAt(now_ns_ + delay_ns, LaneOf(session));
  return true;
}

void Sessions::EndLane(Session& session) {
  MarkSettled(session);
  session.state = SessionState::kIdle;
  if (!by_time() && phase_ != Phase::kDrain && StartSession(LaneOf(session))) return;
  --busy_;
}

void Sessions::MarkSettled(Session& session) {
  if (session.settled) return;
  session.settled = true;
  if (--unsettled_ == 0 && !announced_) {
    announced_ = true;
    control_.AnnounceSettled();
  }
}

void Sessions::Watch(Session& session) {
  if (session.watched) return;
  session.watched = true;
  timeouts_.Watch(LaneOf(session), session.active_ns + plan_.timeout_ns);
}

// For the wheel: when `lane` is due next; base::kNever when nothing of it is waited for.
int64_t Sessions::CheckTimeout(uint32_t lane) {
  Session& session = sessions_[lane];
  const bool waits = session.state == SessionState::kConnecting ||
                     (session.state == SessionState::kOpen && session.outstanding != 0);
  const int64_t due_ns = session.active_ns + plan_.timeout_ns;
  if (waits && due_ns > now_ns_) return due_ns;
  session.watched = false;
  if (waits) {
    const bool connecting = session.state == SessionState::kConnecting;
    End(session, connecting ? Ending::kFailedConnect : Ending::kException,
        engine::CloseReason::kTimeout);
  }
  return base::kNever;
}

void Sessions::Log(const Session& session, std::string_view event) const {
  if (!plan_.log) return;
  plan_.log("connection " + std::to_string(session.number) + ": " + std::string(event));
}

}  // namespace ringecho::load

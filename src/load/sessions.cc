#include "load/sessions.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "base/units.h"
#include "load/verify.h"

namespace ringecho::load {
namespace {

// How long the rest of a damaged echo is waited for.
constexpr int64_t kSuspectNsMax = base::kNsPerSec;

constexpr uint32_t kNoLane = std::numeric_limits<uint32_t>::max();

// Lanes that a new phase is told to in one turn of the engine's loop.
constexpr uint32_t kSweepMax = 1024;

}  // namespace

Sessions::Sessions(const Plan& plan, RunControl& control, stats::IntervalBoard& board)
    : plan_(plan),
      control_(control),
      meter_(&board, plan.worker, plan.interval_ns),
      random_(plan.seed),
      sessions_(plan.lanes),
      sent_ns_(size_t{plan.lanes} * plan.depth),
      lane_of_slot_(plan.lanes, kNoLane),
      queue_(plan.connecting_max, plan.connects_per_s),
      timeouts_(plan.lanes, plan.timeout_ns),
      suspects_(*plan.payload, std::min(plan.timeout_ns, kSuspectNsMax)),
      sweep_(plan.lanes) {}

void Sessions::Begin(const engine::Counters& counters) {
  meter_.Attach(counters);
  now_ns_ = plan_.clock();
  for (uint32_t lane = 0; lane < plan_.lanes; ++lane) {
    if (StartSession(lane)) ++busy_;
  }
  boundary_ns_ = control_.go_ns.load();
  FinishIfIdle();
}

Session& Sessions::Find(engine::ConnId id) {
  const uint32_t lane = lane_of_slot_[id.slot];
  assert(lane != kNoLane && sessions_[lane].id == id);
  return sessions_[lane];
}

void Sessions::Opened(engine::ConnId id) {
  Session& session = Find(id);
  has_work_ = true;
  // A connect that was given up a moment ago may still succeed; its close is on the way.
  if (session.state != SessionState::kConnecting) return;
  now_ns_ = plan_.clock();
  queue_.Finished();
  connects_.Record(static_cast<uint64_t>(now_ns_ - session.connect_ns));
  session.state = SessionState::kOpen;
  session.up = true;
  session.active_ns = now_ns_;
  tally_.open.Increment();
  if (tally_.open.Get() > tally_.open_max.Get()) tally_.open_max.Increment();
  if (!session.made) tally_.made.Increment();
  session.made = true;
  MarkSettled(session);
  if (plan_.log) {
    Log(session, "open after " + base::FormatDuration(now_ns_ - session.connect_ns));
  }
  if (sending()) {
    Owe(session, plan_.depth);
  } else if (phase_ == Phase::kDrain) {
    DrainOne(session);
  }
}

void Sessions::Owe(Session& session, uint64_t messages) {
  const uint64_t more = std::min(messages, session.to_send);
  session.owed += static_cast<uint32_t>(more);
  if (session.to_send != Session::kNoLimit) session.to_send -= more;
}

std::span<const std::byte> Sessions::TakeRun(engine::ConnId id) {
  Session& session = Find(id);
  if (session.state != SessionState::kOpen || session.owed == 0 || !sending()) return {};
  int64_t* const times = &sent_ns_[size_t{LaneOf(session)} * plan_.depth];
  uint32_t place = session.first + session.in_flight;
  for (uint32_t i = 0; i < session.owed; ++i, ++place) {
    times[place < plan_.depth ? place : place - plan_.depth] = now_ns_;
  }
  const std::span<const std::byte> run = plan_.payload->Take(&session.next, session.owed);
  if (session.outstanding == 0) {
    session.active_ns = now_ns_;
    Watch(session);
  }
  session.outstanding += static_cast<uint32_t>(run.size());
  session.in_flight += session.owed;
  in_flight_ += session.owed;
  session.owed = 0;
  return run;
}

Sessions::After Sessions::Received(engine::ConnId id, std::span<const std::byte> data) {
  Session& session = Find(id);
  if (session.state != SessionState::kOpen) [[unlikely]] {
    if (session.state == SessionState::kSuspect && suspects_.Collect(LaneOf(session), data)) {
      Conclude(session);
    }
    return After::kNothing;
  }
  if (data.size() > session.outstanding ||
      (plan_.verify && !Matches(plan_.payload->Expected(session.at), data))) [[unlikely]] {
    return Suspect(session, data);
  }
  // The one clock read of a message: it ends the messages that this chunk completes, after their
  // bytes were compared, and begins those that are sent in answer.
  now_ns_ = plan_.clock();
  if (now_ns_ >= boundary_ns_) [[unlikely]] {
    Cross();
    if (session.state != SessionState::kOpen) return After::kNothing;
  }
  return Accept(session, data.size());
}

Sessions::After Sessions::Accept(Session& session, size_t bytes) {
  const Payload& payload = *plan_.payload;
  meter_.Bytes(bytes);
  session.active_ns = now_ns_;
  session.at = payload.Advance(session.at, bytes);
  session.verified += bytes;
  session.outstanding -= static_cast<uint32_t>(bytes);

  const int64_t* const times = &sent_ns_[size_t{LaneOf(session)} * plan_.depth];
  size_t left = session.partial + bytes;
  uint32_t done = 0;
  for (uint32_t size = payload.MessageBytes(session.line); left >= size;
       size = payload.MessageBytes(session.line)) {
    left -= size;
    meter_.Message(now_ns_ - times[session.first]);
    if (++session.first == plan_.depth) session.first = 0;
    session.line = payload.NextLine(session.line);
    ++done;
  }
  session.partial = static_cast<uint32_t>(left);
  session.in_flight -= done;
  in_flight_ -= done;
  tally_.messages.Add(done);

  if (sending()) Owe(session, done);
  if (session.owed != 0 && sending()) return After::kSend;
  if (session.outstanding != 0) return After::kNothing;
  const bool whole = by_time() || (session.owed == 0 && session.to_send == 0);
  session.state = SessionState::kClosing;
  session.ending = whole ? Ending::kCompleted : Ending::kCut;
  session.reason = engine::CloseReason::kLocal;
  return After::kClose;
}

void Sessions::Sent(engine::ConnId id) {
  // A clock read only where messages had to wait for this.
  if (Find(id).owed != 0) now_ns_ = plan_.clock();
}

Sessions::After Sessions::Suspect(Session& session, std::span<const std::byte> data) {
  now_ns_ = plan_.clock();
  const uint32_t lane = LaneOf(session);
  const size_t comparable = std::min<uint64_t>(data.size(), session.outstanding);
  const size_t good =
      plan_.verify ? MatchingBytes(plan_.payload->Expected(session.at), data.first(comparable))
                   : comparable;
  session.at = plan_.payload->Advance(session.at, good);
  session.verified += good;
  session.outstanding -= static_cast<uint32_t>(good);
  session.state = SessionState::kSuspect;
  if (!plan_.verify ||
      !suspects_.Open(lane, session.at, session.verified, session.outstanding, now_ns_)) {
    tally_.undiagnosed.Increment();
    Log(session, "has bytes that were not sent");
    End(session, Ending::kException, engine::CloseReason::kPayloadMismatch);
  } else if (suspects_.Collect(lane, data.subspan(good))) {
    Conclude(session);
  }
  return After::kNothing;
}

void Sessions::Conclude(Session& session) {
  CountDamage(session);
  End(session, Ending::kException, engine::CloseReason::kPayloadMismatch);
}

void Sessions::CountDamage(Session& session) {
  const std::optional<Finding> finding = suspects_.Conclude(LaneOf(session));
  if (!finding) {
    tally_.undiagnosed.Increment();
    Log(session, "has wrong bytes");
    return;
  }
  tally_.damages[static_cast<size_t>(finding->damage)].Increment();
  if (plan_.log) {
    Log(session, std::string(DamageName(finding->damage)) + " after " +
                     std::to_string(session.verified) + " bytes, shift " +
                     std::to_string(finding->shift_bytes));
  }
}

bool Sessions::NextToSend(engine::ConnId* id) {
  for (; sweep_ < plan_.lanes && swept_ < kSweepMax; ++swept_) {
    Session& session = sessions_[sweep_++];
    if (!sending()) {
      DrainOne(session);
    } else if (session.state == SessionState::kOpen && session.owed == 0 &&
               session.in_flight == 0) {
      Owe(session, plan_.depth);
      now_ns_ = plan_.clock();
      *id = session.id;
      ++swept_;
      return true;
    }
  }
  return false;
}

bool Sessions::NextClose(CloseRequest* request) {
  if (closes_.empty()) return false;
  *request = closes_.back();
  closes_.pop_back();
  return true;
}

void Sessions::WorkDone() {
  swept_ = 0;
  has_work_ = sweep_ < plan_.lanes;
}

}  // namespace ringecho::load

// The loader's protocol, without an engine: what one worker does with its connections.
//
// Pure state: it is told what happened and answers what to do. LoadHandler (handler.h) carries that
// to and from an engine; unit tests do the same with events in any order.
#ifndef RINGECHO_LOAD_SESSIONS_H_
#define RINGECHO_LOAD_SESSIONS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/timeout_wheel.h"
#include "engine/counters.h"
#include "engine/stream.h"
#include "load/backoff.h"
#include "load/connect_queue.h"
#include "load/meter.h"
#include "load/payload.h"
#include "load/run_control.h"
#include "load/session.h"
#include "load/suspects.h"
#include "load/tally.h"
#include "net/address.h"
#include "stats/histogram.h"
#include "stats/intervals.h"

namespace ringecho::load {

// What a worker is to do. Pointees outlive the worker.
struct Plan {
  const Payload* payload = nullptr;
  const net::Address* to = nullptr;
  const std::vector<net::Address>* sources = nullptr;  // empty: the kernel picks

  int worker = 0;      // from 0
  uint32_t lanes = 1;  // connections open at a time
  uint32_t depth = 1;  // messages in flight per connection
  bool verify = true;
  uint64_t seed = 1;  // of the backoff's jitter

  // With messages 0 every lane opens one connection and keeps it busy until the time is up;
  // otherwise lanes take sessions of so many messages until RunControl has no more.
  uint64_t messages = 0;
  int64_t warmup_ns = 0;
  int64_t duration_ns = 0;

  uint32_t connecting_max = kConnectingMax;
  double connects_per_s = 0;  // 0: no limit
  int retries = 0;            // for each session
  Backoff backoff;
  // For a connect, and for progress while anything is outstanding; and for the whole drain.
  int64_t timeout_ns = 10 * base::kNsPerSec;
  int64_t interval_ns = base::kNsPerSec;

  int64_t (*clock)() = base::NowNs;
  // Connection events, one line each; empty when nobody wants them. Called by any worker.
  std::function<void(const std::string&)> log;
};

// One thread's. Memory for all lanes is taken at construction, nothing is allocated per message.
class Sessions {
 public:
  // What a chunk of bytes asks for.
  enum class After : uint8_t {
    kNothing,
    kSend,   // messages are owed: TakeRun when the engine can send
    kClose,  // the session is complete: close the connection
  };

  struct ConnectRequest {
    uint32_t lane = 0;
    const net::Address* to = nullptr;
    const net::Address* from = nullptr;
  };
  struct CloseRequest {
    engine::ConnId id;
    engine::CloseReason reason = engine::CloseReason::kLocal;
  };

  Sessions(const Plan& plan, RunControl& control, stats::IntervalBoard& board);
  Sessions(const Sessions&) = delete;
  Sessions& operator=(const Sessions&) = delete;

  // Before any event; `counters` outlives this.
  void Begin(const engine::Counters& counters);

  // Events, as the engine tells them. After Opened and Sent, TakeRun may have something.
  void Opened(engine::ConnId id);
  After Received(engine::ConnId id, std::span<const std::byte> data);
  void Sent(engine::ConnId id);
  void Closed(engine::ConnId id, engine::CloseReason reason);
  void Woken();
  void Tick(int64_t now_ns);
  int64_t NextDeadline() const;

  // What is to be done now. Each returns false when there is no more of it.
  bool NextConnect(ConnectRequest* request);
  void ConnectAnswered(uint32_t lane, const engine::ConnectResult& result);
  bool NextClose(CloseRequest* request);
  bool NextToSend(engine::ConnId* id);
  // Whether any of the three might have something; and that they have been asked.
  bool has_work() const { return has_work_; }
  void WorkDone();

  // Messages owed by the connection, as one run of the payload to be sent now; the engine can
  // send. Empty when nothing is owed.
  std::span<const std::byte> TakeRun(engine::ConnId id);

  // Everything is over and every connection closed.
  bool finished() const { return phase_ == Phase::kDone; }

  // For any thread at any time.
  const Tally& tally() const { return tally_; }
  // For others when the worker's thread has ended. Connect times are those of every connection
  // that came up, from Connect to OnOpen.
  const Measured& measured() const { return meter_.result(); }
  const stats::Histogram& connects() const { return connects_; }
  // Messages that were outstanding when measuring ended.
  uint64_t in_flight_at_end() const { return in_flight_at_end_; }

 private:
  enum class Phase : uint8_t { kConnect, kWarmup, kMeasure, kDrain, kDone };

  bool by_time() const { return plan_.messages == 0; }
  bool sending() const { return phase_ == Phase::kWarmup || phase_ == Phase::kMeasure; }
  uint32_t LaneOf(const Session& session) const {
    return static_cast<uint32_t>(&session - sessions_.data());
  }
  Session& Find(engine::ConnId id);

  // sessions.cc: the stream of an open connection.
  void Owe(Session& session, uint64_t messages);
  After Accept(Session& session, size_t bytes);
  After Suspect(Session& session, std::span<const std::byte> data);
  void Conclude(Session& session);
  void CountDamage(Session& session);

  // lifecycle.cc: how connections come, go and are tried again.
  bool StartSession(uint32_t lane);
  void End(Session& session, Ending ending, engine::CloseReason reason);
  void Settle(Session& session, Ending ending, engine::CloseReason reason);
  bool TryAgain(Session& session, engine::CloseReason reason);
  void EndLane(Session& session);
  void MarkSettled(Session& session);
  void Watch(Session& session);
  int64_t CheckTimeout(uint32_t lane);
  void Log(const Session& session, std::string_view event) const;

  // phases.cc: the course of the run.
  void Cross();
  void EnterDrain(int64_t end_ns);
  void GiveUpDraining();
  void DrainOne(Session& session);
  void StartSweep();
  void FinishIfIdle();
  void Finish();

  const Plan plan_;
  RunControl& control_;
  Meter meter_;
  Tally tally_;
  stats::Histogram connects_;
  base::SplitMix64 random_;

  std::vector<Session> sessions_;       // by lane
  std::vector<int64_t> sent_ns_;        // by lane, `depth` each: a ring of send times
  std::vector<uint32_t> lane_of_slot_;  // of the engine's connections
  ConnectQueue queue_;
  base::TimeoutWheel timeouts_;
  Suspects suspects_;
  std::vector<CloseRequest> closes_;

  Phase phase_ = Phase::kConnect;
  bool stopping_ = false;   // interrupted
  bool announced_ = false;  // that all lanes are settled
  bool has_work_ = true;
  int64_t now_ns_ = 0;                     // of the event being dealt with
  int64_t boundary_ns_ = base::kNever;     // when Cross has something to do
  int64_t measure_ns_ = base::kNever;      // the end of the warm-up
  int64_t measure_end_ns_ = base::kNever;  // by time only
  uint64_t in_flight_ = 0;                 // messages, all lanes
  uint64_t in_flight_at_end_ = 0;
  uint32_t busy_ = 0;       // lanes that are not idle
  uint32_t unsettled_ = 0;  // of these, lanes that wait or connect
  // A new phase is told to the lanes a few at a time, so that the others are served meanwhile.
  uint32_t sweep_ = 0;  // the next lane to be told; number of lanes when all have been
  uint32_t swept_ = 0;  // since the last WorkDone
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_SESSIONS_H_

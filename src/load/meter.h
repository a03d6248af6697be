// What one worker measures: messages, latencies, CPU and engine work, between the edges of the
// measure phase; and per interval within it and within the warm-up before it, so that a reader of
// the result sees what the warm-up was for.
#ifndef RINGECHO_LOAD_METER_H_
#define RINGECHO_LOAD_METER_H_

#include <cstdint>
#include <memory>

#include "app/engine_report.h"
#include "base/clock.h"
#include "engine/counters.h"
#include "stats/histogram.h"
#include "stats/intervals.h"
#include "stats/usage.h"

namespace ringecho::load {

// Of the measure phase.
struct Measured {
  int64_t start_ns = 0;
  int64_t end_ns = 0;
  uint64_t messages = 0;
  uint64_t bytes = 0;  // echoed and accepted
  stats::Histogram response;
  stats::CpuUsage cpu;      // of the worker's thread, without an SQPOLL thread's
  int64_t cpu_wall_ns = 0;  // the time between the two samples that `cpu` is the difference of
  app::CounterSums engine;
};

// For one worker's thread; result() is for others once that thread has ended.
class Meter {
 public:
  // Posts to `board` as `worker` every `interval_ns`.
  Meter(stats::IntervalBoard* board, int worker, int64_t interval_ns);

  // Must come before Begin. The counters outlive the measuring.
  void Attach(const engine::Counters& counters) { counters_ = &counters; }

  // When CloseInterval is due next; base::kNever outside the two phases.
  int64_t interval_end_ns() const { return posting_ ? interval_end_ns_ : base::kNever; }

  // The edges. They may be noticed late; times are those that were planned. WarmUp need not come;
  // its last interval, which may be a short one, ends where the measure phase begins.
  void WarmUp(int64_t start_ns);
  void Begin(int64_t start_ns, uint64_t exceptions, int64_t open_connections);
  void CloseInterval(uint64_t exceptions, int64_t open_connections);
  // Closes the last interval, which may be a short one, too. Of a warm-up nothing is measured.
  void End(int64_t end_ns, uint64_t exceptions, int64_t open_connections);
  // Nothing more comes from this worker.
  void Finish() { board_->Finish(worker_); }

  // The hot path. Nothing outside the two phases counts.
  void Message(int64_t latency_ns) {
    if (!posting_) return;
    latency_->Record(static_cast<uint64_t>(latency_ns));
    ++interval_.messages;
  }
  void Bytes(uint64_t bytes) {
    if (posting_) interval_.bytes += bytes;
  }

  const Measured& result() const { return measured_; }

 private:
  int64_t CpuNs() const;
  void StartPosting(int64_t start_ns);
  void Post(int64_t end_ns, uint64_t exceptions, int64_t open_connections);

  stats::IntervalBoard* const board_;
  const int worker_;
  const int64_t interval_ns_;
  const engine::Counters* counters_ = nullptr;
  bool posting_ = false;    // warming up or measuring
  bool measuring_ = false;  // what is posted is measured
  int64_t interval_end_ns_ = 0;
  int64_t index_ = 0;
  stats::IntervalCounts interval_;
  std::unique_ptr<stats::Histogram> latency_;
  uint64_t exceptions_before_ = 0;
  app::CounterSums engine_before_;
  int64_t cpu_before_ns_ = 0;

  Measured measured_;
  stats::CpuUsage cpu_at_start_;
  int64_t cpu_start_ns_ = 0;
  app::CounterSums engine_at_start_;
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_METER_H_

#include "load/meter.h"

#include <cassert>
#include <utility>

namespace ringecho::load {

Meter::Meter(stats::IntervalBoard* board, int worker, int64_t interval_ns)
    : board_(board), worker_(worker), interval_ns_(interval_ns), latency_(board->NewHistogram()) {}

void Meter::StartPosting(int64_t start_ns) {
  assert(!measuring_ && counters_ != nullptr);
  posting_ = true;
  interval_ = {.start_ns = start_ns};
  interval_end_ns_ = start_ns + interval_ns_;
  cpu_before_ns_ = CpuNs();
  engine_before_ = app::CounterSums(*counters_);
}

void Meter::WarmUp(int64_t start_ns) { StartPosting(start_ns); }

void Meter::Begin(int64_t start_ns, uint64_t exceptions, int64_t open_connections) {
  if (posting_ && start_ns > interval_.start_ns) Post(start_ns, exceptions, open_connections);
  StartPosting(start_ns);
  measuring_ = true;
  measured_.start_ns = start_ns;
  cpu_at_start_ = stats::ThreadCpuUsage();
  cpu_start_ns_ = base::NowNs();
  engine_at_start_ = engine_before_;
}

void Meter::CloseInterval(uint64_t exceptions, int64_t open_connections) {
  Post(interval_end_ns_, exceptions, open_connections);
  interval_end_ns_ += interval_ns_;
}

void Meter::End(int64_t end_ns, uint64_t exceptions, int64_t open_connections) {
  if (!posting_) return;
  if (end_ns > interval_.start_ns) Post(end_ns, exceptions, open_connections);
  posting_ = false;
  if (!measuring_) return;
  measuring_ = false;
  measured_.end_ns = end_ns;
  measured_.cpu = stats::ThreadCpuUsage() - cpu_at_start_;
  measured_.cpu_wall_ns = base::NowNs() - cpu_start_ns_;
  measured_.engine = app::CounterSums(*counters_) - engine_at_start_;
}

// What this worker costs: its thread, and the kernel's SQPOLL thread of its ring.
int64_t Meter::CpuNs() const {
  return stats::ThreadCpuUsage().total_ns() + static_cast<int64_t>(counters_->sq_thread_ns.Get());
}

void Meter::Post(int64_t end_ns, uint64_t exceptions, int64_t open_connections) {
  const int64_t cpu_ns = CpuNs();
  interval_.end_ns = end_ns;
  interval_.errors = exceptions - exceptions_before_;
  interval_.cpu_ns = cpu_ns - cpu_before_ns_;
  interval_.open_connections = open_connections;
  const app::CounterSums engine(*counters_);
  const auto since = [&](stats::Counter engine::Counters::*counter) {
    return static_cast<uint64_t>(engine.Get(counter) - engine_before_.Get(counter));
  };
  interval_.syscalls = since(&engine::Counters::syscalls);
  interval_.enter_calls = since(&engine::Counters::enter_calls);
  interval_.completions = since(&engine::Counters::completions);
  if (measuring_) {
    measured_.messages += interval_.messages;
    measured_.bytes += interval_.bytes;
    // A message is recorded once, in its interval; the whole is their sum. All histograms of the
    // board have one layout, so adding cannot fail.
    measured_.response.Add(*latency_).IgnoreError();
  }
  latency_ = board_->Post(worker_, index_++, interval_, std::move(latency_));
  exceptions_before_ = exceptions;
  cpu_before_ns_ = cpu_ns;
  engine_before_ = engine;
  interval_ = {.start_ns = end_ns};
}

}  // namespace ringecho::load

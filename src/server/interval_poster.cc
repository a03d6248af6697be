#include "server/interval_poster.h"

namespace ringecho::server {

void IntervalPoster::Tick(int64_t now_ns, const IntervalSums& sums) {
  if (now_ns < NextNs()) return;
  index_ = (now_ns - start_ns_) / interval_ns_ - 1;
  Post(now_ns, sums);
  ++index_;
}

void IntervalPoster::Finish(int64_t now_ns, const IntervalSums& sums) {
  Post(now_ns, sums);
  board_->Finish(worker_);
}

void IntervalPoster::Post(int64_t now_ns, const IntervalSums& sums) {
  int64_t cpu_ns = stats::ThreadCpuUsage().total_ns() + sums.sq_thread_ns;
  stats::IntervalCounts counts;
  counts.start_ns = posted_ns_ != 0 ? posted_ns_ : start_ns_;
  counts.end_ns = now_ns;
  counts.messages = sums.messages - posted_.messages;
  counts.bytes = sums.bytes - posted_.bytes;
  counts.errors = sums.errors - posted_.errors;
  counts.cpu_ns = cpu_ns - posted_cpu_ns_;
  counts.open_connections = sums.open_connections;
  counts.syscalls = sums.syscalls - posted_.syscalls;
  counts.enter_calls = sums.enter_calls - posted_.enter_calls;
  counts.completions = sums.completions - posted_.completions;
  board_->Post(worker_, index_, counts, nullptr);
  posted_ns_ = now_ns;
  posted_cpu_ns_ = cpu_ns;
  posted_ = sums;
}

}  // namespace ringecho::server

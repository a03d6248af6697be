// Turns running sums into the posts of one worker on the interval board.
#ifndef RINGECHO_SERVER_INTERVAL_POSTER_H_
#define RINGECHO_SERVER_INTERVAL_POSTER_H_

#include <cstdint>

#include "stats/intervals.h"
#include "stats/usage.h"

namespace ringecho::server {

// Counts since the start of the worker.
struct IntervalSums {
  uint64_t messages = 0;
  uint64_t bytes = 0;
  uint64_t errors = 0;
  int64_t open_connections = 0;  // now
  int64_t sq_thread_ns = 0;      // CPU time that the kernel's SQPOLL thread took for the worker
  uint64_t syscalls = 0;         // of the engine, as are the next two
  uint64_t enter_calls = 0;
  uint64_t completions = 0;
};

// Used by the worker's own thread only, which is the one whose CPU time it takes (and that of its
// SQPOLL thread, from the sums).
class IntervalPoster {
 public:
  // Interval i is [start + i * interval, start + (i + 1) * interval). `board` must outlive this.
  IntervalPoster(stats::IntervalBoard& board, int worker, int64_t start_ns, int64_t interval_ns)
      : board_(&board), worker_(worker), start_ns_(start_ns), interval_ns_(interval_ns) {}

  // When Tick has something to do.
  int64_t NextNs() const { return start_ns_ + (index_ + 1) * interval_ns_; }

  // Posts the interval that has ended, if one has. After a delay of several intervals their counts
  // are in one post, which says when it really began and ended.
  void Tick(int64_t now_ns, const IntervalSums& sums);

  // Posts what came after the last whole interval; nothing more comes from this worker.
  void Finish(int64_t now_ns, const IntervalSums& sums);

 private:
  void Post(int64_t now_ns, const IntervalSums& sums);

  stats::IntervalBoard* board_;
  int worker_;
  int64_t start_ns_;
  int64_t interval_ns_;
  int64_t index_ = 0;
  int64_t posted_ns_ = 0;  // end of the last post
  int64_t posted_cpu_ns_ = 0;
  IntervalSums posted_;
};

}  // namespace ringecho::server

#endif  // RINGECHO_SERVER_INTERVAL_POSTER_H_

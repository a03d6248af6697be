// The workers of a run: one thread, engine and Sessions each.
#ifndef RINGECHO_LOAD_CREW_H_
#define RINGECHO_LOAD_CREW_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "app/engine_report.h"
#include "app/supervisor.h"
#include "app/workers.h"
#include "engine/choice.h"
#include "engine/counters.h"
#include "engine/features.h"
#include "load/options.h"
#include "load/outcome.h"
#include "load/prepare.h"
#include "load/run_control.h"
#include "load/sessions.h"
#include "stats/intervals.h"

namespace ringecho::load {

// For the main thread. Everything given must outlive it.
class Crew {
 public:
  Crew(const Options& options, const Setup& setup, engine::EngineKind engine,
       app::Supervisor& supervisor);
  ~Crew();

  // Starts the threads and waits until every engine is made; errors are theirs.
  absl::Status Muster();
  // Has them begin. With messages to count, sending begins at once as well.
  void Begin();
  // By time: sending begins at `go_ns`, at all workers.
  void Go(int64_t go_ns);
  // No new messages; end when nothing is outstanding.
  void Stop();
  // End now.
  void Abort();

  bool running() const { return workers_.running(); }
  // All connections are made, or given up.
  bool settled() const { return control_.settled() == threads_; }
  // One of the engines has ended with an error; Join says which.
  bool failed() const { return failed_.load(); }
  absl::Status Join() { return workers_.Join(); }

  stats::IntervalBoard& board() { return board_; }
  engine::Features features();
  // Up to now, at any time after Muster.
  TallySums Tallies();
  app::CounterSums Counters();
  // After Join.
  std::vector<const Sessions*> sessions() const;

 private:
  struct Worker {
    // Made by the worker's thread, on its CPU; stays when that has ended.
    std::unique_ptr<Sessions> sessions;
    // While the engine lives; then null.
    const engine::Counters* counters = nullptr;
    std::function<void()> wake;
    engine::Features features;
    app::CounterSums final_counters;
  };

  absl::Status RunWorker(int index);
  template <class E>
  absl::Status Work(int index);
  void Wake();

  const Options& options_;
  const Setup& setup_;
  const engine::EngineKind engine_;
  app::Supervisor& supervisor_;
  const int threads_;
  stats::IntervalBoard board_;
  RunControl control_;
  std::mutex mutex_;  // guards team_
  std::vector<Worker> team_;
  std::atomic<int> ready_{0};
  std::atomic<bool> begun_{false};
  std::atomic<bool> failed_{false};
  app::Workers workers_;
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_CREW_H_

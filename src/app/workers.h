// The worker threads of a program: one engine each, pinned when asked.
#ifndef RINGECHO_APP_WORKERS_H_
#define RINGECHO_APP_WORKERS_H_

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "app/supervisor.h"

namespace ringecho::app {

// What std::bad_alloc means to a user. Where a program starts threads or tables that the options
// size, it is an error like others.
absl::Status OutOfMemory();

class Workers {
 public:
  // `supervisor` is notified whenever a worker ends; must outlive this.
  explicit Workers(Supervisor& supervisor) : supervisor_(supervisor) {}
  ~Workers();  // joins

  // Starts `count` threads that run body(index); thread i is pinned to cpus[i % size], unless cpus
  // is empty. A thread that cannot be started, and a body that runs out of memory, are workers that
  // ended with RESOURCE_EXHAUSTED. Once only.
  void Start(int count, const std::vector<int>& cpus, const std::function<absl::Status(int)>& body);

  int running_count() const { return running_.load(); }
  bool running() const { return running_count() > 0; }

  // Waits for all and returns the first error, in the order of the workers.
  absl::Status Join();

 private:
  void Run(int index, const std::vector<int>& cpus, const std::function<absl::Status(int)>& body);

  Supervisor& supervisor_;
  std::vector<std::thread> threads_;
  std::vector<absl::Status> results_;
  std::atomic<int> running_{0};
};

}  // namespace ringecho::app

#endif  // RINGECHO_APP_WORKERS_H_

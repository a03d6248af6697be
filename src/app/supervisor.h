// What the main thread does while workers run: waits for signals, for workers, and for the time of
// the next live line. It runs no engine.
#ifndef RINGECHO_APP_SUPERVISOR_H_
#define RINGECHO_APP_SUPERVISOR_H_

#include <cstdint>
#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace ringecho::app {

class Supervisor {
 public:
  // Blocks SIGINT, SIGTERM, SIGUSR1 in the calling thread and all it starts later, to take them
  // here instead, and ignores SIGPIPE and SIGXFSZ for the whole process (io_uring's WRITE_FIXED
  // has no MSG_NOSIGNAL). Standard descriptors that are closed are taken up by /dev/null. Call
  // before any thread is started.
  static absl::StatusOr<std::unique_ptr<Supervisor>> Create();

  struct Event {
    enum class Kind { kTimeout, kSignal, kNotified } kind = Kind::kTimeout;
    int signal = 0;  // with kSignal
  };

  // Until `deadline_ns` (monotonic) at the latest.
  Event WaitUntil(int64_t deadline_ns);

  // The same without taking signals, which stay for WaitUntil: for the time before the run.
  void WaitNotified(int64_t deadline_ns);

  // Runs `work`, which may block without end (a name server that does not answer, a pipe nobody
  // writes to), on a thread of its own. When SIGINT or SIGTERM comes first, calls `farewell` and
  // ends the process with `exit_code` at once, because the thread still uses what it was given.
  void RunOrExit(const std::function<void()>& work, const std::function<void()>& farewell,
                 int exit_code);

  // Thread-safe: has WaitUntil return kNotified, once for any number of calls.
  void Notify();

 private:
  bool TakeNotification();

  Supervisor(base::UniqueFd signals, base::UniqueFd notified);

  base::UniqueFd signals_;   // signalfd
  base::UniqueFd notified_;  // eventfd
};

}  // namespace ringecho::app

#endif  // RINGECHO_APP_SUPERVISOR_H_

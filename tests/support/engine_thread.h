// An engine of any configuration, running in a thread of its own, for a test to poke at.
#ifndef RINGECHO_SUPPORT_ENGINE_THREAD_H_
#define RINGECHO_SUPPORT_ENGINE_THREAD_H_

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "engine/counters.h"
#include "engine/options.h"
#include "support/any_engine.h"
#include "support/engine_config.h"

namespace ringecho::support {

// Made and destroyed by the test's thread. What the seam checker found, and an error of Run, become
// failures of the running test when the engine stops.
class EngineThread {
 public:
  // Returns when the engine has been created and listens on `listeners`, or with the status of what
  // failed. `options` are completed by `config`; `handler` must outlive the result.
  static absl::StatusOr<std::unique_ptr<EngineThread>> Start(
      const EngineConfig& config, engine::Options options, AnyHandler& handler,
      std::vector<base::UniqueFd> listeners = {});
  ~EngineThread() { Stop(); }

  // Runs `task` on the engine's thread, soon; Call also waits until it has run. Both go through
  // Wake. After the engine has left Run neither does anything.
  void Post(std::function<void(AnyEngine&)> task);
  void Call(std::function<void(AnyEngine&)> task);

  // Exit, join, destroy the engine. Done once.
  void Stop();

  // Waits for an Exit that the handler has called by itself, then as Stop.
  void Join();

  // Any thread, until the engine stops.
  void Wake();
  const engine::Counters& counters() const;

 private:
  struct Shared;

  EngineThread() = default;

  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace ringecho::support

#endif  // RINGECHO_SUPPORT_ENGINE_THREAD_H_

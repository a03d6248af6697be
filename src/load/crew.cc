#include "load/crew.h"

#include <utility>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "engine/options.h"
#include "engine/with_engine.h"
#include "load/handler.h"

namespace ringecho::load {

Crew::Crew(const Options& options, const Setup& setup, engine::EngineKind engine,
           app::Supervisor& supervisor)
    : options_(options),
      setup_(setup),
      engine_(engine),
      supervisor_(supervisor),
      threads_(static_cast<int>(options.common.threads)),
      board_(threads_),
      control_(SessionCount(options), [&supervisor] { supervisor.Notify(); }),
      team_(static_cast<size_t>(threads_)),
      workers_(supervisor) {}

Crew::~Crew() { Abort(); }

absl::Status Crew::Muster() {
  workers_.Start(threads_, options_.common.cpus, [this](int index) { return RunWorker(index); });
  while (ready_.load() < threads_ && workers_.running_count() == threads_) {
    supervisor_.WaitNotified(base::NowNs() + base::kNsPerSec);
  }
  if (ready_.load() == threads_) return absl::OkStatus();
  Abort();
  absl::Status status = Join();
  return status.ok() ? absl::InternalError("a worker ended before it was ready") : status;
}

absl::Status Crew::RunWorker(int index) {
  absl::Status status = engine::WithEngine<LoadHandler>(
      engine_, [&](auto type) { return Work<typename decltype(type)::type>(index); });
  board_.Finish(index);
  if (!status.ok()) failed_.store(true);
  return status;
}

template <class E>
absl::Status Crew::Work(int index) {
  Worker& worker = team_[static_cast<size_t>(index)];
  const Plan plan = PlanFor(options_, setup_, index);
  auto sessions = std::make_unique<Sessions>(plan, control_, board_);
  LoadHandler handler(*sessions);
  engine::Options engine_options;
  engine_options.max_connections = plan.lanes;
  engine_options.features = options_.common.features;
  engine_options.no_use = NoUse(options_);
  if (setup_.direct_descriptors) {
    engine::Require(engine::FeatureId::kDirectDescriptors, engine_options.features);
  }
  engine_options.wait = options_.common.wait;
  engine_options.buffers = static_cast<uint32_t>(options_.common.buffers);
  engine_options.buffer_bytes = static_cast<uint32_t>(options_.common.buffer_bytes);
  engine_options.payload_region = setup_.payload->region();
  absl::StatusOr<std::unique_ptr<E>> engine = E::Create(engine_options, handler);
  if (!engine.ok()) return engine.status();
  {
    std::lock_guard lock(mutex_);
    worker.sessions = std::move(sessions);
    worker.counters = &(*engine)->counters();
    worker.wake = [e = engine->get()] { e->Wake(); };
    worker.features = (*engine)->features();
  }
  ready_.fetch_add(1);
  supervisor_.Notify();
  begun_.wait(false);
  worker.sessions->Begin((*engine)->counters());
  // Who was told to abort before it could be woken has to see it by itself.
  absl::Status status = control_.abort.load() ? absl::OkStatus() : (*engine)->Run();
  std::lock_guard lock(mutex_);
  worker.final_counters = app::CounterSums((*engine)->counters());
  worker.counters = nullptr;
  worker.wake = nullptr;
  return status;
}

void Crew::Begin() {
  if (options_.messages != 0) control_.go_ns.store(base::NowNs());
  begun_.store(true);
  begun_.notify_all();
}

void Crew::Go(int64_t go_ns) {
  control_.go_ns.store(go_ns);
  Wake();
}

void Crew::Stop() {
  control_.stop.store(true);
  Wake();
}

void Crew::Abort() {
  control_.abort.store(true);
  Stop();
  Begin();
}

void Crew::Wake() {
  std::lock_guard lock(mutex_);
  for (Worker& worker : team_) {
    if (worker.wake) worker.wake();
  }
}

engine::Features Crew::features() {
  std::lock_guard lock(mutex_);
  std::vector<engine::Features> engines;
  for (const Worker& worker : team_) engines.push_back(worker.features);
  return app::InAll(engines);
}

TallySums Crew::Tallies() {
  std::lock_guard lock(mutex_);
  TallySums sums;
  for (const Worker& worker : team_) {
    if (worker.sessions != nullptr) sums.Add(worker.sessions->tally());
  }
  return sums;
}

app::CounterSums Crew::Counters() {
  std::lock_guard lock(mutex_);
  app::CounterSums sums;
  for (const Worker& worker : team_) {
    sums += worker.counters != nullptr ? app::CounterSums(*worker.counters) : worker.final_counters;
  }
  return sums;
}

std::vector<const Sessions*> Crew::sessions() const {
  std::vector<const Sessions*> all;
  for (const Worker& worker : team_) all.push_back(worker.sessions.get());
  return all;
}

}  // namespace ringecho::load

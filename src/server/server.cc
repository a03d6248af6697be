#include "server/server.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/connection_limit.h"
#include "app/engine_report.h"
#include "app/usage.h"
#include "app/workers.h"
#include "base/cpus.h"
#include "base/limits.h"
#include "base/status.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/version.h"
#include "engine/choice.h"
#include "engine/options.h"
#include "engine/with_engine.h"
#include "net/address.h"
#include "net/socket.h"
#include "report/calibration.h"
#include "report/environment.h"
#include "report/intervals.h"
#include "report/live.h"
#include "report/result_file.h"
#include "report/result_json.h"
#include "report/summary.h"
#include "report/validity.h"
#include "server/control.h"
#include "server/echo_handler.h"
#include "server/outcome.h"
#include "stats/intervals.h"
#include "stats/usage.h"

namespace ringecho::server {
namespace {

// What a process needs besides connections: standard streams, signal and event descriptors,
// /proc/stat, the result, shared libraries; and, for each engine, ring or epoll, eventfd and
// listeners.
constexpr int64_t kDescriptorsBase = 24;
constexpr int64_t kDescriptorsPerEngine = 4;

// Where nothing limits them, tables are laid out for so many connections in all.
constexpr int64_t kConnectionsWithoutLimit = 1 << 20;

constexpr int64_t kCalibrationNs = 30 * base::kNsPerMs;

class ServerRun {
 public:
  ServerRun(const Options& options, std::span<const char* const> argv, app::Supervisor& supervisor)
      : options_(options),
        supervisor_(supervisor),
        human_(app::HumanOutput(options.common.json_path)),
        threads_(static_cast<int>(options.common.threads)),
        board_(threads_),
        workers_(supervisor) {
    result_.tool = cli::ThisTool(kProgram);
    result_.run = report::StartRun(argv);
    app::NameRun(options.common, result_.run);
  }

  // Everything that can fail before clients are served.
  absl::Status Prepare();
  absl::Status Start();
  // Until a signal, --duration, or a worker's end.
  void Watch();
  int Finish();

 private:
  struct Worker {
    std::unique_ptr<EchoHandler> handler;
    std::vector<base::UniqueFd> listeners;
    // Set by the worker's thread; valid from `ready` to the end of the thread.
    const engine::Counters* counters = nullptr;
    std::function<void()> wake;
    engine::Features features;
    std::optional<Outcome> measured;  // when it was told to drain, or at its end
    Outcome whole;                    // at its end
  };

  absl::Status PlanConnections(int64_t limit);
  absl::Status OpenListeners();
  template <class E>
  absl::Status Work(int index);
  absl::Status RunEngine(int index);
  void GiveOrder(Order order);
  void OnSignal(int signal);
  void StartDraining();
  void EndMeasuring(int index);
  void AddUp(Outcome& measured, Outcome& whole) const;
  void PrintIntervals();
  app::CounterSums SumCounters();
  void FillConfig();
  int WriteResult(int exit_code);

  const Options& options_;
  app::Supervisor& supervisor_;
  std::FILE* human_;
  const int threads_;

  report::Result result_;
  std::optional<report::ResultFile> file_;
  engine::EngineChoice choice_;
  int64_t capacity_ = 0;  // connections of all engines
  std::unique_ptr<engine::AcceptGate> gate_;
  engine::Options engine_options_;
  std::vector<net::Address> addresses_;

  stats::IntervalBoard board_;
  Control control_;
  std::mutex mutex_;  // guards what workers publish about themselves: counters, wake, features
  std::vector<Worker> state_;
  std::atomic<int> ready_{0};
  app::Workers workers_;

  app::UsageSample started_;
  app::UsageSample stopped_;
  int64_t rss_before_bytes_ = 0;
  bool draining_ = false;
  bool interrupted_ = false;
  absl::Status status_;
};

absl::Status ServerRun::Prepare() {
  if (!options_.common.json_path.empty()) {
    absl::StatusOr<report::ResultFile> file =
        report::ResultFile::Reserve(options_.common.json_path);
    if (!file.ok()) return file.status();
    file_.emplace(*std::move(file));
  }
  // Before the probe, which needs a few descriptors itself.
  absl::StatusOr<int64_t> limit = base::RaiseDescriptorLimit();
  if (!limit.ok()) return limit.status();
  absl::StatusOr<engine::EngineChoice> choice =
      engine::ChooseEngine(options_.common.engine, engine::UringHere());
  if (!choice.ok()) return choice.status();
  choice_ = *std::move(choice);
  RINGECHO_RETURN_IF_ERROR(app::CheckFeatures(options_.common, choice_));
  if (!options_.common.cpus.empty()) {
    RINGECHO_RETURN_IF_ERROR(base::PinThread(options_.common.cpus));
  }
  RINGECHO_RETURN_IF_ERROR(PlanConnections(*limit));
  if (file_) {
    // The floor of an echo is the loader's to measure.
    result_.calibration = report::Calibrate({.budget_ns = kCalibrationNs, .floors = {}});
  }
  absl::Status opened;
  supervisor_.RunOrExit([&] { opened = OpenListeners(); },
                        [this] {
                          cli::Complain(kProgram, "interrupted before it listened");
                          file_.reset();
                        },
                        cli::kExitInterrupted);
  return opened;
}

absl::Status ServerRun::PlanConnections(int64_t limit) {
  auto listeners = static_cast<int64_t>(options_.listen.size());
  int64_t others = kDescriptorsBase + threads_ * (kDescriptorsPerEngine + listeners);
  absl::StatusOr<app::ConnectionRoom> room = app::FindRoom(
      {.connections = options_.max_connections,
       .threads = threads_,
       .others = others,
       .descriptor_limit = limit,
       .direct_available = engine::HasFeature(choice_.kind, engine::FeatureId::kDirectDescriptors)},
      options_.common.features);
  if (!room.ok()) return room.status();
  int64_t most = kConnectionsWithoutLimit;
  if (options_.max_connections != 0) {
    most = options_.max_connections;
    gate_ = std::make_unique<engine::AcceptGate>(most);
  }
  // The kernel may give all connections to one engine; a row of the table costs nothing until used.
  engine_options_.max_connections = static_cast<uint32_t>(std::min(room->per_engine, most));
  capacity_ = options_.max_connections;
  if (capacity_ == 0) {
    capacity_ = int64_t{engine_options_.max_connections} * (room->direct ? threads_ : 1);
  }
  engine_options_.accept_gate = gate_.get();
  engine_options_.features = options_.common.features;
  engine_options_.no_use = NoUse(options_);
  if (room->direct) {
    engine::Require(engine::FeatureId::kDirectDescriptors, engine_options_.features);
  }
  engine_options_.wait = options_.common.wait;
  engine_options_.high_water_bytes = static_cast<uint32_t>(options_.high_water_bytes);
  engine_options_.low_water_bytes = engine::LowWaterBytes(engine_options_.high_water_bytes);
  engine_options_.buffers = static_cast<uint32_t>(options_.common.buffers);
  engine_options_.buffer_bytes = static_cast<uint32_t>(options_.common.buffer_bytes);
  return absl::OkStatus();
}

absl::Status ServerRun::OpenListeners() {
  state_.resize(static_cast<size_t>(threads_));
  int somaxconn = net::SomaxconnLimit();
  if (somaxconn > 0 && options_.backlog > somaxconn) {
    std::fprintf(stderr,
                 "%s: --backlog %lld is cut to net.core.somaxconn = %d; `sysctl -w "
                 "net.core.somaxconn=%lld` raises it\n",
                 kProgram, static_cast<long long>(options_.backlog), somaxconn,
                 static_cast<long long>(options_.backlog));
  }
  for (const std::string& where : options_.listen) {
    absl::StatusOr<net::Address> address = net::ResolveOne(where, kDefaultPort);
    if (!address.ok()) return address.status();
    absl::StatusOr<net::Listeners> opened =
        net::Listen(*address, {.backlog = static_cast<int>(options_.backlog), .count = threads_});
    if (!opened.ok()) return opened.status();
    addresses_.push_back(opened->address);
    for (int i = 0; i < threads_; ++i) {
      state_[static_cast<size_t>(i)].listeners.push_back(
          std::move(opened->sockets[static_cast<size_t>(i)]));
    }
  }
  return absl::OkStatus();
}

absl::Status ServerRun::Start() {
  for (int i = 0; i < threads_; ++i) {
    HandlerOptions handler;
    handler.max_connections = engine_options_.max_connections;
    handler.idle_timeout_ns = options_.idle_timeout_ns;
    handler.verbose = options_.common.verbose;
    handler.control = &control_;
    handler.on_drain = [this, i] { EndMeasuring(i); };
    state_[static_cast<size_t>(i)].handler = std::make_unique<EchoHandler>(
        handler,
        IntervalPoster(board_, i, result_.run.start_monotonic_ns, options_.common.interval_ns));
  }
  workers_.Start(threads_, options_.common.cpus, [this](int index) { return RunEngine(index); });
  while (ready_.load() < threads_ && workers_.running_count() == threads_) {
    supervisor_.WaitNotified(base::NowNs() + base::kNsPerSec);
  }
  if (ready_.load() < threads_) {
    GiveOrder(Order::kAbort);
    absl::Status status = workers_.Join();
    return status.ok() ? absl::InternalError("a worker ended before it was ready") : status;
  }
  rss_before_bytes_ = app::ResidentBytes();
  started_ = app::SampleUsage();
  FillConfig();
  std::fputs(report::Heading(result_).c_str(), human_);
  for (const net::Address& address : addresses_) {
    std::fprintf(human_, "listening on %s\n", address.ToString().c_str());
  }
  std::fflush(human_);
  return absl::OkStatus();
}

absl::Status ServerRun::RunEngine(int index) {
  return engine::WithEngine<EchoHandler>(
      choice_.kind, [&](auto type) { return Work<typename decltype(type)::type>(index); });
}

template <class E>
absl::Status ServerRun::Work(int index) {
  Worker& worker = state_[static_cast<size_t>(index)];
  absl::StatusOr<std::unique_ptr<E>> engine = E::Create(engine_options_, *worker.handler);
  if (!engine.ok()) return engine.status();
  for (base::UniqueFd& listener : worker.listeners) {
    RINGECHO_RETURN_IF_ERROR((*engine)->Listen(std::move(listener)));
  }
  {
    std::lock_guard lock(mutex_);
    worker.counters = &(*engine)->counters();
    worker.wake = [e = engine->get()] { e->Wake(); };
    worker.features = (*engine)->features();
  }
  ready_.fetch_add(1);
  supervisor_.Notify();
  // Who was told to abort before it could be woken has to see it by itself.
  bool aborted = control_.order() == Order::kAbort;
  absl::Status status = aborted ? absl::OkStatus() : (*engine)->Run();
  worker.handler->Finish(base::NowNs(), (*engine)->counters());
  std::lock_guard lock(mutex_);
  worker.whole = Outcome(worker.handler->counters(), (*engine)->counters());
  if (!worker.measured) worker.measured = worker.whole;
  worker.counters = nullptr;
  worker.wake = nullptr;
  return status;
}

void ServerRun::GiveOrder(Order order) {
  control_.Give(order);
  std::lock_guard lock(mutex_);
  for (Worker& worker : state_) {
    if (worker.wake) worker.wake();
  }
}

app::CounterSums ServerRun::SumCounters() {
  std::lock_guard lock(mutex_);
  app::CounterSums sums;
  for (Worker& worker : state_) {
    sums += worker.counters != nullptr ? app::CounterSums(*worker.counters) : worker.whole.engine;
  }
  return sums;
}

void ServerRun::Watch() {
  if (!options_.common.quiet) {
    std::fprintf(human_, "%s\n", report::LiveHeader(report::Role::kServer).c_str());
  }
  int64_t start = result_.run.start_monotonic_ns;
  int64_t end = options_.duration_ns > 0 ? base::NowNs() + options_.duration_ns : base::kNever;
  while (workers_.running()) {
    int64_t now = base::NowNs();
    // A little after the boundary, when the workers have posted.
    int64_t passed = (now - start) / options_.common.interval_ns;
    int64_t next_line = start + (passed + 1) * options_.common.interval_ns + 5 * base::kNsPerMs;
    app::Supervisor::Event event = supervisor_.WaitUntil(std::min(next_line, end));
    if (event.kind == app::Supervisor::Event::Kind::kSignal) OnSignal(event.signal);
    // A worker that ends before it was told to has failed; the others do not go on without it.
    bool failed = workers_.running_count() < threads_;
    if (!draining_ && (failed || base::NowNs() >= end)) StartDraining();
    if (draining_) end = base::kNever;
    PrintIntervals();
  }
}

void ServerRun::OnSignal(int signal) {
  if (signal == SIGUSR1) {
    int64_t messages = 0;
    for (const Worker& worker : state_) {
      messages += static_cast<int64_t>(worker.handler->counters().messages.Get());
    }
    std::fputs(
        app::SnapshotText("snapshot, counted since the start:", SumCounters(), messages).c_str(),
        human_);
    std::fflush(human_);
    return;
  }
  if (draining_) {
    interrupted_ = true;
    GiveOrder(Order::kAbort);
    return;
  }
  // With --duration a signal comes early; without, it is how the run is meant to end.
  interrupted_ = options_.duration_ns > 0;
  StartDraining();
}

void ServerRun::StartDraining() {
  stopped_ = app::SampleUsage();
  draining_ = true;
  GiveOrder(Order::kDrain);
}

// By the worker itself, between two batches of completions: another thread could look between a
// send and its being counted.
void ServerRun::EndMeasuring(int index) {
  Worker& worker = state_[static_cast<size_t>(index)];
  std::lock_guard lock(mutex_);
  worker.measured = Outcome(worker.handler->counters(), *worker.counters);
}

// After the workers' end.
void ServerRun::AddUp(Outcome& measured, Outcome& whole) const {
  for (const Worker& worker : state_) {
    measured += *worker.measured;
    whole += worker.whole;
  }
  // The workers' maxima need not have been at the same time.
  measured.open_max = std::min(measured.open_max, capacity_);
  whole.open_max = std::min(whole.open_max, capacity_);
}

void ServerRun::PrintIntervals() {
  while (std::optional<stats::Interval> taken = board_.Take()) {
    report::Interval interval;
    interval.t_start_ns = taken->counts.start_ns - result_.run.start_monotonic_ns;
    interval.t_end_ns = taken->counts.end_ns - result_.run.start_monotonic_ns;
    interval.messages = static_cast<int64_t>(taken->counts.messages);
    interval.bytes = static_cast<int64_t>(taken->counts.bytes);
    interval.errors = static_cast<int64_t>(taken->counts.errors);
    interval.connections_open = taken->counts.open_connections;
    interval.cpu_ns = taken->counts.cpu_ns;
    const report::EngineWork work = app::WorkOf(taken->counts);
    app::DescribeWork(work, interval);
    if (!options_.common.quiet) {
      std::fprintf(human_, "%s\n", report::LiveLine(report::Role::kServer, interval, work).c_str());
    }
    result_.intervals.push_back(interval);
    report::BoundIntervals(0, result_.intervals);
  }
  std::fflush(human_);
}

void ServerRun::FillConfig() {
  report::Config& config = result_.config;
  std::vector<engine::Features> engines;
  for (const Worker& worker : state_) engines.push_back(worker.features);
  const engine::Features features = app::InAll(engines);
  config.role = report::Role::kServer;
  config.engine = app::DescribeEngine(options_.common.engine, choice_, features);
  config.transport = TransportName(addresses_);
  config.connections = capacity_;
  config.threads = threads_;
  config.cpus = options_.common.cpus;
  config.wait = engine::WaitName(options_.common.wait);
  if (options_.duration_ns > 0) config.duration_ns = options_.duration_ns;
  config.extra.emplace_back("max_connections_limited", options_.max_connections > 0);
  config.extra.emplace_back("idle_timeout_ns", options_.idle_timeout_ns);
  config.extra.emplace_back("backlog", options_.backlog);
  config.extra.emplace_back("high_water_bytes", options_.high_water_bytes);
  app::DescribeBuffers(choice_.kind, features, options_.common.buffers,
                       options_.common.buffer_bytes, config.extra);
  config.extra.emplace_back("interval_ns", options_.common.interval_ns);
}

int ServerRun::Finish() {
  status_ = workers_.Join();
  app::UsageSample ended = app::SampleUsage();
  if (!draining_) stopped_ = ended;
  Outcome measured;
  Outcome whole;
  AddUp(measured, whole);
  PrintIntervals();
  result_.host = report::ReadHost(app::DescribeIoUring());
  result_.phases.push_back(
      PhaseBetween(report::PhaseName::kMeasure, result_.run, started_.at_ns, stopped_.at_ns));
  result_.phases.push_back(
      PhaseBetween(report::PhaseName::kDrain, result_.run, stopped_.at_ns, ended.at_ns));
  FillOutcome(measured, whole, stopped_.at_ns - started_.at_ns, result_);
  result_.resources = app::DescribeResources(started_, stopped_,
                                             {.threads = threads_,
                                              .messages = measured.messages,
                                              .rss_before_bytes = rss_before_bytes_,
                                              .connections = measured.open_max});

  int exit_code = cli::kExitOk;
  if (!status_.ok()) {
    exit_code = cli::kExitFailed;
    result_.run.status = report::RunStatus::kError;
    result_.run.error = std::string(status_.message());
    cli::Complain(kProgram, *result_.run.error);
  } else if (interrupted_) {
    exit_code = cli::kExitInterrupted;
    result_.run.status = report::RunStatus::kInterrupted;
  }
  result_.validity = report::Judge(report::ServerFacts(result_));
  result_.run.exit_code = exit_code;
  std::fputs(report::ServerSummary(result_).c_str(), human_);
  return WriteResult(exit_code);
}

int ServerRun::WriteResult(int exit_code) {
  if (!file_) return exit_code;
  absl::Status written = file_->Commit(report::ToJson(result_));
  if (written.ok()) return exit_code;
  cli::Complain(kProgram, std::string(written.message()));
  return cli::kExitFailed;
}

}  // namespace

int RunServer(const Options& options, std::span<const char* const> argv,
              app::Supervisor& supervisor) {
  ServerRun run(options, argv, supervisor);
  absl::Status status = run.Prepare();
  if (status.ok()) status = run.Start();
  if (!status.ok()) {
    cli::Complain(kProgram, std::string(status.message()));
    return cli::kExitFailed;
  }
  run.Watch();
  return run.Finish();
}

}  // namespace ringecho::server

#include "load/run.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/engine_report.h"
#include "app/usage.h"
#include "base/cpus.h"
#include "base/limits.h"
#include "base/status.h"
#include "base/units.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "cli/version.h"
#include "engine/choice.h"
#include "load/crew.h"
#include "load/outcome.h"
#include "load/prepare.h"
#include "report/calibration.h"
#include "report/environment.h"
#include "report/intervals.h"
#include "report/live.h"
#include "report/result_file.h"
#include "report/result_json.h"
#include "report/summary.h"
#include "report/validity.h"

namespace ringecho::load {
namespace {

// Workers are asleep when all connections are made; this is for them to wake up.
constexpr int64_t kGoMarginNs = 5 * base::kNsPerMs;
// Intervals are looked for when the workers have had time to post them.
constexpr int64_t kPostMarginNs = 5 * base::kNsPerMs;
constexpr int64_t kProgressNs = 200 * base::kNsPerMs;
// Shorter phases need no progress line.
constexpr int64_t kProgressAfterNs = base::kNsPerSec;

class LoadRun {
 public:
  LoadRun(const Options& options, std::span<const char* const> argv, app::Supervisor& supervisor)
      : options_(options),
        supervisor_(supervisor),
        human_(app::HumanOutput(options.common.json_path)),
        progress_(!options.common.quiet && isatty(fileno(human_)) != 0) {
    result_.tool = cli::ThisTool(kProgram);
    result_.run = report::StartRun(argv);
    app::NameRun(options.common, result_.run);
    result_.run.seed = static_cast<uint64_t>(options.seed);
  }

  // Everything that can fail before connections are made. cli::kExitOk, or the exit code after
  // the reason was told.
  int Start();
  // Until the workers have ended.
  void Watch();
  int Finish();

 private:
  absl::Status Reserve();
  absl::Status Launch();
  void EndBeforeTheRun();
  bool by_time() const { return options_.messages == 0; }
  int64_t SinceStart(int64_t ns) const { return ns - result_.run.start_monotonic_ns; }

  int64_t NextLookNs() const;
  void OnSignal(int signal);
  void GoWhenConnected();
  void SampleAtEdges();
  void ShowProgress();
  void ShowFirstRetry();
  void TakeIntervals();
  void ShowInterval(report::Interval interval, const report::EngineWork& work);
  void FillPhases(const Outcome& outcome);
  int Judge(const Outcome& outcome, const absl::Status& status);
  int WriteResult(int exit_code);

  const Options& options_;
  app::Supervisor& supervisor_;
  std::FILE* const human_;
  const bool progress_;

  report::Result result_;
  std::optional<report::ResultFile> file_;
  engine::EngineChoice choice_;
  Setup setup_;
  std::unique_ptr<Crew> crew_;

  // Monotonic; base::kNever: not yet, or in this mode not known beforehand.
  int64_t begin_ns_ = base::kNever;
  int64_t go_ns_ = base::kNever;
  int64_t measure_ns_ = base::kNever;
  int64_t measure_end_ns_ = base::kNever;
  int64_t ended_ns_ = base::kNever;
  std::optional<app::UsageSample> usage_start_;
  std::optional<app::UsageSample> usage_end_;
  int64_t rss_before_bytes_ = 0;
  int64_t retries_taken_ = 0;   // into intervals
  int64_t unshown_errors_ = 0;  // by live lines, so far
  int64_t unshown_retries_ = 0;
  bool progress_line_ = false;  // one stands on the terminal
  bool header_ = false;
  bool retry_noted_ = false;
  bool interrupted_ = false;
};

int LoadRun::Start() {
  absl::Status status = Reserve();
  bool usage = false;
  if (status.ok()) {
    absl::StatusOr<Setup> setup;
    supervisor_.RunOrExit([&] { setup = Prepare(options_, choice_.kind); },
                          [this] { EndBeforeTheRun(); }, cli::kExitInterrupted);
    status = setup.status();
    usage = absl::IsInvalidArgument(status);
    if (setup.ok()) setup_ = *std::move(setup);
  }
  if (status.ok()) status = Launch();
  if (status.ok()) return cli::kExitOk;
  cli::Complain(kProgram, std::string(status.message()));
  return usage ? cli::kExitUsage : cli::kExitFailed;
}

// Somebody gave up waiting for a name or a payload. There is nothing to report yet.
void LoadRun::EndBeforeTheRun() {
  cli::Complain(kProgram, "interrupted before the run began");
  file_.reset();
}

// The place of the result, the engine, the CPUs.
absl::Status LoadRun::Reserve() {
  if (!options_.common.json_path.empty()) {
    absl::StatusOr<report::ResultFile> file =
        report::ResultFile::Reserve(options_.common.json_path);
    if (!file.ok()) return file.status();
    file_.emplace(*std::move(file));
  }
  // Before the probe, which needs a few descriptors itself.
  if (absl::StatusOr<int64_t> limit = base::RaiseDescriptorLimit(); !limit.ok()) {
    return limit.status();
  }
  absl::StatusOr<engine::EngineChoice> choice =
      engine::ChooseEngine(options_.common.engine, engine::UringHere());
  if (!choice.ok()) return choice.status();
  choice_ = *std::move(choice);
  RINGECHO_RETURN_IF_ERROR(app::CheckFeatures(options_.common, choice_));
  return options_.common.cpus.empty() ? absl::OkStatus() : base::PinThread(options_.common.cpus);
}

absl::Status LoadRun::Launch() {
  // Only a result that is kept is worth the time.
  if (file_) result_.calibration = report::Calibrate();
  crew_ = std::make_unique<Crew>(options_, setup_, choice_.kind, supervisor_);
  RINGECHO_RETURN_IF_ERROR(crew_->Muster());
  rss_before_bytes_ = app::ResidentBytes();
  FillConfig(options_, setup_, result_.config);
  result_.config.engine = app::DescribeEngine(options_.common.engine, choice_, crew_->features());
  app::DescribeBuffers(choice_.kind, crew_->features(), options_.common.buffers,
                       options_.common.buffer_bytes, result_.config.extra);
  std::fputs(report::Heading(result_).c_str(), human_);
  std::fflush(human_);
  return absl::OkStatus();
}

void LoadRun::Watch() {
  begin_ns_ = base::NowNs();
  if (!by_time()) {
    go_ns_ = measure_ns_ = begin_ns_;
    usage_start_ = app::SampleUsage();
  }
  crew_->Begin();
  while (crew_->running()) {
    const app::Supervisor::Event event = supervisor_.WaitUntil(NextLookNs());
    if (event.kind == app::Supervisor::Event::Kind::kSignal) OnSignal(event.signal);
    if (crew_->failed()) crew_->Stop();
    GoWhenConnected();
    SampleAtEdges();
    ShowProgress();
    TakeIntervals();
  }
  ended_ns_ = base::NowNs();
}

int64_t LoadRun::NextLookNs() const {
  const int64_t now_ns = base::NowNs();
  if (go_ns_ == base::kNever) return now_ns + kProgressNs;
  // Intervals begin anew with each of the two phases.
  const bool warming = now_ns < measure_ns_;
  const int64_t from_ns = warming ? go_ns_ : measure_ns_;
  const int64_t edge_ns = warming ? measure_ns_ : measure_end_ns_;
  if (now_ns < from_ns) return from_ns;
  const int64_t interval_ns = options_.common.interval_ns;
  const int64_t passed = (now_ns - kPostMarginNs - from_ns) / interval_ns;
  const int64_t line_ns = from_ns + (passed + 1) * interval_ns + kPostMarginNs;
  return now_ns < edge_ns ? std::min(line_ns, edge_ns) : line_ns;
}

void LoadRun::OnSignal(int signal) {
  if (signal == SIGUSR1) {
    const TallySums tally = crew_->Tallies();
    std::fputs(DescribeTally(tally).c_str(), human_);
    std::fputs(
        app::SnapshotText("engine, since the start:", crew_->Counters(), tally.messages).c_str(),
        human_);
    std::fflush(human_);
  } else if (interrupted_) {
    crew_->Abort();
  } else {
    interrupted_ = true;
    crew_->Stop();
  }
}

void LoadRun::GoWhenConnected() {
  if (go_ns_ != base::kNever || interrupted_ || !crew_->settled() || !crew_->running()) return;
  go_ns_ = base::NowNs() + kGoMarginNs;
  measure_ns_ = go_ns_ + options_.warmup_ns;
  measure_end_ns_ = measure_ns_ + options_.duration_ns;
  crew_->Go(go_ns_);
}

void LoadRun::SampleAtEdges() {
  const int64_t now_ns = base::NowNs();
  if (!usage_start_ && !interrupted_ && now_ns >= measure_ns_) {
    usage_start_ = app::SampleUsage();
  }
  if (!usage_end_ && (now_ns >= measure_end_ns_ || interrupted_)) usage_end_ = app::SampleUsage();
}

void LoadRun::ShowProgress() {
  const int64_t elapsed_ns = base::NowNs() - begin_ns_;
  const bool connecting = go_ns_ == base::kNever && crew_->running();
  if (progress_ && connecting && elapsed_ns >= kProgressAfterNs) {
    std::fprintf(
        human_, "\r%s",
        report::ProgressLine("connecting", crew_->Tallies().open, options_.connections, elapsed_ns)
            .c_str());
    std::fflush(human_);
    progress_line_ = true;
  } else if (progress_line_) {
    std::fputs("\n", human_);
    progress_line_ = false;
  }
  ShowFirstRetry();
}

// Somebody who forgot to start the server should not wait for the last retry to learn it.
void LoadRun::ShowFirstRetry() {
  if (retry_noted_ || options_.common.quiet) return;
  const TallySums tally = crew_->Tallies();
  for (size_t i = 0; i < tally.retry_reasons.size(); ++i) {
    if (tally.retry_reasons[i] == 0) continue;
    const std::string_view reason = CloseReasonName(static_cast<engine::CloseReason>(i));
    cli::Complain(kProgram, absl::StrCat("connecting to ", setup_.to.ToString(), ": ",
                                         base::ToAbsl(reason), "; trying again"));
    retry_noted_ = true;
    return;
  }
}

void LoadRun::TakeIntervals() {
  while (std::optional<stats::Interval> taken = crew_->board().Take()) {
    const int64_t retries = crew_->Tallies().retries;
    report::Interval interval;
    interval.t_start_ns = SinceStart(taken->counts.start_ns);
    interval.t_end_ns = SinceStart(taken->counts.end_ns);
    interval.messages = static_cast<int64_t>(taken->counts.messages);
    interval.bytes = static_cast<int64_t>(taken->counts.bytes);
    interval.errors = static_cast<int64_t>(taken->counts.errors);
    interval.connections_open = taken->counts.open_connections;
    interval.cpu_ns = taken->counts.cpu_ns;
    interval.retries = retries - retries_taken_;
    if (taken->p50_ns) interval.p50_ns = static_cast<int64_t>(*taken->p50_ns);
    if (taken->p99_ns) interval.p99_ns = static_cast<int64_t>(*taken->p99_ns);
    retries_taken_ = retries;
    const report::EngineWork work = app::WorkOf(taken->counts);
    app::DescribeWork(work, interval);
    result_.intervals.push_back(interval);
    report::BoundIntervals(SinceStart(measure_ns_), result_.intervals);
    // Lines are of what is measured; the warm-up is for the file.
    unshown_errors_ += interval.errors;
    unshown_retries_ += *interval.retries;
    if (taken->counts.start_ns >= measure_ns_) ShowInterval(interval, work);
  }
}

void LoadRun::ShowInterval(report::Interval interval, const report::EngineWork& work) {
  if (options_.common.quiet) return;
  if (!header_) std::fprintf(human_, "%s\n", report::LiveHeader(report::Role::kLoad).c_str());
  header_ = true;
  // None must go unseen, those of connecting and warming up neither.
  interval.errors = std::exchange(unshown_errors_, 0);
  interval.retries = std::exchange(unshown_retries_, 0);
  std::fprintf(human_, "%s\n", report::LiveLine(report::Role::kLoad, interval, work).c_str());
  if (options_.common.verbose) std::fprintf(human_, "%s\n", report::LiveDetail(work).c_str());
  std::fflush(human_);
}

int LoadRun::Finish() {
  const absl::Status status = crew_->Join();
  TakeIntervals();
  ShowProgress();
  const app::UsageSample now = app::SampleUsage();
  const Outcome outcome = CollectOutcome(crew_->sessions());
  // Interrupted before measuring: nothing was used for it.
  const app::UsageSample& from = usage_start_ ? *usage_start_ : now;
  const app::UsageSample& to = usage_start_ && usage_end_ ? *usage_end_ : now;
  result_.resources = app::DescribeResources(from, to,
                                             {.threads = static_cast<int>(options_.common.threads),
                                              .messages = outcome.messages,
                                              .rss_before_bytes = rss_before_bytes_,
                                              .connections = outcome.tally.open_max});
  result_.host = report::ReadHost(app::DescribeIoUring());
  result_.totals.resolve_ns = setup_.resolve_ns;
  FillPhases(outcome);
  FillOutcome(outcome, options_, result_);
  const int exit_code = Judge(outcome, status);
  if (by_time() && !interrupted_ && outcome.end_ns != 0 && outcome.end_ns < measure_end_ns_) {
    std::fputs("ended early: no connection was left\n", human_);
  }
  if (!options_.percentiles.empty()) {
    std::fputs(PercentileText(*result_.latency, options_.percentiles).c_str(), human_);
  }
  std::fputs(report::LoadSummary(result_).c_str(), human_);
  std::fflush(human_);
  return WriteResult(exit_code);
}

void LoadRun::FillPhases(const Outcome& outcome) {
  const auto add = [this](report::PhaseName name, int64_t start_ns, int64_t end_ns) {
    result_.phases.push_back(
        {.name = name, .start_ns = SinceStart(start_ns), .end_ns = SinceStart(end_ns)});
  };
  const bool measured = outcome.end_ns != 0;
  if (by_time()) {
    add(report::PhaseName::kConnect, begin_ns_, std::min(go_ns_, ended_ns_));
    if (go_ns_ < ended_ns_ && options_.warmup_ns != 0) {
      add(report::PhaseName::kWarmup, go_ns_, measured ? outcome.start_ns : ended_ns_);
    }
  }
  if (!measured) return;
  add(report::PhaseName::kMeasure, outcome.start_ns, outcome.end_ns);
  add(report::PhaseName::kDrain, outcome.end_ns, std::max(ended_ns_, outcome.end_ns));
}

// Sets status, validity and exit code.
int LoadRun::Judge(const Outcome& outcome, const absl::Status& status) {
  report::Run& run = result_.run;
  if (!status.ok()) {
    run.error = std::string(status.message());
  } else if (!interrupted_) {
    run.error = WhyNothingConnected(outcome.tally, setup_.to);
  }
  if (run.error) {
    run.status = report::RunStatus::kError;
    run.exit_code = cli::kExitFailed;
    cli::Complain(kProgram, *run.error);
  } else if (interrupted_) {
    run.status = report::RunStatus::kInterrupted;
    run.exit_code = cli::kExitInterrupted;
  }
  result_.validity = report::Judge(report::LoadFacts(result_));
  if (run.status == report::RunStatus::kOk &&
      result_.validity.verdict == report::Verdict::kInvalid) {
    run.exit_code = cli::kExitInvalid;
  }
  return static_cast<int>(run.exit_code);
}

int LoadRun::WriteResult(int exit_code) {
  if (!file_) return exit_code;
  const absl::Status written = file_->Commit(report::ToJson(result_));
  if (written.ok()) return exit_code;
  cli::Complain(kProgram, std::string(written.message()));
  return cli::kExitFailed;
}

}  // namespace

int RunLoad(const Options& options, std::span<const char* const> argv,
            app::Supervisor& supervisor) {
  LoadRun run(options, argv, supervisor);
  if (const int code = run.Start(); code != cli::kExitOk) return code;
  run.Watch();
  return run.Finish();
}

}  // namespace ringecho::load

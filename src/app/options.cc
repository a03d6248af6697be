#include "app/options.h"

#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/cpus.h"
#include "base/status.h"
#include "cli/options.h"

namespace ringecho::app {
namespace {

void ParseEngine(const std::string& text, engine::EngineKind& kind) {
  std::optional<engine::EngineKind> found = engine::EngineFromName(text);
  if (!found) {
    cli::Refuse("--engine", absl::StrCat("got \"", text, "\", takes auto, io_uring or epoll"));
  }
  kind = *found;
}

void ParseFeatureList(const std::string& text, CommonOptions& options) {
  if (text == "list") {
    options.list_features = true;
    return;
  }
  absl::StatusOr<engine::FeatureRequest> parsed = engine::ParseFeatures(text);
  if (!parsed.ok()) cli::Refuse("--features", base::ToStd(parsed.status().message()));
  options.features = *parsed;
}

void ParseWaiting(const std::string& text, engine::WaitPolicy& wait) {
  absl::StatusOr<engine::WaitPolicy> parsed = engine::ParseWait(text);
  if (!parsed.ok()) cli::Refuse("--wait", base::ToStd(parsed.status().message()));
  wait = *parsed;
}

void ParseCpus(const std::string& text, std::vector<int>& cpus) {
  absl::StatusOr<std::vector<int>> parsed = base::ParseCpuList(text);
  if (!parsed.ok()) cli::Refuse("--cpus", base::ToStd(parsed.status().message()));
  cpus = *std::move(parsed);
}

void ParseLabel(const std::string& text, report::NamedStrings& labels) {
  std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (parts.first.empty() || text.find('=') == std::string::npos) {
    cli::Refuse("--label", absl::StrCat("got \"", text, "\", takes KEY=VALUE"));
  }
  for (const auto& label : labels) {
    if (label.first == parts.first) {
      cli::Refuse("--label", absl::StrCat("got \"", parts.first, "\" twice, takes each key once"));
    }
  }
  labels.push_back(std::move(parts));
}

}  // namespace

void AddCommonOptions(CLI::App& app, CommonOptions& options) {
  constexpr char kEngine[] = "Engine";
  constexpr char kOutput[] = "Output";
  app.add_option_function<std::string>(
         "--engine", [&options](const std::string& text) { ParseEngine(text, options.engine); },
         cli::Describe("auto, io_uring or epoll; auto takes epoll only where io_uring is absent",
                       "auto"))
      ->type_name("NAME")
      ->group(kEngine);
  app.add_option_function<std::string>(
         "--features", [&options](const std::string& text) { ParseFeatureList(text, options); },
         cli::Describe("io_uring features: best, baseline or minimal, then +NAME and -NAME; list "
                       "prints them all",
                       "best"))
      ->type_name("LIST")
      ->group(kEngine);
  app.add_option_function<std::string>(
         "--wait", [&options](const std::string& text) { ParseWaiting(text, options.wait); },
         cli::Describe("block, spin, hybrid:TIME, which spins so long after each event, or "
                       "batch:TIME, which gathers for so long before it looks; spinning answers "
                       "sooner and takes a whole CPU per thread, gathering answers later and "
                       "takes less",
                       engine::WaitName(options.wait)))
      ->type_name("HOW")
      ->group(kEngine);
  cli::AddCount(app, "-t,--threads", options.threads, {1, 1024}, "engines, one thread each")
      ->group(kEngine);
  app.add_option_function<std::string>(
         "--cpus", [&options](const std::string& text) { ParseCpus(text, options.cpus); },
         cli::Describe("pin thread i to the i-th CPU of a list such as 0,2-3", "not pinned"))
      ->type_name("LIST")
      ->group(kEngine);
  cli::AddCount(app, "--buffers", options.buffers, {1, 32768},
                "provided buffers of each io_uring engine", "4096, or 256 with incremental_buffers")
      ->group(kEngine);
  cli::AddSize(app, "--buffer-size", options.buffer_bytes, {16, 16 << 20},
               "bytes of one buffer, or of one epoll read",
               "4k, or 64k without buffer_ring, with incremental_buffers and with epoll")
      ->group(kEngine);
  cli::AddDuration(app, "-i,--interval", options.interval_ns,
                   {10 * base::kNsPerMs, 86'400 * base::kNsPerSec}, "time between live lines")
      ->group(kOutput);
  cli::AddText(app, "--json", options.json_path, "FILE", "write the result file; - is stdout")
      ->group(kOutput);
  app.add_option_function<std::vector<std::string>>(
         "--label",
         [&options](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) ParseLabel(text, options.labels);
         },
         cli::Describe("a label to find the result by; repeatable"))
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->group(kOutput);
  cli::AddText(app, "--series", options.series_id, "ID", "the comparison this run is part of")
      ->group(kOutput);
  cli::AddCount(app, "--repeat", options.repeat, {0, INT32_MAX}, "which repeat, from 0", "none")
      ->group(kOutput);
  cli::AddCount(app, "--order", options.order_index, {0, INT32_MAX},
                "which run of the series, from 0", "none")
      ->group(kOutput);
  cli::AddFlag(app, "-v,--verbose", options.verbose, "log connection events")->group(kOutput);
  cli::AddFlag(app, "-q,--quiet", options.quiet, "no live lines")->group(kOutput);
}

void CheckCommonOptions(const CommonOptions& options) {
  if (absl::Status here = base::CheckCpus(options.cpus); !here.ok()) {
    cli::Refuse("--cpus",
                absl::StrCat("got \"", base::FormatCpuList(options.cpus), "\": ", here.message()));
  }
  if (options.features.asked && options.engine == engine::EngineKind::kEpoll) {
    cli::Refuse("--features", "these are features of io_uring, and --engine is epoll");
  }
  if (options.features.required.Has(engine::FeatureId::kMinWait) && options.wait.gather_ns == 0) {
    cli::Refuse("--features", absl::StrCat("min_wait is of use with --wait batch:TIME only, and "
                                           "--wait is ",
                                           engine::WaitName(options.wait)));
  }
}

void AddNoUseOnUnix(const engine::FeatureRequest& request, engine::FeatureReasons& no_use) {
  using enum engine::FeatureId;
  for (engine::FeatureId id : {kSendZc, kSendZcFixed}) {
    no_use[static_cast<size_t>(id)] = "the kernel refuses zero-copy sends on unix sockets";
  }
  // One that waits first may never be told of the end of the stream, so the engine does not ask.
  if (request.wanted.Has(kMultishotRecv)) {
    no_use[static_cast<size_t>(kPollFirst)] =
        "a multishot receive on a unix socket cannot wait first; add -multishot_recv";
  }
}

void CheckUse(const engine::FeatureRequest& request, const engine::FeatureReasons& no_use) {
  for (const engine::FeatureInfo& info : engine::kFeatureTable) {
    const std::string& why = no_use[static_cast<size_t>(info.id)];
    if (!request.required.Has(info.id) || why.empty()) continue;
    cli::Refuse("--features",
                absl::StrCat("got +", base::ToAbsl(info.name), ", which cannot be used: ", why));
  }
}

absl::Status CheckFeatures(const CommonOptions& options, const engine::EngineChoice& choice) {
  if (choice.kind != engine::EngineKind::kEpoll || options.features.required.empty()) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(
      absl::StrCat("features of io_uring were asked for by name, and ", choice.reason));
}

void NameRun(const CommonOptions& options, report::Run& run) {
  run.labels = options.labels;
  if (!options.series_id.empty()) run.series_id = options.series_id;
  if (options.repeat >= 0) run.repeat = options.repeat;
  if (options.order_index >= 0) run.order_index = options.order_index;
}

}  // namespace ringecho::app

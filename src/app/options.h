// The options that server and load generator share.
#ifndef RINGECHO_APP_OPTIONS_H_
#define RINGECHO_APP_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/choice.h"
#include "engine/feature_set.h"
#include "engine/wait.h"
#include "report/result.h"

namespace ringecho::app {

struct CommonOptions {
  engine::EngineKind engine = engine::EngineKind::kAuto;
  engine::FeatureRequest features;
  bool list_features = false;  // print the table and end
  engine::WaitPolicy wait;
  int64_t threads = 1;
  std::vector<int> cpus;     // empty: not pinned
  int64_t buffers = 0;       // 0: the engine's default
  int64_t buffer_bytes = 0;  // 0: the engine's default
  int64_t interval_ns = base::kNsPerSec;
  std::string json_path;  // empty: none; "-": stdout
  report::NamedStrings labels;
  std::string series_id;     // empty: the run stands alone
  int64_t repeat = -1;       // -1: not said
  int64_t order_index = -1;  // -1: not said
  bool verbose = false;
  bool quiet = false;
};

// --engine, --features, --wait, --threads, --cpus; --buffers, --buffer-size; --interval, --json,
// -v, -q;
// --label,
// --series, --repeat, --order. What `options` holds are the defaults that --help names.
void AddCommonOptions(CLI::App& app, CommonOptions& options);

// Throws CLI::ValidationError for common options that contradict each other. For Parse's `check`.
void CheckCommonOptions(const CommonOptions& options);

// Adds the features that come to nothing where all connections are unix sockets, with why.
void AddNoUseOnUnix(const engine::FeatureRequest& request, engine::FeatureReasons& no_use);

// Throws CLI::ValidationError for a feature that was named and that the role has no use for.
void CheckUse(const engine::FeatureRequest& request, const engine::FeatureReasons& no_use);

// UNAVAILABLE when features were asked for by name and the choice of the engine, which was made for
// want of io_uring, cannot have them.
absl::Status CheckFeatures(const CommonOptions& options, const engine::EngineChoice& choice);

// The options of the last line, in the result of a run.
void NameRun(const CommonOptions& options, report::Run& run);

}  // namespace ringecho::app

#endif  // RINGECHO_APP_OPTIONS_H_

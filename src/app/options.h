// The options that server and load generator share.
#ifndef RINGECHO_APP_OPTIONS_H_
#define RINGECHO_APP_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/choice.h"
#include "report/result.h"

namespace ringecho::app {

struct CommonOptions {
  engine::EngineKind engine = engine::EngineKind::kAuto;
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

// --engine, --threads, --cpus; --buffers, --buffer-size; --interval, --json, -v, -q; --label,
// --series, --repeat, --order.
void AddCommonOptions(CLI::App& app, CommonOptions& options);

// The options of the last line, in the result of a run.
void NameRun(const CommonOptions& options, report::Run& run);

}  // namespace ringecho::app

#endif  // RINGECHO_APP_OPTIONS_H_

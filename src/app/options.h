// Command-line pieces that both programs share, over CLI11.
#ifndef RINGECHO_APP_OPTIONS_H_
#define RINGECHO_APP_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "engine/choice.h"
#include "report/result.h"

namespace ringecho::app {

// Smallest and largest value an option takes, in the option's own unit (bytes, ns, a count).
struct Range {
  int64_t min = 0;
  int64_t max = INT64_MAX;
};

// Each adds one option whose value is parsed as base/units.h says and checked against `range`; a
// bad one ends parsing with "OPTION: got ..., takes ...". The variable's value beforehand is the
// default shown by --help, unless `shown_default` says it better. Descriptions are wrapped so
// that --help fits 80 columns.
CLI::Option* AddCount(CLI::App& app, const std::string& names, int64_t& value, Range range,
                      const std::string& description, const std::string& shown_default = "");
CLI::Option* AddSize(CLI::App& app, const std::string& names, int64_t& value, Range range,
                     const std::string& description, const std::string& shown_default = "");
CLI::Option* AddDuration(CLI::App& app, const std::string& names, int64_t& value, Range range,
                         const std::string& description, const std::string& shown_default = "");
CLI::Option* AddText(CLI::App& app, const std::string& names, std::string& value,
                     const std::string& type, const std::string& description);
CLI::Option* AddTexts(CLI::App& app, const std::string& names, std::vector<std::string>& values,
                      const std::string& type, const std::string& description);
CLI::Option* AddFlag(CLI::App& app, const std::string& names, bool& value,
                     const std::string& description);

struct CommonOptions {
  engine::EngineKind engine = engine::EngineKind::kAuto;
  int64_t threads = 1;
  std::vector<int> cpus;     // empty: not pinned
  int64_t buffers = 0;       // 0: the engine's default
  int64_t buffer_bytes = 0;  // 0: the engine's default
  int64_t interval_ns = base::kNsPerSec;
  std::string json_path;  // empty: none; "-": stdout
  report::NamedStrings labels;
  bool verbose = false;
  bool quiet = false;
};

// --engine, --threads, --cpus; --buffers, --buffer-size; --interval, --json, --label, -v, -q.
void AddCommonOptions(CLI::App& app, CommonOptions& options);

// An app with the layout, --help and --version of the project. `purpose` is its first help line,
// `footer` its last ones.
void SetUpApp(CLI::App& app, const std::string& name, const std::string& purpose,
              const std::string& footer);

// Parses; the exit code when the program should end now (--help, --version, or a usage error,
// for which one line was written to stderr). `check` runs after parsing and throws
// CLI::ValidationError for options that contradict each other.
std::optional<int> Parse(CLI::App& app, int argc, const char* const* argv,
                         const std::function<void()>& check);

// One line on stderr, "NAME: MESSAGE", for errors found after parsing.
void Complain(const std::string& name, const std::string& message);

}  // namespace ringecho::app

#endif  // RINGECHO_APP_OPTIONS_H_

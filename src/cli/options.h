// Command-line pieces that all programs share, over CLI11.
#ifndef RINGECHO_CLI_OPTIONS_H_
#define RINGECHO_CLI_OPTIONS_H_

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ringecho::cli {

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

// For options of other kinds: a description wrapped as those above, "what it is [default]", and
// the refusal of a value, "OPTION: MESSAGE", with the long one of `names`.
std::string Describe(const std::string& description, const std::string& shown_default = "");
[[noreturn]] void Refuse(const std::string& names, std::string_view message);

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

}  // namespace ringecho::cli

#endif  // RINGECHO_CLI_OPTIONS_H_

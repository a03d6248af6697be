#include "compare/options.h"

#include <charconv>
#include <cmath>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/options.h"

namespace ringecho::compare {
namespace {

constexpr char kFooter[] =
    "BASE and NEW are folders as run_bench.sh writes them, or result files. One\n"
    "folder is compared within itself. KEY is what a table names, or another one:\n"
    "engine, kernel, version, features, connections, size_bytes, depth, threads,\n"
    "server.threads, label.NAME, host.environment.NAME, ...\n"
    "\n"
    "  ringecho-compare merge FILE... -o FILE\n"
    "\n"
    "merges the results of load generators that drove one server at the same time.\n"
    "Exit codes: 0 done, 1 failed, 2 usage, unreadable or not comparable,\n"
    "4 --fail-on-regression found one, or could not tell: too few repeats, or\n"
    "nothing to compare with what BASE has.";

constexpr char kMergeFooter[] =
    "The results must be of one configuration. Counts and histograms are added\n"
    "exactly, percentiles computed anew, and the verdict is the worst; those that\n"
    "measured together for less than half of the time make an invalid one.\n"
    "Exit codes: 0 done, 1 failed, 2 usage, unreadable or not mergeable,\n"
    "3 done, but the verdict is invalid.";

constexpr std::pair<std::string_view, Format> kFormats[] = {{"text", Format::kText},
                                                            {"markdown", Format::kMarkdown},
                                                            {"json", Format::kJson},
                                                            {"html", Format::kHtml}};

void ParseFormat(const std::string& text, Format& format) {
  for (const auto& [name, value] : kFormats) {
    if (name == text) {
      format = value;
      return;
    }
  }
  cli::Refuse("--format", absl::StrCat("got \"", text, "\", takes text, markdown, json or html"));
}

// "3%" or "3" as 0.03.
double ParsePercent(const std::string& option, const std::string& text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  double percent = 0;
  auto [stop, error] = std::from_chars(begin, end, percent);
  const bool whole = stop == end || (stop + 1 == end && *stop == '%');
  if (error != std::errc() || !whole || !(percent >= 0 && percent <= 1000)) {
    cli::Refuse(option, absl::StrCat("got \"", text, "\", takes a percentage such as 3%"));
  }
  return percent / 100;
}

void ParseFilter(const std::string& text, CompareOptions& options) {
  std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
  if (parts.first.empty() || text.find('=') == std::string::npos) {
    cli::Refuse("--filter", absl::StrCat("got \"", text, "\", takes KEY=VALUE"));
  }
  options.filters.push_back(std::move(parts));
}

void AddCompareOptions(CLI::App& app, Options& options) {
  constexpr char kWhat[] = "What is compared";
  cli::AddText(app, "--vary", options.compare.vary, "KEY",
               "the key by which sides are told apart [the one of kernel, version, engine, "
               "features and labels that differs]")
      ->group(kWhat);
  cli::AddText(app, "--base", options.compare.base, "VALUE",
               "the value of it to compare with [epoll, or the first]")
      ->group(kWhat);
  app.add_option_function<std::vector<std::string>>(
         "--filter",
         [&options](const std::vector<std::string>& texts) {
           for (const std::string& text : texts) ParseFilter(text, options.compare);
         },
         cli::Describe("only results that have this value; repeatable"))
      ->type_name("KEY=VALUE")
      ->expected(1)
      ->take_all()
      ->group(kWhat);
  cli::AddFlag(app, "--force", options.compare.force,
               "compare although more than one thing differs")
      ->group(kWhat);
}

void AddVerdictOptions(CLI::App& app, Options& options) {
  constexpr char kVerdict[] = "Verdict";
  app.add_option_function<std::string>(
         "--min-effect",
         [&options](const std::string& text) {
           options.compare.min_effect = ParsePercent("--min-effect", text);
         },
         cli::Describe("smaller changes are ~, however sure", "2%"))
      ->type_name("PERCENT")
      ->group(kVerdict);
  app.add_option_function<std::string>(
         "--fail-on-regression",
         [&options](const std::string& text) {
           options.fail_regression = ParsePercent("--fail-on-regression", text);
         },
         cli::Describe(
             "exit with 4 when anything is slower by so much or more, when no result of it counts, "
             "and when there are too few repeats to tell"))
      ->type_name("PERCENT")
      ->group(kVerdict);
}

void AddOutput(CLI::App& app, Options& options) {
  cli::AddText(app, "-o,--output", options.output, "FILE", "where to write; - is stdout")
      ->group("Output");
}

void AddOutputOptions(CLI::App& app, Options& options) {
  constexpr char kOutput[] = "Output";
  app.add_option_function<std::string>(
         "--format", [&options](const std::string& text) { ParseFormat(text, options.format); },
         cli::Describe("text, markdown, json or html", "text"))
      ->type_name("NAME")
      ->group(kOutput);
  AddOutput(app, options);
  cli::AddText(app, "--row", options.row, "KEY",
               "with --col: a matrix for each metric instead of a table, values of KEY down")
      ->group(kOutput);
  cli::AddText(app, "--col", options.col, "KEY", "with --row: values of KEY across")
      ->group(kOutput);
}

void CheckCompare(const Options& options) {
  if (options.paths.empty()) {
    throw CLI::ValidationError("BASE", "takes a folder, or files or folders to compare");
  }
  if (options.row.empty() != options.col.empty()) {
    throw CLI::ValidationError(options.row.empty() ? "--col" : "--row",
                               "--row and --col go together");
  }
  if (!options.row.empty() && options.row == options.col) {
    throw CLI::ValidationError("--row", "takes another key than --col");
  }
  const bool tables = options.format == Format::kText || options.format == Format::kMarkdown;
  if (!options.row.empty() && !tables) {
    throw CLI::ValidationError("--row", "is for the formats text and markdown");
  }
}

std::optional<int> ParseCompare(int argc, const char* const* argv, Options& options) {
  CLI::App app;
  cli::SetUpApp(app, kProgram, "Compares benchmark results: what differs, and whether by chance.",
                kFooter);
  app.add_option("BASE NEW", options.paths, cli::Describe("results to compare"))
      ->type_name("")
      ->group("What is compared");
  AddCompareOptions(app, options);
  AddVerdictOptions(app, options);
  AddOutputOptions(app, options);
  std::optional<int> code = cli::Parse(app, argc, argv, [&] { CheckCompare(options); });
  if (!options.row.empty()) {
    options.compare.axes = {options.row, options.col};
    options.compare.one_side = true;
  }
  return code;
}

std::optional<int> ParseMerge(int argc, const char* const* argv, Options& options) {
  CLI::App app;
  cli::SetUpApp(app, kProgram, "Merges the results of several load generators into one.",
                kMergeFooter);
  app.add_option("FILE", options.paths, cli::Describe("results to merge"))
      ->type_name("")
      ->group("Output");
  AddOutput(app, options);
  options.merge = true;
  return cli::Parse(app, argc, argv, [&] {
    if (options.paths.size() < 2) {
      throw CLI::ValidationError("FILE", "takes two results or more to merge");
    }
  });
}

}  // namespace

std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options) {
  if (argc > 1 && std::string_view(argv[1]) == "merge") {
    return ParseMerge(argc - 1, argv + 1, options);
  }
  return ParseCompare(argc, argv, options);
}

}  // namespace ringecho::compare

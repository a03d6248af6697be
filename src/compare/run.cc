#include "compare/run.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "compare/files.h"
#include "compare/gate.h"
#include "compare/html/html.h"
#include "compare/json.h"
#include "compare/merge.h"
#include "compare/tables.h"
#include "compare/text.h"
#include "report/one_line.h"
#include "report/read_result.h"
#include "report/result_file.h"
#include "report/result_json.h"

namespace ringecho::compare {
namespace {

int Fail(int code, const absl::Status& status) {
  cli::Complain(kProgram, std::string(status.message()));
  return code;
}

// Whole or not at all.
absl::Status Write(const std::string& path, const std::string& content) {
  absl::StatusOr<report::ResultFile> file = report::ResultFile::Reserve(path);
  if (!file.ok()) return file.status();
  return file->Commit(content);
}

bool Fails(const Comparison& comparison, double least) {
  const std::vector<std::string> failures = Failures(comparison, least);
  for (const std::string& failure : failures) {
    cli::Complain(kProgram, "--fail-on-regression: " + failure);
  }
  return !failures.empty();
}

absl::StatusOr<Comparison> CompareSeries(const Options& options, std::vector<Series> series) {
  CompareOptions how = options.compare;
  std::vector<std::string> notes;
  if (series.size() == 1) {
    how.usual_vary = series.front().vary;
    how.usual_base = series.front().base;
  }
  std::vector<Measurement> measurements;
  for (Series& one : series) {
    // With one there is no doubt, and its path is nobody's business who gets the text.
    const std::string name = series.size() == 1 ? "the series" : one.name;
    if (!one.status.empty() && one.status != "complete") {
      notes.push_back(absl::StrCat(name, " is not complete: ", one.status));
    }
    for (const std::string& warning : one.warnings) {
      notes.push_back(absl::StrCat(name, " was made although: ", warning));
    }
    for (Measurement& measurement : one.measurements)
      measurements.push_back(std::move(measurement));
  }
  absl::StatusOr<Comparison> comparison = Compare(std::move(measurements), how);
  if (comparison.ok()) {
    comparison->notes.insert(comparison->notes.begin(), notes.begin(), notes.end());
  }
  return comparison;
}

absl::StatusOr<std::string> Render(const Options& options, const Comparison& comparison) {
  if (options.format == Format::kJson) return ToJson(comparison);
  if (options.format == Format::kHtml) return ToHtml(comparison);
  std::vector<Table> tables;
  if (options.row.empty()) {
    tables = MetricTables(comparison);
  } else {
    absl::StatusOr<std::vector<Table>> matrices = Matrices(comparison, options.row, options.col);
    if (!matrices.ok()) return matrices.status();
    tables = *std::move(matrices);
  }
  return options.format == Format::kMarkdown ? ToMarkdown(comparison, tables)
                                             : ToText(comparison, tables);
}

int RunCompare(const Options& options) {
  absl::StatusOr<std::vector<Series>> series = ReadSeries(options.paths);
  if (!series.ok()) return Fail(cli::kExitUsage, series.status());
  absl::StatusOr<Comparison> comparison = CompareSeries(options, *std::move(series));
  if (!comparison.ok()) return Fail(cli::kExitUsage, comparison.status());
  absl::StatusOr<std::string> content = Render(options, *comparison);
  if (!content.ok()) return Fail(cli::kExitUsage, content.status());
  if (absl::Status status = Write(options.output, *content); !status.ok()) {
    return Fail(cli::kExitFailed, status);
  }
  return options.fail_regression && Fails(*comparison, *options.fail_regression)
             ? cli::kExitRegression
             : cli::kExitOk;
}

// What makes the result doubtful, and what it is worth as an exit code.
int TellVerdict(const report::Validity& validity) {
  if (validity.verdict == report::Verdict::kValid) return cli::kExitOk;
  const std::string verdict(report::Name(validity.verdict));
  for (const report::Check& check : validity.checks) {
    if (check.ok) continue;
    cli::Complain(kProgram,
                  report::OneLine(absl::StrCat(verdict, ": ", check.id, ": ", check.message)));
  }
  return validity.verdict == report::Verdict::kInvalid ? cli::kExitInvalid : cli::kExitOk;
}

int RunMerge(const Options& options) {
  std::vector<report::Result> results;
  for (const std::string& path : options.paths) {
    absl::StatusOr<report::Result> result = report::ReadResult(path);
    if (!result.ok()) return Fail(cli::kExitUsage, result.status());
    results.push_back(*std::move(result));
  }
  absl::StatusOr<report::Result> merged = Merge(std::move(results), options.paths);
  if (!merged.ok()) return Fail(cli::kExitUsage, merged.status());
  if (absl::Status status = Write(options.output, report::ToJson(*merged)); !status.ok()) {
    return Fail(cli::kExitFailed, status);
  }
  return TellVerdict(merged->validity);
}

}  // namespace

int Run(const Options& options) { return options.merge ? RunMerge(options) : RunCompare(options); }

}  // namespace ringecho::compare

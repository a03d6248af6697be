#include "compare/compare.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/units.h"
#include "compare/cells.h"
#include "compare/judge.h"
#include "compare/keys.h"
#include "compare/noise.h"
#include "compare/run_ids.h"
#include "compare/sides.h"
#include "report/one_line.h"

namespace ringecho::compare {
namespace {

using report::Result;

std::vector<const Result*> ResultsOf(const Measurement& measurement) {
  std::vector<const Result*> out;
  if (measurement.load) out.push_back(&*measurement.load);
  if (measurement.server) out.push_back(&*measurement.server);
  return out;
}

std::string FailedChecks(const Result& result) {
  std::vector<std::string> messages;
  for (const report::Check& check : result.validity.checks) {
    if (!check.ok) messages.push_back(absl::StrCat(check.id, ", ", check.message));
  }
  return messages.empty() ? "no check says why" : absl::StrJoin(messages, "; ");
}

// Why a measurement does not count, if it does not.
std::optional<std::string> WhyNot(const Measurement& measurement) {
  for (const Result* result : ResultsOf(measurement)) {
    const std::string who =
        result->config.role == report::Role::kServer ? "server" : "load generator";
    if (result->run.status == report::RunStatus::kError) {
      return absl::StrCat(who, " failed: ", result->run.error.value_or("it does not say why"));
    }
    if (result->run.status == report::RunStatus::kInterrupted) {
      return absl::StrCat(who, " was interrupted");
    }
    if (result->validity.verdict == report::Verdict::kInvalid) {
      return absl::StrCat(who, " invalid: ", FailedChecks(*result));
    }
  }
  return std::nullopt;
}

// "10k" finds 10000, too.
bool IsValue(const std::string& value, const std::string& wanted) {
  if (value == wanted) return true;
  const absl::StatusOr<int64_t> count = base::ParseCount(wanted);
  return count.ok() && value == absl::StrCat(*count);
}

absl::Status Filter(const CompareOptions& options, std::vector<Measurement>& measurements) {
  for (const auto& [key, wanted] : options.filters) {
    bool known = false;
    Values values;
    std::vector<Measurement> kept;
    for (Measurement& measurement : measurements) {
      const Keys keys = KeysOf(measurement);
      known = known || keys.Has(key);
      values.insert(keys.Find(key));
      if (keys.Has(key) && IsValue(keys.Find(key), wanted)) kept.push_back(std::move(measurement));
    }
    if (kept.empty()) {
      return absl::InvalidArgumentError(
          known ? absl::StrCat("--filter: no result has ", key, " ", wanted, "; there are ",
                               Joined(values))
                : absl::StrCat("--filter: no result has a key \"", key, "\""));
    }
    measurements = std::move(kept);
  }
  return absl::OkStatus();
}

absl::Status CheckAxes(const CompareOptions& options, const std::vector<Entry>& entries,
                       const std::string& vary) {
  const std::set<std::string> known = AllKeys(entries);
  for (const std::string& key : options.axes) {
    if (key != vary && known.count(key) == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--row, --col: no result has a key \"", key, "\""));
    }
  }
  return absl::OkStatus();
}

std::string Whence(const Measurement& measurement) {
  return absl::StrCat(measurement.name, " of ", measurement.series);
}

// A copy is no repeat: the more there are of it, the surer it would make what was chance.
absl::Status CheckEachIsAnotherRun(const std::vector<Measurement>& measurements) {
  std::map<std::string, const Measurement*> known;
  for (const Measurement& measurement : measurements) {
    // Of the load generator, whose run it is, or of a server alone.
    for (std::string& id : RunIdsOf(measurement.load ? *measurement.load : *measurement.server)) {
      const auto [it, made] = known.try_emplace(std::move(id), &measurement);
      if (made) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(Whence(measurement), ": run.id: is the same run as ", Whence(*it->second)));
    }
  }
  return absl::OkStatus();
}

// Notes which checks failed in how many of those that count.
void NoteSuspects(const std::vector<Entry>& entries, Comparison& comparison) {
  std::map<std::string, size_t> checks;
  size_t suspects = 0;
  for (const Entry& entry : entries) {
    bool suspect = false;
    std::set<std::string> failed;  // of either end, or of both
    for (const Result* result : ResultsOf(comparison.measurements[entry.measurement])) {
      if (result->validity.verdict == report::Verdict::kValid) continue;
      suspect = true;
      for (const report::Check& check : result->validity.checks) {
        if (!check.ok) failed.insert(check.id);
      }
    }
    if (suspect) ++suspects;
    for (const std::string& id : failed) ++checks[id];
  }
  if (suspects == 0) return;
  std::vector<std::string> parts;
  parts.reserve(checks.size());
  for (const auto& [id, count] : checks)
    parts.push_back(absl::StrCat(report::OneLine(id), " ", count));
  comparison.notes.push_back(
      absl::StrCat(suspects, " of ", entries.size(),
                   " measurements are suspect but count: ", absl::StrJoin(parts, ", ")));
}

void NoteMethod(Comparison& comparison) {
  if (comparison.by_boot) {
    comparison.notes.emplace_back(
        "kernels are compared by boots: the repeats of a boot are one sample, their median");
  }
  if (comparison.forced) {
    comparison.notes.emplace_back(
        "forced: more than one thing differs, so nobody can say which of them made a difference");
  }
  for (const auto& [note, count] : InconclusiveNotes(comparison)) {
    comparison.notes.push_back(absl::StrCat("inconclusive (", count, "): ", note));
  }
}

// Those that count; the others go to Comparison::left_out.
std::vector<Entry> Admit(Comparison& comparison) {
  // A server's result alone is one where there are no others; beside them it is half a run.
  const bool loads = std::any_of(comparison.measurements.begin(), comparison.measurements.end(),
                                 [](const Measurement& one) { return one.load.has_value(); });
  std::vector<Entry> entries;
  for (size_t i = 0; i < comparison.measurements.size(); ++i) {
    const Measurement& measurement = comparison.measurements[i];
    if (loads && !measurement.load) {
      comparison.left_out.push_back({i, "the load generator wrote no result"});
    } else if (std::optional<std::string> reason = WhyNot(measurement)) {
      comparison.left_out.push_back({i, report::OneLine(*reason)});
    } else {
      entries.push_back(
          {.measurement = i, .series = measurement.series, .keys = KeysOf(measurement), .side = 0});
    }
  }
  return entries;
}

// Beside results that do not say what was asked for, all are taken for what they came to.
void ForgetWhatSomeLack(const std::string& vary, std::vector<Entry>& entries) {
  for (std::string_view key : {"server.buffer_size_bytes", "buffer_size_bytes"}) {
    const std::string_view requested = RequestedKeyOf(key);
    if (requested == vary || AllHave(entries, requested)) continue;
    for (Entry& entry : entries) entry.keys.config.erase(std::string(requested));
  }
}

// Sides of which nothing counts are none any more, but somebody wanted to know of them.
void NoteLostSides(const std::vector<Entry>& entries, Comparison& comparison) {
  Values known = ValuesOf(entries, comparison.vary);
  for (const LeftOut& left : comparison.left_out) {
    const Keys keys = KeysOf(comparison.measurements[left.measurement]);
    const std::string& value = keys.Find(comparison.vary);
    // A run without a server's result does not say which engine it was of.
    if (value.empty() || !known.insert(value).second) continue;
    comparison.lost.push_back(
        absl::StrCat(comparison.vary, " ", value, ": no result counts, not compared"));
    comparison.notes.push_back(comparison.lost.back());
  }
}

// A series of which nothing is left would silently be no part of the answer.
absl::Status CheckEverySeriesCounts(const std::vector<Entry>& entries,
                                    const Comparison& comparison) {
  if (comparison.measurements.empty()) return absl::InvalidArgumentError("there are no results");
  for (const LeftOut& left : comparison.left_out) {
    const Measurement& measurement = comparison.measurements[left.measurement];
    const bool counts = std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
      return entry.series == measurement.series;
    });
    if (counts) continue;
    return absl::FailedPreconditionError(absl::StrCat("no result of ", measurement.series,
                                                      " can be used; ", measurement.name, ": ",
                                                      left.reason));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Comparison> Compare(std::vector<Measurement> measurements,
                                   const CompareOptions& options) {
  RINGECHO_RETURN_IF_ERROR(Filter(options, measurements));
  RINGECHO_RETURN_IF_ERROR(CheckEachIsAnotherRun(measurements));
  Comparison comparison;
  comparison.measurements = std::move(measurements);
  comparison.min_effect = options.min_effect;
  std::vector<Entry> entries = Admit(comparison);
  RINGECHO_RETURN_IF_ERROR(CheckEverySeriesCounts(entries, comparison));
  ForgetWhatSomeLack(options.vary, entries);
  RINGECHO_RETURN_IF_ERROR(FindSides(options, entries, comparison));
  NoteLostSides(entries, comparison);
  RINGECHO_RETURN_IF_ERROR(CheckAxes(options, entries, comparison.vary));
  RINGECHO_RETURN_IF_ERROR(FindCells(options, entries, comparison));
  JudgeCells(options.resamples, comparison);
  NoteSuspects(entries, comparison);
  NoteNoise(comparison);
  NoteMethod(comparison);
  return comparison;
}

}  // namespace ringecho::compare

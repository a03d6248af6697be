#include "compare/merge.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "cli/exit_code.h"
#include "compare/checked_sums.h"
#include "compare/keys.h"
#include "compare/run_ids.h"
#include "report/intervals.h"
#include "report/latency.h"
#include "report/one_line.h"
#include "stats/histogram_codec.h"

namespace ringecho::compare {
namespace {

using report::LatencySummary;
using report::Result;

constexpr double kOverlapMin = 0.95;
constexpr double kOverlapLeast = 0.5;  // less makes a sum of rates that never was

template <class T>
void MaxOptional(std::optional<T>& most, const std::optional<T>& value) {
  if (value) most = std::max(most.value_or(*value), *value);
}

absl::Status Bad(std::string_view name, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(base::ToAbsl(name), ": ", base::ToAbsl(what)));
}

// --- what may be merged ---

bool MayDiffer(std::string_view key) {
  constexpr std::string_view kKeys[] = {"connections",   "threads",           "cpus",
                                        "sessions",      "rate_target_per_s", "connect_rate_per_s",
                                        "merged_loaders"};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

absl::Status CheckAlike(const std::vector<Result>& results, const std::vector<std::string>& names) {
  const auto keys_of = [](const Result& result) {
    return KeysOf({.name = {}, .series = {}, .load = result, .server = {}});
  };
  if (results.size() < 2) return absl::InvalidArgumentError("takes two results or more");
  const Keys first = keys_of(results.front());
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].config.role != report::Role::kLoad) {
      return Bad(names[i], "config.role: is a server's, takes a load generator's");
    }
    const Keys keys = keys_of(results[i]);
    std::set<std::string> all;
    for (const Keys* one : {&first, &keys}) {
      for (const auto& [key, value] : one->config) all.insert(key);
    }
    all.insert("version");
    for (const std::string& key : all) {
      if (MayDiffer(key) || keys.Find(key) == first.Find(key)) continue;
      return Bad(names[i], absl::StrCat(key, ": is \"", keys.Find(key), "\", the first has \"",
                                        first.Find(key), "\""));
    }
  }
  return absl::OkStatus();
}

// A loader that is in two of them would be counted twice.
absl::Status CheckEachLoaderIsThereOnce(const std::vector<Result>& results,
                                        const std::vector<std::string>& names) {
  std::map<std::string, size_t> known;
  for (size_t i = 0; i < results.size(); ++i) {
    for (std::string& id : RunIdsOf(results[i])) {
      const auto [it, made] = known.try_emplace(std::move(id), i);
      if (made) continue;
      return Bad(names[i], absl::StrCat("run.id: is the same run as ", names[it->second]));
    }
  }
  return absl::OkStatus();
}

void SetLoaders(std::vector<std::string> ids, report::Config& config) {
  std::erase_if(config.extra, [](const auto& pair) {
    return pair.first == "merged_loaders" || pair.first == "merged_run_ids";
  });
  config.extra.emplace_back("merged_loaders", static_cast<int64_t>(ids.size()));
  config.extra.emplace_back("merged_run_ids", std::move(ids));
}

// --- clocks ---

// From a time inside `result` to one inside `first`: by the monotonic clock within one boot,
// otherwise by the wall clocks, which is as good as those agree.
int64_t OffsetNs(const Result& first, const Result& result) {
  if (first.run.boot_id && first.run.boot_id == result.run.boot_id) {
    return result.run.start_monotonic_ns - first.run.start_monotonic_ns;
  }
  absl::Time start;
  absl::Time other;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, first.run.start_time, &start, &error) ||
      !absl::ParseTime(absl::RFC3339_full, result.run.start_time, &other, &error)) {
    return 0;
  }
  return absl::ToInt64Nanoseconds(other - start);
}

size_t FirstStarted(const std::vector<Result>& results) {
  size_t first = 0;
  for (size_t i = 1; i < results.size(); ++i) {
    if (OffsetNs(results[first], results[i]) < 0) first = i;
  }
  return first;
}

const report::Phase* FindPhase(const Result& result, report::PhaseName name) {
  for (const report::Phase& phase : result.phases) {
    if (phase.name == name) return &phase;
  }
  return nullptr;
}

// The part of the longest measure phase in which all of them measured.
double Overlap(const std::vector<Result>& results, const std::vector<int64_t>& offsets_ns) {
  double begin_ns = -std::numeric_limits<double>::infinity();
  double end_ns = std::numeric_limits<double>::infinity();
  double longest_ns = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const report::Phase* const phase = FindPhase(results[i], report::PhaseName::kMeasure);
    if (phase == nullptr) return 0;
    const auto offset_ns = static_cast<double>(offsets_ns[i]);
    const auto start = static_cast<double>(phase->start_ns);
    const auto end = static_cast<double>(phase->end_ns);
    begin_ns = std::max(begin_ns, start + offset_ns);
    end_ns = std::min(end_ns, end + offset_ns);
    longest_ns = std::max(longest_ns, end - start);
  }
  if (longest_ns <= 0 || end_ns <= begin_ns) return 0;
  return (end_ns - begin_ns) / longest_ns;
}

// --- the parts of a result ---

void AddConfig(report::Config& sum, const report::Config& one, CheckedSums& sums) {
  sums.Add(sum.connections, one.connections, "config.connections");
  sums.Add(sum.threads, one.threads, "config.threads");
  for (int cpu : one.cpus) {
    if (std::find(sum.cpus.begin(), sum.cpus.end(), cpu) == sum.cpus.end()) sum.cpus.push_back(cpu);
  }
  std::sort(sum.cpus.begin(), sum.cpus.end());
  sums.Add(sum.rate_target_per_s, one.rate_target_per_s, "config.rate_target_per_s");
  sums.Add(sum.sessions, one.sessions, "config.sessions");
  for (auto& [name, value] : sum.extra) {
    if (name != "source_addresses" && name != "connect_rate_per_s") continue;
    for (const auto& [other, added] : one.extra) {
      if (other != name || !std::holds_alternative<int64_t>(value) ||
          !std::holds_alternative<int64_t>(added)) {
        continue;
      }
      sums.Add(std::get<int64_t>(value), std::get<int64_t>(added), "config." + name);
    }
  }
}

void AddTotals(report::Totals& sum, const report::Totals& one, CheckedSums& sums) {
  sum.measured_ns = std::max(sum.measured_ns, one.measured_ns);
  sums.Add(sum.messages, one.messages, "totals.messages");
  sums.Add(sum.bytes_received, one.bytes_received, "totals.bytes_received");
  sums.Add(sum.bytes_sent, one.bytes_sent, "totals.bytes_sent");
  sums.Add(sum.messages_per_s, one.messages_per_s, "totals.messages_per_s");
  sums.Add(sum.bytes_per_s, one.bytes_per_s, "totals.bytes_per_s");
  sums.Add(sum.connections, one.connections, "totals.connections");
  sums.Add(sum.connections_open_max, one.connections_open_max, "totals.connections_open_max");
  MaxOptional(sum.resolve_ns, one.resolve_ns);
  sums.Add(sum.exceptions, one.exceptions, "totals.exceptions");
  sums.Add(sum.retries, one.retries, "totals.retries");
  sums.Add(sum.sessions_completed, one.sessions_completed, "totals.sessions_completed");
  sums.Add(sum.in_flight_at_end, one.in_flight_at_end, "totals.in_flight_at_end");
  sums.Add(sum.offered_per_s, one.offered_per_s, "totals.offered_per_s");
  sums.Add(sum.late_sends, one.late_sends, "totals.late_sends");
}

void AddCounts(report::NamedCounts& sum, const report::NamedCounts& one, std::string_view field,
               CheckedSums& sums) {
  for (const auto& [name, count] : one) {
    auto it = std::find_if(sum.begin(), sum.end(),
                           [&name = name](const auto& known) { return known.first == name; });
    if (it == sum.end()) {
      sum.emplace_back(name, count);
    } else {
      sums.Add(it->second, count, absl::StrCat(base::ToAbsl(field), ".", report::OneLine(name)));
    }
  }
}

// Of resources that are ratios, weighted: each result's with what it is a ratio of.
class Mean {
 public:
  void Add(const std::optional<double>& value, int64_t weight) {
    if (!value || !std::isfinite(*value)) return;
    sum_ += *value * static_cast<double>(weight);
    weight_ += static_cast<double>(weight);
  }
  std::optional<double> Take() const {
    return weight_ > 0 ? std::optional(sum_ / weight_) : std::nullopt;
  }

 private:
  double sum_ = 0;
  double weight_ = 0;
};

void AddResources(report::Resources& sum, const report::Resources& one, CheckedSums& sums) {
  sums.Add(sum.user_ns, one.user_ns, "resources.user_ns");
  sums.Add(sum.system_ns, one.system_ns, "resources.system_ns");
  sums.Add(sum.voluntary_switches, one.voluntary_switches, "resources.voluntary_switches");
  sums.Add(sum.involuntary_switches, one.involuntary_switches, "resources.involuntary_switches");
  sums.Add(sum.rss_peak_bytes, one.rss_peak_bytes, "resources.rss_peak_bytes");
  sums.Add(sum.iou_workers, one.iou_workers, "resources.iou_workers");
  MaxOptional(sum.steal_share, one.steal_share);
}

void SetMeans(const std::vector<Result>& results, report::Resources& sum) {
  Mean share;
  Mean per_message;
  Mean per_connection;
  for (const Result& result : results) {
    const report::Resources& one = result.resources;
    share.Add(one.cpu_share, result.config.threads);
    per_message.Add(one.cpu_ns_per_message, result.totals.messages);
    per_connection.Add(one.bytes_per_connection, result.totals.connections_open_max);
  }
  sum.cpu_share = share.Take();
  sum.cpu_ns_per_message = per_message.Take();
  sum.bytes_per_connection = per_connection.Take();
}

report::NamedCounts CountsOf(const report::NamedNumbers& stats) {
  report::NamedCounts counts;
  for (const auto& [name, value] : stats) {
    if (const int64_t* count = std::get_if<int64_t>(&value)) counts.emplace_back(name, *count);
  }
  return counts;
}

// Summed counts, and the ratios that follow from them.
report::NamedNumbers WithRatios(const report::NamedCounts& counts, int64_t messages) {
  report::NamedNumbers out(counts.begin(), counts.end());
  auto count_of = [&counts](std::string_view name) -> int64_t {
    for (const auto& [known, count] : counts) {
      if (known == name) return count;
    }
    return 0;
  };
  auto add_ratio = [&out](const char* name, int64_t part, int64_t whole) {
    if (whole > 0) out.emplace_back(name, static_cast<double>(part) / static_cast<double>(whole));
  };
  add_ratio("completions_per_enter", count_of("completions"), count_of("enter_calls"));
  add_ratio("syscalls_per_message", count_of("syscalls"), messages);
  return out;
}

void AddPhases(std::vector<report::Phase>& sum, std::vector<report::Phase> one, int64_t offset_ns,
               CheckedSums& sums) {
  for (report::Phase& phase : one) {
    auto it = std::find_if(sum.begin(), sum.end(), [&phase](const report::Phase& known) {
      return known.name == phase.name;
    });
    if (it == sum.end()) continue;
    sums.Add(phase.start_ns, offset_ns, "phases.start_ns");
    sums.Add(phase.end_ns, offset_ns, "phases.end_ns");
    it->start_ns = std::min(it->start_ns, phase.start_ns);
    it->end_ns = std::max(it->end_ns, phase.end_ns);
  }
}

// A result of schema 1.0 has none, and the sum of the others would be that of a part.
void AddWhereBoth(std::optional<int64_t>& sum, const std::optional<int64_t>& one,
                  std::string_view field, CheckedSums& sums) {
  if (sum && one) {
    sums.Add(sum, one, field);
  } else {
    sum.reset();
  }
}

void AddInterval(report::Interval& sum, const report::Interval& one, CheckedSums& sums) {
  sums.Add(sum.messages, one.messages, "intervals.messages");
  sums.Add(sum.bytes, one.bytes, "intervals.bytes");
  sums.Add(sum.errors, one.errors, "intervals.errors");
  sums.Add(sum.connections_open, one.connections_open, "intervals.connections_open");
  sums.Add(sum.cpu_ns, one.cpu_ns, "intervals.cpu_ns");
  sums.Add(sum.retries, one.retries, "intervals.retries");
  AddWhereBoth(sum.syscalls, one.syscalls, "intervals.syscalls", sums);
  AddWhereBoth(sum.enter_calls, one.enter_calls, "intervals.enter_calls", sums);
  AddWhereBoth(sum.completions, one.completions, "intervals.completions", sums);
}

void SortByStart(std::vector<report::Interval>& intervals) {
  std::stable_sort(intervals.begin(), intervals.end(),
                   [](const auto& a, const auto& b) { return a.t_start_ns < b.t_start_ns; });
}

// `sum` is in the order of starts, before and after.
void AddIntervals(std::vector<report::Interval>& sum, std::vector<report::Interval> one,
                  int64_t offset_ns, CheckedSums& sums) {
  const size_t known_count = sum.size();
  for (report::Interval& interval : one) {
    sums.Add(interval.t_start_ns, offset_ns, "intervals.t_start_ns");
    sums.Add(interval.t_end_ns, offset_ns, "intervals.t_end_ns");
    interval.p50_ns = interval.p99_ns = std::nullopt;
    const int64_t middle_ns = std::midpoint(interval.t_start_ns, interval.t_end_ns);
    // The last that starts no later.
    const auto known_end = sum.begin() + static_cast<ptrdiff_t>(known_count);
    const auto after =
        std::upper_bound(sum.begin(), known_end, middle_ns,
                         [](int64_t at_ns, const auto& known) { return at_ns < known.t_start_ns; });
    if (after != sum.begin() && middle_ns < std::prev(after)->t_end_ns) {
      AddInterval(*std::prev(after), interval, sums);
    } else {
      sum.push_back(interval);
    }
  }
  SortByStart(sum);
}

using Summary = std::optional<LatencySummary> report::Latency::*;

// One kind of latency of all results; nothing when none has it.
absl::StatusOr<std::optional<LatencySummary>> AddLatency(const std::vector<Result>& results,
                                                         const std::vector<std::string>& names,
                                                         Summary kind, std::string_view name) {
  CheckedSums sums;
  std::optional<stats::Histogram> sum;
  int64_t clamped = 0;
  std::vector<double> percentiles;
  for (size_t i = 0; i < results.size(); ++i) {
    const std::optional<report::Latency>& latency = results[i].latency;
    if (!latency || !((*latency).*kind)) {
      if (sum) return Bad(names[i], absl::StrCat("latency.", std::string(name), ": missing"));
      continue;
    }
    const LatencySummary& summary = *((*latency).*kind);
    if (!sum && i > 0) {
      return Bad(names[i], absl::StrCat("latency.", std::string(name), ": the first has none"));
    }
    sums.Of(names[i]);
    sums.Add(clamped, summary.clamped.value_or(0),
             absl::StrCat("latency.", base::ToAbsl(name), ".clamped"));
    for (const report::Percentile& p : summary.percentiles) percentiles.push_back(p.percent);
    if (summary.hdr_v2.empty() && summary.count == 0) {
      if (!sum) sum.emplace();
      continue;
    }
    absl::StatusOr<stats::Histogram> histogram = stats::DecodeV2Base64(summary.hdr_v2);
    absl::Status status = histogram.status();
    if (status.ok() && !sum) sum.emplace(histogram->layout());
    if (status.ok()) status = sum->Add(*histogram);
    if (!status.ok()) {
      return Bad(names[i],
                 absl::StrCat("latency.", std::string(name), ".hdr_v2: ", status.message()));
    }
  }
  if (!sums.status().ok()) return sums.status();
  if (!sum) return std::optional<LatencySummary>();
  percentiles.insert(percentiles.end(), std::begin(report::kPercentiles),
                     std::end(report::kPercentiles));
  std::sort(percentiles.begin(), percentiles.end());
  percentiles.erase(std::unique(percentiles.begin(), percentiles.end()), percentiles.end());
  std::optional<LatencySummary> out = report::Summarize(*sum, percentiles);
  out->clamped = clamped;  // not carried by the encoded form
  return out;
}

absl::StatusOr<report::Latency> AddLatencies(const std::vector<Result>& results,
                                             const std::vector<std::string>& names) {
  const std::pair<Summary, std::string_view> kinds[] = {
      {&report::Latency::response, "response_ns"},
      {&report::Latency::service, "service_ns"},
      {&report::Latency::connect, "connect_ns"},
      {&report::Latency::schedule_lag, "schedule_lag_ns"}};
  report::Latency latency;
  for (const auto& [kind, name] : kinds) {
    absl::StatusOr<std::optional<LatencySummary>> sum = AddLatency(results, names, kind, name);
    if (!sum.ok()) return sum.status();
    latency.*kind = *std::move(sum);
  }
  return latency;
}

// Of two answers to one check: the one that is not fine, otherwise the one nearer its limit.
bool IsWorse(const report::Check& a, const report::Check& b) {
  if (a.ok != b.ok) return !a.ok;
  return std::abs(a.value - a.limit) < std::abs(b.value - b.limit);
}

void AddValidity(report::Validity& sum, const report::Validity& one) {
  sum.verdict = std::max(sum.verdict, one.verdict);
  for (const report::Check& check : one.checks) {
    auto it = std::find_if(sum.checks.begin(), sum.checks.end(),
                           [&check](const report::Check& known) { return known.id == check.id; });
    if (it == sum.checks.end()) {
      sum.checks.push_back(check);
    } else if (IsWorse(check, *it)) {
      *it = check;
    }
  }
}

void CheckOverlap(double overlap, report::Validity& validity) {
  const bool ok = overlap >= kOverlapMin;
  const std::string share = absl::StrCat(static_cast<int>(overlap * 100), "% of the time");
  validity.checks.push_back(
      {"loaders_overlap", ok, overlap, kOverlapMin,
       ok ? absl::StrCat("the loaders measured together ", share)
          : absl::StrCat("the loaders measured together only ", share,
                         "; start them at the same time, with equal -d and --warmup")});
  if (ok) return;
  validity.verdict =
      std::max(validity.verdict,
               overlap < kOverlapLeast ? report::Verdict::kInvalid : report::Verdict::kSuspect);
}

void AddRun(report::Run& sum, const report::Run& one) {
  // ok, interrupted, error: the larger is worse.
  sum.status = std::max(sum.status, one.status);
  sum.exit_code = std::max(sum.exit_code, one.exit_code);
  if (!sum.error) sum.error = one.error;
}

}  // namespace

absl::StatusOr<Result> Merge(std::vector<Result> results, std::vector<std::string> names) {
  for (size_t i = names.size(); i < results.size(); ++i) {
    names.push_back(absl::StrCat("result ", i + 1));
  }
  RINGECHO_RETURN_IF_ERROR(CheckAlike(results, names));
  RINGECHO_RETURN_IF_ERROR(CheckEachLoaderIsThereOnce(results, names));
  absl::StatusOr<report::Latency> latency = AddLatencies(results, names);
  if (!latency.ok()) return latency.status();

  // The one that started first has the clock, so that no time is negative.
  const size_t first = FirstStarted(results);
  std::swap(results.front(), results[first]);
  std::swap(names.front(), names[first]);
  std::vector<int64_t> offsets_ns;
  offsets_ns.reserve(results.size());
  for (const Result& result : results) offsets_ns.push_back(OffsetNs(results.front(), result));

  Result out = results.front();
  for (report::Interval& interval : out.intervals) interval.p50_ns = interval.p99_ns = std::nullopt;
  SortByStart(out.intervals);  // a file may have them in any
  std::vector<std::string> ids = RunIdsOf(out);
  report::NamedCounts stats = CountsOf(out.engine_stats);
  CheckedSums sums;
  for (size_t i = 1; i < results.size(); ++i) {
    const Result& one = results[i];
    std::ranges::copy(RunIdsOf(one), std::back_inserter(ids));
    sums.Of(names[i]);
    AddConfig(out.config, one.config, sums);
    AddTotals(out.totals, one.totals, sums);
    AddCounts(out.errors, one.errors, "errors", sums);
    AddCounts(stats, CountsOf(one.engine_stats), "engine_stats", sums);
    AddResources(out.resources, one.resources, sums);
    AddPhases(out.phases, one.phases, offsets_ns[i], sums);
    AddIntervals(out.intervals, one.intervals, offsets_ns[i], sums);
    AddValidity(out.validity, one.validity);
    AddRun(out.run, one.run);
  }
  if (!sums.status().ok()) return sums.status();
  const report::Phase* const measure = FindPhase(out, report::PhaseName::kMeasure);
  report::BoundIntervals(measure != nullptr ? measure->start_ns : 0, out.intervals);
  SetMeans(results, out.resources);
  out.engine_stats = WithRatios(stats, out.totals.messages);
  out.latency = *std::move(latency);
  CheckOverlap(Overlap(results, offsets_ns), out.validity);
  if (out.validity.verdict == report::Verdict::kInvalid && out.run.exit_code == cli::kExitOk) {
    out.run.exit_code = cli::kExitInvalid;  // as of any run that is
  }
  SetLoaders(std::move(ids), out.config);
  return out;
}

}  // namespace ringecho::compare

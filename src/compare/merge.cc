#include "compare/merge.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "compare/keys.h"
#include "report/latency.h"
#include "stats/histogram_codec.h"

namespace ringecho::compare {
namespace {

using report::LatencySummary;
using report::Result;

constexpr double kOverlapMin = 0.95;

template <class T>
void AddOptional(std::optional<T>& sum, const std::optional<T>& value) {
  if (value) sum = sum.value_or(T{}) + *value;
}

template <class T>
void MaxOptional(std::optional<T>& most, const std::optional<T>& value) {
  if (value) most = std::max(most.value_or(*value), *value);
}

absl::Status Bad(size_t index, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("result ", index + 1, ": ", std::string(what)));
}

// --- what may be merged ---

bool MayDiffer(std::string_view key) {
  constexpr std::string_view kKeys[] = {"connections", "threads",           "cpus",
                                        "sessions",    "rate_target_per_s", "connect_rate_per_s"};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys);
}

absl::Status CheckAlike(const std::vector<Result>& results) {
  const auto keys_of = [](const Result& result) {
    return KeysOf({.name = {}, .series = {}, .load = result, .server = {}});
  };
  if (results.size() < 2) return absl::InvalidArgumentError("takes two results or more");
  const Keys first = keys_of(results.front());
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].config.role != report::Role::kLoad) {
      return Bad(i, "config.role: is a server's, takes a load generator's");
    }
    const Keys keys = keys_of(results[i]);
    std::set<std::string> all;
    for (const Keys* one : {&first, &keys}) {
      for (const auto& [key, value] : one->config) all.insert(key);
    }
    all.insert("version");
    for (const std::string& key : all) {
      if (MayDiffer(key) || keys.Find(key) == first.Find(key)) continue;
      return Bad(i, absl::StrCat(key, ": is \"", keys.Find(key), "\", the first has \"",
                                 first.Find(key), "\""));
    }
    for (size_t j = 0; j < i; ++j) {
      if (results[j].run.id == results[i].run.id) {
        return Bad(i, absl::StrCat("run.id: is the same run as result ", j + 1));
      }
    }
  }
  return absl::OkStatus();
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

const report::Phase* FindPhase(const Result& result, report::PhaseName name) {
  for (const report::Phase& phase : result.phases) {
    if (phase.name == name) return &phase;
  }
  return nullptr;
}

// The part of the longest measure phase in which all of them measured.
double Overlap(const std::vector<Result>& results, const std::vector<int64_t>& offsets_ns) {
  int64_t begin_ns = INT64_MIN;
  int64_t end_ns = INT64_MAX;
  int64_t longest_ns = 0;
  for (size_t i = 0; i < results.size(); ++i) {
    const report::Phase* const phase = FindPhase(results[i], report::PhaseName::kMeasure);
    if (phase == nullptr) return 0;
    begin_ns = std::max(begin_ns, phase->start_ns + offsets_ns[i]);
    end_ns = std::min(end_ns, phase->end_ns + offsets_ns[i]);
    longest_ns = std::max(longest_ns, phase->end_ns - phase->start_ns);
  }
  if (longest_ns <= 0 || end_ns <= begin_ns) return 0;
  return static_cast<double>(end_ns - begin_ns) / static_cast<double>(longest_ns);
}

// --- the parts of a result ---

void AddConfig(report::Config& sum, const report::Config& one) {
  sum.connections += one.connections;
  sum.threads += one.threads;
  for (int cpu : one.cpus) {
    if (std::find(sum.cpus.begin(), sum.cpus.end(), cpu) == sum.cpus.end()) sum.cpus.push_back(cpu);
  }
  std::sort(sum.cpus.begin(), sum.cpus.end());
  AddOptional(sum.rate_target_per_s, one.rate_target_per_s);
  AddOptional(sum.sessions, one.sessions);
  for (auto& [name, value] : sum.extra) {
    if (name != "source_addresses" && name != "connect_rate_per_s") continue;
    for (const auto& [other, added] : one.extra) {
      if (other != name || !std::holds_alternative<int64_t>(value) ||
          !std::holds_alternative<int64_t>(added)) {
        continue;
      }
      value = std::get<int64_t>(value) + std::get<int64_t>(added);
    }
  }
}

void AddTotals(report::Totals& sum, const report::Totals& one) {
  sum.measured_ns = std::max(sum.measured_ns, one.measured_ns);
  sum.messages += one.messages;
  sum.bytes_received += one.bytes_received;
  sum.bytes_sent += one.bytes_sent;
  sum.messages_per_s += one.messages_per_s;
  sum.bytes_per_s += one.bytes_per_s;
  sum.connections += one.connections;
  sum.connections_open_max += one.connections_open_max;
  MaxOptional(sum.resolve_ns, one.resolve_ns);
  AddOptional(sum.exceptions, one.exceptions);
  AddOptional(sum.retries, one.retries);
  AddOptional(sum.sessions_completed, one.sessions_completed);
  AddOptional(sum.in_flight_at_end, one.in_flight_at_end);
  AddOptional(sum.offered_per_s, one.offered_per_s);
  AddOptional(sum.late_sends, one.late_sends);
}

void AddCounts(report::NamedCounts& sum, const report::NamedCounts& one) {
  for (const auto& [name, count] : one) {
    auto it = std::find_if(sum.begin(), sum.end(),
                           [&name = name](const auto& known) { return known.first == name; });
    if (it == sum.end()) {
      sum.emplace_back(name, count);
    } else {
      it->second += count;
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

report::Resources AddResources(const std::vector<Result>& results) {
  report::Resources sum;
  Mean share;
  Mean per_message;
  Mean per_connection;
  for (const Result& result : results) {
    const report::Resources& one = result.resources;
    sum.user_ns += one.user_ns;
    sum.system_ns += one.system_ns;
    sum.voluntary_switches += one.voluntary_switches;
    sum.involuntary_switches += one.involuntary_switches;
    sum.rss_peak_bytes += one.rss_peak_bytes;
    AddOptional(sum.iou_workers, one.iou_workers);
    MaxOptional(sum.steal_share, one.steal_share);
    share.Add(one.cpu_share, result.config.threads);
    per_message.Add(one.cpu_ns_per_message, result.totals.messages);
    per_connection.Add(one.bytes_per_connection, result.totals.connections_open_max);
  }
  sum.cpu_share = share.Take();
  sum.cpu_ns_per_message = per_message.Take();
  sum.bytes_per_connection = per_connection.Take();
  return sum;
}

report::NamedNumbers AddEngineStats(const std::vector<Result>& results) {
  report::NamedCounts counts;
  int64_t messages = 0;
  for (const Result& result : results) {
    messages += result.totals.messages;
    report::NamedCounts of_one;
    for (const auto& [name, value] : result.engine_stats) {
      if (const int64_t* count = std::get_if<int64_t>(&value)) of_one.emplace_back(name, *count);
    }
    AddCounts(counts, of_one);
  }
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

void AddPhases(std::vector<report::Phase>& sum, const std::vector<report::Phase>& one,
               int64_t offset_ns) {
  for (const report::Phase& phase : one) {
    auto it = std::find_if(sum.begin(), sum.end(), [&phase](const report::Phase& known) {
      return known.name == phase.name;
    });
    if (it == sum.end()) continue;
    it->start_ns = std::min(it->start_ns, phase.start_ns + offset_ns);
    it->end_ns = std::max(it->end_ns, phase.end_ns + offset_ns);
  }
}

void AddInterval(report::Interval& sum, const report::Interval& one) {
  sum.messages += one.messages;
  sum.bytes += one.bytes;
  sum.errors += one.errors;
  sum.connections_open += one.connections_open;
  sum.cpu_ns += one.cpu_ns;
  AddOptional(sum.retries, one.retries);
}

void AddIntervals(std::vector<report::Interval>& sum, std::vector<report::Interval> one,
                  int64_t offset_ns) {
  for (report::Interval& interval : one) {
    interval.t_start_ns += offset_ns;
    interval.t_end_ns += offset_ns;
    interval.p50_ns = interval.p99_ns = std::nullopt;
    const int64_t middle_ns = std::midpoint(interval.t_start_ns, interval.t_end_ns);
    auto it = std::find_if(sum.begin(), sum.end(), [middle_ns](const report::Interval& known) {
      return known.t_start_ns <= middle_ns && middle_ns < known.t_end_ns;
    });
    if (it == sum.end()) {
      sum.push_back(interval);
    } else {
      AddInterval(*it, interval);
    }
  }
  std::stable_sort(sum.begin(), sum.end(),
                   [](const auto& a, const auto& b) { return a.t_start_ns < b.t_start_ns; });
}

using Summary = std::optional<LatencySummary> report::Latency::*;

// One kind of latency of all results; nothing when none has it.
absl::StatusOr<std::optional<LatencySummary>> AddLatency(const std::vector<Result>& results,
                                                         Summary kind, std::string_view name) {
  std::optional<stats::Histogram> sum;
  int64_t clamped = 0;
  std::vector<double> percentiles;
  for (size_t i = 0; i < results.size(); ++i) {
    const std::optional<report::Latency>& latency = results[i].latency;
    if (!latency || !((*latency).*kind)) {
      if (sum) return Bad(i, absl::StrCat("latency.", std::string(name), ": missing"));
      continue;
    }
    const LatencySummary& summary = *((*latency).*kind);
    if (!sum && i > 0) {
      return Bad(i, absl::StrCat("latency.", std::string(name), ": the first has none"));
    }
    clamped += summary.clamped.value_or(0);
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
      return Bad(i, absl::StrCat("latency.", std::string(name), ".hdr_v2: ", status.message()));
    }
  }
  if (!sum) return std::optional<LatencySummary>();
  percentiles.insert(percentiles.end(), std::begin(report::kPercentiles),
                     std::end(report::kPercentiles));
  std::sort(percentiles.begin(), percentiles.end());
  percentiles.erase(std::unique(percentiles.begin(), percentiles.end()), percentiles.end());
  std::optional<LatencySummary> out = report::Summarize(*sum, percentiles);
  out->clamped = clamped;  // not carried by the encoded form
  return out;
}

absl::StatusOr<report::Latency> AddLatencies(const std::vector<Result>& results) {
  const std::pair<Summary, std::string_view> kinds[] = {
      {&report::Latency::response, "response_ns"},
      {&report::Latency::service, "service_ns"},
      {&report::Latency::connect, "connect_ns"},
      {&report::Latency::schedule_lag, "schedule_lag_ns"}};
  report::Latency latency;
  for (const auto& [kind, name] : kinds) {
    absl::StatusOr<std::optional<LatencySummary>> sum = AddLatency(results, kind, name);
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
  if (!ok) validity.verdict = std::max(validity.verdict, report::Verdict::kSuspect);
}

void AddRun(report::Run& sum, const report::Run& one) {
  // ok, interrupted, error: the larger is worse.
  sum.status = std::max(sum.status, one.status);
  sum.exit_code = std::max(sum.exit_code, one.exit_code);
  if (!sum.error) sum.error = one.error;
}

}  // namespace

absl::StatusOr<Result> Merge(std::vector<Result> results) {
  if (absl::Status status = CheckAlike(results); !status.ok()) return status;
  absl::StatusOr<report::Latency> latency = AddLatencies(results);
  if (!latency.ok()) return latency.status();

  // The one that started first has the clock, so that no time is negative.
  const Result given_first = results.front();
  std::stable_sort(results.begin(), results.end(), [&](const Result& a, const Result& b) {
    return OffsetNs(given_first, a) < OffsetNs(given_first, b);
  });
  std::vector<int64_t> offsets_ns;
  offsets_ns.reserve(results.size());
  for (const Result& result : results) offsets_ns.push_back(OffsetNs(results.front(), result));

  Result out = results.front();
  for (report::Interval& interval : out.intervals) interval.p50_ns = interval.p99_ns = std::nullopt;
  std::vector<std::string> ids;
  for (size_t i = 0; i < results.size(); ++i) {
    const Result& one = results[i];
    ids.push_back(one.run.id);
    if (i == 0) continue;
    AddConfig(out.config, one.config);
    AddTotals(out.totals, one.totals);
    AddCounts(out.errors, one.errors);
    AddPhases(out.phases, one.phases, offsets_ns[i]);
    AddIntervals(out.intervals, one.intervals, offsets_ns[i]);
    AddValidity(out.validity, one.validity);
    AddRun(out.run, one.run);
  }
  out.resources = AddResources(results);
  out.engine_stats = AddEngineStats(results);
  out.latency = *std::move(latency);
  CheckOverlap(Overlap(results, offsets_ns), out.validity);
  out.config.extra.emplace_back("merged_loaders", static_cast<int64_t>(results.size()));
  out.config.extra.emplace_back("merged_run_ids", std::move(ids));
  return out;
}

}  // namespace ringecho::compare

#include "report/summary.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/cpus.h"
#include "base/status.h"
#include "base/units.h"
#include "report/result_json.h"
#include "report/validity.h"

namespace ringecho::report {
namespace {

using base::FormatBytes;
using base::FormatDuration;
using base::FormatThousands;

// "1 thread", "2 threads".
std::string Count(int64_t n, std::string_view what) {
  return absl::StrCat(FormatThousands(n), " ", base::ToAbsl(what), n == 1 ? "" : "s");
}

void AddRow(std::string& out, std::string_view label, std::string_view text) {
  absl::StrAppendFormat(&out, "  %-12s %s\n", base::ToAbsl(label), base::ToAbsl(text));
}

// As many items to a row as 80 columns hold; a longer one has a row of its own.
void AddWrapped(std::string& out, std::string_view label, const std::vector<std::string>& items) {
  constexpr size_t kColumns = 80 - 15;
  std::string line;
  for (const std::string& item : items) {
    if (!line.empty() && line.size() + 1 + item.size() > kColumns) {
      AddRow(out, label, line);
      label = "";
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? "" : " ", item);
  }
  if (!line.empty()) AddRow(out, label, line);
}

// Items with commas between.
void AddList(std::string& out, std::string_view label, std::vector<std::string> items) {
  for (size_t i = 0; i + 1 < items.size(); ++i) items[i] += ',';
  AddWrapped(out, label, items);
}

void AddSentence(std::string& out, std::string_view label, const std::string& text) {
  AddWrapped(out, label, absl::StrSplit(text, ' '));
}

double AsDouble(const Number& number) {
  return std::visit([](auto value) { return static_cast<double>(value); }, number);
}

std::string Duration(double ns) {
  return std::isfinite(ns) ? FormatDuration(std::llround(ns)) : "-";
}

std::string PerSecond(double rate) {
  return std::isfinite(rate) ? FormatThousands(std::llround(rate)) : "-";
}

void AddThroughput(std::string& out, const Totals& totals) {
  AddRow(out, "measured",
         absl::StrCat(FormatDuration(totals.measured_ns), ", ", Count(totals.messages, "message"),
                      ", ", FormatBytes(totals.bytes_received), " received"));
  AddRow(out, "throughput",
         absl::StrCat(PerSecond(totals.messages_per_s), " messages/s, ",
                      absl::StrFormat("%.1f", totals.bytes_per_s / 1e6), " MB/s"));
}

void AddCpu(std::string& out, const Result& result) {
  const Resources& resources = result.resources;
  std::string text = absl::StrCat("user ", FormatDuration(resources.user_ns), ", system ",
                                  FormatDuration(resources.system_ns));
  if (std::optional<double> busy = BusyShare(result)) {
    absl::StrAppendFormat(&text, ", busy %.0f%%", *busy * 100);
  }
  if (resources.cpu_ns_per_message) {
    absl::StrAppend(&text, ", ", Duration(*resources.cpu_ns_per_message), " per message");
  }
  AddRow(out, "CPU", text);
  if (std::optional<double> share = SqThreadShare(result)) {
    AddRow(out, "SQPOLL",
           absl::StrFormat("the kernel's threads took %.0f%% of that time", *share * 100));
  }
  AddRow(out, "memory", absl::StrCat(FormatBytes(resources.rss_peak_bytes), " at most"));
}

void AddErrors(std::string& out, const NamedCounts& errors) {
  std::vector<std::string> items;
  for (const auto& [name, count] : errors) {
    if (count > 0) items.push_back(absl::StrCat(name, " ", FormatThousands(count)));
  }
  if (items.empty()) items.emplace_back("none");
  AddList(out, "errors", std::move(items));
}

// Counters that hint at something when they are not 0; the rest stands in the result.
void AddEngineStats(std::string& out, const NamedNumbers& stats) {
  constexpr std::string_view kNotable[] = {
      "multishot_rearms", "short_sends",       "buffers_starved", "sends_spilled",
      "cq_overflows",     "stale_completions", "accept_pauses",   "backpressure_pauses",
      "accept_emfile",    "accept_errors",     "rejected",        "zc_sends",
      "zc_copied"};
  std::vector<std::string> items;
  for (const auto& [name, value] : stats) {
    double number = AsDouble(value);
    if (number > 0 &&
        std::find(std::begin(kNotable), std::end(kNotable), name) != std::end(kNotable)) {
      items.push_back(absl::StrCat(name, " ", FormatThousands(std::llround(number))));
    }
  }
  AddList(out, "engine", std::move(items));
}

std::optional<int64_t> ValueAt(const LatencySummary& summary, double percent) {
  for (const Percentile& p : summary.percentiles) {
    if (p.percent == percent) return p.value_ns;
  }
  return std::nullopt;
}

std::string OrDash(const std::optional<int64_t>& ns) { return ns ? FormatDuration(*ns) : "-"; }

void AddLatencyRow(std::string& out, const char* name,
                   const std::optional<LatencySummary>& summary) {
  if (!summary || summary->count == 0) return;
  absl::StrAppendFormat(
      &out, "  %-12s %8s %8s %8s %8s %8s %8s\n", name,
      Duration(summary->mean_ns.value_or(std::numeric_limits<double>::quiet_NaN())),
      OrDash(ValueAt(*summary, 50)), OrDash(ValueAt(*summary, 90)), OrDash(ValueAt(*summary, 99)),
      OrDash(ValueAt(*summary, 99.9)), OrDash(summary->max_ns));
}

void AddLatency(std::string& out, const Latency& latency) {
  absl::StrAppendFormat(&out, "  %-12s %8s %8s %8s %8s %8s %8s\n", "latency", "mean", "p50", "p90",
                        "p99", "p99.9", "max");
  AddLatencyRow(out, "  response", latency.response);
  AddLatencyRow(out, "  service", latency.service);
  AddLatencyRow(out, "  connect", latency.connect);
}

void AddValidity(std::string& out, const Validity& validity) {
  AddRow(out, "verdict", Name(validity.verdict));
  for (const Check& check : validity.checks) {
    if (!check.ok) AddSentence(out, "", absl::StrCat(check.id, ": ", check.message));
  }
}

void AddStatus(std::string& out, const Run& run) {
  if (run.status == RunStatus::kOk) return;
  std::string text(Name(run.status));
  if (run.error) absl::StrAppend(&text, ": ", *run.error);
  AddSentence(out, "run", text);
}

}  // namespace

std::string Heading(const Result& result) {
  const Config& config = result.config;
  std::string out = absl::StrCat(result.tool.name, " ", result.tool.version, ": ",
                                 config.engine.name, " (", config.engine.reason, ")\n");
  std::vector<std::string> items;
  if (config.sessions) items.push_back(Count(*config.sessions, "session"));
  items.push_back(absl::StrCat(Count(config.connections, "connection"),
                               config.role == Role::kServer ? " at most"
                               : config.sessions            ? " at a time"
                                                            : ""));
  items.push_back(Count(config.threads, "thread"));
  if (!config.cpus.empty()) items.push_back("on CPUs " + base::FormatCpuList(config.cpus));
  if (config.size_bytes) items.push_back(absl::StrCat("size ", FormatBytes(*config.size_bytes)));
  if (config.depth) items.push_back(absl::StrCat("depth ", *config.depth));
  if (config.messages_per_connection) {
    items.push_back(
        absl::StrCat(FormatThousands(*config.messages_per_connection), " messages each"));
  }
  AddList(out, "config", std::move(items));
  return out;
}

std::string ServerSummary(const Result& result) {
  std::string out = "\n" + Heading(result);
  AddStatus(out, result.run);
  AddRow(out, "connections",
         absl::StrCat(FormatThousands(result.totals.connections), " accepted, at most ",
                      FormatThousands(result.totals.connections_open_max), " at a time"));
  AddThroughput(out, result.totals);
  AddCpu(out, result);
  AddErrors(out, result.errors);
  AddEngineStats(out, result.engine_stats);
  return out;
}

std::string LoadSummary(const Result& result) {
  std::string out = "\n" + Heading(result);
  AddStatus(out, result.run);
  AddThroughput(out, result.totals);
  if (result.latency) AddLatency(out, *result.latency);
  AddCpu(out, result);
  AddErrors(out, result.errors);
  AddEngineStats(out, result.engine_stats);
  AddValidity(out, result.validity);
  // An interrupted run tells those it made, any other one those it was to make.
  bool interrupted = result.run.status == RunStatus::kInterrupted;
  absl::StrAppend(&out,
                  interrupted ? result.totals.connections
                              : result.config.sessions.value_or(result.config.connections),
                  " connections, ", result.totals.exceptions.value_or(0), " exceptions, ",
                  result.totals.retries.value_or(0), " retries\n");
  return out;
}

std::string PercentileTable(const Latency& latency) {
  std::string out;
  auto add = [&](const char* name, const std::optional<LatencySummary>& summary) {
    if (!summary || summary->count == 0) return;
    absl::StrAppend(&out, "  ", name, "\n");
    for (const Percentile& p : summary->percentiles) {
      absl::StrAppendFormat(&out, "  %12s  %s\n", absl::StrFormat("p%.9g", p.percent),
                            FormatDuration(p.value_ns));
    }
  };
  add("response", latency.response);
  add("service", latency.service);
  add("connect", latency.connect);
  add("schedule lag", latency.schedule_lag);
  return out;
}

}  // namespace ringecho::report

#include "app/engine_report.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"
#include "base/units.h"
#include "engine/defaults.h"
#include "stats/usage.h"

#if RINGECHO_HAVE_URING
#include "engine/uring/capabilities.h"
#include "engine/uring/names.h"
#endif

namespace ringecho::app {

CounterSums::CounterSums(const engine::Counters& counters) {
  for (size_t i = 0; i < values_.size(); ++i) {
    values_[i] = static_cast<int64_t>((counters.*engine::kCounterFields[i].member).Get());
  }
}

CounterSums& CounterSums::operator+=(const CounterSums& other) {
  for (size_t i = 0; i < values_.size(); ++i) values_[i] += other.values_[i];
  return *this;
}

CounterSums CounterSums::operator-(const CounterSums& earlier) const {
  CounterSums out = *this;
  for (size_t i = 0; i < values_.size(); ++i) {
    if (!engine::kCounterFields[i].is_gauge) out.values_[i] -= earlier.values_[i];
  }
  return out;
}

int64_t CounterSums::Get(stats::Counter engine::Counters::*member) const {
  for (size_t i = 0; i < values_.size(); ++i) {
    if (engine::kCounterFields[i].member == member) return values_[i];
  }
  return 0;
}

report::NamedNumbers EngineStats(const CounterSums& sums, int64_t messages) {
  report::NamedNumbers stats;
  for (size_t i = 0; i < engine::kCounterFields.size(); ++i) {
    stats.emplace_back(engine::kCounterFields[i].name, sums.GetByIndex(i));
  }
  auto ratio = [](int64_t part, int64_t whole) {
    return static_cast<double>(part) / static_cast<double>(whole);
  };
  if (int64_t enters = sums.Get(&engine::Counters::enter_calls); enters > 0) {
    stats.emplace_back("completions_per_enter",
                       ratio(sums.Get(&engine::Counters::completions), enters));
  }
  if (messages > 0) {
    stats.emplace_back("syscalls_per_message",
                       ratio(sums.Get(&engine::Counters::syscalls), messages));
  }
  return stats;
}

engine::Features InAll(const std::vector<engine::Features>& engines) {
  engine::Features all = engines.front();
  for (size_t i = 0; i < all.size(); ++i) {
    const auto lacks = [i](const engine::Features& one) { return !one[i].effective; };
    const auto lacking = std::count_if(engines.begin(), engines.end(), lacks);
    if (lacking == 0) continue;
    all[i] = (*std::find_if(engines.begin(), engines.end(), lacks))[i];
    const auto count = static_cast<ptrdiff_t>(engines.size());
    if (lacking == count || !all[i].requested) continue;
    all[i].why_not = absl::StrCat(lacking, " of ", count, " threads: ", all[i].why_not);
  }
  return all;
}

report::Engine DescribeEngine(engine::EngineKind requested, const engine::EngineChoice& choice,
                              const engine::Features& features) {
  report::Engine out;
  out.name = engine::EngineName(choice.kind);
  out.reason = choice.reason;
  out.requested.emplace_back("engine", std::string(engine::EngineName(requested)));
  for (const engine::Feature& feature : features) {
    if (feature.requested) out.requested.emplace_back(feature.name, true);
    out.effective.emplace_back(feature.name, feature.effective);
    if (feature.requested && !feature.effective) {
      out.declined.emplace_back(feature.name, feature.why_not);
    }
  }
  if (!choice.absence.empty()) out.declined.emplace_back("io_uring", choice.reason);
  return out;
}

void DescribeBuffers(engine::EngineKind kind, const engine::Features& features, int64_t buffers,
                     int64_t buffer_bytes, report::NamedValues& extra) {
  engine::FeatureSet in_use;
  for (const engine::Feature& feature : features) {
    const std::optional<engine::FeatureId> id = engine::FeatureFromName(feature.name);
    if (id && feature.effective) in_use.Add(*id);
  }
  extra.emplace_back(
      "buffers", int64_t{engine::EffectiveBuffers(kind, static_cast<uint32_t>(buffers), in_use)});
  extra.emplace_back("buffer_size_bytes", int64_t{engine::EffectiveBufferBytes(
                                              kind, static_cast<uint32_t>(buffer_bytes), in_use)});
  extra.emplace_back("buffer_size_requested_bytes", buffer_bytes);
}

report::IoUring DescribeIoUring() {
  report::IoUring out;
  int64_t disabled = -1;
  if (std::ifstream("/proc/sys/kernel/io_uring_disabled") >> disabled) out.disabled = disabled;
  engine::UringStatus status = engine::UringHere();
  out.available = status.available;
  if (!status.available) out.reason = status.why_not;
#if RINGECHO_HAVE_URING
  const engine::uring::Capabilities& caps = engine::uring::ThisKernel();
  out.features = engine::uring::FeatureNames(caps.features);
  out.opcodes = engine::uring::OpcodeNames(caps.opcodes);
  out.ring_flags = engine::uring::SetupFlagNames(caps.setup_flags);
#endif
  return out;
}

report::EngineWork WorkOf(const stats::IntervalCounts& counts) {
  return {.messages = static_cast<int64_t>(counts.messages),
          .syscalls = static_cast<int64_t>(counts.syscalls),
          .enter_calls = static_cast<int64_t>(counts.enter_calls),
          .completions = static_cast<int64_t>(counts.completions)};
}

void DescribeWork(const report::EngineWork& work, report::Interval& interval) {
  interval.syscalls = work.syscalls;
  interval.enter_calls = work.enter_calls;
  interval.completions = work.completions;
}

std::string SnapshotText(std::string_view heading, const CounterSums& sums, int64_t messages) {
  constexpr size_t kColumns = 80;
  std::vector<std::string> items;
  for (const auto& [name, value] : EngineStats(sums, messages)) {
    if (const double* ratio = std::get_if<double>(&value)) {
      items.push_back(absl::StrFormat("%s %.3f", name, *ratio));
    } else if (int64_t count = std::get<int64_t>(value); count != 0) {
      items.push_back(absl::StrCat(name, " ", base::FormatThousands(count)));
    }
  }
  // Counting them takes a descriptor or two, and there may be none left.
  absl::StatusOr<int64_t> workers = stats::CountIoWorkers();
  items.push_back(workers.ok() ? absl::StrCat("iou_workers ", *workers) : "iou_workers unknown");
  std::string out = absl::StrCat(base::ToAbsl(heading), "\n");
  std::string line = " ";
  for (size_t i = 0; i < items.size(); ++i) {
    if (line.size() + 1 + items[i].size() + 1 > kColumns) {
      absl::StrAppend(&out, line, "\n");
      line = " ";
    }
    absl::StrAppend(&line, " ", items[i], i + 1 < items.size() ? "," : "");
  }
  return absl::StrCat(out, line, "\n");
}

}  // namespace ringecho::app

#include "html_fixture.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "report/latency.h"
#include "stats/histogram.h"
#include "stats/histogram_codec.h"

namespace ringecho::compare {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int kMeasuredSeconds = 10;
constexpr int kWarmupSeconds = 2;

// What one run is to look like.
struct Plan {
  std::string engine;
  std::string kernel = "6.12.30";
  int64_t connections = 1;
  int64_t size_bytes = 64;
  double rate = 0;          // messages per second that come through
  double rate_offered = 0;  // open loop; 0: closed
  double median_ns = 0;
  double cpu_ns = 0;  // of the server, per message
  bool suspect = false;
  bool with_server = true;
};

class Source {
 public:
  explicit Source(uint64_t seed) : bits_(seed) {}
  // Normally distributed enough: the sum of twelve uniform ones.
  double Normal(double mean, double deviation) {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += static_cast<double>(bits_()) * 0x1p-64;
    return mean + deviation * sum;
  }

 private:
  std::mt19937_64 bits_;  // the same numbers from every standard library
};

report::LatencySummary MakeLatency(const Plan& plan, Source& random) {
  stats::Histogram histogram;
  for (int i = 0; i < 4'000; ++i) {
    double value = plan.median_ns * std::exp(random.Normal(0, 0.25));
    if (i % 200 == 0) value *= 4 + std::abs(random.Normal(0, 3));  // the tail
    histogram.RecordN(static_cast<uint64_t>(value), 50);
  }
  report::LatencySummary summary = report::Summarize(histogram);
  summary.hdr_v2 = stats::EncodeV2Base64(histogram);
  return summary;
}

report::Result MakeCommon(const Plan& plan, size_t repeat) {
  report::Result result;
  result.tool.version = "0.1.0";
  result.tool.git_commit = "0123456789ab";
  result.run.repeat = static_cast<int64_t>(repeat);
  result.config.engine.name = plan.engine;
  result.config.connections = plan.connections;
  result.host.environment.kernel_release = plan.kernel;
  result.host.environment.cpu.model = "Example CPU";
  result.host.environment.cpu.count = 4;
  result.phases = {{report::PhaseName::kConnect, 0, kSecond},
                   {report::PhaseName::kWarmup, kSecond, (1 + kWarmupSeconds) * kSecond},
                   {report::PhaseName::kMeasure, (1 + kWarmupSeconds) * kSecond,
                    (1 + kWarmupSeconds + kMeasuredSeconds) * kSecond}};
  result.totals.measured_ns = kMeasuredSeconds * kSecond;
  return result;
}

report::Result MakeLoad(const Plan& plan, size_t repeat, Source& random) {
  report::Result result = MakeCommon(plan, repeat);
  result.tool.name = "ringecho-load";
  result.config.role = report::Role::kLoad;
  result.config.engine.name = "io_uring";  // of the load generator
  result.config.size_bytes = plan.size_bytes;
  result.config.depth = 1;
  result.config.mode = plan.rate_offered > 0 ? report::Mode::kOpen : report::Mode::kClosed;
  if (plan.rate_offered > 0) result.config.rate_target_per_s = plan.rate_offered;
  result.latency = report::Latency{};
  result.latency->response = MakeLatency(plan, random);
  double messages = 0;
  for (int second = 0; second < kWarmupSeconds + kMeasuredSeconds; ++second) {
    const bool warm = second >= kWarmupSeconds;
    const double rate = plan.rate * (warm ? random.Normal(1, 0.02) : 0.6 + 0.1 * second);
    report::Interval interval;
    interval.t_start_ns = (1 + second) * kSecond;
    interval.t_end_ns = (2 + second) * kSecond;
    interval.messages = std::llround(rate);
    interval.p50_ns = std::llround(plan.median_ns * random.Normal(1, 0.03));
    interval.p99_ns = std::llround(plan.median_ns * random.Normal(2.2, 0.2));
    if (warm) messages += rate;
    result.intervals.push_back(interval);
  }
  result.totals.messages = std::llround(messages);
  result.totals.messages_per_s = messages / kMeasuredSeconds;
  result.validity.checks = {{"exceptions", true, 0, 0, "0 exceptions"},
                            {"steal", true, 0.004, 0.02, "0.4% of the CPU time was stolen"}};
  if (plan.suspect) {
    result.validity.verdict = report::Verdict::kSuspect;
    result.validity.checks[1] = {"steal", false, 0.031, 0.02,
                                 "3.1% of the CPU time was stolen by the hypervisor"};
  }
  return result;
}

report::Result MakeServer(const Plan& plan, size_t repeat, Source& random) {
  report::Result result = MakeCommon(plan, repeat);
  result.tool.name = "ringecho-server";
  result.config.role = report::Role::kServer;
  result.resources.cpu_ns_per_message = plan.cpu_ns * random.Normal(1, 0.015);
  result.calibration = report::Calibration{
      85, 4200, {{1, 64, random.Normal(6100, 60)}, {1000, 64, random.Normal(7300, 60)}}};
  return result;
}

Measurement MakeMeasurement(const Plan& plan, size_t repeat, Source& random) {
  Measurement measurement;
  measurement.name =
      absl::StrCat(plan.engine, "-c", plan.connections, "-s", plan.size_bytes, "-r", repeat);
  measurement.series = "bench_results/series";
  measurement.load = MakeLoad(plan, repeat, random);
  if (plan.with_server) measurement.server = MakeServer(plan, repeat, random);
  return measurement;
}

std::vector<Metric> Metrics() {
  return {{"messages_per_s", "messages/s", Unit::kPerSecond, Better::kHigher, true},
          {"server_cpu_ns_per_message", "server CPU/msg", Unit::kNanoseconds, Better::kLower, true},
          {"p50_ns", "p50", Unit::kNanoseconds, Better::kLower, false},
          {"p99_ns", "p99", Unit::kNanoseconds, Better::kLower, true}};
}

Estimate Spread(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return {values[values.size() / 2], values.front(), values.back()};
}

std::vector<double> ValuesOf(const Comparison& comparison, const std::vector<size_t>& measurements,
                             const Metric& metric) {
  std::vector<double> values;
  for (const size_t index : measurements) {
    const auto value = ValueOf(comparison.measurements[index], metric);
    if (value) values.push_back(*value);
  }
  return values;
}

// Faster or slower where the ranges do not touch.
Judgement Judge(const Finding& finding, Better better, double min_effect) {
  if (finding.base_samples < 4) return Judgement::kInconclusive;
  const bool apart =
      finding.median.low > finding.base.high || finding.median.high < finding.base.low;
  if (!apart || std::abs(finding.change.value) < min_effect) return Judgement::kSame;
  const bool more = finding.change.value > 0;
  return more == (better == Better::kHigher) ? Judgement::kFaster : Judgement::kSlower;
}

void AddFinding(Comparison& comparison, size_t cell, size_t side, size_t metric) {
  const Metric& described = comparison.metrics[metric];
  const auto& by_side = comparison.cells[cell].by_side;
  const auto base = ValuesOf(comparison, by_side[0], described);
  const auto values = ValuesOf(comparison, by_side[side], described);
  if (base.empty() || values.empty()) return;
  Finding finding{cell, side, metric, base.size(), values.size(), Spread(base), Spread(values), {},
                  1,    1,    {},     ""};
  const double center = finding.base.value;
  finding.change = {finding.median.value / center - 1, finding.median.value / center * 0.985 - 1,
                    finding.median.value / center * 1.015 - 1};
  finding.judgement = Judge(finding, described.better, comparison.min_effect);
  finding.p = finding.judgement == Judgement::kSame ? 0.31 : 0.0022;
  finding.p_adjusted = std::min(1.0, finding.p * 12);
  if (finding.judgement == Judgement::kInconclusive) finding.note = "takes 4 repeats or more";
  comparison.findings.push_back(std::move(finding));
}

void AddFindings(Comparison& comparison) {
  for (size_t cell = 0; cell < comparison.cells.size(); ++cell) {
    for (size_t side = 1; side < comparison.sides.size(); ++side) {
      for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
        AddFinding(comparison, cell, side, metric);
      }
    }
  }
  for (size_t side = 1; side < comparison.sides.size(); ++side) {
    for (size_t metric = 0; metric < comparison.metrics.size(); ++metric) {
      double sum = 0;
      size_t cells = 0;
      for (const Finding& finding : comparison.findings) {
        if (finding.side != side || finding.metric != metric) continue;
        sum += std::log(1 + finding.change.value);
        ++cells;
      }
      if (cells > 0) {
        comparison.overall.push_back(
            {side, metric, cells, std::exp(sum / static_cast<double>(cells))});
      }
    }
  }
}

}  // namespace

Comparison EnginesFixture() {
  Comparison comparison;
  comparison.vary = "engine";
  comparison.sides = {"epoll", "io_uring"};
  comparison.axes = {"connections"};
  comparison.common = {{"size_bytes", "64"}, {"depth", "1"}, {"mode", "closed"}};
  comparison.metrics = Metrics();
  Source random(1);
  const std::vector<std::vector<Plan>> plans = {
      {{.engine = "epoll", .connections = 1, .rate = 12e3, .median_ns = 52e3, .cpu_ns = 31.8e3},
       {.engine = "io_uring", .connections = 1, .rate = 13.6e3, .median_ns = 51e3, .cpu_ns = 29e3}},
      {{.engine = "epoll", .connections = 64, .rate = 102e3, .median_ns = 345e3, .cpu_ns = 9.2e3},
       {.engine = "io_uring",
        .connections = 64,
        .rate = 96e3,
        .median_ns = 350e3,
        .cpu_ns = 8.8e3}},
      {{.engine = "epoll", .connections = 1000, .rate = 95e3, .median_ns = 10e6, .cpu_ns = 10.4e3},
       {.engine = "io_uring", .connections = 1000, .rate = 96e3, .median_ns = 10e6, .cpu_ns = 9e3}},
      {{.engine = "epoll", .connections = 10000, .rate = 81e3, .median_ns = 121e6, .cpu_ns = 12e3},
       {.engine = "io_uring",
        .connections = 10000,
        .rate = 93e3,
        .median_ns = 104e6,
        .cpu_ns = 10e3}}};
  for (const std::vector<Plan>& sides : plans) {
    Cell cell{{std::to_string(sides[0].connections)}, {{}, {}}};
    for (size_t repeat = 0; repeat < 6; ++repeat) {
      for (size_t side = 0; side < 2; ++side) {
        Plan plan = sides[side];
        plan.rate *= random.Normal(1, 0.02);
        plan.median_ns *= random.Normal(1, 0.02);
        plan.suspect = repeat == 4 && side == 0;
        cell.by_side[side].push_back(comparison.measurements.size());
        comparison.measurements.push_back(MakeMeasurement(plan, repeat, random));
      }
    }
    comparison.cells.push_back(std::move(cell));
  }
  AddFindings(comparison);
  comparison.measurements.push_back(MakeMeasurement(plans[3][0], 6, random));
  comparison.left_out = {{comparison.measurements.size() - 1, "interrupted after 3.1 s"}};
  comparison.differences = {
      {"config.engine.name", {"epoll", "io_uring"}, true},
      {"host.environment.sysctls.net.core.somaxconn", {"4096", "1024"}, false}};
  comparison.forced = true;
  comparison.notes = {"4 of 49 runs are suspect: the hypervisor took CPU time away."};
  return comparison;
}

Comparison ShortRunsFixture(size_t intervals, size_t cells) {
  Comparison comparison = EnginesFixture();
  for (size_t cell = 0; cell < cells; ++cell) {
    for (const auto& side : comparison.cells[cell].by_side) {
      for (const size_t index : side) {
        auto& all = comparison.measurements[index].load->intervals;
        const auto measured = all.begin() + kWarmupSeconds;
        all.assign(measured, measured + static_cast<ptrdiff_t>(intervals));
      }
    }
  }
  return comparison;
}

Comparison OpenLoopFixture() {
  Comparison comparison;
  comparison.vary = "kernel";
  comparison.sides = {"6.1.140", "6.6.92", "6.12.30"};
  comparison.axes = {"size_bytes", "rate_target_per_s"};
  comparison.common = {{"connections", "1000"}, {"mode", "open"}, {"engine", "io_uring"}};
  comparison.metrics = Metrics();
  comparison.by_boot = true;
  comparison.differences = {
      {"host.environment.kernel_release", {"6.1.140", "6.6.92", "6.12.30"}, true}};
  Source random(2);
  constexpr double kCapacity = 100e3;
  for (const int64_t size_bytes : {64, 4096}) {
    for (const double offered : {10e3, 25e3, 50e3, 75e3, 120e3}) {
      Cell cell{{std::to_string(size_bytes), std::to_string(std::llround(offered))}, {{}, {}, {}}};
      for (size_t side = 0; side < 3; ++side) {
        const double capacity = kCapacity * (1 + 0.06 * static_cast<double>(side));
        const double busy = std::min(offered / capacity, 0.995);
        Plan plan{.engine = "io_uring",
                  .kernel = comparison.sides[side],
                  .connections = 1000,
                  .size_bytes = size_bytes,
                  .rate = std::min(offered, capacity),
                  .rate_offered = offered,
                  .median_ns = 40e3 / (1 - busy),
                  .with_server = false};
        for (size_t repeat = 0; repeat < 3; ++repeat) {
          cell.by_side[side].push_back(comparison.measurements.size());
          comparison.measurements.push_back(MakeMeasurement(plan, repeat, random));
        }
      }
      comparison.cells.push_back(std::move(cell));
    }
  }
  AddFindings(comparison);
  return comparison;
}

Comparison ManySidesFixture(size_t cells) {
  constexpr size_t kSides = 16;
  constexpr int64_t kConnections[] = {64, 1000};
  Comparison comparison;
  comparison.vary = "features";
  comparison.sides = {"epoll"};
  for (size_t side = 1; side < kSides; ++side) {
    comparison.sides.push_back(absl::StrCat("set ", side));
  }
  comparison.sides[8] = "-recv_bundle,+incremental_buffers";
  if (cells > 1) comparison.axes = {"connections"};
  comparison.metrics = Metrics();
  Source random(4);
  for (size_t at = 0; at < cells; ++at) {
    Cell cell{{}, std::vector<std::vector<size_t>>(kSides)};
    if (cells > 1) cell.values = {std::to_string(kConnections[at])};
    for (size_t side = 0; side < kSides; ++side) {
      const double cost = 1 + 0.05 * static_cast<double>(side);
      const Plan plan{.engine = side == 0 ? "epoll" : "io_uring",
                      .connections = kConnections[at],
                      .rate = 100e3 / cost,
                      .median_ns = 600e3 * cost,
                      .cpu_ns = 9e3 * cost};
      for (size_t repeat = 0; repeat < 5; ++repeat) {
        cell.by_side[side].push_back(comparison.measurements.size());
        comparison.measurements.push_back(MakeMeasurement(plan, repeat, random));
      }
    }
    comparison.cells.push_back(std::move(cell));
  }
  AddFindings(comparison);
  return comparison;
}

Comparison HostileFixture(const std::string& markup) {
  Comparison comparison;
  comparison.vary = "label." + markup;
  comparison.sides = {"base" + markup, "new" + markup};
  comparison.axes = {"label." + markup};
  comparison.common = {{"common" + markup, markup}};
  comparison.metrics = Metrics();
  for (Metric& metric : comparison.metrics) metric.title += markup;
  comparison.cells = {{{markup}, {{0}, {1}}}};
  Source random(3);
  for (size_t side = 0; side < 2; ++side) {
    Plan plan{.engine = markup,
              .kernel = markup,
              .rate = 1e4,
              .median_ns = 5e4,
              .cpu_ns = 1e4,
              .suspect = true};
    Measurement measurement = MakeMeasurement(plan, 0, random);
    measurement.series = markup;
    for (auto* result : {&measurement.load, &measurement.server}) {
      (*result)->tool.version = markup;
      (*result)->host.environment.cpu.model = markup;
    }
    for (report::Check& check : measurement.load->validity.checks) {
      check.id += markup;
      check.message += markup;
    }
    comparison.measurements.push_back(std::move(measurement));
  }
  AddFindings(comparison);
  for (Finding& finding : comparison.findings) finding.note = markup;
  comparison.differences = {{"key" + markup, {markup, markup}, false}};
  comparison.left_out = {{0, "reason" + markup}};
  comparison.notes = {markup};
  return comparison;
}

}  // namespace ringecho::compare

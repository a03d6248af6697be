#include "simulated.h"

#include <cmath>
#include <numbers>

#include "sample.h"

namespace ringecho::compare {
namespace {

void Common(const Simulated& what, report::Result& result) {
  result.validity = {report::Verdict::kValid, {}};
  result.run.status = report::RunStatus::kOk;
  result.run.boot_id = what.boot;
  result.run.labels.clear();
  result.run.series_id.reset();
  result.host.environment.kernel_release = what.kernel;
  result.tool.git_commit = what.commit;
  result.config.connections = what.connections;
  result.intervals.clear();
}

// Box and Muller.
double Normal(base::SplitMix64& random) {
  const double radius = std::sqrt(-2 * std::log(1 - random.Unit()));
  return radius * std::cos(2 * std::numbers::pi * random.Unit());
}

}  // namespace

Measurement Make(const Simulated& what) {
  // Their histograms cost more than a comparison does: made once, copied after.
  static const report::Result sample_load = report::SampleLoadResult();
  static const report::Result sample_server = report::SampleServerResult();
  static int64_t runs = 0;
  const std::string id = "run-" + std::to_string(++runs);
  Measurement out;
  out.name = what.engine + "-" + std::to_string(what.connections);
  out.series = what.series;
  report::Result& load = out.load.emplace(sample_load);
  Common(what, load);
  load.run.id = id + "-load";
  load.config.mode = report::Mode::kClosed;
  load.config.rate_target_per_s.reset();
  load.totals.messages_per_s = what.messages_per_s;
  load.latency->response->percentiles = {
      {50, what.p99_ns / 4}, {99, what.p99_ns}, {99.9, what.p99_ns * 2}};
  report::Result& server = out.server.emplace(sample_server);
  Common(what, server);
  server.run.id = id + "-server";
  server.config.connections = 20'000;
  server.config.extra.emplace_back("max_connections_limited", false);
  server.config.engine.name = what.engine;
  if (what.engine == "epoll") {
    server.config.engine.effective.clear();
    server.config.engine.requested = {{"engine", "epoll"}};
  }
  server.resources.cpu_ns_per_message = what.cpu_ns_per_message;
  server.engine_stats = {{"syscalls_per_message", 0.5}};
  return out;
}

std::vector<Measurement> TwoEngines(int how_many, double factor) {
  std::vector<Measurement> out;
  for (int i = 0; i < how_many; ++i) {
    for (const char* engine : {"io_uring", "epoll"}) {
      Simulated what{.engine = engine};
      what.messages_per_s = (100 + i) * (what.engine == "io_uring" ? factor : 1);
      out.push_back(Make(what));
    }
  }
  return out;
}

std::vector<Measurement> SimulateSeries(int repeats, const std::vector<int64_t>& connections,
                                        const Noise& noise, double slower,
                                        base::SplitMix64& random) {
  std::vector<Measurement> out;
  const double towards = Normal(random) * noise.drift;
  // Half of the disturbance hits everything at once: a neighbour, the frequency.
  const double own = noise.variation * std::sqrt(0.5);
  for (int repeat = 0; repeat < repeats; ++repeat) {
    for (int64_t count : connections) {
      for (const char* series : {"A", "B"}) {
        const double cost = series == std::string("B") ? 1 + slower : 1;
        const double drift = towards * repeat / repeats;
        const double shared = Normal(random) * own + drift;
        auto disturbed = [&] { return std::exp(shared + Normal(random) * own); };
        out.push_back(Make({.series = series,
                            .connections = count,
                            .messages_per_s = 100'000 / (cost * disturbed()),
                            .cpu_ns_per_message = 9'000 * cost * disturbed(),
                            .p99_ns = static_cast<int64_t>(1'000'000 * cost * disturbed())}));
      }
    }
  }
  return out;
}

}  // namespace ringecho::compare

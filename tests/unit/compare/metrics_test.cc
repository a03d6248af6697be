#include "compare/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <iterator>

#include "simulated.h"

namespace ringecho::compare {
namespace {

constexpr int64_t kMs = 1'000'000;

std::optional<double> Value(const Measurement& measurement, const std::string& id) {
  for (const Metric& metric : AllMetrics()) {
    if (metric.id == id) return ValueOf(measurement, metric);
  }
  ADD_FAILURE() << "no metric " << id;
  return std::nullopt;
}

// The server started 1,000 ms before the loader, whose measure phase is 100 to 300 ms of its own
// time. Of the server's intervals only 1,120-1,220 and 1,220-1,290 lie whole within.
Measurement WithIntervals() {
  Measurement out = Make({});
  report::Result& server = *out.server;
  report::Result& load = *out.load;
  server.run.start_monotonic_ns = 0;
  load.run.start_monotonic_ns = 1000 * kMs;
  server.resources.iou_workers = 0;
  auto interval = [](int64_t start, int64_t end, int64_t messages, int64_t cpu) {
    report::Interval out_interval;
    out_interval.t_start_ns = start * kMs;
    out_interval.t_end_ns = end * kMs;
    out_interval.messages = messages;
    out_interval.cpu_ns = cpu * kMs;
    return out_interval;
  };
  server.intervals = {interval(1020, 1120, 0, 50), interval(1120, 1220, 0, 6),
                      interval(1220, 1290, 0, 4), interval(1290, 1390, 0, 50)};
  // The first is of the warm-up.
  load.intervals = {interval(0, 100, 5000, 0), interval(100, 200, 1000, 0),
                    interval(200, 300, 2000, 0)};
  load.phases = {{report::PhaseName::kMeasure, 100 * kMs, 300 * kMs}};
  return out;
}

TEST(ServerCpu, IsThatOfTheMeasurePhase) {
  const double messages = 1000 * 0.8 + 2000 * 0.9;
  EXPECT_NEAR(*Value(WithIntervals(), "server_cpu_ns_per_message"), 10 * kMs / messages, 1e-6);
}

TEST(ServerCpu, OfTheWholeRunWhereThePhaseIsNotKnown) {
  Measurement other_boot = WithIntervals();
  other_boot.load->run.boot_id = "another";
  EXPECT_EQ(Value(other_boot, "server_cpu_ns_per_message"), 9000);
  Measurement no_intervals = WithIntervals();
  no_intervals.server->intervals.clear();
  EXPECT_EQ(Value(no_intervals, "server_cpu_ns_per_message"), 9000);
  Measurement workers = WithIntervals();
  workers.server->resources.iou_workers = 1;  // their time is in no interval
  EXPECT_EQ(Value(workers, "server_cpu_ns_per_message"), 9000);
  Measurement server_only = WithIntervals();
  server_only.load.reset();
  EXPECT_EQ(Value(server_only, "server_cpu_ns_per_message"), 9000);
}

TEST(ServerCpu, OnTwoMachinesIsThatOfFullWork) {
  // Connecting, a beginning, two at full work, nothing.
  Measurement two = WithIntervals();
  two.load->run.boot_id = "another";
  two.load->config.size_bytes = 4096;
  const int64_t messages[] = {0, 10, 1000, 1000, 0};
  const int64_t cpu_ms[] = {50, 1, 5, 7, 50};
  two.server->intervals.clear();
  for (size_t i = 0; i < std::size(messages); ++i) {
    report::Interval interval;
    interval.bytes = messages[i] * 4096;
    interval.cpu_ns = cpu_ms[i] * kMs;
    two.server->intervals.push_back(interval);
  }
  EXPECT_NEAR(*Value(two, "server_cpu_ns_per_message"), 12 * kMs / 2000, 1e-6);
  // Two that do not know their boot have no clock in common.
  two.load->run.boot_id.reset();
  two.server->run.boot_id.reset();
  EXPECT_NEAR(*Value(two, "server_cpu_ns_per_message"), 12 * kMs / 2000, 1e-6);
}

TEST(Syscalls, AreOfMessagesNotOfReads) {
  Measurement large = Make({});
  large.load->config.size_bytes = 64'000;
  large.server->totals.messages = 16'000;  // reads
  large.server->totals.bytes_received = 64'000'000;
  EXPECT_NEAR(*Value(large, "syscalls_per_message"), 16 * 0.5, 1e-9);
}

TEST(ServerCpu, OfTheWholeRunIsOfMessagesNotOfReads) {
  Measurement large = WithIntervals();
  large.server->intervals.clear();
  large.load->config.size_bytes = 64'000;
  large.server->totals.messages = 16'000;  // reads
  large.server->totals.bytes_received = 64'000'000;
  EXPECT_NEAR(*Value(large, "server_cpu_ns_per_message"), 16 * 9000, 1e-6);
}

TEST(Metrics, ComeFromTheEndTheyBelongTo) {
  const Measurement both = Make({});
  EXPECT_EQ(Value(both, "messages_per_s"), 100'000);
  EXPECT_EQ(Value(both, "p50_ns"), 250'000);
  EXPECT_EQ(Value(both, "p99_ns"), 1'000'000);
  EXPECT_EQ(Value(both, "p99_9_ns"), 2'000'000);
  EXPECT_EQ(Value(both, "syscalls_per_message"), 0.5);
  EXPECT_EQ(Value(both, "bytes_per_connection"), 6700.5);
  EXPECT_EQ(Value(both, "loader_cpu_ns_per_message"), 7916.67);
  Measurement load_only = both;
  load_only.server.reset();
  EXPECT_EQ(Value(load_only, "server_cpu_ns_per_message"), std::nullopt);
  EXPECT_EQ(Value(load_only, "syscalls_per_message"), std::nullopt);
}

TEST(Metrics, WhatIsNoPositiveNumberIsNone) {
  Measurement one = Make({});
  for (double value : {0.0, -1.0, std::nan(""), double{INFINITY}}) {
    one.load->totals.messages_per_s = value;
    EXPECT_EQ(Value(one, "messages_per_s"), std::nullopt) << value;
  }
}

}  // namespace
}  // namespace ringecho::compare

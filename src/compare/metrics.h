// The numbers that are compared.
#ifndef RINGECHO_COMPARE_METRICS_H_
#define RINGECHO_COMPARE_METRICS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "compare/comparison.h"

namespace ringecho::compare {

// Judged: messages_per_s, server_cpu_ns_per_message, p99_ns. Shown only: p50_ns, p99_9_ns,
// loader_cpu_ns_per_message, syscalls_per_message, bytes_per_connection (the last two of the
// server). Few are judged, because every further one makes it harder for all to be told from
// chance.
//
// server_cpu_ns_per_message is what a message cost while the load generator measured: the CPU time
// of the server's intervals that lie whole within that phase, over the messages that came back in
// that time. Where the two files have no clock in common (two machines) it is that of the server's
// intervals at full work, over the messages that their bytes are. Where neither is to be had, or
// io_uring had kernel threads, whose time is in no interval, it is what the server says of its
// whole run, connecting and warm-up included. scripts/bench/results.py reckons the same for its
// table; a test holds the two together.
std::vector<Metric> AllMetrics();

// Which of these ways it was found in a run.
enum class CostOf : uint8_t { kMeasurePhase, kFullWork, kWholeRun };
CostOf ServerCpuIsOf(const Measurement& measurement);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_METRICS_H_

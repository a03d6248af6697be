// What the kernel of this machine costs without any engine: the scale on which results of one
// machine at different times are read.
#ifndef RINGECHO_REPORT_CALIBRATION_H_
#define RINGECHO_REPORT_CALIBRATION_H_

#include <cstdint>
#include <vector>

#include "report/result.h"

namespace ringecho::report {

struct FloorCase {
  int64_t connections = 1;  // at least 1
  int64_t size_bytes = 64;  // at least 1; more than kFloorBytesMax is measured as that
};

// What fits the smallest socket buffers at once, so that one thread can write an echo and read it
// without anybody else emptying the socket.
inline constexpr int64_t kFloorBytesMax = 4096;

struct CalibrationOptions {
  // For all of it together; the shares below. An overrun of some milliseconds is possible.
  int64_t budget_ns = 100'000'000;
  std::vector<FloorCase> floors = {{1, 64}, {1000, 64}};
};

// Measures on the calling thread (the wake-up with one more), wherever it is pinned; call it before
// the run, when nothing else of this process works. Never fails: what could not be measured is NaN
// (the two costs) or missing (a floor).
//
//   syscall_ns   getppid(2), the shortest there is; 10% of the budget
//   wakeup_ns    one thread waking another through an eventfd, half of a round trip; 20%
//   loopback_echo_floor   one thread walks both ends of N loopback TCP connections: send, recv,
//                send, recv; no wake-up, no waiting. The rest, shared out evenly. Connections that
//                do not fit the time, the descriptors or the ports are left away, and `connections`
//                says how many there were. Sockets are closed by reset, leaving no TIME_WAIT
//                behind.
//
// Each is the median of batches, because what disturbs a batch only ever makes it slower.
Calibration Calibrate(const CalibrationOptions& options = {});

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_CALIBRATION_H_

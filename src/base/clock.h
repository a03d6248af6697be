// The two clocks of the program. All intervals and deadlines are monotonic nanoseconds; wall time
// is only ever written into results.
#ifndef RINGECHO_BASE_CLOCK_H_
#define RINGECHO_BASE_CLOCK_H_

#include <cstdint>
#include <ctime>
#include <limits>
#include <string>

namespace ringecho::base {

inline constexpr int64_t kNsPerUs = 1'000;
inline constexpr int64_t kNsPerMs = 1'000'000;
inline constexpr int64_t kNsPerSec = 1'000'000'000;

// A deadline that never comes.
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

inline int64_t TimespecNs(const timespec& t) { return t.tv_sec * kNsPerSec + t.tv_nsec; }

inline int64_t ClockNs(clockid_t clock) {
  timespec t;
  clock_gettime(clock, &t);
  return TimespecNs(t);
}

// CLOCK_MONOTONIC, nanoseconds since some time before boot; about 25 ns through the vDSO.
inline int64_t NowNs() { return ClockNs(CLOCK_MONOTONIC); }

// Wall time now, nanoseconds since 1970 (CLOCK_REALTIME).
inline int64_t WallNs() { return ClockNs(CLOCK_REALTIME); }

// Wall time as RFC 3339 in UTC with milliseconds: 2026-01-31T12:00:00.123Z.
std::string Rfc3339(int64_t wall_ns);

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_CLOCK_H_

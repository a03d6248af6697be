#include "base/clock.h"

#include "absl/strings/str_format.h"

namespace ringecho::base {

std::string Rfc3339(int64_t wall_ns) {
  time_t seconds = wall_ns / kNsPerSec;
  int64_t ms = wall_ns % kNsPerSec / kNsPerMs;
  tm utc;
  gmtime_r(&seconds, &utc);
  return absl::StrFormat("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
                         utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

}  // namespace ringecho::base

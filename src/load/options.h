// ringecho-load's command line.
#ifndef RINGECHO_LOAD_OPTIONS_H_
#define RINGECHO_LOAD_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/options.h"
#include "base/clock.h"

namespace ringecho::load {

inline constexpr char kProgram[] = "ringecho-load";
inline constexpr uint16_t kDefaultPort = 8888;

struct Options {
  app::CommonOptions common;
  std::string connect = "127.0.0.1:8888";
  int64_t connections = 64;
  int64_t duration_ns = 10 * base::kNsPerSec;  // 0 with messages
  int64_t warmup_ns = base::kNsPerSec;         // 0 with messages
  int64_t message_bytes = 64;                  // 0 with payload_path
  int64_t depth = 1;
  int64_t messages = 0;        // per connection; 0: by time
  int64_t sessions = 0;        // 0: one for each connection
  int64_t connects_per_s = 0;  // 0: no limit
  int64_t retries = 10;
  int64_t timeout_ns = 10 * base::kNsPerSec;
  std::string payload_path;
  std::string source = "auto";
  bool verify = true;
  std::vector<double> percentiles;  // ascending; empty: none asked for
  int64_t seed = 0;
};

// Features that a load generator, or one of this server, has no use for, with why.
engine::FeatureReasons NoUse(const Options& options);

// Fills `options`, the seed too when none is given; the exit code when the program should end now.
std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options);

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_OPTIONS_H_

// ringecho-server's command line.
#ifndef RINGECHO_SERVER_OPTIONS_H_
#define RINGECHO_SERVER_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/options.h"
#include "engine/defaults.h"

namespace ringecho::server {

inline constexpr char kProgram[] = "ringecho-server";
inline constexpr uint16_t kDefaultPort = 8888;

struct Options {
  app::CommonOptions common;
  std::vector<std::string> listen = {"127.0.0.1:8888"};
  int64_t backlog = 4096;
  int64_t high_water_bytes = engine::kDefaultHighWaterBytes;
  int64_t max_connections = 0;  // 0: as many as descriptors allow
  int64_t idle_timeout_ns = 0;  // 0: none
  int64_t duration_ns = 0;      // 0: until a signal
};

// Features that these listeners leave no use for, with why.
engine::FeatureReasons NoUse(const Options& options);

// Fills `options`; the exit code when the program should end now.
std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options);

}  // namespace ringecho::server

#endif  // RINGECHO_SERVER_OPTIONS_H_

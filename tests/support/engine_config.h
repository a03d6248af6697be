// The engine configurations that every engine test runs against.
#ifndef RINGECHO_SUPPORT_ENGINE_CONFIG_H_
#define RINGECHO_SUPPORT_ENGINE_CONFIG_H_

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include "engine/options.h"

namespace ringecho::support {

enum class EngineKind : uint8_t { kEpoll, kUring };

struct EngineConfig {
  std::string name;  // letters, digits and '_': part of a test's name
  EngineKind kind = EngineKind::kEpoll;
  engine::ReceiveMode receive_mode = engine::ReceiveMode::kMultishot;
  uint32_t buffers = 0;       // 0: the engine's default
  uint32_t buffer_bytes = 0;  // likewise
  uint32_t sq_entries = 0;    // likewise
  uint32_t cq_entries = 0;    // likewise

  // Lays this configuration over what a test asks for.
  void Apply(engine::Options& options) const {
    options.receive_mode = receive_mode;
    if (buffers != 0) options.buffers = buffers;
    if (buffer_bytes != 0) options.buffer_bytes = buffer_bytes;
    if (sq_entries != 0) options.sq_entries = sq_entries;
    if (cq_entries != 0) options.cq_entries = cq_entries;
  }
};

inline std::ostream& operator<<(std::ostream& out, const EngineConfig& config) {
  return out << config.name;
}

// One line each. Starved sizes are there because everything that is rare with ample ones (waiting
// for a buffer, a full queue, a partial read) then happens all the time.
inline std::vector<EngineConfig> AllEngineConfigs() {
  using engine::ReceiveMode;
  return {
      {.name = "epoll"},
      {.name = "epoll_small_reads", .buffer_bytes = 300},
#ifdef RINGECHO_HAVE_URING
      {.name = "multishot", .kind = EngineKind::kUring},
      {.name = "multishot_starved", .kind = EngineKind::kUring, .buffers = 2, .cq_entries = 4},
      {.name = "fixed", .kind = EngineKind::kUring, .receive_mode = ReceiveMode::kFixed},
      {.name = "one_shot", .kind = EngineKind::kUring, .receive_mode = ReceiveMode::kOneShot},
#endif
  };
}

}  // namespace ringecho::support

#endif  // RINGECHO_SUPPORT_ENGINE_CONFIG_H_

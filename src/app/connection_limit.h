// How many connections the descriptor limit leaves room for, and what to do beyond it.
#ifndef RINGECHO_APP_CONNECTION_LIMIT_H_
#define RINGECHO_APP_CONNECTION_LIMIT_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "engine/feature_set.h"

namespace ringecho::app {

struct ConnectionDemand {
  int64_t connections = 0;  // in all; 0: as many as there can be
  int64_t threads = 1;
  int64_t others = 0;             // descriptors for everything else
  int64_t connecting = 0;         // that take an ordinary one, too, until they are connected
  int64_t descriptor_limit = 0;   // RLIMIT_NOFILE
  bool direct_available = false;  // the engine can do without descriptors
};

struct ConnectionRoom {
  int64_t per_engine = 0;
  bool direct =
      false;  // takes direct_descriptors, which may have to be added to what was asked for
};

// Ordinary descriptors where they suffice. Where they do not, and nothing was said of features,
// direct ones, of which each thread has as many as the process has ordinary ones.
// RESOURCE_EXHAUSTED names the number that is needed and how to get it.
absl::StatusOr<ConnectionRoom> FindRoom(const ConnectionDemand& demand,
                                        const engine::FeatureRequest& features);

}  // namespace ringecho::app

#endif  // RINGECHO_APP_CONNECTION_LIMIT_H_

// The engine's ring: flags from the plan of features, completion queue sized for the connections.
#ifndef RINGECHO_ENGINE_URING_MAKE_RING_H_
#define RINGECHO_ENGINE_URING_MAKE_RING_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "engine/options.h"
#include "engine/uring/capabilities.h"
#include "engine/uring/ring.h"

namespace ringecho::engine::uring {

// Entries of the completion queue for so many connections: each may have a receive and a send
// completion waiting at the same moment. Between 1,024 and the kernel's limit of 65,536; beyond
// that the kernel keeps completions aside (and counts it), none is lost.
uint32_t CompletionEntries(uint32_t max_connections);

// On the thread that will use it, with the flags that the plan of features has. Errors carry the
// errno of io_uring_setup(2) and, for memory and descriptors, what to do.
absl::StatusOr<std::unique_ptr<Ring>> MakeRing(const Options& options, const Capabilities& caps);

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_MAKE_RING_H_

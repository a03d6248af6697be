// Everything about a run that is decided, and can fail, before its clock starts.
#ifndef RINGECHO_LOAD_PREPARE_H_
#define RINGECHO_LOAD_PREPARE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/choice.h"
#include "load/options.h"
#include "load/payload.h"
#include "load/sessions.h"
#include "net/address.h"

namespace ringecho::load {

struct Setup {
  std::optional<Payload> payload;
  net::Address to;
  int64_t resolve_ns = 0;
  std::vector<net::Address> sources;
  bool direct_descriptors = false;  // connections take them
};

// Raises the descriptor limit, resolves the name, plans source addresses and makes the payload.
// Errors say what is needed and how to get it; INVALID_ARGUMENT when an option is at fault.
absl::StatusOr<Setup> Prepare(const Options& options, engine::EngineKind engine);

// The address to connect to and what finding it took. Where a name has several addresses, the first
// that accepts a connection ("localhost" may be ::1 and 127.0.0.1, and a server listen on one
// only).
absl::StatusOr<net::Address> Resolve(const Options& options, int64_t* resolve_ns);

// What worker `worker` is to do: its share of connections and connect rate.
Plan PlanFor(const Options& options, const Setup& setup, int worker);

// Connections made in all.
uint64_t SessionCount(const Options& options);

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_PREPARE_H_

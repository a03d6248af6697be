#include "server/echo_handler.h"

#include <cstdio>

#include "engine/stream.h"

namespace ringecho::server {
namespace {

// Closes that are no errors: the peer was done, or this server was told to end.
bool IsOrderly(engine::CloseReason reason) {
  return reason == engine::CloseReason::kEof || reason == engine::CloseReason::kLocal;
}

}  // namespace

EchoHandler::EchoHandler(const HandlerOptions& options, const IntervalPoster& poster)
    : options_(options),
      poster_(poster),
      watches_activity_(options.idle_timeout_ns > 0),
      slots_(options.max_connections),
      idle_(watches_activity_ ? options.max_connections : 0, options.idle_timeout_ns) {}

void EchoHandler::Opened(engine::ConnId id) {
  counters_.open.Increment();
  if (counters_.open.Get() > counters_.open_max.Get()) counters_.open_max.Increment();
  slots_[id.slot] = {.generation = id.generation, .open = true, .active_ns = 0, .undelivered = 0};
  slots_used_ = std::max(slots_used_, id.slot + 1);
  if (watches_activity_) {
    Touch(id);
    if (options_.idle_timeout_ns > 0) {
      idle_.Watch(id.slot, base::NowNs() + options_.idle_timeout_ns);
    }
  }
  if (options_.verbose) std::fprintf(stderr, "open    %u.%u\n", id.slot, id.generation);
}

void EchoHandler::Closed(engine::ConnId id, engine::CloseReason reason) {
  counters_.open.Sub(1);
  counters_.closed[static_cast<size_t>(reason)].Increment();
  slots_[id.slot].open = false;
  if (options_.verbose) {
    std::fprintf(stderr, "closed  %u.%u  %.*s\n", id.slot, id.generation,
                 static_cast<int>(engine::CloseReasonName(reason).size()),
                 engine::CloseReasonName(reason).data());
  }
}

void EchoHandler::StartDraining(int64_t now_ns) {
  drain_started_ns_ = now_ns;
  next_drain_look_ns_ = now_ns;
  watches_activity_ = true;
  for (uint32_t i = 0; i < slots_used_; ++i) slots_[i].active_ns = now_ns;
}

IntervalSums EchoHandler::Sums(const engine::Counters& engine) const {
  IntervalSums sums;
  sums.messages = counters_.messages.Get();
  sums.bytes = counters_.bytes.Get();
  for (size_t i = 0; i < counters_.closed.size(); ++i) {
    if (!IsOrderly(static_cast<engine::CloseReason>(i))) sums.errors += counters_.closed[i].Get();
  }
  sums.open_connections = static_cast<int64_t>(counters_.open.Get());
  sums.sq_thread_ns = static_cast<int64_t>(engine.sq_thread_ns.Get());
  sums.syscalls = engine.syscalls.Get();
  sums.enter_calls = engine.enter_calls.Get();
  sums.completions = engine.completions.Get();
  return sums;
}

}  // namespace ringecho::server

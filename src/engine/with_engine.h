// The one switch between the engines. Everything beyond it is a static instantiation.
#ifndef RINGECHO_ENGINE_WITH_ENGINE_H_
#define RINGECHO_ENGINE_WITH_ENGINE_H_

#include <type_traits>

#include "engine/choice.h"
#include "engine/epoll/engine.h"

#if RINGECHO_HAVE_URING
#include "engine/uring/engine.h"
#endif

namespace ringecho::engine {

// Calls f(std::type_identity<E>{}) with the engine type for `kind` (not kAuto) and Handler, and
// returns what it returns.
template <class Handler, class F>
auto WithEngine(EngineKind kind, F f) {
#if RINGECHO_HAVE_URING
  if (kind == EngineKind::kUring) return f(std::type_identity<uring::Engine<Handler>>{});
#else
  static_cast<void>(kind);
#endif
  return f(std::type_identity<epoll::Engine<Handler>>{});
}

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_WITH_ENGINE_H_

// The engines and their handlers behind virtual calls, so that a test is compiled once and runs
// against any engine. For tests only: the product is static on purpose.
#ifndef RINGECHO_SUPPORT_ANY_ENGINE_H_
#define RINGECHO_SUPPORT_ANY_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/clock.h"
#include "engine/counters.h"
#include "engine/stream.h"
#include "net/address.h"

namespace ringecho::support {

using engine::CloseReason;
using engine::ConnectResult;
using engine::ConnId;
using engine::Verdict;

// What engine/stream.h says an engine offers to its handler.
class AnyEngine {
 public:
  virtual ~AnyEngine() = default;
  virtual ConnectResult Connect(const net::Address& to, const net::Address* from) = 0;
  virtual bool CanSend(ConnId id) = 0;
  virtual void Send(ConnId id, std::span<const std::byte> payload) = 0;
  virtual std::optional<int64_t> Undelivered(ConnId id) = 0;
  virtual void Close(ConnId id, CloseReason reason) = 0;
  virtual void Finish(ConnId id, CloseReason reason) = 0;
  virtual void StopListening() = 0;
  virtual void Exit() = 0;
  virtual void Wake() = 0;
  virtual const engine::Counters& counters() const = 0;
  virtual size_t connections() const = 0;
};

// What it asks of a handler. All calls come from the engine's thread.
class AnyHandler {
 public:
  virtual ~AnyHandler() = default;
  virtual void OnOpen(AnyEngine&, ConnId) {}
  virtual Verdict OnData(AnyEngine&, ConnId, std::span<const std::byte>) = 0;
  virtual void OnSent(AnyEngine&, ConnId, size_t) {}
  virtual void OnClosed(AnyEngine&, ConnId, CloseReason) {}
  virtual void OnWake(AnyEngine&) {}
  virtual int64_t NextDeadline() { return base::kNever; }
  virtual void OnDeadline(AnyEngine&, int64_t) {}
};

}  // namespace ringecho::support

#endif  // RINGECHO_SUPPORT_ANY_ENGINE_H_

// The loader's side of the seam: carries events from an engine to Sessions and its wishes back.
#ifndef RINGECHO_LOAD_HANDLER_H_
#define RINGECHO_LOAD_HANDLER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/stream.h"
#include "load/sessions.h"

namespace ringecho::load {

// Satisfies engine::StreamHandler for every engine. Sessions must outlive it.
class LoadHandler {
 public:
  explicit LoadHandler(Sessions& sessions) : sessions_(sessions) {}

  template <class E>
  void OnOpen(E& engine, engine::ConnId id) {
    sessions_.Opened(id);
    SendOwed(engine, id);
    Work(engine);
  }

  template <class E>
  engine::Verdict OnData(E& engine, engine::ConnId id, std::span<const std::byte> data) {
    const Sessions::After after = sessions_.Received(id, data);
    if (after == Sessions::After::kSend) SendOwed(engine, id);
    if (sessions_.has_work()) [[unlikely]]
      Work(engine);
    return after == Sessions::After::kClose ? engine::Verdict::kClose : engine::Verdict::kConsumed;
  }

  template <class E>
  void OnSent(E& engine, engine::ConnId id, size_t) {
    sessions_.Sent(id);
    SendOwed(engine, id);
  }

  template <class E>
  void OnClosed(E& engine, engine::ConnId id, engine::CloseReason reason) {
    sessions_.Closed(id, reason);
    Work(engine);
  }

  template <class E>
  void OnWake(E& engine) {
    sessions_.Woken();
    Work(engine);
  }

  int64_t NextDeadline() const { return sessions_.NextDeadline(); }

  template <class E>
  void OnDeadline(E& engine, int64_t now_ns) {
    sessions_.Tick(now_ns);
    Work(engine);
  }

 private:
  // The engine takes one Send at a time; what is owed meanwhile goes out as one run in OnSent.
  template <class E>
  void SendOwed(E& engine, engine::ConnId id) {
    if (!engine.CanSend(id)) return;
    const std::span<const std::byte> run = sessions_.TakeRun(id);
    if (!run.empty()) engine.Send(id, run);
  }

  template <class E>
  void Work(E& engine) {
    for (Sessions::ConnectRequest request; sessions_.NextConnect(&request);) {
      sessions_.ConnectAnswered(request.lane, engine.Connect(*request.to, request.from));
    }
    for (engine::ConnId id; sessions_.NextToSend(&id);) SendOwed(engine, id);
    for (Sessions::CloseRequest request; sessions_.NextClose(&request);) {
      engine.Close(request.id, request.reason);
    }
    if (sessions_.finished()) engine.Exit();
    sessions_.WorkDone();
  }

  Sessions& sessions_;
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_HANDLER_H_

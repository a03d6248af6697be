// The two handlers most tests need, counting what they are told, with hooks for the rest.
#ifndef RINGECHO_SUPPORT_HANDLERS_H_
#define RINGECHO_SUPPORT_HANDLERS_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "support/any_engine.h"

namespace ringecho::support {

// Counters may be read from any thread; hooks are set before the engine starts and run on its
// thread, after the counting.
class CountingHandler : public AnyHandler {
 public:
  explicit CountingHandler(Verdict verdict) : verdict_(verdict) {}

  void OnOpen(AnyEngine& engine, ConnId id) override {
    ++opened;
    if (on_open) on_open(engine, id);
  }
  Verdict OnData(AnyEngine& engine, ConnId id, std::span<const std::byte> data) override {
    received += data.size();
    return on_data ? on_data(engine, id, data) : verdict_;
  }
  void OnSent(AnyEngine& engine, ConnId id, size_t bytes) override {
    ++sent_calls;  // first: tests wait for the bytes and then look at the calls
    sent += bytes;
    if (on_sent) on_sent(engine, id, bytes);
  }
  void OnClosed(AnyEngine& engine, ConnId id, CloseReason reason) override {
    if (on_closed) on_closed(engine, id, reason);
    ++closed_for[static_cast<size_t>(reason)];
    ++closed;
  }
  void OnWake(AnyEngine&) override { ++woken; }
  int64_t NextDeadline() override { return deadline_ns; }
  void OnDeadline(AnyEngine& engine, int64_t now_ns) override {
    ++deadlines;
    if (on_deadline) {
      on_deadline(engine, now_ns);
    } else {
      deadline_ns = base::kNever;
    }
  }

  int ClosedFor(CloseReason reason) const { return closed_for[static_cast<size_t>(reason)]; }

  std::atomic<int> opened{0};
  std::atomic<int> closed{0};
  std::atomic<int> woken{0};
  std::atomic<int> deadlines{0};
  std::atomic<int> sent_calls{0};
  std::atomic<uint64_t> received{0};
  std::atomic<uint64_t> sent{0};
  std::array<std::atomic<int>, engine::kCloseReasonCount> closed_for{};

  std::atomic<int64_t> deadline_ns{base::kNever};

  std::function<void(AnyEngine&, ConnId)> on_open;
  std::function<Verdict(AnyEngine&, ConnId, std::span<const std::byte>)> on_data;
  std::function<void(AnyEngine&, ConnId, size_t)> on_sent;
  std::function<void(AnyEngine&, ConnId, CloseReason)> on_closed;
  std::function<void(AnyEngine&, int64_t)> on_deadline;

 private:
  Verdict verdict_;
};

// Echoes everything.
class TestEcho : public CountingHandler {
 public:
  TestEcho() : CountingHandler(Verdict::kEcho) {}
};

// Takes everything; what came in is kept in `input`, by slot, for the engine's thread or for after
// it has stopped.
class TestClient : public CountingHandler {
 public:
  explicit TestClient(uint32_t slots = 1) : CountingHandler(Verdict::kConsumed), input(slots) {}

  Verdict OnData(AnyEngine& engine, ConnId id, std::span<const std::byte> data) override {
    input.at(id.slot).append(reinterpret_cast<const char*>(data.data()), data.size());
    return CountingHandler::OnData(engine, id, data);
  }

  std::vector<std::string> input;
};

}  // namespace ringecho::support

#endif  // RINGECHO_SUPPORT_HANDLERS_H_

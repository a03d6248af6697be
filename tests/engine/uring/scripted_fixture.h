// The fixture of tests that write completions down by hand: an engine on a ScriptedRing, and a
// handler that writes down what it is told.
#ifndef RINGECHO_TESTS_ENGINE_URING_SCRIPTED_FIXTURE_H_
#define RINGECHO_TESTS_ENGINE_URING_SCRIPTED_FIXTURE_H_

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/uring/engine.h"
#include "scripted_ring.h"

namespace ringecho::engine::uring {

// Echoes, and writes down what it is told.
struct RecordingHandler {
  template <class E>
  void OnOpen(E&, ConnId id) {
    opened.push_back(id);
  }
  template <class E>
  Verdict OnData(E& engine, ConnId id, std::span<const std::byte> data) {
    received.emplace_back(reinterpret_cast<const char*>(data.data()), data.size());
    if (close_in_data) engine.Close(id, CloseReason::kLocal);
    if (finish_in_data) engine.Finish(id, CloseReason::kLocal);
    return verdict;
  }
  template <class E>
  void OnSent(E&, ConnId, size_t bytes) {
    sent.push_back(bytes);
  }
  template <class E>
  void OnClosed(E&, ConnId, CloseReason reason) {
    closed.push_back(reason);
  }
  template <class E>
  void OnWake(E&) {
    ++wakes;
  }
  int64_t NextDeadline() const { return base::kNever; }
  template <class E>
  void OnDeadline(E& engine, int64_t) {
    engine.Exit();
  }

  Verdict verdict = Verdict::kEcho;
  bool close_in_data = false;
  bool finish_in_data = false;
  std::vector<ConnId> opened;
  std::vector<std::string> received;
  std::vector<size_t> sent;
  std::vector<CloseReason> closed;
  int wakes = 0;
};

inline constexpr FeatureRequest kFixedRung{
    .wanted = kDefaultFeatures - FeatureSet{FeatureId::kBufferRing}, .required = {}, .asked = true};

inline Capabilities Everything() {
  Capabilities caps;
  caps.available = true;
  caps.has = kAllFeatures;
  return caps;
}

class ScriptedTest : public ::testing::Test {
 protected:
  using TestEngine = Engine<RecordingHandler>;

  void Start(Options options = {}, const Capabilities& caps = Everything(),
             unsigned sq_entries = 64, unsigned cq_entries = 64,
             base::UniqueFd listener = base::UniqueFd(kListener)) {
    if (options.buffers == 0) options.buffers = 4;
    if (options.buffer_bytes == 0) options.buffer_bytes = 64;
    auto ring = std::make_unique<ScriptedRing>(sq_entries, cq_entries);
    ring_ = ring.get();
    auto writable = std::make_unique<ScriptedWritableSet>();
    writable_ = writable.get();
    auto engine =
        TestEngine::CreateOn(std::move(ring), std::move(writable), options, caps, handler_);
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    ASSERT_TRUE(engine_->Listen(std::move(listener)).ok());
    Turn();
  }

  void TearDown() override {
    // Whatever is in flight completes, so that teardown need not wait for it.
    if (engine_ == nullptr) return;
    for (int i = 0; i < 100 && engine_->connections() > 0; ++i) {
      for (ConnId id : handler_.opened) engine_->Close(id, CloseReason::kLocal);
      Turn();
      AnswerAll();
    }
    engine_->StopListening();
    Turn();
    AnswerAll();
    Turn();
  }

  // Takes the completions there are, and hands over what they lead to.
  void Turn() {
    ASSERT_TRUE(engine_->RunBatchForTest().ok());
    ASSERT_TRUE(engine_->RunBatchForTest().ok());
  }

  // Cancels and closes succeed, everything else that was cancelled says so.
  void AnswerAll() {
    std::vector<io_uring_sqe> all = std::move(ring_->taken);
    ring_->Forget();
    for (const io_uring_sqe& sqe : all) {
      switch (UserData::GetOp(sqe.user_data)) {
        case Op::kClose:
          ring_->Complete(sqe.user_data, 0);
          break;
        case Op::kCancel:
          if ((sqe.cancel_flags & IORING_ASYNC_CANCEL_FD) != 0) {
            AnswerAccepts();
          } else {
            ring_->Complete(sqe.addr, -ECANCELED);
          }
          ring_->Complete(sqe.user_data, 0);
          break;
        default:
          break;
      }
    }
  }

  void AnswerAccepts() {
    for (uint64_t tag : std::set<uint64_t>(ring_->direct_accepts)) {
      ring_->Complete(tag, -ECANCELED);
    }
  }

  // Accepts a connection; its receive is then armed.
  std::vector<ConnId> AcceptMany(int count) {
    std::vector<ConnId> accepted;
    for (int i = 0; i < count; ++i) accepted.push_back(Accept(1000 + i));
    return accepted;
  }

  // The one send taken since the last time.
  std::string SendTaken() {
    std::vector<io_uring_sqe> sends = ring_->Taken(Op::kSend);
    EXPECT_EQ(sends.size(), 1U);
    std::string text = sends.empty() ? "" : ScriptedRing::Text(sends[0]);
    ring_->Forget();
    return text;
  }

  ConnId Accept(int fd = 1000) {
    ring_->Complete(UserData::Pack(Op::kAccept, 0, 0), fd, IORING_CQE_F_MORE);
    Turn();
    return handler_.opened.back();
  }

  uint64_t Tag(Op op, ConnId id) const { return UserData::Pack(op, id.slot, id.generation); }

  // Closes complete and are told.
  void CompleteClose(ConnId id) {
    ring_->Complete(Tag(Op::kClose, id), 0);
    Turn();
  }

  // Its peer leaves, and the close is done.
  void End(ConnId id) {
    ring_->Complete(Tag(Op::kReceive, id), 0, 0);
    Turn();
    CompleteClose(id);
  }

  static constexpr int kListener = 900;  // never a descriptor of this process

  RecordingHandler handler_;
  ScriptedRing* ring_ = nullptr;
  ScriptedWritableSet* writable_ = nullptr;
  std::unique_ptr<TestEngine> engine_;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_TESTS_ENGINE_URING_SCRIPTED_FIXTURE_H_

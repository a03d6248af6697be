// Watches everything that passes between one engine and its handler, and notes what breaks the
// seam's law (engine/stream.h), whatever a test itself looks at.
#ifndef RINGECHO_SUPPORT_SEAM_CHECKER_H_
#define RINGECHO_SUPPORT_SEAM_CHECKER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "support/any_engine.h"

namespace ringecho::support {

// Used on the engine's thread, on which it is made; `violations` may be read after that thread has
// been joined.
class SeamChecker {
 public:
  explicit SeamChecker(uint32_t max_connections) : max_connections_(max_connections) {}

  // The engine calls the handler.
  void Opened(ConnId id);
  void Data(ConnId id, size_t bytes);
  void Sent(ConnId id, size_t bytes);
  void Closed(ConnId id);
  void Woken() { CheckCall("OnWake"); }
  void Deadline(int64_t now_ns);

  // The handler answers.
  void Answered(ConnId id, Verdict verdict, size_t bytes);
  void NextDeadline(int64_t deadline_ns);

  // The handler calls the engine; between Enter and Leave the engine must not call back.
  void Enter() { ++inside_engine_; }
  void Leave() { --inside_engine_; }
  void Connecting(const ConnectResult& result);
  void AskedCanSend(ConnId id, bool can);
  void Sending(ConnId id, size_t bytes);
  void Closing(ConnId id);
  void Finishing(ConnId id);

  // Run has returned: no call may come any more.
  void Returned() { returned_ = true; }

  size_t open() const;
  const std::vector<std::string>& violations() const { return violations_; }

 private:
  struct Stream {
    bool open = false;
    bool closing = false;
    bool finishing = false;
    size_t payload_bytes = 0;
    uint64_t echo_bytes = 0;  // asked for and not yet reported as sent
  };

  static uint64_t Key(ConnId id) { return static_cast<uint64_t>(id.generation) << 32 | id.slot; }
  void CheckCall(std::string_view call);
  // The stream, or nullptr after noting that `call` is about one that is not open.
  Stream* Open(ConnId id, std::string_view call);
  Stream* Find(ConnId id);
  void Note(std::string_view call, ConnId id, std::string_view what);

  uint32_t max_connections_;
  std::thread::id thread_ = std::this_thread::get_id();
  int inside_engine_ = 0;
  bool returned_ = false;
  int64_t deadline_ns_ = base::kNever;
  std::unordered_map<uint64_t, Stream> live_;
  std::unordered_set<uint32_t> live_slots_;
  std::unordered_set<uint64_t> seen_;
  std::vector<std::string> violations_;
};

}  // namespace ringecho::support

#endif  // RINGECHO_SUPPORT_SEAM_CHECKER_H_

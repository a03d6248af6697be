// A kernel behind the ring that does one thing at a time, and the test says which: every order of
// events can be gone through.
#ifndef RINGECHO_TESTS_ENGINE_URING_CHOICE_KERNEL_H_
#define RINGECHO_TESTS_ENGINE_URING_CHOICE_KERNEL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/uring/writable_set.h"
#include "memory_ring.h"

namespace ringecho::engine::uring {

// One client, which sends, ends its side, and reads or does not.
struct ChoiceClient {
  std::string unsent;
  bool reads = true;
  bool ended = false;  // the engine has been told
  bool closed = false;
  std::string echoed;
  uint32_t queued = 0;  // bytes in the socket's send queue that nobody reads

  std::optional<io_uring_sqe> receive;
  std::optional<io_uring_sqe> send;
  std::optional<uint64_t> watch;
  std::optional<uint64_t> set_tag;  // of the WritableSet
  bool in_set = false;
};

class ChoiceKernel final : public MemoryRing {
 public:
  // Of a socket whose far end does not read.
  static constexpr uint32_t kSendQueueBytes = 4;

  ChoiceKernel(std::vector<ChoiceClient> clients, uint32_t chunk_bytes)
      : MemoryRing(64, 64), clients_(std::move(clients)), chunk_bytes_(chunk_bytes) {}

  enum class What : uint8_t {
    kConnect,      // the next client
    kReceive,      // data into one buffer, and the receive goes on
    kReceiveLast,  // the same, and it ends
    kStarve,       // no buffer: it ends
    kEnd,          // the far end's EOF
    kHalfClose,    // the same, told by the watch
    kSendAll,
    kSendSome,
    kWritable,
  };
  struct Event {
    What what;
    size_t client;
  };
  std::vector<Event> Enabled();
  void Happen(const Event& event);

  int Submit() override;
  int SubmitAndWait(int64_t timeout_ns) override;

  std::vector<ChoiceClient>& clients() { return clients_; }
  bool asleep = false;    // the engine waits, and nothing will ever come
  std::string violation;  // of what the engine must never do
  using MemoryRing::BuffersFree;

  std::unique_ptr<WritableSet> NewWritableSet();
  bool Writable(const ChoiceClient& client) const {
    return client.reads || client.queued < kSendQueueBytes;
  }

 private:
  void Take(const io_uring_sqe& sqe);
  void TakeSend(ChoiceClient& client, const io_uring_sqe& sqe);
  void Cancel(const io_uring_sqe& sqe);
  void Close(ChoiceClient& client, const io_uring_sqe& sqe);
  void Receive(ChoiceClient& client, bool more);
  void EndReceive(ChoiceClient& client, int res);
  void SendBytes(ChoiceClient& client, uint32_t bytes);
  uint32_t Room(const ChoiceClient& client) const;

  std::vector<ChoiceClient> clients_;
  uint32_t chunk_bytes_;
  size_t accepted_ = 0;
  std::optional<uint64_t> accept_;
  std::optional<uint64_t> writable_poll_;
};

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_TESTS_ENGINE_URING_CHOICE_KERNEL_H_

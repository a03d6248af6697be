// Connections whose echo was wrong: what still comes on them is collected, so that the damage can
// be named.
#ifndef RINGECHO_LOAD_SUSPECTS_H_
#define RINGECHO_LOAD_SUSPECTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "load/diagnose.h"
#include "load/payload.h"

namespace ringecho::load {

// Bounded in memory and time: 64 KiB for each connection, as many at once and as much time spent
// looking as stated below; what is beyond is a mismatch without a name. Not thread-safe. Never
// used while every byte is right.
class Suspects {
 public:
  static constexpr size_t kBytesMax = 64 << 10;
  static constexpr size_t kCollectingMax = 256;
  static constexpr int64_t kDiagnoseNsMax = 1'000'000'000;

  Suspects(const Payload& payload, int64_t wait_ns) : payload_(payload), wait_ns_(wait_ns) {}

  // The first wrong byte of `item`: where in the text it should have stood, how many bytes of the
  // stream were verified before it and how many are outstanding. False when it is not worth
  // collecting; otherwise Collect and Conclude follow.
  bool Open(uint32_t item, uint32_t at, uint64_t verified, uint64_t outstanding, int64_t now_ns);

  // More bytes. True when nothing more needs to be waited for.
  bool Collect(uint32_t item, std::span<const std::byte> data);

  // The name of the damage, from what has come; nothing when the time for looking is used up.
  std::optional<Finding> Conclude(uint32_t item);

  // Waiting is over for an item at this time; base::kNever for none.
  int64_t NextNs() const;
  // Such an item.
  std::optional<uint32_t> PopDue(int64_t now_ns);

 private:
  struct Suspect {
    uint32_t at = 0;
    uint64_t verified = 0;
    uint64_t outstanding = 0;
    int64_t due_ns = 0;
    std::vector<std::byte> received;
  };

  const Payload& payload_;
  const int64_t wait_ns_;
  std::unordered_map<uint32_t, Suspect> suspects_;
  // All wait equally long, so they are due in the order they came; concluded ones are skipped.
  std::deque<std::pair<int64_t, uint32_t>> due_;
  int64_t diagnose_ns_ = 0;
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_SUSPECTS_H_

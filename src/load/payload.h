// What the loader sends and therefore what must come back.
//
// The payload is one immutable text, read in a circle by every connection from a place of its own:
// pseudo-random bytes, or the lines of a file. So the bytes a connection expects at any moment are
// a window of that text, nothing is generated or copied per message, and the memory can be
// registered with the kernel once. Behind the text stands a mirror of its beginning, so that the
// longest run of messages in flight is contiguous wherever it starts.
#ifndef RINGECHO_LOAD_PAYLOAD_H_
#define RINGECHO_LOAD_PAYLOAD_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace ringecho::load {

// Bytes one connection may have in flight (depth x message), and the largest payload file.
inline constexpr uint64_t kMaxRunBytes = 16 << 20;
inline constexpr uint64_t kMaxTextBytes = 64 << 20;

// Immutable once made, so any number of threads may read it. Positions are bytes into the text,
// [0, text().size()).
class Payload {
 public:
  // The place of one message: where it begins, and which line it is (0 for random payload).
  struct Cursor {
    uint32_t at = 0;
    uint32_t line = 0;
  };

  // Messages of `message_bytes`, at most `depth` in flight. The text is a power of two of at least
  // 16 x depth x message_bytes, within 256 KiB and 64 MiB, so that a window is a small part of it
  // and two connections rarely overlap. The same seed gives the same bytes on every build.
  // INVALID_ARGUMENT when depth x message_bytes is 0 or above kMaxRunBytes.
  static absl::StatusOr<Payload> Random(uint64_t seed, uint64_t message_bytes, uint64_t depth);

  // Messages are the lines of `text` with their newline; a last line without one is used as it is.
  // INVALID_ARGUMENT when it is empty or too large, or `depth` of its lines exceed kMaxRunBytes.
  static absl::StatusOr<Payload> Lines(std::string_view text, uint64_t depth);

  // Lines() of a file; errors name the path.
  static absl::StatusOr<Payload> LinesOfFile(const std::string& path, uint64_t depth);

  // Text and mirror: what Take() and Expected() point into.
  std::span<const std::byte> region() const { return region_; }
  // One turn of the circle.
  std::span<const std::byte> text() const { return {region_.data(), text_bytes_}; }
  // The most bytes `depth` messages in a row can have.
  uint32_t run_bytes_max() const { return run_bytes_max_; }
  // How far back in a stream a repetition is looked for when bytes are wrong: as far as can be
  // without mistaking too many places of other streams for one of this.
  uint32_t repeat_bytes_max() const { return std::max(run_bytes_max_, text_bytes_ / 64); }
  // Of a file, else 0.
  uint32_t lines() const { return lines_; }
  // 0 when messages differ in size.
  uint32_t message_bytes() const { return message_bytes_; }

  // Where the first message of a stream stands: a hashed position, or line `stream` modulo lines.
  Cursor Begin(uint64_t stream) const;

  // Bytes of the message on `line`.
  uint32_t MessageBytes(uint32_t line) const {
    return message_bytes_ != 0 ? message_bytes_ : starts_[line + 1] - starts_[line];
  }

  uint32_t NextLine(uint32_t line) const { return line + 1 >= lines_ ? 0 : line + 1; }

  // The position `bytes` after `at`.
  uint32_t Advance(uint32_t at, uint64_t bytes) const {
    uint64_t next = at + bytes;
    return static_cast<uint32_t>(next < text_bytes_ ? next : next % text_bytes_);
  }

  // `count` messages in a row (1 to depth) as one window, and moves the cursor behind them.
  std::span<const std::byte> Take(Cursor* cursor, uint32_t count) const;

  // The first of `bytes` bytes of a stream that stands at `at`; at most what is left of a run.
  const std::byte* Expected(uint32_t at) const { return region_.data() + at; }

 private:
  Payload() = default;

  void Mirror(uint64_t bytes);
  uint64_t BytesOfLines(uint32_t line, uint64_t count) const;

  std::vector<std::byte> region_;
  uint32_t text_bytes_ = 0;
  uint32_t message_bytes_ = 0;
  uint32_t run_bytes_max_ = 0;
  uint64_t seed_ = 0;
  // Lines only: where each begins, and text_bytes_ at the end.
  std::vector<uint32_t> starts_;
  uint32_t lines_ = 0;
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_PAYLOAD_H_

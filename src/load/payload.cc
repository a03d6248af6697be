#include "load/payload.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/random.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "base/units.h"

namespace ringecho::load {
namespace {

constexpr uint64_t kMinTextBytes = 256 << 10;
constexpr uint64_t kRunsPerText = 16;

absl::Status RunTooLong(uint64_t depth, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "--depth: ", depth, " messages of ", base::ToAbsl(what),
      " are more than a connection may have in flight (", base::FormatBytes(kMaxRunBytes), ")"));
}

}  // namespace

absl::StatusOr<Payload> Payload::Random(uint64_t seed, uint64_t message_bytes, uint64_t depth) {
  if (message_bytes == 0 || depth == 0) {
    return absl::InvalidArgumentError("a message needs at least one byte, and depth at least one");
  }
  if (message_bytes > kMaxRunBytes || depth > kMaxRunBytes / message_bytes) {
    return RunTooLong(depth, absl::StrCat(message_bytes, " bytes"));
  }
  const uint64_t run = message_bytes * depth;
  Payload payload;
  payload.seed_ = seed;
  payload.message_bytes_ = static_cast<uint32_t>(message_bytes);
  payload.run_bytes_max_ = static_cast<uint32_t>(run);
  payload.text_bytes_ = static_cast<uint32_t>(
      std::bit_ceil(std::clamp(run * kRunsPerText, kMinTextBytes, kMaxTextBytes)));
  payload.region_.resize(payload.text_bytes_ + run);
  base::SplitMix64 random(seed);
  for (size_t at = 0; at < payload.text_bytes_; at += sizeof(uint64_t)) {
    const uint64_t word = random.Next();
    std::memcpy(&payload.region_[at], &word, sizeof(word));
  }
  payload.Mirror(run);
  return payload;
}

absl::StatusOr<Payload> Payload::Lines(std::string_view text, uint64_t depth) {
  if (text.empty()) return absl::InvalidArgumentError("it is empty; a payload needs a line");
  if (text.size() > kMaxTextBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", base::FormatBytes(static_cast<int64_t>(text.size())), "; at most ",
                     base::FormatBytes(kMaxTextBytes), " can be sent"));
  }
  if (depth == 0 || depth > kMaxRunBytes) return RunTooLong(depth, "one line");
  Payload payload;
  payload.text_bytes_ = static_cast<uint32_t>(text.size());
  for (size_t at = 0; at < text.size();) {
    payload.starts_.push_back(static_cast<uint32_t>(at));
    const size_t newline = text.find('\n', at);
    at = newline == std::string_view::npos ? text.size() : newline + 1;
  }
  payload.lines_ = static_cast<uint32_t>(payload.starts_.size());
  payload.starts_.push_back(payload.text_bytes_);

  uint64_t run_max = 0;
  for (uint32_t line = 0; line < payload.lines_; ++line) {
    run_max = std::max(run_max, payload.BytesOfLines(line, depth));
  }
  if (run_max > kMaxRunBytes) return RunTooLong(depth, "the payload file");
  payload.run_bytes_max_ = static_cast<uint32_t>(run_max);
  payload.region_.resize(text.size() + run_max);
  std::memcpy(payload.region_.data(), text.data(), text.size());
  payload.Mirror(run_max);
  return payload;
}

absl::StatusOr<Payload> Payload::LinesOfFile(const std::string& path, uint64_t depth) {
  base::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return base::ErrnoStatus(errno, absl::StrCat("--payload ", path));
  std::string text;
  // One byte more than allowed is enough to know that a file (or a device) is too large.
  while (text.size() <= kMaxTextBytes) {
    char chunk[64 << 10];
    const ssize_t got = read(file.get(), chunk, sizeof(chunk));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::ErrnoStatus(errno, absl::StrCat("--payload ", path));
    if (got == 0) break;
    text.append(chunk, static_cast<size_t>(got));
  }
  absl::StatusOr<Payload> payload = Lines(text, depth);
  if (!payload.ok()) {
    return absl::Status(payload.status().code(),
                        absl::StrCat("--payload ", path, ": ", payload.status().message()));
  }
  return payload;
}

Payload::Cursor Payload::Begin(uint64_t stream) const {
  Cursor cursor;
  if (message_bytes_ != 0) {
    const uint64_t hash = base::SplitMix64(seed_ ^ stream).Next();
    cursor.at = static_cast<uint32_t>(hash & (text_bytes_ - 1));
  } else {
    cursor.line = static_cast<uint32_t>(stream % lines_);
    cursor.at = starts_[cursor.line];
  }
  return cursor;
}

std::span<const std::byte> Payload::Take(Cursor* cursor, uint32_t count) const {
  const uint64_t bytes =
      message_bytes_ != 0 ? uint64_t{message_bytes_} * count : BytesOfLines(cursor->line, count);
  assert(count > 0 && bytes <= run_bytes_max_);
  const std::span<const std::byte> window(region_.data() + cursor->at, bytes);
  cursor->at = Advance(cursor->at, bytes);
  if (lines_ != 0) {
    cursor->line = static_cast<uint32_t>((uint64_t{cursor->line} + count) % lines_);
  }
  return window;
}

void Payload::Mirror(uint64_t bytes) {
  for (uint64_t done = 0; done < bytes;) {
    // A file shorter than the longest run is repeated as often as that takes.
    const uint64_t part = std::min<uint64_t>(bytes - done, text_bytes_);
    std::memcpy(region_.data() + text_bytes_ + done, region_.data(), part);
    done += part;
  }
}

uint64_t Payload::BytesOfLines(uint32_t line, uint64_t count) const {
  const uint64_t turns = count / lines_;
  const uint64_t end = line + count % lines_;
  uint64_t bytes = turns * text_bytes_;
  if (end < lines_) return bytes + starts_[end] - starts_[line];
  return bytes + text_bytes_ - starts_[line] + starts_[end - lines_];
}

}  // namespace ringecho::load

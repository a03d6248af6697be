// Comparing what came back with what was sent.
#ifndef RINGECHO_LOAD_VERIFY_H_
#define RINGECHO_LOAD_VERIFY_H_

#include <cstddef>
#include <cstring>
#include <span>

namespace ringecho::load {

// True when `received` is what stands at `expected`. The hot path: one memcmp, no copy.
inline bool Matches(const std::byte* expected, std::span<const std::byte> received) {
  return std::memcmp(expected, received.data(), received.size()) == 0;
}

// How many leading bytes of `received` are what stands at `expected`. For chunks that do not match.
size_t MatchingBytes(const std::byte* expected, std::span<const std::byte> received);

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_VERIFY_H_

#include "load/verify.h"

#include <algorithm>

namespace ringecho::load {

size_t MatchingBytes(const std::byte* expected, std::span<const std::byte> received) {
  const auto [mine, theirs] = std::mismatch(received.begin(), received.end(), expected);
  return static_cast<size_t>(mine - received.begin());
}

}  // namespace ringecho::load

#include "load/diagnose.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace ringecho::load {
namespace {

using Bytes = std::span<const std::byte>;

// Repetitive files have the same piece in many places; this bounds how many are weighed.
constexpr int kPlacesMax = 256;

// Bytes a piece must have so that meeting it by accident among `places` positions of random bytes
// is less likely than 2^-20.
size_t EvidenceBytes(size_t places) {
  return (static_cast<size_t>(std::bit_width(places)) + 20 + 7) / 8;
}

struct Match {
  size_t at = 0;
  size_t bytes = 0;  // 0: no match
};

size_t CommonPrefix(Bytes a, Bytes b) {
  return static_cast<size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

const std::byte* Find(Bytes hay, Bytes needle) {
  if (hay.empty()) return nullptr;
  return static_cast<const std::byte*>(
      memmem(hay.data(), hay.size(), needle.data(), needle.size()));
}

// The place of `hay` where the longest beginning of `piece` stands; of equally long ones that
// nearest to `origin`.
Match LongestMatch(Bytes hay, Bytes piece, size_t origin) {
  Match best;
  const size_t need = EvidenceBytes(hay.size());
  if (piece.size() < need) return best;
  const auto distance = [origin](size_t at) { return at > origin ? at - origin : origin - at; };
  size_t from = 0;
  for (int places = 0; places < kPlacesMax; ++places) {
    const std::byte* found = Find(hay.subspan(from), piece.first(need));
    if (found == nullptr) break;
    const size_t at = static_cast<size_t>(found - hay.data());
    const size_t bytes = CommonPrefix(hay.subspan(at), piece);
    if (bytes > best.bytes || (bytes == best.bytes && distance(at) < distance(best.at))) {
      best = {at, bytes};
    }
    from = at + 1;
  }
  return best;
}

// `bytes` bytes of the endless repetition of `text`, from position `at` (below text.size()).
std::vector<std::byte> Unroll(Bytes text, size_t at, size_t bytes) {
  std::vector<std::byte> out;
  out.reserve(bytes);
  while (out.size() < bytes) {
    const size_t part = std::min(bytes - out.size(), text.size() - at);
    const Bytes piece = text.subspan(at, part);
    out.insert(out.end(), piece.begin(), piece.end());
    at = 0;
  }
  return out;
}

bool SameBytesInSomeOrder(Bytes a, Bytes b) {
  if (a.size() != b.size()) return false;
  std::array<int64_t, 256> count{};
  for (std::byte x : a) ++count[static_cast<size_t>(x)];
  for (std::byte x : b) --count[static_cast<size_t>(x)];
  return std::all_of(count.begin(), count.end(), [](int64_t n) { return n == 0; });
}

// The received bytes begin `hole.size()` too late in the stream: did the skipped ones come after
// them?
bool CameLater(Bytes hole, Bytes rest, size_t received, size_t ahead) {
  const size_t need = EvidenceBytes(rest.size());
  // Too short to be recognised: what was skipped must have come if nothing is missing in all.
  if (hole.size() < need) return received >= ahead;
  return Find(rest, hole.first(need)) != nullptr;
}

}  // namespace

std::string_view DamageName(Damage damage) {
  switch (damage) {
    case Damage::kLost:
      return "payload_lost";
    case Damage::kReordered:
      return "payload_reordered";
    case Damage::kDuplicated:
      return "payload_duplicated";
    case Damage::kForeign:
      return "payload_foreign";
    case Damage::kAltered:
      return "payload_altered";
  }
  return "payload_altered";
}

Finding Diagnose(const Evidence& e) {
  const size_t behind = std::min(e.behind, e.turn);
  const std::vector<std::byte> own =
      Unroll(e.region.first(e.turn), (e.at + e.turn - behind) % e.turn, behind + e.ahead);
  const Bytes window(own);
  const Bytes expected = window.subspan(behind);

  if (SameBytesInSomeOrder(e.received, expected)) return {Damage::kReordered, 0};
  if (e.received.size() < e.ahead &&
      std::ranges::equal(expected.last(e.received.size()), e.received)) {
    return {Damage::kLost, static_cast<int64_t>(e.ahead - e.received.size())};
  }

  const Match here = LongestMatch(window, e.received, behind);
  // Everything that came stands in one place of this very stream: no need to look elsewhere.
  if (here.bytes < e.received.size()) {
    const Match anywhere = LongestMatch(e.region, e.received, e.at);
    if (anywhere.bytes > here.bytes) return {Damage::kForeign, 0};
  }
  if (here.bytes == 0) return {Damage::kAltered, 0};

  const int64_t shift = static_cast<int64_t>(here.at) - static_cast<int64_t>(behind);
  if (shift < 0) return {Damage::kDuplicated, shift};
  const Bytes hole = expected.first(static_cast<size_t>(shift));
  const Bytes rest = e.received.subspan(here.bytes);
  const bool later = CameLater(hole, rest, e.received.size(), e.ahead);
  return {later ? Damage::kReordered : Damage::kLost, shift};
}

}  // namespace ringecho::load

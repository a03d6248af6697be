// Telling what happened to a stream whose echo is not what was sent.
//
// Diagnose() is given the text all streams are made of, where the first wrong byte should have
// stood, and what came from there on. It looks for the place in the text that the wrong bytes come
// from, and the distance between that place and the expected one is the answer:
//
//   ahead of it, still outstanding, and the bytes between never came   -> lost
//   ahead of it, and the bytes between came later                      -> reordered
//   behind it, already verified once                                   -> duplicated
//   anywhere else in the text                                          -> foreign: another
//                                                                         connection's bytes
//   nowhere                                                            -> altered
//
// Limits, by the nature of the question:
// - Bytes are recognised by value. A piece counts as found when finding it by accident in random
//   bytes is less likely than one in a million: 4 bytes for a small window, 6 in 64 MiB. Shorter
//   pieces are "altered", except where counting settles it (the same bytes in another order, or
//   the end of what was expected with its beginning missing).
// - Another connection's window can overlap this one's by chance: at most one foreign piece in 8
//   at depth x size of a sixteenth of the text, one in 64 for small messages, is called lost,
//   reordered or duplicated.
// - In a payload file whose lines repeat, the places are as ambiguous as the file is.
// - Bytes that never come without anything after them are no wrong bytes: that is a timeout or eof.
#ifndef RINGECHO_LOAD_DIAGNOSE_H_
#define RINGECHO_LOAD_DIAGNOSE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ringecho::load {

enum class Damage : uint8_t { kLost, kReordered, kDuplicated, kForeign, kAltered };
inline constexpr int kDamageCount = 5;

// The name used in results: "payload_lost", "payload_reordered", ...
std::string_view DamageName(Damage damage);

struct Evidence {
  // The circle all streams read, once around, and its mirror behind it (Payload::region).
  std::span<const std::byte> region;
  size_t turn = 0;  // bytes of one turn, at most region.size()
  // Position in the text where the first wrong byte should have stood.
  size_t at = 0;
  // Verified bytes of this stream just before `at` that a repetition is looked for in.
  size_t behind = 0;
  // Bytes sent and not verified when the first wrong byte came: the expected bytes from `at` on.
  size_t ahead = 0;
  // What came, from the first wrong byte on; may be cut short.
  std::span<const std::byte> received;
};

struct Finding {
  Damage damage = Damage::kAltered;
  // Where the bytes really belong, relative to the expected place: positive for lost and
  // reordered, negative for duplicated, 0 for the others.
  int64_t shift_bytes = 0;
};

// Pure. Costs one search of the text (tens of milliseconds for 64 MiB), so it is for the first
// wrong byte of a connection, after which that connection is closed.
Finding Diagnose(const Evidence& evidence);

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_DIAGNOSE_H_

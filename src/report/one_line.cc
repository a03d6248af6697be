#include "report/one_line.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace ringecho::report {
namespace {

struct Character {
  size_t bytes = 1;
  uint32_t code = 0;
  bool utf8 = false;  // otherwise one byte that is not a part of UTF-8
};

// RFC 3629: shortest forms only, no surrogates, up to U+10FFFF.
Character First(std::string_view text) {
  auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {1, lead, true};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < bytes) return {};
  uint32_t code = lead & (0x7fU >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr uint32_t kLowest[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLowest[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {};
  return {bytes, code, true};
}

bool Printable(const Character& c) {
  if (!c.utf8 || c.code < 0x20 || (c.code >= 0x7f && c.code < 0xa0)) return false;
  const bool separator = c.code == 0x2028 || c.code == 0x2029;
  const bool direction = (c.code >= 0x202a && c.code <= 0x202e) ||
                         (c.code >= 0x2066 && c.code <= 0x2069) || c.code == 0x200e ||
                         c.code == 0x200f;
  return !separator && !direction;
}

}  // namespace

std::string OneLine(std::string_view text, size_t bytes_max) {
  // Nearly every text is plain, and a comparison asks for thousands.
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
  if (plain && text.size() <= bytes_max) return std::string(text);
  std::string out;
  while (!text.empty()) {
    const Character c = First(text);
    std::string shown(text.substr(0, c.bytes));
    if (!Printable(c)) {
      shown.clear();
      for (char byte : text.substr(0, c.bytes)) {
        absl::StrAppend(&shown, "\\x", absl::Hex(static_cast<uint8_t>(byte), absl::kZeroPad2));
      }
    }
    if (shown.size() > bytes_max - out.size()) return out + "...";
    out += shown;
    text.remove_prefix(c.bytes);
  }
  return out;
}

}  // namespace ringecho::report

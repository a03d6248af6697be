#include "base/units.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/status.h"

namespace ringecho::base {
namespace {

struct Unit {
  std::string_view suffix;
  int64_t factor;
};

constexpr Unit kCountUnits[] = {
    {"", 1}, {"k", 1'000}, {"K", 1'000}, {"m", 1'000'000}, {"M", 1'000'000}};
constexpr Unit kSizeUnits[] = {{"", 1},        {"b", 1},         {"B", 1},
                               {"k", 1 << 10}, {"K", 1 << 10},   {"m", 1 << 20},
                               {"M", 1 << 20}, {"g", 1LL << 30}, {"G", 1LL << 30}};
constexpr Unit kTimeUnits[] = {{"", kNsPerSec},        {"ns", 1},        {"us", kNsPerUs},
                               {"ms", kNsPerMs},       {"s", kNsPerSec}, {"m", 60 * kNsPerSec},
                               {"h", 3600 * kNsPerSec}};

// Whole numbers are multiplied exactly; only "1.5s" goes through floating point.
template <size_t N>
absl::StatusOr<int64_t> ParseWithUnit(std::string_view text, const Unit (&units)[N],
                                      std::string_view takes) {
  auto bad = [&]() -> absl::Status {
    return absl::InvalidArgumentError(
        absl::StrCat("got \"", ToAbsl(text), "\", takes ", ToAbsl(takes)));
  };
  size_t digits = 0;
  while (digits < text.size() &&
         ((text[digits] >= '0' && text[digits] <= '9') || (text[digits] == '.' && digits > 0))) {
    ++digits;
  }
  std::string_view number = text.substr(0, digits);
  std::string_view suffix = text.substr(digits);
  const Unit* unit = nullptr;
  for (const Unit& candidate : units) {
    if (candidate.suffix == suffix) unit = &candidate;
  }
  if (number.empty() || unit == nullptr) return bad();

  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  if (number.find('.') == std::string_view::npos) {
    int64_t value = 0;
    auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc() || value > kMax / unit->factor) return bad();
    return value * unit->factor;
  }
  double value = 0;
  auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return bad();
  double exact = value * static_cast<double>(unit->factor);
  double scaled = std::round(exact);
  // "1.5k" is a whole number, "1.5" is not; 1.1k differs from one only by how doubles are.
  if (scaled >= 9.2e18 || std::abs(exact - scaled) > 1e-9 * exact) return bad();
  return static_cast<int64_t>(scaled);
}

// `value` with three significant digits, as a person would write them down.
std::string ThreeDigits(double value) {
  if (value >= 100) return absl::StrFormat("%.0f", value);
  if (value >= 10) return absl::StrFormat("%.1f", value);
  return absl::StrFormat("%.2f", value);
}

}  // namespace

absl::StatusOr<int64_t> ParseCount(std::string_view text) {
  return ParseWithUnit(text, kCountUnits, "a number such as 100, 10k or 2m");
}

absl::StatusOr<int64_t> ParseSize(std::string_view text) {
  return ParseWithUnit(text, kSizeUnits, "bytes such as 64, 4k or 1m");
}

absl::StatusOr<int64_t> ParseDuration(std::string_view text) {
  return ParseWithUnit(text, kTimeUnits, "a time such as 50us, 10ms, 1.5s or 2m");
}

std::string FormatThousands(int64_t value) {
  std::string digits = absl::StrCat(value);
  for (int i = static_cast<int>(digits.size()) - 3; i > (value < 0 ? 1 : 0); i -= 3) {
    digits.insert(static_cast<size_t>(i), ",");
  }
  return digits;
}

std::string FormatDuration(int64_t ns) {
  if (ns < kNsPerUs) return absl::StrCat(ns, " ns");
  auto value = static_cast<double>(ns);
  if (ns < kNsPerMs) return absl::StrCat(ThreeDigits(value / kNsPerUs), " us");
  if (ns < kNsPerSec) return absl::StrCat(ThreeDigits(value / kNsPerMs), " ms");
  return absl::StrCat(ThreeDigits(value / kNsPerSec), " s");
}

std::string FormatBytes(int64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  constexpr std::string_view kUnits[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrCat(ThreeDigits(value), " ", ToAbsl(kUnits[unit]));
}

}  // namespace ringecho::base

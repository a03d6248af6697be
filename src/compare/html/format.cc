#include "compare/html/format.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/units.h"
#include "compare/format.h"

namespace ringecho::compare::html {
namespace {

constexpr char kMinus[] = "\u2212";  // as wide as a plus
constexpr char kTimesSign[] = "\u00d7";

bool IsInt64(double value) { return std::abs(value) < 9e18; }

std::string FormatCount(double value) {
  if (!IsInt64(value)) return absl::StrFormat("%.3g", value);
  if (value == std::round(value) || std::abs(value) >= 1000) {
    return base::FormatThousands(std::llround(value));
  }
  return absl::StrFormat("%.3g", value);
}

std::string FormatChange(double value) {
  const double percent = std::abs(value) * 100;
  std::string digits = percent < 99.95  ? absl::StrFormat("%.1f", percent)
                       : percent < 9e15 ? base::FormatThousands(std::llround(percent))
                                        : absl::StrFormat("%.3g", percent);
  if (digits == "0.0") return "0.0%";
  return absl::StrCat(value < 0 ? kMinus : "+", digits, "%");
}

// As many digits as the tail has nines, and no noughts at the end.
std::string FormatTail(double value) {
  if (value < 1) return "-";
  const int digits = static_cast<int>(std::ceil(std::log10(value)));
  std::string text = absl::StrFormat("%.*f", digits, 100 - 100 / value);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return absl::StrCat(text, "%");
}

constexpr char kReplacement[] = "\ufffd";

// How many bytes at the start of `text` are a control character other than white space: C0, DEL, or
// C1 in UTF-8. 0: none.
size_t ControlLength(std::string_view text) {
  const auto byte = [&text](size_t at) { return static_cast<unsigned char>(text[at]); };
  if (byte(0) == '\t' || byte(0) == '\n') return 0;
  if (byte(0) < 0x20 || byte(0) == 0x7f) return 1;
  return text.size() > 1 && byte(0) == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0 ? 2 : 0;
}

}  // namespace

Quantity QuantityOf(Unit unit) {
  switch (unit) {
    case Unit::kPerSecond:
      return Quantity::kPerSecond;
    case Unit::kNanoseconds:
      return Quantity::kNanoseconds;
    case Unit::kBytes:
      return Quantity::kBytes;
    case Unit::kRatio:
    case Unit::kCount:
      break;
  }
  return Quantity::kCount;
}

std::string_view Name(Quantity quantity) {
  switch (quantity) {
    case Quantity::kPerSecond:
      return "per_second";
    case Quantity::kNanoseconds:
      return "nanoseconds";
    case Quantity::kBytes:
      return "bytes";
    case Quantity::kCount:
      return "count";
    case Quantity::kSeconds:
      return "seconds";
    case Quantity::kChange:
      return "change";
    case Quantity::kTimes:
      return "times";
    case Quantity::kTail:
      break;
  }
  return "tail";
}

std::string Format(double value, Quantity quantity) {
  if (!std::isfinite(value)) return "-";
  switch (quantity) {
    case Quantity::kPerSecond:
      return FormatCount(value < 100 ? value : std::round(value));
    case Quantity::kNanoseconds:
      return IsInt64(value) ? FormatValue(Unit::kNanoseconds, value) : "-";
    case Quantity::kBytes:
      return IsInt64(value) ? base::FormatBytes(std::llround(value)) : "-";
    case Quantity::kCount:
      return FormatCount(value);
    case Quantity::kSeconds:
      return absl::StrFormat("%.1f s", value);
    case Quantity::kChange:
      return FormatChange(value);
    case Quantity::kTimes:
      return absl::StrFormat("%.*f %s", value < 10 ? 2 : 1, value, kTimesSign);
    case Quantity::kTail:
      break;
  }
  return FormatTail(value);
}

std::string FormatRange(double low, double high, Quantity quantity) {
  if (!std::isfinite(low) || !std::isfinite(high)) return "";
  return absl::StrCat(Format(low, quantity), " to ", Format(high, quantity));
}

std::string WithoutControls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const size_t control = ControlLength(text);
    if (control > 0) {
      out += kReplacement;
    } else {
      out += text[0];
    }
    text.remove_prefix(std::max<size_t>(control, 1));
  }
  return out;
}

std::string Escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : WithoutControls(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string OpenScroll(std::string_view label) {
  return absl::StrCat("<div class=\"scroll\" role=\"region\" tabindex=\"0\" aria-label=\"",
                      Escape(label), "\">");
}

}  // namespace ringecho::compare::html

// Text for the page: escaping, and numbers as people read them.
#ifndef RINGECHO_COMPARE_HTML_FORMAT_H_
#define RINGECHO_COMPARE_HTML_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "compare/comparison.h"

namespace ringecho::compare::html {

// What a number is, which says how it is written. charts.js formats axes by the same names.
enum class Quantity : uint8_t {
  kPerSecond,    // 96,411
  kNanoseconds,  // 8.82 us
  kBytes,        // 4.00 KiB
  kCount,        // 10,000; with three digits when it is no whole number
  kSeconds,      // 1.5 s
  kChange,       // a ratio less 1, with its sign: +6.2%
  kTimes,        // 1.08 as 1.08 x
  kTail,         // 1 / (1 - p), as the percentile p: 1000 as 99.9%
};

Quantity QuantityOf(Unit unit);
std::string_view Name(Quantity quantity);

// "-" for what is not finite.
std::string Format(double value, Quantity quantity);

// "+1.0% to +11.2%"; empty when there is no interval.
std::string FormatRange(double low, double high, Quantity quantity);

// Control characters but tab and line feed as U+FFFD: nothing shows them, and a terminal that the
// page's source is printed on would obey them.
std::string WithoutControls(std::string_view text);

// For text and for attributes in double quotes; without control characters.
std::string Escape(std::string_view text);

// The start tag of what holds a table that may be wider than the screen: it scrolls by itself, by
// keyboard too. `label` is for those who cannot see it.
std::string OpenScroll(std::string_view label);

}  // namespace ringecho::compare::html

#endif  // RINGECHO_COMPARE_HTML_FORMAT_H_

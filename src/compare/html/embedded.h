// What the page carries along: its style sheet, its scripts and Chart.js, as embed.py has turned
// them into C++ at build time.
#ifndef RINGECHO_COMPARE_HTML_EMBEDDED_H_
#define RINGECHO_COMPARE_HTML_EMBEDDED_H_

#include <span>
#include <string_view>

namespace ringecho::compare::html {

// A text in pieces, because a string literal may not be that long.
struct Embedded {
  std::span<const std::string_view> chunks;
  std::string_view sha256;  // of the whole text, base64
};

extern const Embedded kStyle;
extern const Embedded kChartsScript;
extern const Embedded kPageScript;
extern const Embedded kChartJs;  // no chunks when the build had no copy

}  // namespace ringecho::compare::html

#endif  // RINGECHO_COMPARE_HTML_EMBEDDED_H_

// A comparison as one self-contained HTML page: tables that need no script, and charts.
#ifndef RINGECHO_COMPARE_HTML_HTML_H_
#define RINGECHO_COMPARE_HTML_HTML_H_

#include <string>

#include "compare/comparison.h"

namespace ringecho::compare {

// The whole page, UTF-8. It opens from disk without a network. Everything that came from a file is
// escaped: a label of somebody's result cannot become markup or script. Pure, thread-safe.
std::string ToHtml(const Comparison& comparison);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_HTML_HTML_H_

// The page around its parts.
#ifndef RINGECHO_COMPARE_HTML_PAGE_H_
#define RINGECHO_COMPARE_HTML_PAGE_H_

#include <string>

#include "compare/comparison.h"
#include "compare/html/embedded.h"

namespace ringecho::compare::html {

// `chart_js` without chunks gives a page of tables, without any script, that says so.
std::string Page(const Comparison& comparison, const Embedded& chart_js);

}  // namespace ringecho::compare::html

#endif  // RINGECHO_COMPARE_HTML_PAGE_H_

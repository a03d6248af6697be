// A comparison as text for people.
#ifndef RINGECHO_COMPARE_TEXT_H_
#define RINGECHO_COMPARE_TEXT_H_

#include <string>
#include <vector>

#include "compare/comparison.h"
#include "compare/tables.h"

namespace ringecho::compare {

// `tables`: MetricTables or Matrices. Both begin with what is compared and on what, end with the
// geometric means and what has to be known of the whole, and end in a newline. Thread-safe.

// At most 80 columns, ASCII but for what files hold, to be pasted in a mail.
std::string ToText(const Comparison& comparison, const std::vector<Table>& tables);

// GitHub's markdown. What came from files cannot become markup.
std::string ToMarkdown(const Comparison& comparison, const std::vector<Table>& tables);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_TEXT_H_

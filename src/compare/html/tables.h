// The parts of the page that are text and tables alone. All return HTML with everything escaped.
#ifndef RINGECHO_COMPARE_HTML_TABLES_H_
#define RINGECHO_COMPARE_HTML_TABLES_H_

#include <string>

#include "compare/comparison.h"

namespace ringecho::compare::html {

// "io_uring against epoll"; plain text, not escaped.
std::string Title(const Comparison& comparison);

// The answer: one sentence per side, in how many cells each judged metric got which verdict. Of
// more than three sides one sentence for all, which names those that stand out.
std::string Answer(const Comparison& comparison);

// Per metric a block of rows, one per cell and side, and the geometric mean. Metrics that are not
// judged have a table of their own, folded up.
std::string VerdictTables(const Comparison& comparison);

// What all runs had in common: configuration and machine, the details folded up.
std::string CommonList(const Comparison& comparison);

// Keys in which the sides differ; a sentence when there is none.
std::string DifferenceTable(const Comparison& comparison);

// How many runs are valid and what else has to be known before anything is believed.
std::string Trust(const Comparison& comparison);

// Which checks failed how often, what was left out and why.
std::string ValidityTables(const Comparison& comparison);

}  // namespace ringecho::compare::html

#endif  // RINGECHO_COMPARE_HTML_TABLES_H_

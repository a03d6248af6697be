// What --fail-on-regression makes of a comparison.
#ifndef RINGECHO_COMPARE_GATE_H_
#define RINGECHO_COMPARE_GATE_H_

#include <string>
#include <vector>

#include "compare/comparison.h"

namespace ringecho::compare {

// Why the comparison is not passed, one line each: what the base alone has, judged findings that
// are slower by `least` (a ratio) or more, and those that are inconclusive, with how many samples
// it takes. Empty where every judged finding says that nothing is as much worse: a build that
// measures nothing any more, or a series too short to tell, passes nothing.
std::vector<std::string> Failures(const Comparison& comparison, double least);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_GATE_H_

// What may be compared with what: the second half of a comparison.
#ifndef RINGECHO_COMPARE_CELLS_H_
#define RINGECHO_COMPARE_CELLS_H_

#include <vector>

#include "absl/status/status.h"
#include "compare/sides.h"

namespace ringecho::compare {

// When sides are known: sets Comparison::axes, common, cells, differences and forced, and notes
// cells that lack a counterpart, in Comparison::lost too where it is not the base that does. Errors
// as Compare has them.
absl::Status FindCells(const CompareOptions& options, const std::vector<Entry>& entries,
                       Comparison& comparison);

// "connections 64, depth 1".
std::string Describe(const Comparison& comparison, const Cell& cell);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_CELLS_H_

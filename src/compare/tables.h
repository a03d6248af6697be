// A comparison as tables of text, which text and markdown lay out each in their way.
#ifndef RINGECHO_COMPARE_TABLES_H_
#define RINGECHO_COMPARE_TABLES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compare/comparison.h"

namespace ringecho::compare {

// Every member has an initializer, so that one can be named without the others.
struct Table {
  std::string title = {};
  std::vector<std::string> headers = {};
  size_t labels = 0;  // so many columns at the left say what a row is about
  std::vector<std::vector<std::string>> rows = {};  // as many cells as headers each
  std::vector<std::string> legend = {};  // one line each, of names that are no names: "#2 is ..."
};

// One table for each metric, those judged first: per cell and side the medians and the change, and
// for judged metrics p and verdict. Of a single side, its medians.
std::vector<Table> MetricTables(const Comparison& comparison);

// Geometric means, one row per side, one column per metric. No rows where there is one side.
Table OverallTable(const Comparison& comparison);

// One matrix for each metric, and for each side but the base where neither key is what is varied:
// values of `row` down, of `col` across. In it stands the change against the base; or, where one of
// the keys is what is varied or there is one side, the median. INVALID_ARGUMENT when a place of
// the matrix would have to hold several cells.
absl::StatusOr<std::vector<Table>> Matrices(const Comparison& comparison, const std::string& row,
                                            const std::string& col);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_TABLES_H_

// The verdicts, by the rule of compare.h.
#ifndef RINGECHO_COMPARE_JUDGE_H_
#define RINGECHO_COMPARE_JUDGE_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "compare/comparison.h"

namespace ringecho::compare {

// The samples of one side of a cell: a value per measurement that has the metric, or, by boot, the
// median of each boot's. In the order made.
std::vector<double> Samples(const Comparison& comparison, const std::vector<size_t>& measurements,
                            const Metric& metric);

// When sides and cells are known: sets Comparison::metrics (those that any measurement in a cell
// has), findings and overall.
void JudgeCells(size_t resamples, Comparison& comparison);

// How much worse a finding is than the base, as a ratio of it; negative when it is better.
double Worsening(const Finding& finding, const Metric& metric);

// What inconclusive findings say it takes, and how many say it.
std::map<std::string, size_t> InconclusiveNotes(const Comparison& comparison);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_JUDGE_H_

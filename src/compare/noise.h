// What disturbed the runs of a comparison, told in its notes.
#ifndef RINGECHO_COMPARE_NOISE_H_
#define RINGECHO_COMPARE_NOISE_H_

#include "compare/comparison.h"

namespace ringecho::compare {

// When cells and metrics are known: adds to Comparison::notes, one line of each kind at most,
//
//   noisy      the largest coefficient of variation (standard deviation over mean) of a judged
//              metric within one side of a cell, where it is above 5%
//   drift      the largest trend (trend.h) of a judged metric over the runs of a side, in the order
//              in which they were started, within one cell or over all: where it is
//              min_effect or more from first to last, and not by chance (alpha, by Holm over all
//              that were looked at)
//   steal      the largest share of CPU time that a hypervisor took, where it makes a run suspect
//   frequency  CPU frequency governors that let the clock follow the load
void NoteNoise(Comparison& comparison);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_NOISE_H_

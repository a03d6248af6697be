// From measurements to what they say: which sides there are, what may be compared with what, and
// the verdicts.
//
// SIDES AND CELLS
//
// One key is varied; each of its values is a side. Everything else in the config makes up a cell
// (connections 64, depth 1, ...), and sides are compared within a cell. What follows from the
// varied key (features from the engine, mitigations from the kernel) may differ with it. Anything
// else that differs, in config or environment, would explain a difference just as well: then
// Compare refuses, says what differs, and does it only when forced.
//
// THE VERDICT
//
// A sample is a repeat. Where the kernel is varied it is a boot, and its value the median of that
// boot's repeats: every boot lays out memory and interrupts anew, repeats of one boot share that
// draw, and counting them each would find differences between any two boots.
//
//   inconclusive  with so few samples no answer could be told from chance, whatever they say:
//                 not even the smallest attainable p, times Holm's largest factor, is below alpha
//   faster/slower p (Mann-Whitney U, two-sided, adjusted by Holm over every judged finding of the
//                 comparison) is below alpha, and the medians differ by min_effect or more
//   ~             otherwise. A difference that is sure but smaller than min_effect is one too: two
//                 runs of the same build differ by as much for reasons of layout alone
//
// Holm over everything because one comparison is read as one answer: of 100 comparisons of a build
// with itself at most 5 may say anything but "~", however many cells and metrics they have.
//
// Pure, thread-safe, reproducible.
#ifndef RINGECHO_COMPARE_COMPARE_H_
#define RINGECHO_COMPARE_COMPARE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "compare/comparison.h"
#include "compare/statistics.h"

namespace ringecho::compare {

// Every member has an initializer, so that one can be named without the others.
struct CompareOptions {
  std::string vary = {};  // a key of keys.h, or "series"; empty: found out, see below
  std::string base = {};  // the value of it to compare with; empty: "epoll", or the first there is
  // For a single series, when nothing is said above: what it was made for, if it varies in it.
  std::string usual_vary = {};
  std::string usual_base = {};
  std::vector<std::pair<std::string, std::string>> filters = {};  // key, value: keep only these
  std::vector<std::string> axes = {};  // keys that have to be axes, labels too
  double min_effect = 0.02;            // a ratio, 0 or more
  bool force = false;
  bool one_side = false;  // fine with nothing to compare: a table of medians is wanted
  size_t resamples = kResamples;
};

// Measurements of several series (Measurement::series): without `vary` it is the one of kernel,
// version, engine, features and labels in which the series differ, or "series" where they differ
// in none. Of a single series: the one of them that varies within it.
//
// INVALID_ARGUMENT for options that fit nothing there is and for one run (run.id) given twice,
// which would count as a repeat of itself; FAILED_PRECONDITION when what is there
// cannot be compared: one line, for the latter followed by lines that list what is in the way.
absl::StatusOr<Comparison> Compare(std::vector<Measurement> measurements,
                                   const CompareOptions& options);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_COMPARE_H_

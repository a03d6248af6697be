// Results of several load generators that drove one server at the same time, as one.
#ifndef RINGECHO_COMPARE_MERGE_H_
#define RINGECHO_COMPARE_MERGE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "report/result.h"

namespace ringecho::compare {

// At least two results of load generators, of which each may be merged already; in config only
// connections, threads, cpus, sessions, rates and source addresses may differ. The merged one has
//
//   config       connections, threads, sessions, rates added up, cpus joined; the rest as in all;
//                merged_loaders, how many, and merged_run_ids, of which none may be there twice
//   totals       counts and rates added up; measured_ns of the longest
//   latency      histograms added bucket by bucket, everything else computed from the sum
//   errors, engine_stats, resources
//                counts added up, ratios computed anew from the sums; steal_share of the worst
//   intervals    on the clock of the one that started first: counts added to the interval in whose
//                time the middle of the others' lies, those of their warm-up, too, so that they
//                hold what the server did then. No percentiles, which cannot be merged
//   validity     the worst verdict; of each check the worst answer; and the check
//                "loaders_overlap": the measure phases coincide for 95% of the longest, otherwise
//                the sum of rates never was one, and the result is suspect; for less than half of
//                it, invalid
//   run, host, tool, phases
//                of the one that started first; phases from the earliest start to the latest end
//
// INVALID_ARGUMENT naming the place ("b.json: config.depth: ...") for results that do not belong
// together, whose histograms cannot be read or of which a sum is too large for an int64. `names`
// are those of the files; missing ones are "result 2", from 1. Pure, thread-safe.
absl::StatusOr<report::Result> Merge(std::vector<report::Result> results,
                                     std::vector<std::string> names = {});

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_MERGE_H_

// A comparison as JSON, the format "ringecho.comparison" 1.0, of which comparison.schema.json is
// the published form:
//
//   schema, schema_version  "ringecho.comparison", "1.0"; MAJOR changes with a rename or a new
//                           meaning, readers ignore unknown keys
//   vary                    the key by which sides are told apart
//   sides[]                 its values; the first is the base
//   axes[]                  config keys in which the cells differ
//   common{}                config keys that are equal in all of them
//   alpha, min_effect       of the verdicts; ratios
//   by_boot                 whether samples are boots (true) or repeats
//   forced                  whether differences were overridden
//   metrics[]               id, title, unit ("per_s", "ns", "bytes", "ratio", "count"), better
//                           ("higher", "lower"), judged
//   cells[]                 values{} by axis, measurements[][] by side: indices into measurements
//   findings[]              cell, side, metric: indices; base_samples, samples;
//                           base, median, change: {value, low, high}, the ends of 95% intervals;
//                           change is a ratio less 1; p, p_adjusted; verdict ("faster", "slower",
//                           "~", "inconclusive"; null for metrics that are not judged); note
//   overall[]               side, metric, cells, ratio: geometric mean of the cells' ratios
//   measurements[]          name, series, load_run_id, server_run_id, values{} by metric id
//   differences[]           key, values[] by side, expected
//   left_out[]              measurement, reason
//   notes[]
//
// What is not known, not finite or does not apply is null, never NaN.
#ifndef RINGECHO_COMPARE_JSON_H_
#define RINGECHO_COMPARE_JSON_H_

#include <string>

#include "compare/comparison.h"

namespace ringecho::compare {

// Indented, keys in the order above, UTF-8, ending in a newline. Thread-safe.
std::string ToJson(const Comparison& comparison);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_JSON_H_

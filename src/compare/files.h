// Files and folders as measurements.
#ifndef RINGECHO_COMPARE_FILES_H_
#define RINGECHO_COMPARE_FILES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "compare/comparison.h"

namespace ringecho::compare {

// What one argument names.
struct Series {
  std::string name;  // as given
  std::vector<Measurement> measurements;
  // Of series.json, which the runner writes; empty where it says nothing.
  std::string vary;
  std::string base;
  std::string title;
  std::string status;
  std::vector<std::string> warnings;  // what it was made in spite of, one line each
};

// A folder is a series: NAME.load.json and NAME.server.json of each run, and maybe series.json.
// Results with one NAME, or with the same series_id and order_index, are one measurement. A file is
// a series of one; that of a load generator, NAME.load.json, brings NAME.server.json with it if
// that is there, and both may be named. Measurements are in the order in which they were made.
//
// Hidden files and comparisons written by this program are passed over; any other JSON in a folder
// that is no result is an error, because leaving out what cannot be read would change the answer.
// What is found, not named, has to be a file: a pipe is an error and not waited for.
// Errors are one line, naming the file and the field, as report::ReadResult has them.
absl::StatusOr<std::vector<Series>> ReadSeries(const std::vector<std::string>& paths);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_FILES_H_

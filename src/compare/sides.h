// Which key is varied and what its values are: the first half of a comparison.
#ifndef RINGECHO_COMPARE_SIDES_H_
#define RINGECHO_COMPARE_SIDES_H_

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "compare/compare.h"
#include "compare/keys.h"

namespace ringecho::compare {

// A measurement that counts.
struct Entry {
  size_t measurement = 0;  // index into Comparison::measurements
  std::string series;
  Keys keys;
  size_t side = 0;

  const std::string& Value(std::string_view key) const {
    return key == kSeriesKey ? series : keys.Find(key);
  }
};

using Values = std::set<std::string>;

// A value that stands for "does not have the key".
inline constexpr char kAbsent[] = "(none)";

// Of one key, those of all entries, or by side. Absent keys are "".
Values ValuesOf(const std::vector<Entry>& entries, std::string_view key);
std::vector<Values> ValuesBySide(const std::vector<Entry>& entries, size_t sides,
                                 std::string_view key);

// Whether there are any, and each has the key.
bool AllHave(const std::vector<Entry>& entries, std::string_view key);

// "a, b"; kAbsent for "".
std::string Joined(const Values& values);

// Every key of any entry, config, environment and labels.
std::set<std::string> AllKeys(const std::vector<Entry>& entries);

// Sets Comparison::vary, sides, by_boot and each entry's side. Errors as Compare has them.
absl::Status FindSides(const CompareOptions& options, std::vector<Entry>& entries,
                       Comparison& comparison);

// FAILED_PRECONDITION: `first`, what differs by side, and how to go on.
absl::Status Refusal(std::string_view first, const std::vector<std::string>& sides,
                     const std::vector<Difference>& differences);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_SIDES_H_

// Sums of what stands in files, which may be anything: they refuse instead of overflowing.
#ifndef RINGECHO_COMPARE_CHECKED_SUMS_H_
#define RINGECHO_COMPARE_CHECKED_SUMS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace ringecho::compare {

class CheckedSums {
 public:
  // What is added from here on is of this file.
  void Of(std::string file) { file_ = std::move(file); }

  // A sum that would not fit stays as it is, and status() says so of the first.
  void Add(int64_t& sum, int64_t value, std::string_view field) {
    int64_t added = 0;
    if (!__builtin_add_overflow(sum, value, &added)) {
      sum = added;
    } else if (status_.ok()) {
      status_ = absl::InvalidArgumentError(
          absl::StrCat(file_, ": ", base::ToAbsl(field), ": with the others exceeds ", INT64_MAX));
    }
  }
  void Add(double& sum, double value, std::string_view) { sum += value; }

  template <class T>
  void Add(std::optional<T>& sum, const std::optional<T>& value, std::string_view field) {
    if (value) Add(sum ? *sum : sum.emplace(), *value, field);
  }

  const absl::Status& status() const { return status_; }

 private:
  std::string file_;
  absl::Status status_;
};

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_CHECKED_SUMS_H_

// Numbers as people type and read them: 10k, 250us, 64k.
#ifndef RINGECHO_BASE_UNITS_H_
#define RINGECHO_BASE_UNITS_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ringecho::base {

// "10", "10k" (10,000), "2m" or "2M" (2,000,000). Non-negative, at most 2^63 - 1.
absl::StatusOr<int64_t> ParseCount(std::string_view text);

// "64", "64k" (65,536), "1m" or "1M" (1,048,576); bytes. Non-negative, at most 2^63 - 1.
absl::StatusOr<int64_t> ParseSize(std::string_view text);

// "250ns", "50us", "10ms", "1.5s", "2m" (minutes), "1h" or plain seconds "10"; nanoseconds.
// Non-negative, at most 2^63 - 1 ns (292 years).
absl::StatusOr<int64_t> ParseDuration(std::string_view text);

// 1234567 -> "1,234,567".
std::string FormatThousands(int64_t value);

// Three significant digits with a unit: "812 ns", "12.3 us", "1.02 ms", "31.0 s".
std::string FormatDuration(int64_t ns);

// Three significant digits with a binary unit: "512 B", "4.00 KiB", "16.1 MiB".
std::string FormatBytes(int64_t bytes);

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_UNITS_H_

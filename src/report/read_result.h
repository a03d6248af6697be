// Result files of any origin, as data.
#ifndef RINGECHO_REPORT_READ_RESULT_H_
#define RINGECHO_REPORT_READ_RESULT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "report/result.h"

namespace ringecho::report {

// Of one file. With as many intervals as we write (intervals.h) it has 37 MiB; beyond this a file
// is not one of ours, and reading it would take memory for nothing.
inline constexpr size_t kResultBytesMax = size_t{64} << 20;

// Reads a result of any version 1.x: what FromJson (result_json.h) takes and whose histograms can
// be merged, that is, each hdr_v2 can be decoded and has as many samples as the `count` beside it.
// It may be empty where `count` is 0.
//
// Errors are one line, "FILE: FIELD: what it is, what it takes", with control characters escaped
// and long names and values cut. INVALID_ARGUMENT for the content, a file of more than
// kResultBytesMax and what is neither a file nor a pipe; else the errno's code, as absl has it.
//
// For any input: less than 512 MiB of memory and a few seconds. A pipe is waited for, until its
// writers have closed it or kResultBytesMax have come. Thread-safe.
absl::StatusOr<Result> ReadResult(const std::string& path);

// The same for the content of a file; messages begin with the field.
absl::StatusOr<Result> ParseResult(std::string_view text);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_READ_RESULT_H_

// A result as JSON text and back: the format "ringecho.result" of result.schema.json.
#ifndef RINGECHO_REPORT_RESULT_JSON_H_
#define RINGECHO_REPORT_RESULT_JSON_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "report/result.h"

namespace ringecho::report {

// Indented, keys in a fixed order, ending in a newline; always valid JSON in UTF-8 (bytes that are
// not UTF-8 are replaced) and without NaN. Thread-safe.
std::string ToJson(const Result& result);

// Reads every version 1.x. MINOR adds keys, so unknown keys are ignored wherever they stand, except
// directly in `config`, where they become Config::extra. An unknown name in an enumeration is an
// error in every version: it changes what a result means (a new verdict, a new mode), which is
// what MAJOR is for. Keys that were optional in 1.0 may be missing or null.
//
// INVALID_ARGUMENT, in one line that begins with the place ("totals.messages: is \"12\", takes an
// integer from 0 to 9223372036854775807"), when the text is no JSON, exceeds a limit of
// json_document.h, is not this schema, of another MAJOR version, or lacks or mistypes a field.
// Integers are from 0 everywhere but in engine.requested, engine.effective and Config::extra;
// percentiles come out ascending, in whatever order they stand. Other ranges are not checked, the
// schema is what does that; nor are histograms decoded (read_result.h). Thread-safe.
absl::StatusOr<Result> FromJson(std::string_view text);

// The names an enum has in the file.
std::string_view Name(RunStatus status);
std::string_view Name(Role role);
std::string_view Name(Mode mode);
std::string_view Name(PhaseName phase);
std::string_view Name(Verdict verdict);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_RESULT_JSON_H_

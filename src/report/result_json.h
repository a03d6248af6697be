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

// INVALID_ARGUMENT that names the place ("totals.messages: missing", "line 3, column 7 ...") when
// the text is no JSON, not this schema, of another MAJOR version, or lacks or mistypes a field.
// Unknown keys are ignored, except directly in `config`, where they become Config::extra.
// Ranges are not checked; the schema is what does that. Thread-safe.
absl::StatusOr<Result> FromJson(std::string_view text);

// The names an enum has in the file.
std::string_view Name(RunStatus status);
std::string_view Name(Role role);
std::string_view Name(Mode mode);
std::string_view Name(PhaseName phase);
std::string_view Name(Verdict verdict);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_RESULT_JSON_H_

// JSON text from anywhere as a document, in bounded memory and time.
//
// The limit on values is what bounds memory: two bytes of text ("0,") become a value of 16 bytes,
// five ("[[]],") two of 56 together. The limits leave room for what our programs write: a result
// has some 500 values and 14 more for each of 100,000 intervals (intervals.h), an object has some
// 100 keys, lists and objects are nested 6 deep, and the longest string is a histogram of at most
// 0.5 MiB.
#ifndef RINGECHO_REPORT_JSON_DOCUMENT_H_
#define RINGECHO_REPORT_JSON_DOCUMENT_H_

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace ringecho::report {

using Json = nlohmann::ordered_json;

inline constexpr size_t kJsonDepthMax = 64;
inline constexpr size_t kJsonValuesMax = size_t{1} << 21;
inline constexpr size_t kJsonKeysMax = size_t{1} << 16;  // of one object
// Of one string, number or run of spaces as it stands in the text.
inline constexpr size_t kJsonTokenBytesMax = size_t{4} << 20;

// INVALID_ARGUMENT for what is no JSON (RFC 8259, which has no NaN and no Infinity) or ends early;
// a number beyond the range of a double; a key that stands twice in one object; a NUL in a string;
// and what exceeds a limit above. Messages are one line, begin with the place where it has one
// ("totals.messages: ...") and give lines and columns from 1, columns in bytes. Thread-safe.
absl::StatusOr<Json> ParseJson(std::string_view text);

// Places in a document, for messages: "totals.messages", "intervals[3].cpu_ns".
void AppendKey(std::string_view key, std::string& place);
void AppendIndex(size_t index, std::string& place);

// "PLACE: WHAT", or just WHAT where the place is the whole document; a long place is cut.
absl::Status ErrorAt(std::string_view place, std::string_view what);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_JSON_DOCUMENT_H_

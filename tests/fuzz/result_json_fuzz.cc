// Any bytes as the content of a result file: a message of one line, or a result that comes back
// the same from its own JSON.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "report/one_line.h"
#include "report/read_result.h"
#include "report/result_json.h"
#include "require.h"

namespace ringecho::report {
namespace {

using fuzz::Require;

void CheckMessage(const absl::Status& status) {
  const std::string message(status.message());
  Require(!message.empty() && message.size() < 1000, "messages are neither empty nor long");
  Require(OneLine(message) == message, "messages are one printable line");
  Require(status.code() == absl::StatusCode::kInvalidArgument, "it is the content that is wrong");
}

void CheckRoundTrip(const Result& result) {
  const std::string json = ToJson(result);
  absl::StatusOr<Result> back = FromJson(json);
  Require(back.ok(), "what is written can be read");
  Require(ToJson(*back) == json, "what is read back is what was written");
}

}  // namespace
}  // namespace ringecho::report

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringecho::report;  // NOLINT(google-build-using-namespace)
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Result> parsed = FromJson(text);
  const absl::StatusOr<Result> checked = ParseResult(text);
  ringecho::fuzz::Require(parsed.ok() || checked.status() == parsed.status(),
                          "what is no result has no histograms to check");
  if (!checked.ok()) CheckMessage(checked.status());
  if (parsed.ok()) CheckRoundTrip(*parsed);
  return 0;
}

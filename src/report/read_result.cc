#include "report/read_result.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "report/json_document.h"
#include "report/one_line.h"
#include "report/result_json.h"
#include "stats/histogram_codec.h"

namespace ringecho::report {
namespace {

absl::Status TooLarge() {
  return absl::InvalidArgumentError(
      absl::StrCat("has more than ", kResultBytesMax >> 20, " MiB, a result has less"));
}

absl::Status Failed(int error) {
  return absl::Status(absl::ErrnoToStatusCode(error), base::ErrnoText(error));
}

// Looked at before it is opened: opening a device can do things. `bytes` becomes what the file has.
absl::Status CheckKind(const std::string& path, size_t& bytes) {
  struct stat named;
  if (stat(path.c_str(), &named) != 0) return Failed(errno);
  if (S_ISDIR(named.st_mode)) return absl::InvalidArgumentError("is a folder, takes a file");
  if (!S_ISREG(named.st_mode) && !S_ISFIFO(named.st_mode)) {
    return absl::InvalidArgumentError("is a device or socket, takes a file or a pipe");
  }
  if (named.st_size > static_cast<int64_t>(kResultBytesMax)) return TooLarge();
  bytes = static_cast<size_t>(named.st_size);
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadAll(const std::string& path) {
  size_t bytes = 0;
  RINGECHO_RETURN_IF_ERROR(CheckKind(path, bytes));
  const base::UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!file.valid()) return Failed(errno);
  constexpr size_t kChunkBytes = size_t{1} << 20;
  std::string text;
  text.reserve(bytes + kChunkBytes);
  for (;;) {
    const size_t size = text.size();
    if (size > kResultBytesMax) return TooLarge();
    text.resize(size + kChunkBytes);
    const ssize_t got = read(file.get(), text.data() + size, kChunkBytes);
    if (got < 0 && errno != EINTR) return Failed(errno);
    text.resize(size + (got < 0 ? 0 : static_cast<size_t>(got)));
    if (got == 0) return text;
  }
}

absl::Status CheckHistogram(const std::optional<LatencySummary>& summary, std::string_view name) {
  if (!summary) return absl::OkStatus();
  if (summary->count == 0 && summary->hdr_v2.empty()) return absl::OkStatus();
  const std::string place = absl::StrCat("latency.", base::ToAbsl(name));
  absl::StatusOr<stats::Histogram> histogram = stats::DecodeV2Base64(summary->hdr_v2);
  if (!histogram.ok()) {
    return ErrorAt(absl::StrCat(place, ".hdr_v2"), base::ToStd(histogram.status().message()));
  }
  if (histogram->count() != static_cast<uint64_t>(summary->count)) {
    return ErrorAt(
        absl::StrCat(place, ".count"),
        absl::StrCat("is ", summary->count, ", but hdr_v2 has ", histogram->count(), " samples"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Result> ParseResult(std::string_view text) {
  absl::StatusOr<Result> result = FromJson(text);
  if (!result.ok() || !result->latency) return result;
  const Latency& latency = *result->latency;
  RINGECHO_RETURN_IF_ERROR(CheckHistogram(latency.response, "response_ns"));
  RINGECHO_RETURN_IF_ERROR(CheckHistogram(latency.service, "service_ns"));
  RINGECHO_RETURN_IF_ERROR(CheckHistogram(latency.connect, "connect_ns"));
  RINGECHO_RETURN_IF_ERROR(CheckHistogram(latency.schedule_lag, "schedule_lag_ns"));
  return result;
}

absl::StatusOr<Result> ReadResult(const std::string& path) {
  absl::StatusOr<std::string> text = ReadAll(path);
  absl::StatusOr<Result> result = text.ok() ? ParseResult(*text) : text.status();
  if (result.ok()) return result;
  return absl::Status(result.status().code(),
                      absl::StrCat(OneLine(path), ": ", result.status().message()));
}

}  // namespace ringecho::report

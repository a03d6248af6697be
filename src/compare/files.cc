#include "compare/files.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "report/json_document.h"
#include "report/one_line.h"
#include "report/read_result.h"

namespace ringecho::compare {
namespace {

namespace fs = std::filesystem;
using report::Result;

constexpr char kSeriesFile[] = "series.json";
constexpr size_t kNameMax = 200;

struct NamedResult {
  std::string name;  // the path without ".load.json", ".server.json" or ".json"
  Result result;
};

absl::StatusOr<std::string> ReadText(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) return base::ErrnoStatus(errno, absl::StrCat("open ", path));
  std::string text;
  char block[1 << 16];
  while (file.read(block, sizeof(block)) || file.gcount() > 0) {
    text.append(block, static_cast<size_t>(file.gcount()));
    if (text.size() > report::kResultBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": is larger than 64 MiB"));
    }
  }
  return text;
}

std::string Stem(std::string path) {
  for (const char* suffix : {".load.json", ".server.json", ".json"}) {
    if (absl::EndsWith(path, suffix)) return std::string(absl::StripSuffix(path, suffix));
  }
  return path;
}

bool SameRun(const Result& a, const Result& b) {
  return a.run.series_id && a.run.order_index && a.run.series_id == b.run.series_id &&
         a.run.order_index == b.run.order_index;
}

std::optional<Result>& Place(Measurement& measurement, report::Role role) {
  return role == report::Role::kServer ? measurement.server : measurement.load;
}

const Result& AnyOf(const Measurement& measurement) {
  return measurement.load ? *measurement.load : *measurement.server;
}

// Puts the two ends of each run together.
std::vector<Measurement> Pair(std::vector<NamedResult> results) {
  std::vector<Measurement> out;
  std::vector<std::string> names;
  for (NamedResult& one : results) {
    const report::Role role = one.result.config.role;
    size_t found = 0;
    auto fits = [&](size_t i) {
      return !Place(out[i], role) && (names[i] == one.name || SameRun(AnyOf(out[i]), one.result));
    };
    while (found < out.size() && !fits(found)) ++found;
    if (found == out.size()) {
      out.push_back({.name = report::OneLine(fs::path(one.name).filename().string(), kNameMax),
                     .series = {},
                     .load = {},
                     .server = {}});
      names.push_back(one.name);
    }
    Place(out[found], role) = std::move(one.result);
  }
  std::stable_sort(out.begin(), out.end(), [](const Measurement& a, const Measurement& b) {
    return AnyOf(a).run.start_time < AnyOf(b).run.start_time;
  });
  return out;
}

// A JSON object that is no result.
absl::StatusOr<report::Json> ReadDocument(const std::string& path) {
  absl::StatusOr<std::string> text = ReadText(path);
  if (!text.ok()) return text.status();
  absl::StatusOr<report::Json> json = report::ParseJson(*text);
  if (!json.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", json.status().message()));
  }
  if (!json->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": takes a JSON object"));
  }
  return json;
}

// What was wrong with the machine when the series was made: [{"message": "..."}, ...].
absl::Status ReadPreflight(const std::string& path, const report::Json& json, Series& series) {
  constexpr size_t kMost = 20;
  const auto list = json.find("preflight");
  if (list == json.end() || list->is_null()) return absl::OkStatus();
  if (!list->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": preflight: takes a list"));
  }
  for (size_t i = 0; i < list->size() && i < kMost; ++i) {
    const report::Json& warning = (*list)[i];
    const auto message = warning.is_object() ? warning.find("message") : warning.end();
    if (!warning.is_object() || message == warning.end() || !message->is_string()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": preflight[", i, "].message: takes a string"));
    }
    series.warnings.push_back(report::OneLine(message->get<std::string>(), kNameMax));
  }
  if (list->size() > kMost) {
    series.warnings.push_back(absl::StrCat("and ", list->size() - kMost, " more"));
  }
  return absl::OkStatus();
}

absl::Status ReadSeriesFile(const std::string& path, Series& series) {
  absl::StatusOr<report::Json> json = ReadDocument(path);
  if (!json.ok()) return json.status();
  absl::Status status;
  auto text = [&](const char* key) {
    auto it = json->find(key);
    if (it == json->end() || it->is_null()) return std::string();
    if (!it->is_string()) {
      status = absl::InvalidArgumentError(absl::StrCat(path, ": ", key, ": takes a string"));
      return std::string();
    }
    return report::OneLine(it->get<std::string>(), kNameMax);
  };
  if (text("schema") != "ringecho.series") {
    return absl::InvalidArgumentError(absl::StrCat(path, ": schema: takes \"ringecho.series\""));
  }
  if (!absl::StartsWith(text("schema_version"), "1.")) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": schema_version: this program reads 1.x"));
  }
  series.vary = text("vary");
  series.base = text("base");
  series.title = text("title");
  series.status = text("status");
  return status.ok() ? ReadPreflight(path, *json, series) : status;
}

// What somebody wrote with -o into the folder of the series.
bool IsComparison(const std::string& path) {
  absl::StatusOr<report::Json> json = ReadDocument(path);
  return json.ok() && json->contains("schema") && (*json)["schema"] == "ringecho.comparison";
}

// What nobody named: into a pipe that is found there nobody would write, and reading would not end.
absl::Status CheckFound(const std::string& path) {
  std::error_code error;
  if (fs::is_regular_file(path, error)) return absl::OkStatus();  // through symbolic links
  return absl::InvalidArgumentError(absl::StrCat(path, ": is no file"));
}

absl::Status ReadFolder(const std::string& path, Series& series) {
  std::error_code error;
  std::vector<fs::path> files;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (name.front() != '.' && absl::EndsWith(name, ".json")) files.push_back(it->path());
  }
  if (error) return base::ErrnoStatus(error.value(), absl::StrCat("read ", path));
  std::sort(files.begin(), files.end());
  for (const fs::path& file : files) RINGECHO_RETURN_IF_ERROR(CheckFound(file));
  std::vector<NamedResult> results;
  for (const fs::path& file : files) {
    if (file.filename() == kSeriesFile) {
      RINGECHO_RETURN_IF_ERROR(ReadSeriesFile(file, series));
      continue;
    }
    absl::StatusOr<Result> result = report::ReadResult(file);
    if (result.ok()) {
      results.push_back({Stem(file), *std::move(result)});
    } else if (!IsComparison(file)) {
      return result.status();
    }
  }
  if (results.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": has no results (NAME.load.json, NAME.server.json)"));
  }
  series.measurements = Pair(std::move(results));
  return absl::OkStatus();
}

absl::Status ReadOne(const std::string& path, const std::vector<std::string>& all, Series& series) {
  std::error_code error;
  if (fs::is_directory(path, error)) return ReadFolder(path, series);
  absl::StatusOr<Result> result = report::ReadResult(path);
  if (!result.ok()) return result.status();
  std::vector<NamedResult> results;
  results.push_back({Stem(path), *std::move(result)});
  const std::string beside = Stem(path) + ".server.json";
  if (absl::EndsWith(path, ".load.json") && fs::exists(beside, error)) {
    RINGECHO_RETURN_IF_ERROR(CheckFound(beside));
    absl::StatusOr<Result> server = report::ReadResult(beside);
    if (!server.ok()) return server.status();
    results.push_back({Stem(path), *std::move(server)});
  } else if (absl::EndsWith(path, ".server.json") &&
             std::find(all.begin(), all.end(), Stem(path) + ".load.json") != all.end()) {
    return absl::OkStatus();  // comes with the other
  }
  series.measurements = Pair(std::move(results));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Series>> ReadSeries(const std::vector<std::string>& paths) {
  std::vector<Series> out;
  for (const std::string& path : paths) {
    Series series;
    series.name = path;
    while (series.name.size() > 1 && series.name.back() == '/') series.name.pop_back();
    for (const Series& earlier : out) {
      std::error_code error;
      if (earlier.name == series.name || fs::equivalent(earlier.name, series.name, error)) {
        return absl::InvalidArgumentError(absl::StrCat(path, ": is named twice"));
      }
    }
    RINGECHO_RETURN_IF_ERROR(ReadOne(path, paths, series));
    for (Measurement& measurement : series.measurements) measurement.series = series.name;
    if (!series.measurements.empty()) out.push_back(std::move(series));
  }
  return out;
}

}  // namespace ringecho::compare

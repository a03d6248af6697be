#include "report/read_result.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "report/json_document.h"
#include "report/one_line.h"
#include "report/result_json.h"
#include "sample.h"

namespace ringecho::report {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A folder of its own for each test, gone after it.
class ReadResultTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "/read_result_XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Path(std::string_view name) const { return folder_ / name; }
  std::string Write(std::string_view name, std::string_view content) const {
    std::ofstream(Path(name), std::ios::binary) << content;
    return Path(name);
  }
  // Without the file's name, which every message begins with.
  static std::string ErrorOf(const std::string& path) {
    absl::StatusOr<Result> result = ReadResult(path);
    if (result.ok()) return "accepted";
    const std::string message(result.status().message());
    EXPECT_EQ(OneLine(message), message);
    EXPECT_THAT(message, StartsWith(OneLine(path) + ": "));
    return message.substr(std::min(message.size(), OneLine(path).size() + 2));
  }

  std::filesystem::path folder_;
};

constexpr char kCount[] = "takes an integer from 0 to 9223372036854775807";
constexpr char kNaN[] = "; NaN and Infinity are no JSON numbers";

// The hostile files of the fuzzer's corpus, and what is said about each.
const std::map<std::string, std::string>& Hostile() {
  static const auto* const kHostile = new std::map<std::string, std::string>{
      {"bad-1e400.json", "totals.messages_per_s: is 1e400, takes a number of at most 1.8e308"},
      {"bad-2-to-31-cpu.json",
       "config.cpus[0]: is 2147483648, takes an integer from 0 to 2147483647"},
      {"bad-2-to-63.json", absl::StrCat("totals.messages: is 9223372036854775808, ", kCount)},
      {"bad-2-to-64.json",
       "run.seed: is 1.8446744073709552e+19, takes an integer from 0 to 18446744073709551615"},
      {"bad-binary.json", "not JSON at line 1, column 1"},
      {"bad-comment.json", "not JSON at line 1, column 3"},
      {"bad-cut-short-in-string.json",
       "tool.compiler: cut short: the text ends at byte 176, inside the document"},
      {"bad-cut-short.json",
       "totals.messages_per_s: cut short: the text ends at byte 1552, inside the document"},
      {"bad-deep-lists.json",
       "[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]["
       "0][0][0][...: is nested more than 64 deep"},
      {"bad-deep-objects.json",
       "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a."
       "a.a.a.a.a....: is nested more than 64 deep"},
      {"bad-deep-unknown.json",
       "x[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"
       "[0][0][0]...: is nested more than 64 deep"},
      {"bad-duplicate-key-in-unknown.json", "x[1].y: stands twice"},
      {"bad-duplicate-key.json", "totals.messages: stands twice"},
      {"bad-duplicate-percentile.json", "latency.response_ns.percentiles.50: stands twice"},
      {"bad-empty.json", "is empty"},
      {"bad-enum-phase.json",
       "phases[0].name: is \"cooldown\", takes connect, warmup, measure, drain"},
      {"bad-enum-verdict.json", "validity.verdict: is \"great\", takes valid, suspect, invalid"},
      {"bad-foreign-fio.json", "schema: missing, this is not a ringecho result"},
      {"bad-foreign-schema.json", "schema: is \"iperf3\", this is not a ringecho result"},
      {"bad-fraction.json", absl::StrCat("totals.messages: is 1.5, ", kCount)},
      {"bad-hdr-count.json", "latency.response_ns.count: is 5, but hdr_v2 has 4 samples"},
      {"bad-hdr-counts-overflow.json",
       "latency.response_ns.hdr_v2: HDR histogram: counts add up to more than 9223372036854775807 "
       "at byte 9"},
      {"bad-hdr-cut-short.json",
       "latency.response_ns.hdr_v2: HDR histogram: compressed header announces 39 bytes, there are "
       "34"},
      {"bad-hdr-double.json",
       "latency.response_ns.hdr_v2: HDR histogram: conversion ratio 0.5, only 1 is read"},
      {"bad-hdr-empty.json",
       "latency.response_ns.hdr_v2: HDR histogram: 0 bytes, the compressed header alone has 8"},
      {"bad-hdr-huge-layout.json",
       "latency.response_ns.hdr_v2: HDR histogram: histogram up to 9223372036854775807 with 5 "
       "digits needs 6160384 buckets, at most 4194304 are taken"},
      {"bad-hdr-not-base64.json", "latency.response_ns.hdr_v2: HDR histogram: text is not base64"},
      {"bad-hdr-v1.json",
       "latency.response_ns.hdr_v2: HDR histogram: V1 encoding, only V2 is read"},
      {"bad-hdr-zlib-bomb-announced.json",
       "latency.response_ns.hdr_v2: HDR histogram: header announces a payload of 100 bytes, the "
       "zlib stream holds more"},
      {"bad-hdr-zlib-bomb.json",
       "latency.response_ns.hdr_v2: HDR histogram: payload of 8388608 bytes, 33792 buckets have at "
       "most 304128"},
      {"bad-hex-number.json", "totals.messages: not JSON at line 9, column 46"},
      {"bad-integer-for-string.json", "run.argv[0]: is 5, takes a string"},
      {"bad-interval-count-minus-one.json", absl::StrCat("intervals[0].syscalls: is -1, ", kCount)},
      {"bad-list-for-object.json", "totals: is a list, takes an object"},
      {"bad-lone-surrogate.json", "run.labels.a: not JSON at line 5, column 43"},
      {"bad-long-key.json",
       "run.labels.kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk...: is 1, takes a "
       "string"},
      {"bad-long-string-for-integer.json",
       absl::StrCat("totals.messages: is \"line\\x0aline\\x0aline\\x0aline\\x0aline\\x0a...\", ",
                    kCount)},
      {"bad-minus-infinity.json",
       absl::StrCat("validity.checks[0].value: not JSON at line 15, column 83", kNaN)},
      {"bad-minus-one.json", absl::StrCat("intervals[0].cpu_ns: is -1, ", kCount)},
      {"bad-missing-field.json", "totals.messages: missing"},
      {"bad-missing-section.json", "totals: missing"},
      {"bad-nan.json", absl::StrCat("totals.messages_per_s: not JSON at line 9, column 108", kNaN)},
      {"bad-newline-in-key.json",
       "run.labels.a\\x0ab\\x1b[31m\\xe2\\x80\\xae: is 1, takes a string"},
      {"bad-not-an-object.json", "is a list, this is not a ringecho result"},
      {"bad-nul-escaped.json", "run.labels.a: holds a NUL character"},
      {"bad-nul-in-key.json", "run.labels: has a key with a NUL character"},
      {"bad-nul-raw.json", "run.labels.a: not JSON at line 5, column 38"},
      {"bad-object-for-list.json", "intervals: is an object, takes a list"},
      {"bad-percentile.json",
       "latency.response_ns.percentiles.nan: is not a percentile, takes 0 to 100"},
      {"bad-schema-number.json", "schema: is 1, this is not a ringecho result"},
      {"bad-string-for-integer.json", absl::StrCat("totals.messages: is \"12\", ", kCount)},
      {"bad-trailing-comma.json", "validity: not JSON at line 15, column 2"},
      {"bad-two-documents.json", "not JSON at line 16, column 1"},
      {"bad-utf8-surrogate.json", "run.labels.a: not JSON at line 5, column 38"},
      {"bad-utf8.json", "run.labels.a: not JSON at line 5, column 37"},
      {"bad-version-2.json", "schema_version: is \"2.0\", this program reads 1.x"},
      {"bad-version-missing.json", "schema_version: missing"},
      {"bad-version-no-minor.json", "schema_version: is \"1\", takes \"MAJOR.MINOR\""},
      {"bad-version-number.json", "schema_version: is 1.0, takes \"MAJOR.MINOR\""},
  };
  return *kHostile;
}

TEST_F(ReadResultTest, EveryFileOfTheCorpusIsAnsweredAsItShouldBe) {
  std::map<std::string, std::string> left = Hostile();
  for (const auto& entry : std::filesystem::directory_iterator(RINGECHO_RESULT_CORPUS)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("bad-")) {
      EXPECT_EQ(ErrorOf(entry.path()), "accepted") << name;
      continue;
    }
    EXPECT_EQ(ErrorOf(entry.path()), left[name]) << name;
    left.erase(name);
  }
  EXPECT_TRUE(left.empty()) << left.begin()->first << " has gone";
}

// Written by the programs when the schema was 1.0. They stay as they are: a reader of 1.x that
// wants more than they have is wrong.
TEST_F(ReadResultTest, FilesOfTheFirstVersionAreRead) {
  const std::filesystem::path fixtures = RINGECHO_RESULT_FIXTURES;
  absl::StatusOr<Result> load = ReadResult(fixtures / "load-1.0.json");
  ASSERT_TRUE(load.ok()) << load.status();
  EXPECT_EQ(load->config.role, Role::kLoad);
  EXPECT_EQ(load->totals.messages, 59'366);
  EXPECT_EQ(load->latency->response->count, 59'366);
  EXPECT_EQ(load->validity.verdict, Verdict::kValid);
  absl::StatusOr<Result> server = ReadResult(fixtures / "server-1.0.json");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(server->config.role, Role::kServer);
  EXPECT_EQ(server->config.engine.name, "io_uring");
  EXPECT_FALSE(server->latency.has_value());
}

TEST_F(ReadResultTest, WhatTheProgramsWriteNowIsRead) {
  EXPECT_EQ(ErrorOf(Write("server.json", ToJson(SampleServerResult()))), "accepted");
  EXPECT_EQ(ErrorOf(Write("load.json", ToJson(SampleLoadResult()))), "accepted");
}

TEST_F(ReadResultTest, TheMessageNamesTheFileOnOneLine) {
  const std::string path = Write("a\nb\x1b[31m\xff.json", "[]");
  EXPECT_EQ(ReadResult(path).status().message(),
            absl::StrCat(folder_.string(),
                         "/a\\x0ab\\x1b[31m\\xff.json: is a list, this is not a "
                         "ringecho result"));
}

TEST_F(ReadResultTest, WhatCannotBeReadIsNamed) {
  EXPECT_EQ(ErrorOf(Path("missing.json")), "No such file or directory (ENOENT)");
  EXPECT_EQ(ReadResult(Path("missing.json")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ErrorOf(Write("file", "") + "/x"), "Not a directory (ENOTDIR)");
  EXPECT_EQ(ErrorOf(folder_), "is a folder, takes a file");
  EXPECT_EQ(ErrorOf("/dev/zero"), "is a device or socket, takes a file or a pipe");
  EXPECT_EQ(ErrorOf(""), "No such file or directory (ENOENT)");
  EXPECT_EQ(ErrorOf(Write("empty.json", "")), "is empty");
  if (geteuid() != 0) {
    const std::string path = Write("secret.json", "{}");
    chmod(path.c_str(), 0);
    EXPECT_EQ(ErrorOf(path), "Permission denied (EACCES)");
  }
}

TEST_F(ReadResultTest, AFileAboveTheLimitIsNotRead) {
  const std::string path = Write("huge.json", "");
  ASSERT_EQ(truncate(path.c_str(), int64_t{1} << 40), 0);
  EXPECT_EQ(ErrorOf(path), "has more than 64 MiB, a result has less");
}

// A pipe does not tell its size beforehand.
TEST_F(ReadResultTest, APipeIsReadToItsEndOrTheLimit) {
  const std::string path = Path("pipe");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  auto feed = [&](size_t times, const std::string& content) {
    return std::thread([=] {
      const int fd = open(path.c_str(), O_WRONLY);
      // The reader closes its end above the limit; MSG_NOSIGNAL is for sockets only.
      for (size_t i = 0; i < times; ++i) {
        if (write(fd, content.data(), content.size()) < 0) break;
      }
      close(fd);
    });
  };
  std::thread writer = feed(1, ToJson(SampleLoadResult()));
  EXPECT_EQ(ErrorOf(path), "accepted");
  writer.join();
  signal(SIGPIPE, SIG_IGN);
  writer = feed(66, std::string(1 << 20, ' '));
  EXPECT_EQ(ErrorOf(path), "has more than 64 MiB, a result has less");
  writer.join();
  signal(SIGPIPE, SIG_DFL);
}

TEST_F(ReadResultTest, EveryHistogramIsChecked) {
  const Result sample = SampleLoadResult();
  const std::pair<const char*, std::optional<LatencySummary> Latency::*> members[] = {
      {"response_ns", &Latency::response},
      {"service_ns", &Latency::service},
      {"connect_ns", &Latency::connect},
      {"schedule_lag_ns", &Latency::schedule_lag}};
  for (const auto& [name, member] : members) {
    Result broken = sample;
    (*broken.latency.*member)->hdr_v2 = "AAAA";
    EXPECT_EQ(ErrorOf(Write("r.json", ToJson(broken))),
              absl::StrCat("latency.", name,
                           ".hdr_v2: HDR histogram: 3 bytes, the compressed "
                           "header alone has 8"));
    broken = sample;
    *broken.latency.*member = *sample.latency->response;
    (*broken.latency.*member)->count = 5;
    EXPECT_EQ(ErrorOf(Write("r.json", ToJson(broken))),
              absl::StrCat("latency.", name, ".count: is 5, but hdr_v2 has 1200000 samples"));
  }
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RINGECHO_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define RINGECHO_SANITIZED 1
#endif
#endif

// In a child that may have 512 MiB of address space, everything included: more ends it.
class ReadResultMemoryTest : public ReadResultTest {
 protected:
  void SetUp() override {
#ifdef RINGECHO_SANITIZED
    GTEST_SKIP() << "a sanitizer needs terabytes of address space";
#endif
    ReadResultTest::SetUp();
    sample_ = ToJson(SampleLoadResult());
  }

  // Of the largest size that is read: begin, part, part, ..., end.
  std::string Fill(std::string_view begin, std::string_view part, std::string_view end,
                   size_t times = kResultBytesMax) const {
    std::string text(begin);
    text.reserve(kResultBytesMax);
    while (times-- > 0 && text.size() + part.size() + end.size() <= kResultBytesMax) text += part;
    return Write("r.json", text += end);
  }
  // The sample, with more put in behind `key`.
  std::string FillSample(std::string_view key, std::string_view part, size_t values) const {
    const size_t at = sample_.find(key) + key.size();
    return Fill(sample_.substr(0, at), part, sample_.substr(at), (kJsonValuesMax - 1000) / values);
  }
  static void ExpectInBounds(const std::string& path, const std::string& answer) {
    auto read = [&] {
      const rlimit limit = {size_t{512} << 20, size_t{512} << 20};
      setrlimit(RLIMIT_AS, &limit);
      const std::string error = ErrorOf(path);
      fprintf(stderr, "%s\n", error.c_str());
      _exit(0);
    };
    EXPECT_EXIT(read(), testing::ExitedWithCode(0), testing::HasSubstr(answer));
  }

  std::string sample_;
};

TEST_F(ReadResultMemoryTest, NestedLists) {
  ExpectInBounds(Fill("", "[", ""), "is nested more than 64 deep");
}
TEST_F(ReadResultMemoryTest, NestedObjects) {
  ExpectInBounds(Fill("", "{\"a\":", ""), "is nested more than 64 deep");
}
TEST_F(ReadResultMemoryTest, Numbers) {
  ExpectInBounds(Fill("[", "0,", "0]"), "the document holds more than 2097152 values");
}
TEST_F(ReadResultMemoryTest, SmallObjects) {
  ExpectInBounds(FillSample("\"cpus\": [", "{\"\":[]},", 2), "config.cpus[0]: is an object");
}
TEST_F(ReadResultMemoryTest, ManyStrings) {
  ExpectInBounds(FillSample("\"argv\": [", "\"aaaaaaaaaaaaaaaaaaaaaaaaaa\",", 1), "accepted");
}
TEST_F(ReadResultMemoryTest, ManyChecks) {
  const char check[] = R"({"id":"aaaaaaaaaaaaaaaa","ok":true,"value":1,"limit":1,"message":"a"},)";
  ExpectInBounds(FillSample("\"checks\": [", check, 6), "accepted");
}
TEST_F(ReadResultMemoryTest, ManyIntervals) {
  const char interval[] =
      "{\"t_start_ns\":1,\"t_end_ns\":2,\"messages\":1,\"bytes\":1,\"errors\":1,"
      "\"connections_open\":1,\"cpu_ns\":1,\"retries\":1,\"p50_ns\":1,\"p99_ns\":1},";
  ExpectInBounds(FillSample("\"intervals\": [", interval, 11), "accepted");
}
TEST_F(ReadResultMemoryTest, OneString) {
  ExpectInBounds(Fill("{\"schema\": \"", "aaaaaaaa", ""), "schema: goes on for more than");
}
TEST_F(ReadResultMemoryTest, LongStrings) {
  const std::string part = absl::StrCat("\"", std::string(kJsonTokenBytesMax - 100, 'a'), "\",");
  ExpectInBounds(FillSample("\"argv\": [", part, 1), "accepted");
}
TEST_F(ReadResultMemoryTest, LongNumbers) {
  const std::string part = absl::StrCat("0.", std::string(kJsonTokenBytesMax - 100, '1'), ",");
  ExpectInBounds(Fill("[", part, "1]"), "is a list, this is not a ringecho result");
}
TEST_F(ReadResultMemoryTest, Spaces) {
  ExpectInBounds(Fill("", "        ", ""), "goes on for more than");
}

}  // namespace
}  // namespace ringecho::report

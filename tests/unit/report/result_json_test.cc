#include "report/result_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "absl/strings/str_cat.h"
#include "sample.h"

namespace ringecho::report {
namespace {

using Json = nlohmann::ordered_json;

// Every member of a result stands in its JSON, so equal JSON means equal results.
void ExpectRoundTrip(const Result& result) {
  std::string json = ToJson(result);
  absl::StatusOr<Result> back = FromJson(json);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(ToJson(*back), json);
}

Json SampleDocument() { return Json::parse(ToJson(SampleLoadResult())); }

std::string ErrorOf(const Json& document) {
  absl::StatusOr<Result> result = FromJson(document.dump());
  return result.ok() ? "accepted" : std::string(result.status().message());
}

TEST(ResultJsonTest, FilledResultsComeBackAsTheyWere) {
  ExpectRoundTrip(SampleServerResult());
  ExpectRoundTrip(SampleLoadResult());
}

TEST(ResultJsonTest, AnEmptyResultComesBackAsItWas) { ExpectRoundTrip(Result()); }

TEST(ResultJsonTest, ValuesAreReadIntoTheirMembers) {
  absl::StatusOr<Result> r = FromJson(ToJson(SampleLoadResult()));
  ASSERT_TRUE(r.ok()) << r.status();
  EXPECT_EQ(r->run.seed, std::numeric_limits<uint64_t>::max());
  EXPECT_EQ(r->run.start_monotonic_ns, 123'456'789'012'345);
  EXPECT_EQ(r->config.role, Role::kLoad);
  EXPECT_EQ(r->config.cpus, (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(r->config.engine.effective[1].second, Value(true));
  EXPECT_EQ(r->config.extra, SampleLoadResult().config.extra);
  EXPECT_EQ(r->engine_stats, SampleLoadResult().engine_stats);
  ASSERT_EQ(r->latency->response->percentiles.size(), 5U);
  EXPECT_EQ(r->latency->response->percentiles[3].percent, 99.99999);
  EXPECT_EQ(r->latency->connect->min_ns, std::nullopt);
  EXPECT_EQ(r->validity.verdict, Verdict::kSuspect);
}

TEST(ResultJsonTest, KeysStandInTheDocumentedOrder) {
  std::vector<std::string> keys;
  Json document = SampleDocument();
  for (const auto& [key, value] : document.items()) keys.push_back(key);
  EXPECT_THAT(keys,
              testing::ElementsAre("schema", "schema_version", "tool", "run", "config", "host",
                                   "calibration", "phases", "totals", "latency", "errors",
                                   "resources", "engine_stats", "intervals", "validity"));
}

TEST(ResultJsonTest, WhatIsNotFiniteIsNullAndReadsBackAsNan) {
  Result result = SampleServerResult();
  result.totals.messages_per_s = std::numeric_limits<double>::quiet_NaN();
  result.totals.bytes_per_s = std::numeric_limits<double>::infinity();
  result.resources.cpu_share = -std::numeric_limits<double>::infinity();
  result.engine_stats = {{"ratio", std::numeric_limits<double>::quiet_NaN()}};
  std::string text = ToJson(result);
  Json json = Json::parse(text);
  EXPECT_TRUE(json["totals"]["messages_per_s"].is_null());
  EXPECT_TRUE(json["totals"]["bytes_per_s"].is_null());
  EXPECT_TRUE(json["resources"]["cpu_share"].is_null());
  EXPECT_TRUE(json["engine_stats"]["ratio"].is_null());
  absl::StatusOr<Result> back = FromJson(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_TRUE(std::isnan(back->totals.messages_per_s));
  EXPECT_EQ(ToJson(*back), text);
}

TEST(ResultJsonTest, AbsentMembersAreNullOrLeftOut) {
  Result result;
  Json json = Json::parse(ToJson(result));
  EXPECT_TRUE(json["resources"].at("cpu_share").is_null());
  EXPECT_FALSE(json["config"].contains("depth"));
  EXPECT_FALSE(json.contains("latency"));
}

TEST(ResultJsonTest, BytesThatAreNotUtf8AreReplaced) {
  Result result = SampleServerResult();
  result.run.argv = {"a\xff\xfe"};
  absl::StatusOr<Result> back = FromJson(ToJson(result));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->run.argv[0], "a\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(ResultJsonTest, EachMissingFieldIsNamed) {
  const std::set<std::string> optional = {"run.series_id",
                                          "run.repeat",
                                          "run.order_index",
                                          "run.boot_id",
                                          "run.seed",
                                          "config.size_bytes",
                                          "config.depth",
                                          "config.mode",
                                          "config.rate_target_per_s",
                                          "config.warmup_ns",
                                          "config.duration_ns",
                                          "config.messages_per_connection",
                                          "config.sessions",
                                          "config.verify",
                                          "config.connect_rate_per_s",
                                          "config.payload",
                                          "totals.resolve_ns",
                                          "totals.exceptions",
                                          "totals.retries",
                                          "totals.in_flight_at_end",
                                          "totals.sessions_completed",
                                          "totals.offered_per_s",
                                          "totals.late_sends",
                                          "resources.cpu_ns_per_message",
                                          "resources.cpu_share",
                                          "resources.steal_share",
                                          "resources.bytes_per_connection",
                                          "resources.iou_workers"};
  for (const char* section : {"tool", "run", "config", "host", "totals", "resources"}) {
    Json sample = SampleDocument();
    for (const auto& [key, value] : sample[section].items()) {
      Json broken = sample;
      broken[section].erase(key);
      std::string place = std::string(section) + "." + key;
      EXPECT_EQ(ErrorOf(broken), optional.contains(place) ? "accepted" : place + ": missing");
    }
    sample.erase(section);
    EXPECT_EQ(ErrorOf(sample), std::string(section) + ": missing");
  }
}

TEST(ResultJsonTest, AWrongTypeIsNamedWithItsPlace) {
  struct Case {
    const char* pointer;
    Json value;
    std::string error;
  };
  constexpr char kCount[] = "an integer from 0 to 9223372036854775807";
  const Case cases[] = {
      {"/totals/messages", "12", absl::StrCat("totals.messages: is \"12\", takes ", kCount)},
      {"/totals/messages", 1.5, absl::StrCat("totals.messages: is 1.5, takes ", kCount)},
      {"/totals/messages", -1, absl::StrCat("totals.messages: is -1, takes ", kCount)},
      {"/totals/messages", 9'223'372'036'854'775'808U,
       absl::StrCat("totals.messages: is 9223372036854775808, takes ", kCount)},
      {"/totals/messages", nullptr, absl::StrCat("totals.messages: is null, takes ", kCount)},
      {"/totals/messages_per_s", "fast",
       "totals.messages_per_s: is \"fast\", takes a number or null"},
      {"/run/seed", -1, "run.seed: is -1, takes an integer from 0 to 18446744073709551615"},
      {"/run/argv/1", 5, "run.argv[1]: is 5, takes a string"},
      {"/run/status", "fine", "run.status: is \"fine\", takes ok, interrupted, error"},
      {"/run/labels", Json::array(), "run.labels: is a list, takes an object"},
      {"/config/role", 1, "config.role: is 1, takes server, load"},
      {"/config/cpus/0", 4'294'967'296,
       "config.cpus[0]: is 4294967296, takes an integer from 0 to 2147483647"},
      {"/config/engine", "epoll", "config.engine: is \"epoll\", takes an object"},
      {"/config/engine/requested/engine", Json::object(),
       "config.engine.requested.engine: is an object, takes a number, string, boolean or list of "
       "strings"},
      {"/latency/response_ns/percentiles", Json{{"p50", 1}},
       "latency.response_ns.percentiles.p50: is not a percentile, takes 0 to 100"},
      {"/intervals", Json::object(), "intervals: is an object, takes a list"},
      {"/intervals/0/cpu_ns", true, absl::StrCat("intervals[0].cpu_ns: is true, takes ", kCount)},
      {"/validity/checks/0/ok", 0, "validity.checks[0].ok: is 0, takes true or false"},
      {"/engine_stats/submissions", -1,
       absl::StrCat("engine_stats.submissions: is -1, takes ", kCount)},
  };
  for (const Case& c : cases) {
    Json broken = SampleDocument();
    broken[Json::json_pointer(c.pointer)] = c.value;
    EXPECT_EQ(ErrorOf(broken), c.error) << c.pointer;
  }
}

TEST(ResultJsonTest, OfSeveralErrorsTheFirstIsTold) {
  Json broken = SampleDocument();
  broken["run"]["status"] = 1;
  broken.erase("validity");
  EXPECT_EQ(ErrorOf(broken), "run.status: is 1, takes ok, interrupted, error");
}

TEST(ResultJsonTest, UnknownKeysAreIgnored) {
  Json json = SampleDocument();
  json["new_section"] = {{"a", 1}};
  json["totals"]["new_total"] = 5;
  json["config"]["new_object"] = Json::object();
  EXPECT_EQ(ErrorOf(json), "accepted");
}

TEST(ResultJsonTest, ALaterMinorVersionIsRead) {
  Json json = SampleDocument();
  json["schema_version"] = "1.7";
  EXPECT_EQ(ErrorOf(json), "accepted");
}

TEST(ResultJsonTest, AnotherMajorVersionIsRefused) {
  Json json = SampleDocument();
  json["schema_version"] = "2.0";
  EXPECT_EQ(ErrorOf(json), "schema_version: is \"2.0\", this program reads 1.x");
  for (const char* version : {"", "1", "x.1", ".1", "1.", "1.x", "1.0.1", "-1.0", "1.-1"}) {
    json["schema_version"] = version;
    EXPECT_EQ(ErrorOf(json),
              absl::StrCat("schema_version: is \"", version, "\", takes \"MAJOR.MINOR\""));
  }
}

TEST(ResultJsonTest, PercentilesComeOutAscendingAndOnce) {
  Json json = SampleDocument();
  json["latency"]["response_ns"]["percentiles"] = {{"99.9", 3}, {"50", 1}, {"100", 4}, {"90", 2}};
  absl::StatusOr<Result> result = FromJson(json.dump());
  ASSERT_TRUE(result.ok()) << result.status();
  std::vector<double> percents;
  for (const Percentile& p : result->latency->response->percentiles) percents.push_back(p.percent);
  EXPECT_THAT(percents, testing::ElementsAre(50, 90, 99.9, 100));

  json["latency"]["response_ns"]["percentiles"] = {{"50", 1}, {"5e1", 1}};
  EXPECT_EQ(ErrorOf(json), "latency.response_ns.percentiles.50: stands twice");
  for (const char* percent : {"nan", "inf", "-1", "100.1", " 50", "50%", "p50"}) {
    json["latency"]["response_ns"]["percentiles"] = Json::object();
    json["latency"]["response_ns"]["percentiles"][percent] = 1;
    EXPECT_EQ(ErrorOf(json), absl::StrCat("latency.response_ns.percentiles.", percent,
                                          ": is not a percentile, takes 0 to 100"));
  }
}

TEST(ResultJsonTest, ForeignDocumentsAreRefused) {
  auto error_of = [](std::string_view text) {
    return std::string(FromJson(text).status().message());
  };
  EXPECT_EQ(error_of("[1,2]"), "is a list, this is not a ringecho result");
  EXPECT_EQ(error_of("\"text\""), "is \"text\", this is not a ringecho result");
  EXPECT_EQ(error_of("{}"), "schema: missing, this is not a ringecho result");
  EXPECT_EQ(error_of("{\"schema\": \"fio\"}"), "schema: is \"fio\", this is not a ringecho result");
  EXPECT_EQ(error_of("{\"schema\": \"ringecho.result\"}"), "schema_version: missing");
}

TEST(ResultJsonTest, ATruncatedFileIsRefusedAtEveryLength) {
  std::string text = ToJson(SampleServerResult());
  for (size_t length = 0; length + 2 < text.size(); length += 7) {
    EXPECT_FALSE(FromJson(std::string_view(text).substr(0, length)).ok()) << length;
  }
}

}  // namespace
}  // namespace ringecho::report

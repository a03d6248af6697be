#include "compare/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "report/result_json.h"
#include "simulated.h"

namespace ringecho::compare {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class Files : public ::testing::Test {
 protected:
  Files() : root_(fs::path(::testing::TempDir()) / "ringecho-compare-files") {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~Files() override { fs::remove_all(root_); }

  std::string Path(const std::string& name) const { return (root_ / name).string(); }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name) << text;
  }
  void WriteRun(const std::string& name, const Measurement& run) const {
    Write(name + ".load.json", report::ToJson(*run.load));
    Write(name + ".server.json", report::ToJson(*run.server));
  }
  std::string ErrorOf(const std::vector<std::string>& paths) const {
    auto series = ReadSeries(paths);
    EXPECT_FALSE(series.ok());
    return std::string(series.status().message());
  }

  const fs::path root_;
};

Measurement MadeAt(const std::string& start_time) {
  Measurement run = Make({});
  // Histograms that hold what the file says of them.
  run.load->latency.reset();
  run.load->run.start_time = run.server->run.start_time = start_time;
  return run;
}

TEST_F(Files, AFolderIsASeriesInTheOrderMade) {
  WriteRun("b", MadeAt("2026-01-31T12:00:01Z"));
  WriteRun("a", MadeAt("2026-01-31T12:00:02Z"));
  Write("table.txt", "not read");
  Write(".hidden.json", "not read");
  Write("series.json", R"({"schema": "ringecho.series", "schema_version": "1.0",
    "vary": "engine", "base": "epoll", "title": "t", "status": "complete", "runs": []})");
  auto series = ReadSeries({root_.string() + "/"});
  ASSERT_TRUE(series.ok()) << series.status();
  ASSERT_EQ(series->size(), 1U);
  const Series& one = series->front();
  EXPECT_EQ(one.name, root_.string());
  EXPECT_EQ(one.vary, "engine");
  EXPECT_EQ(one.base, "epoll");
  EXPECT_EQ(one.status, "complete");
  ASSERT_EQ(one.measurements.size(), 2U);
  EXPECT_EQ(one.measurements[0].name, "b");
  EXPECT_EQ(one.measurements[0].series, root_.string());
  EXPECT_TRUE(one.measurements[0].load && one.measurements[0].server);
}

TEST_F(Files, RunsArePairedBySeriesAndOrderToo) {
  Measurement run = MadeAt("2026-01-31T12:00:01Z");
  run.load->run.series_id = run.server->run.series_id = "s";
  run.load->run.order_index = run.server->run.order_index = 4;
  Write("left.json", report::ToJson(*run.load));
  Write("right.json", report::ToJson(*run.server));
  auto series = ReadSeries({root_.string()});
  ASSERT_TRUE(series.ok()) << series.status();
  ASSERT_EQ(series->front().measurements.size(), 1U);
  EXPECT_TRUE(series->front().measurements[0].load && series->front().measurements[0].server);
}

TEST_F(Files, AFileBringsItsOtherEnd) {
  WriteRun("a", MadeAt("2026-01-31T12:00:01Z"));
  for (const std::vector<std::string>& paths :
       {std::vector{Path("a.load.json")}, {Path("a.load.json"), Path("a.server.json")}}) {
    auto series = ReadSeries(paths);
    ASSERT_TRUE(series.ok()) << series.status();
    ASSERT_EQ(series->size(), 1U);
    EXPECT_TRUE(series->front().measurements[0].load && series->front().measurements[0].server);
  }
}

TEST_F(Files, APipeBesideAFileIsNotWaitedFor) {
  Write("a.load.json", report::ToJson(*MadeAt("2026-01-31T12:00:01Z").load));
  ASSERT_EQ(mkfifo(Path("a.server.json").c_str(), 0600), 0);
  EXPECT_THAT(ErrorOf({Path("a.load.json")}), HasSubstr("a.server.json: is no file"));
}

TEST_F(Files, WhatCannotBeReadIsNamed) {
  WriteRun("a", MadeAt("2026-01-31T12:00:01Z"));
  Write("x.json", "{}");
  EXPECT_THAT(ErrorOf({root_.string()}), AllOf(HasSubstr("x.json: "), HasSubstr("schema")));
  Write("x.json", R"({"schema": "ringecho.comparison", "schema_version": "1.0"})");
  EXPECT_TRUE(ReadSeries({root_.string()}).ok());  // what this program wrote there
  Write("x.json", "nonsense");
  EXPECT_THAT(ErrorOf({root_.string()}), HasSubstr("x.json: "));
  EXPECT_THAT(ErrorOf({Path("missing")}), AllOf(HasSubstr("missing"), HasSubstr("ENOENT")));
}

std::string WithPreflight(const std::string& json) {
  return R"({"schema": "ringecho.series", "schema_version": "1.0", "preflight": )" + json + "}";
}

TEST_F(Files, ASeriesHasTheWarningsItWasMadeInSpiteOf) {
  WriteRun("a", MadeAt("2026-01-31T12:00:01Z"));
  auto warnings = [this](const std::string& preflight) {
    Write("series.json", WithPreflight(preflight));
    auto series = ReadSeries({root_.string()});
    EXPECT_TRUE(series.ok()) << series.status();
    return series.ok() ? series->front().warnings : std::vector<std::string>();
  };
  EXPECT_THAT(warnings("null"), testing::IsEmpty());
  EXPECT_THAT(warnings("[]"), testing::IsEmpty());
  EXPECT_THAT(warnings(R"([{"id": "busy", "message": "CPU is 93% busy\n", "fix": []}])"),
              testing::ElementsAre("CPU is 93% busy\\x0a"));
  std::string many = R"([{"message": "w"})";
  for (int i = 0; i < 99; ++i) many += R"(, {"message": "w"})";
  EXPECT_EQ(warnings(many + "]").size(), 21U);
  EXPECT_EQ(warnings(many + "]").back(), "and 80 more");
  EXPECT_LE(warnings(R"([{"message": ")" + std::string(9999, 'x') + "\"}]").front().size(), 210U);
}

TEST_F(Files, ABadSeriesFileIsNamed) {
  WriteRun("a", MadeAt("2026-01-31T12:00:01Z"));
  for (const auto& [text, field] : std::vector<std::pair<std::string, std::string>>{
           {"[]", "object"},
           {"{}", "schema"},
           {R"({"schema": "ringecho.series", "schema_version": "2.0"})", "schema_version"},
           {R"({"schema": "ringecho.series", "schema_version": "1.0", "vary": 3})", "vary"},
           {WithPreflight("3"), "preflight: takes a list"},
           {WithPreflight("[{\"message\": \"a\"}, \"b\"]"), "preflight[1].message: takes"},
           {WithPreflight("[{\"id\": \"company\"}]"), "preflight[0].message: takes"},
           {WithPreflight("[{\"message\": 3}]"), "preflight[0].message: takes"}}) {
    Write("series.json", text);
    EXPECT_THAT(ErrorOf({root_.string()}), AllOf(HasSubstr("series.json: "), HasSubstr(field)));
  }
}

TEST_F(Files, AnEmptyFolderAndOneNamedTwiceAreErrors) {
  EXPECT_THAT(ErrorOf({root_.string()}), HasSubstr("has no results"));
  WriteRun("a", MadeAt("2026-01-31T12:00:01Z"));
  EXPECT_THAT(ErrorOf({root_.string(), root_.string() + "/"}), HasSubstr("named twice"));
}

}  // namespace
}  // namespace ringecho::compare

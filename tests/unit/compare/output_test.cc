#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "absl/strings/str_split.h"
#include "compare/compare.h"
#include "compare/format.h"
#include "compare/json.h"
#include "compare/names.h"
#include "compare/tables.h"
#include "compare/text.h"
#include "simulated.h"

namespace ringecho::compare {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

size_t Longest(const std::string& text) {
  size_t longest = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    longest = std::max(longest, Width(std::string(line)));
  }
  return longest;
}

std::vector<Measurement> Grid(std::vector<int64_t> connections, std::vector<int64_t> depths,
                              int repeats) {
  std::vector<Measurement> out;
  for (int64_t count : connections) {
    for (int64_t depth : depths) {
      for (Measurement one : TwoEngines(repeats, 1.1)) {
        one.load->config.connections = count;
        one.load->config.depth = depth;
        out.push_back(one);
      }
    }
  }
  return out;
}

Comparison Compared(std::vector<Measurement> measurements, CompareOptions options = {}) {
  options.resamples = 50;
  auto comparison = Compare(std::move(measurements), options);
  EXPECT_TRUE(comparison.ok()) << comparison.status();
  return comparison.ok() ? *comparison : Comparison();
}

std::string Text(const Comparison& comparison) {
  return ToText(comparison, MetricTables(comparison));
}

TEST(Format, NumbersAreAsPeopleWriteThem) {
  EXPECT_EQ(FormatValue(Unit::kPerSecond, 102'322.4), "102,322");
  EXPECT_EQ(FormatValue(Unit::kNanoseconds, 12'340), "12.3 us");
  // As Python's formats round, by which a series has its table.
  EXPECT_EQ(FormatValue(Unit::kPerSecond, 37'184.5), "37,184");
  EXPECT_EQ(FormatValue(Unit::kNanoseconds, 7784.54), "7.78 us");
  EXPECT_EQ(FormatValue(Unit::kNanoseconds, 512), "512 ns");
  EXPECT_EQ(FormatValue(Unit::kNanoseconds, 2.5e9), "2.50 s");
  EXPECT_EQ(FormatValue(Unit::kBytes, 4096), "4.00 KiB");
  EXPECT_EQ(FormatValue(Unit::kRatio, 0.25234), "0.252");
  EXPECT_EQ(FormatValue(Unit::kRatio, NAN), "-");
  EXPECT_EQ(FormatChange(-0.0581), "-5.8%");
  EXPECT_EQ(FormatChange({.value = 0.05, .low = 0.01, .high = 0.1}), "+5.0% (+1.0 to +10.0)");
  EXPECT_EQ(FormatChange({.value = 0.05, .low = NAN, .high = NAN}), "+5.0%");
  EXPECT_EQ(FormatP(0.2344), "0.234");
  EXPECT_EQ(FormatP(0.00214), "0.0021");
  EXPECT_EQ(FormatP(1e-9), "<0.0001");
}

TEST(Wrap, BreaksAtSpacesAndLongWordsAnywhere) {
  EXPECT_EQ(Wrap("  one two three", 9, 4), "  one two\n    three");
  EXPECT_EQ(Wrap("abcdefghij", 4, 1), "abcd\n efg\n hij");
  EXPECT_EQ(Wrap("", 10, 2), "");
  // Between characters, of which a line holds as many whatever their bytes.
  EXPECT_EQ(Wrap("\u00e4\u00f6\u00fc\u20ac\U0001f600", 3, 1),
            "\u00e4\u00f6\u00fc\n \u20ac\U0001f600");
  EXPECT_EQ(Wrap("\u00e4\u00f6 \u00fc", 4, 1), "\u00e4\u00f6 \u00fc");
}

TEST(Text, SaysWhatWasComparedAndTheVerdict) {
  const std::string text = Text(Compared(Grid({64, 1000}, {1}, 5)));
  EXPECT_THAT(text, AllOf(HasSubstr("engine: epoll (base), io_uring"), HasSubstr("connections"),
                          HasSubstr("messages/s, higher is better"), HasSubstr("faster"),
                          HasSubstr("+10.0%"), HasSubstr("geometric mean")));
  // The geometric mean is the last table.
  EXPECT_GT(text.find("geometric mean"), text.find("not judged"));
}

TEST(Text, CountsASingleRepeat) {
  EXPECT_THAT(Text(Compared(Grid({64}, {1}, 1))), HasSubstr("1 repeat of each"));
  EXPECT_THAT(Text(Compared(Grid({64}, {1}, 2))), HasSubstr("2 repeats of each"));
}

TEST(Text, FitsAMail) {
  std::vector<Measurement> wide = Grid({64, 1000}, {1, 8}, 5);
  for (size_t i = 0; i < wide.size(); ++i) {
    wide[i].load->config.size_bytes = i % 4 < 2 ? 64 : 65536;
    for (auto* result : {&*wide[i].load, &*wide[i].server}) {
      result->host.environment.cpu.model = std::string(120, 'M');
    }
  }
  EXPECT_LE(Longest(Text(Compared(wide))), 80U);
  // Names of sides that are longer than a line.
  std::vector<Measurement> series;
  for (const char* name : {"a", "b", "c"}) {
    for (Measurement one : Grid({64, 1000}, {1, 8}, 4)) {
      one.series = std::string(100, *name) + "/" + name;
      series.push_back(one);
    }
  }
  EXPECT_LE(Longest(Text(Compared(series))), 80U);
}

// A comparison of series of these names, base first.
Comparison Named(const std::vector<std::string>& names) {
  std::vector<Measurement> series;
  for (const std::string& name : names) {
    for (Measurement one : Grid({64}, {1}, 4)) {
      one.series = name;
      series.push_back(one);
    }
  }
  return Compared(series);
}

TEST(Text, TellsSidesOfLongNamesApart) {
  const std::string begin = "bench_results/20261123T08";
  const std::string end = "-6.18.44-fc-v657-engines";
  const Comparison comparison =
      Named({begin + "1642Z" + end, begin + "2642Z" + end + "/", begin + "3642Z" + end});
  for (const std::string& text :
       {Text(comparison), ToMarkdown(comparison, MetricTables(comparison))}) {
    EXPECT_THAT(text, AllOf(HasSubstr("20261123T082642Z"), HasSubstr("20261123T083642Z")));
  }
  const Table overall = OverallTable(comparison);
  ASSERT_EQ(overall.rows.size(), 2U);
  EXPECT_NE(overall.rows[0][0], overall.rows[1][0]);
  EXPECT_LE(Longest(Text(comparison)), 80U);
}

TEST(Text, NumbersNamesThatCannotBeToldApart) {
  const std::string end = std::string(40, 'x');
  const Comparison comparison = Named({"a" + end, "b" + end, "c" + end});
  for (const std::string& text :
       {Text(comparison), ToMarkdown(comparison, MetricTables(comparison))}) {
    EXPECT_THAT(text, AllOf(HasSubstr("#2 is b" + end), HasSubstr("#3 is c" + end)));
  }
  EXPECT_THAT(OverallTable(comparison).rows[1][0], testing::StartsWith("#3 "));
  auto matrices = Matrices(comparison, "series", "engine");
  ASSERT_TRUE(matrices.ok()) << matrices.status();
  EXPECT_THAT(matrices->front().rows[2][0], testing::StartsWith("#3 "));
  EXPECT_THAT(ToText(comparison, *matrices), HasSubstr("#1 is a" + end));
}

TEST(Text, CutsDifferencesBetweenCharacters) {
  Comparison comparison;
  std::string euros;
  for (int i = 0; i < 30; ++i) euros += "\u20ac";
  comparison.differences = {{.key = "key", .values = {"x" + euros, "y"}, .expected = false}};
  EXPECT_THAT(DifferenceLines(comparison),
              ElementsAre("NOT EQUAL: key: x" + euros.substr(0, 57) + "... | y"));
}

TEST(Text, ListsWhatWasLeftOutAndWhatDiffers) {
  std::vector<Measurement> all = Grid({64}, {1}, 6);
  all[0].name = "bad-one";
  all[0].load->validity = {report::Verdict::kInvalid, {{"payload", false, 1, 0, "wrong bytes"}}};
  const std::string text = Text(Compared(all));
  EXPECT_THAT(text, AllOf(HasSubstr("left out: bad-one"), HasSubstr("wrong bytes"),
                          HasSubstr("as expected: features")));
}

TEST(Text, WhatAFileSaysReachesNoTerminal) {
  std::vector<Measurement> all = Grid({64}, {1}, 5);
  for (Measurement& one : all) {
    one.load->run.labels = {{"x", "\x1b[2J\n" + one.server->config.engine.name}};
    one.server->run.labels = one.load->run.labels;
  }
  CompareOptions options;
  options.vary = "label.x";
  options.force = true;
  const std::string text = Text(Compared(all, options));
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), HasSubstr("\\x1b")));
}

TEST(Markdown, IsATableWithoutForeignMarkup) {
  Comparison comparison = Compared(Grid({64, 1000}, {1}, 5));
  comparison.sides[1] = "<b>|`x`";
  comparison.notes.emplace_back("a\nb|c");
  const std::string text = ToMarkdown(comparison, MetricTables(comparison));
  EXPECT_THAT(text, AllOf(HasSubstr("| connections |"), HasSubstr("|---:|"),
                          HasSubstr("\\<b\\>\\|\\`x\\`"), HasSubstr("a b\\|c")));
  EXPECT_THAT(text, Not(HasSubstr("<b>")));
}

TEST(Json, HoldsEverythingAndNoNan) {
  std::vector<Measurement> all = Grid({64, 1000}, {1}, 1);  // one repeat: no intervals
  all[0].load->validity = {report::Verdict::kInvalid, {}};
  all.push_back(all[1]);
  all.back().load->run.id = "another";
  CompareOptions options;
  const Comparison comparison = Compared(all, options);
  const std::string text = ToJson(comparison);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["schema"], "ringecho.comparison");
  EXPECT_EQ(json["schema_version"], "1.1");
  EXPECT_EQ(json["sides"].size(), 2U);
  EXPECT_EQ(json["findings"].size(), comparison.findings.size());
  EXPECT_TRUE(json["findings"][0]["base"]["low"].is_null());
  EXPECT_EQ(json["findings"][0]["verdict"], "inconclusive");
  EXPECT_EQ(json["left_out"].size(), 1U);
  EXPECT_TRUE(json["findings"].back()["verdict"].is_null());  // not judged
  EXPECT_EQ(json["measurements"][1]["values"]["messages_per_s"], 100);
}

TEST(Json, NamesWhatOnlyTheBaseHas) {
  std::vector<Measurement> all = Grid({64, 1000}, {1}, 2);
  for (Measurement& one : all) {
    if (one.server->config.engine.name == "io_uring" && one.load->config.connections == 64) {
      one.load->validity = {report::Verdict::kInvalid, {}};
    }
  }
  const auto json = nlohmann::json::parse(ToJson(Compared(all)));
  ASSERT_EQ(json["lost"].size(), 1U);
  EXPECT_EQ(json["lost"][0], "connections 64: no results of io_uring, not compared");
}

TEST(Matrix, HoldsChangesOverTwoKeys) {
  CompareOptions options;
  options.axes = {"connections", "depth"};
  const Comparison comparison = Compared(Grid({1000, 64}, {8, 1}, 6), options);
  auto matrices = Matrices(comparison, "connections", "depth");
  ASSERT_TRUE(matrices.ok()) << matrices.status();
  const Table& rate = matrices->front();
  EXPECT_THAT(rate.title, HasSubstr("io_uring against epoll"));
  EXPECT_THAT(rate.headers, ElementsAre("connections \\ depth", "1", "8"));
  ASSERT_EQ(rate.rows.size(), 2U);
  EXPECT_THAT(rate.rows[0], ElementsAre("64", HasSubstr("+10.0%"), HasSubstr("+10.0%")));
  EXPECT_EQ(rate.rows[1][0], "1000");
}

TEST(Matrix, HoldsMediansWhereTheVariedKeyIsOneOfThem) {
  CompareOptions options;
  options.axes = {"connections", "engine"};
  const Comparison comparison = Compared(Grid({64, 1000}, {1}, 5), options);
  auto matrices = Matrices(comparison, "connections", "engine");
  ASSERT_TRUE(matrices.ok()) << matrices.status();
  EXPECT_THAT(matrices->front().headers, ElementsAre("connections \\ engine", "epoll", "io_uring"));
  EXPECT_THAT(matrices->front().rows[0], ElementsAre("64", "102", "112"));
}

TEST(Matrix, RefusesAThirdAxis) {
  CompareOptions options;
  options.axes = {"connections", "engine"};
  const Comparison comparison = Compared(Grid({64, 1000}, {1, 8}, 5), options);
  auto matrices = Matrices(comparison, "connections", "engine");
  EXPECT_THAT(std::string(matrices.status().message()),
              AllOf(HasSubstr("depth"), HasSubstr("1, 8"), HasSubstr("--filter")));
}

}  // namespace
}  // namespace ringecho::compare

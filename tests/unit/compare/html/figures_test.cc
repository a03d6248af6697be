// The charts' data, and their tables and JSON.
#include "compare/html/figures.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "html_fixture.h"

namespace ringecho::compare::html {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

std::vector<std::string> Labels(const Figure& figure) {
  std::vector<std::string> labels;
  for (const Chart& chart : figure.charts) labels.push_back(chart.label);
  return labels;
}

std::vector<std::string> Names(const Chart& chart) {
  std::vector<std::string> names;
  for (const Series& series : chart.series) names.push_back(series.name);
  return names;
}

std::vector<double> Xs(const Series& series) {
  std::vector<double> xs;
  for (const Point& point : series.points) xs.push_back(point.x);
  return xs;
}

const Finding& FindingOf(const Comparison& comparison, size_t cell, std::string_view metric) {
  return *std::find_if(
      comparison.findings.begin(), comparison.findings.end(), [&](const Finding& finding) {
        return finding.cell == cell && comparison.metrics[finding.metric].id == metric;
      });
}

TEST(ScalingFigure, HasALinePerSideAlongTheConnections) {
  const Comparison comparison = EnginesFixture();
  const Figure figure = ScalingFigure(comparison, "messages_per_s", "throughput");
  EXPECT_EQ(figure.title, "messages/s against connections");
  ASSERT_THAT(figure.charts, SizeIs(1));
  ASSERT_THAT(Names(figure.charts[0]), ElementsAre("epoll", "io_uring"));
  EXPECT_THAT(Xs(figure.charts[0].series[0]), ElementsAre(1, 64, 1000, 10000));
  const Finding& finding = FindingOf(comparison, 3, "messages_per_s");
  const Point& base = figure.charts[0].series[0].points[3];
  EXPECT_EQ(base.y, finding.base.value);
  const Point& other = figure.charts[0].series[1].points[3];
  EXPECT_EQ(other.y, finding.median.value);
  EXPECT_EQ(other.low, finding.median.low);
  EXPECT_EQ(other.high, finding.median.high);
}

TEST(ScalingFigure, HasAChartForEachValueOfTheOtherAxes) {
  Comparison comparison = EnginesFixture();
  comparison.axes.push_back("depth");
  for (size_t cell = 0; cell < 4; ++cell) {
    comparison.cells[cell].values.push_back(cell < 2 ? "1" : "16");
  }
  EXPECT_THAT(Labels(ScalingFigure(comparison, "messages_per_s", "throughput")),
              ElementsAre("depth 1", "depth 16"));
}

TEST(ScalingFigure, StandsPerCellWhereNoNumberVaries) {
  Comparison comparison = EnginesFixture();
  comparison.axes = {"label.place"};
  const Figure figure = ScalingFigure(comparison, "messages_per_s", "throughput");
  ASSERT_THAT(figure.charts, SizeIs(1));
  EXPECT_EQ(figure.title, "messages/s");
  EXPECT_EQ(figure.charts[0].x.scale, Scale::kCategory);
  EXPECT_THAT(figure.charts[0].categories, SizeIs(4));
}

TEST(ScalingFigure, ShowsASideThatCouldNotBeComparedWithoutAnInterval) {
  Comparison comparison = EnginesFixture();
  comparison.cells[3].by_side[0].clear();
  std::erase_if(comparison.findings, [](const Finding& finding) { return finding.cell == 3; });
  const Figure figure = ScalingFigure(comparison, "messages_per_s", "throughput");
  EXPECT_THAT(figure.charts[0].series[0].points, SizeIs(3));
  ASSERT_THAT(figure.charts[0].series[1].points, SizeIs(4));
  EXPECT_GT(figure.charts[0].series[1].points[3].y, 0);
  EXPECT_TRUE(std::isnan(figure.charts[0].series[1].points[3].low));
}

TEST(ScalingFigure, IsAbsentWithoutItsMetric) {
  EXPECT_THAT(ScalingFigure(OpenLoopFixture(), "server_cpu_ns_per_message", "cpu").charts,
              IsEmpty());
}

TEST(OfferedLoadFigure, HasP50AndP99OfOpenLoops) {
  const Figure figure = OfferedLoadFigure(OpenLoopFixture());
  ASSERT_THAT(Labels(figure), ElementsAre("size 64 B", "size 4,096 B"));
  ASSERT_THAT(figure.charts[0].series, SizeIs(6));
  EXPECT_EQ(figure.charts[0].series[0].name, "6.1.140, p50");
  EXPECT_TRUE(figure.charts[0].series[0].dashed);
  EXPECT_EQ(figure.charts[0].series[5].name, "6.12.30, p99");
  EXPECT_FALSE(figure.charts[0].series[5].dashed);
  EXPECT_THAT(Xs(figure.charts[0].series[0]), ElementsAre(10e3, 25e3, 50e3, 75e3, 120e3));
}

TEST(OfferedLoadFigure, MarksRatesThatWereNotReached) {
  const Figure figure = OfferedLoadFigure(OpenLoopFixture());
  for (const Series& series : figure.charts.at(0).series) {
    EXPECT_TRUE(series.points.back().hollow) << series.name;
    EXPECT_FALSE(series.points.front().hollow && series.points[1].hollow) << series.name;
  }
}

TEST(OfferedLoadFigure, IsAbsentForClosedLoopsAndASingleRate) {
  EXPECT_THAT(OfferedLoadFigure(EnginesFixture()).charts, IsEmpty());
  Comparison comparison = OpenLoopFixture();
  comparison.cells.resize(1);
  EXPECT_THAT(OfferedLoadFigure(comparison).charts, IsEmpty());
}

TEST(PercentileFigure, MergesTheHistogramsOfAllRepeats) {
  const Comparison comparison = EnginesFixture();
  const Figure figure = PercentileFigure(comparison);
  ASSERT_THAT(figure.charts, SizeIs(4));
  ASSERT_THAT(figure.charts[2].series, SizeIs(2));
  const Series& curve = figure.charts[2].series[0];
  EXPECT_GT(curve.points.size(), 150U);
  EXPECT_LT(curve.points.size(), 250U);
  // Six repeats of 200,000 samples each tell apart up to one in 1,200,000.
  EXPECT_EQ(curve.points.front().x, 1);
  EXPECT_GT(curve.points.back().x, 1.1e6);
  EXPECT_LE(curve.points.back().x, 1.2e6);
  EXPECT_TRUE(std::is_sorted(curve.points.begin(), curve.points.end(),
                             [](const Point& a, const Point& b) { return a.y < b.y; }));
  // The median of all is within those of the repeats.
  const auto median = std::find_if(curve.points.begin(), curve.points.end(),
                                   [](const Point& point) { return point.x == 2; });
  ASSERT_NE(median, curve.points.end());
  const Finding& finding = FindingOf(comparison, 2, "p50_ns");
  EXPECT_GE(median->y, finding.base.low);
  EXPECT_LE(median->y, finding.base.high);
}

TEST(PercentileFigure, SaysHowManyRunsHadNoUsableHistogram) {
  Comparison comparison = EnginesFixture();
  const size_t first = comparison.cells[0].by_side[0][0];
  comparison.measurements[first].load->latency->response->hdr_v2 = "no histogram";
  EXPECT_THAT(Names(PercentileFigure(comparison).charts[0]),
              ElementsAre("epoll (5 of 6 runs)", "io_uring"));
}

TEST(OverTimeFigures, HaveALinePerRepeatAndShadeTheWarmUp) {
  const Figure figure = RateOverTimeFigure(EnginesFixture());
  ASSERT_THAT(figure.charts, SizeIs(4));
  const Chart& chart = figure.charts[1];
  EXPECT_EQ(chart.label, "64 connections");
  ASSERT_THAT(chart.series, SizeIs(12));
  EXPECT_EQ(chart.series[6].name, "io_uring 1");
  EXPECT_EQ(chart.series[0].points.front().x, -1.5);
  EXPECT_EQ(chart.series[0].points.back().x, 9.5);
  ASSERT_THAT(chart.bands, SizeIs(1));
  EXPECT_EQ(chart.bands[0].from, -2);
  EXPECT_EQ(chart.bands[0].to, 0);
  EXPECT_THAT(LatencyOverTimeFigure(EnginesFixture()).charts[1].series, SizeIs(12));
}

TEST(OverTimeFigures, AreASentenceWhereEveryRunHasASingleInterval) {
  const Comparison comparison = ShortRunsFixture(1, 4);
  EXPECT_THAT(RateOverTimeFigure(comparison).charts, IsEmpty());
  EXPECT_THAT(RateOverTimeFigure(comparison).instead, HasSubstr("too short for a time series"));
  // Said once.
  EXPECT_THAT(LatencyOverTimeFigure(comparison).charts, IsEmpty());
  EXPECT_THAT(LatencyOverTimeFigure(comparison).instead, IsEmpty());
}

TEST(OverTimeFigures, CountTheIntervalsOfTheMeasurementAlone) {
  Comparison comparison = ShortRunsFixture(1, 4);
  for (Measurement& measurement : comparison.measurements) {
    report::Interval warm = measurement.load->intervals.front();
    warm.t_start_ns -= 1'000'000'000;
    warm.t_end_ns -= 1'000'000'000;
    measurement.load->intervals.insert(measurement.load->intervals.begin(), warm);
  }
  EXPECT_THAT(RateOverTimeFigure(comparison).charts, IsEmpty());
}

TEST(OverTimeFigures, StandWhereOneRunIsLongEnough) {
  EXPECT_THAT(RateOverTimeFigure(ShortRunsFixture(1, 3)).charts, SizeIs(4));
  EXPECT_THAT(RateOverTimeFigure(ShortRunsFixture(2, 4)).charts, SizeIs(4));
  EXPECT_THAT(RateOverTimeFigure(ShortRunsFixture(2, 4)).instead, IsEmpty());
}

TEST(OverTimeFigures, JoinTheIntervalsOfLongRuns) {
  Comparison comparison = EnginesFixture();
  auto& intervals = comparison.measurements[0].load->intervals;
  intervals.clear();
  for (int64_t second = 3; second < 1003; ++second) {
    intervals.push_back({second * 1'000'000'000,
                         (second + 1) * 1'000'000'000,
                         50 + second % 2,
                         0,
                         0,
                         1,
                         0,
                         {},
                         {},
                         second == 500 ? 9'000 : 1'000});
  }
  const Series rate = RateOverTimeFigure(comparison).charts[0].series[0];
  EXPECT_LE(rate.points.size(), 150U);
  EXPECT_NEAR(rate.points[3].y, 50.5, 0.1);  // of all, not of one
  const Series p99 = LatencyOverTimeFigure(comparison).charts[0].series[0];
  const auto higher = [](const Point& a, const Point& b) { return a.y < b.y; };
  EXPECT_EQ(std::max_element(p99.points.begin(), p99.points.end(), higher)->y, 9000);
}

TEST(RepeatsFigure, HasADotPerRunRelativeToTheBase) {
  const Comparison comparison = EnginesFixture();
  const Figure figure = RepeatsFigure(comparison);
  ASSERT_THAT(Labels(figure), ElementsAre("messages/s", "server CPU/msg", "p50", "p99"));
  const Chart& chart = figure.charts[0];
  EXPECT_THAT(chart.categories, ElementsAre("1 connection", "64 connections", "1,000 connections",
                                            "10,000 connections"));
  ASSERT_THAT(chart.series[1].points, SizeIs(24));
  const Finding& finding = FindingOf(comparison, 0, "messages_per_s");
  const double value = *ValueOf(comparison.measurements[1], comparison.metrics[0]);
  EXPECT_DOUBLE_EQ(chart.series[1].points[0].y, value / finding.base.value - 1);
  EXPECT_EQ(chart.series[1].points[0].text, Format(value, Quantity::kPerSecond));
  for (size_t i = 0; i < 24; ++i) {
    EXPECT_EQ(chart.series[0].points[i].hollow, i % 6 == 4) << i;
    EXPECT_FALSE(chart.series[1].points[i].hollow) << i;
  }
}

TEST(FloorFigure, DividesByTheFloorOfTheNearestCase) {
  Comparison comparison = EnginesFixture();
  for (Measurement& measurement : comparison.measurements) {
    if (!measurement.server) continue;
    measurement.server->calibration->loopback_echo_floor = {
        {1, 64, 5000}, {1000, 64, 8000}, {1000, 4096, 20'000}};
  }
  const Chart chart = FloorFigure(comparison).charts.at(0);
  ASSERT_THAT(Names(chart), ElementsAre("epoll", "io_uring"));
  const auto cost = [&](size_t cell) {
    return FindingOf(comparison, cell, "server_cpu_ns_per_message").base.value;
  };
  EXPECT_DOUBLE_EQ(chart.series[0].points[0].y, cost(0) / 5000);
  EXPECT_DOUBLE_EQ(chart.series[0].points[1].y, cost(1) / 8000);  // 64: nearer to 1,000 than to 1
  EXPECT_DOUBLE_EQ(chart.series[0].points[3].y, cost(3) / 8000);
  EXPECT_THAT(chart.series[0].points[0].text, HasSubstr("/ 5.00 us)"));
}

TEST(FloorFigure, TakesTheLoadGeneratorsWhereTheServerHasNone) {
  Comparison comparison = EnginesFixture();
  for (Measurement& measurement : comparison.measurements) {
    measurement.load->calibration = measurement.server->calibration;
    measurement.server->calibration->loopback_echo_floor.clear();
  }
  EXPECT_THAT(FloorFigure(comparison).charts, SizeIs(1));
}

TEST(FloorFigure, IsAbsentWithoutCalibration) {
  Comparison comparison = EnginesFixture();
  for (Measurement& measurement : comparison.measurements) measurement.server->calibration.reset();
  EXPECT_THAT(FloorFigure(comparison).charts, IsEmpty());
}

TEST(EpollFigure, ComparesTheOtherSidesOfACell) {
  const Comparison comparison = EnginesFixture();
  const Chart chart = EpollFigure(comparison).charts.at(0);
  ASSERT_THAT(Names(chart), ElementsAre("io_uring"));
  const Finding& finding = FindingOf(comparison, 2, "server_cpu_ns_per_message");
  EXPECT_DOUBLE_EQ(chart.series[0].points[2].y, finding.median.value / finding.base.value);
}

TEST(EpollFigure, FindsTheCellThatDiffersInTheEngineAlone) {
  Comparison comparison = EnginesFixture();
  comparison.axes = {"connections", "engine"};
  comparison.cells.resize(2);
  comparison.cells[0].values = {"1", "epoll"};
  comparison.cells[1].values = {"1", "io_uring"};
  for (const size_t index : comparison.cells[0].by_side[1]) {
    comparison.measurements[index].server->config.engine.name = "epoll";
  }
  for (const size_t index : comparison.cells[1].by_side[0]) {
    comparison.measurements[index].server->config.engine.name = "io_uring";
  }
  const Chart chart = EpollFigure(comparison).charts.at(0);
  ASSERT_THAT(chart.series, SizeIs(2));
  EXPECT_THAT(Xs(chart.series[0]), ElementsAre(1));
  EXPECT_THAT(Xs(chart.series[1]), ElementsAre(1));
}

TEST(EpollFigure, IsAbsentWithoutEpoll) {
  Comparison comparison = EnginesFixture();
  for (Measurement& measurement : comparison.measurements) {
    measurement.server->config.engine.name = "io_uring";
  }
  EXPECT_THAT(EpollFigure(comparison).charts, IsEmpty());
}

TEST(ManySides, ArePutBelowOneAnotherInsteadOfColoured) {
  const Comparison comparison = ManySidesFixture(1);
  for (const Figure& figure :
       {ScalingFigure(comparison, "messages_per_s", "throughput"), FloorFigure(comparison)}) {
    ASSERT_THAT(figure.charts, SizeIs(1)) << figure.id;
    const Chart& chart = figure.charts[0];
    EXPECT_TRUE(chart.sideways);
    EXPECT_EQ(chart.categories, comparison.sides);
    ASSERT_THAT(chart.series, SizeIs(1));
    EXPECT_THAT(chart.series[0].points, SizeIs(16));
  }
  const Chart rate = ScalingFigure(comparison, "messages_per_s", "throughput").charts[0];
  const Finding& finding = FindingOf(comparison, 0, "messages_per_s");
  EXPECT_EQ(rate.reference, finding.base.value);
  EXPECT_EQ(rate.reference_label, "epoll");
  EXPECT_EQ(rate.series[0].points[1].low, finding.median.low);
}

TEST(ManySides, HaveAChartPerCell) {
  const Comparison comparison = ManySidesFixture(2);
  const Figure epoll = EpollFigure(comparison);
  EXPECT_THAT(Labels(epoll), ElementsAre("64 connections", "1,000 connections"));
  EXPECT_THAT(epoll.charts[1].categories, SizeIs(15));  // without epoll itself
  EXPECT_EQ(epoll.charts[1].categories[0], "set 1");
  EXPECT_EQ(epoll.charts[1].reference, 1);
  const Figure repeats = RepeatsFigure(comparison);
  ASSERT_THAT(repeats.charts, SizeIs(8));
  EXPECT_EQ(repeats.charts[1].label, "messages/s, 1,000 connections");
  EXPECT_THAT(repeats.charts[1].series[0].points, SizeIs(80));
  // Lines stay lines.
  const Figure scaling = ScalingFigure(comparison, "messages_per_s", "throughput");
  EXPECT_FALSE(scaling.charts.at(0).sideways);
  EXPECT_THAT(scaling.charts[0].series, SizeIs(16));
}

TEST(ManySides, LeaveColoursToTheBaseAndThoseThatDifferMost) {
  std::vector<std::optional<size_t>> expected(16);
  expected[0] = 0;
  for (size_t side = 10; side < 16; ++side) expected[side] = side - 9;
  EXPECT_EQ(ColorsOf(ManySidesFixture(2)), expected);
  EXPECT_THAT(ColorsOf(OpenLoopFixture()), ElementsAre(0, 1, 2));
  EXPECT_THAT(ColorsOf(Comparison()), IsEmpty());
}

Figure SmallFigure() {
  Figure figure;
  figure.id = "small";
  figure.title = "A <title>";
  figure.caption = "A <caption>";
  figure.choice = "Show";
  Chart chart;
  chart.label = "one";
  chart.x = {"connections", Scale::kLog, Quantity::kCount};
  chart.y = {"rate", Scale::kLinear, Quantity::kPerSecond};
  chart.series = {{"a</script>", 0, false, {{10, 1000, 900, 1100, false, ""}}},
                  {"b",
                   1,
                   false,
                   {{1, 5, kNan, kNan, true, ""},
                    {10, kNan, kNan, kNan, false, ""},
                    {10, 7, kNan, kNan, false, "seven"}}}};
  figure.charts = {chart};
  return figure;
}

TEST(FigureHtml, HasEveryNumberInItsTable) {
  const std::string html = FigureHtml(SmallFigure(), true);
  EXPECT_THAT(html, HasSubstr("<tr><th scope=\"row\">1</th><td class=\"number\">-</td>"
                              "<td class=\"number\">5*</td></tr>\n"
                              "<tr><th scope=\"row\">10</th>"
                              "<td class=\"number\">1,000 (900 to 1,100)</td>"
                              "<td class=\"number\">-, seven</td></tr>"));
  EXPECT_THAT(html, HasSubstr("<th scope=\"col\" class=\"number\">a&lt;/script&gt;</th>"));
  EXPECT_THAT(html, HasSubstr("A &lt;caption&gt;"));
  EXPECT_THAT(html, HasSubstr("<canvas role=\"img\" aria-label="));
  EXPECT_THAT(html, Not(HasSubstr("<select>")));  // nothing to choose
}

TEST(FigureHtml, OpensItsTablesWhereThereIsNoChart) {
  const std::string html = FigureHtml(SmallFigure(), false);
  EXPECT_THAT(html, HasSubstr("<details open>"));
  EXPECT_THAT(html, Not(HasSubstr("<canvas")));
  EXPECT_THAT(html, Not(HasSubstr("<button")));
}

TEST(FigureHtml, OffersAChoiceOfSeveralCharts) {
  Figure figure = SmallFigure();
  figure.charts.push_back(figure.charts[0]);
  figure.charts[1].label = "two";
  EXPECT_THAT(FigureHtml(figure, true),
              HasSubstr("<select><option>one</option><option>two</option></select>"));
}

TEST(FigureHtml, IsItsSentenceWhereThereAreNoCharts) {
  Figure figure = SmallFigure();
  figure.charts.clear();
  figure.instead = "Nothing <here>.";
  EXPECT_EQ(FigureHtml(figure, true), "<p>Nothing &lt;here&gt;.</p>\n");
  EXPECT_THAT(FiguresJson({figure}, {"a"}, {0}), HasSubstr("\"figures\":[]"));
}

TEST(FiguresJson, CannotEndItsScriptElementAndKeepsTheValues) {
  const std::string text =
      FiguresJson({SmallFigure()}, {"a</script>", "b<!--\xff"}, {0, std::nullopt});
  EXPECT_THAT(text, Not(HasSubstr("<")));
  const nlohmann::json json = nlohmann::json::parse(text);
  EXPECT_EQ(json["sides"][0], "a</script>");
  EXPECT_EQ(json["sides"][1], "b<!--\ufffd");
  const auto& series = json["figures"][0]["charts"][0]["series"];
  EXPECT_EQ(series[0]["name"], "a</script>");
  EXPECT_EQ(series[0]["points"][0], (nlohmann::json{10, 1000, 900, 1100}));
  EXPECT_EQ(series[1]["points"][0], (nlohmann::json{1, 5, nullptr, nullptr, 1}));
  EXPECT_EQ(series[1]["points"][1], (nlohmann::json{10, nullptr}));
  EXPECT_EQ(series[1]["points"][2], (nlohmann::json{10, 7, nullptr, nullptr, 0, "seven"}));
}

}  // namespace
}  // namespace ringecho::compare::html

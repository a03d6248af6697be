// The page as a whole: what stands in it, in which order, and what never does.
#include "compare/html/page.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "compare/html/html.h"
#include "compare/html/tables.h"
#include "compare/html/view.h"
#include "gmock/gmock.h"
#include "html_fixture.h"

namespace ringecho::compare {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string TablesOnly(const Comparison& comparison) {
  return html::Page(comparison, html::Embedded());
}

// A stand-in, so that pages with charts are tested whether the build found a copy or not.
std::string WithCharts(const Comparison& comparison) {
  static constexpr std::string_view kChunks[] = {"/* Chart */", "'use strict';"};
  return html::Page(comparison, {kChunks, "aGFzaA=="});
}

std::vector<std::string> SectionIds(const std::string& page) {
  constexpr std::string_view kStart = "<section id=\"";
  std::vector<std::string> ids;
  for (size_t at = page.find(kStart); at != std::string::npos; at = page.find(kStart, at + 1)) {
    const size_t begin = at + kStart.size();
    ids.push_back(page.substr(begin, page.find('"', begin) - begin));
  }
  return ids;
}

size_t Count(const std::string& text, std::string_view wanted) {
  size_t count = 0;
  for (size_t at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) {
    ++count;
  }
  return count;
}

TEST(HtmlPage, HasItsSectionsInOrder) {
  EXPECT_THAT(
      SectionIds(WithCharts(EnginesFixture())),
      testing::ElementsAre("verdicts", "trust", "scaling", "latency", "time", "spread", "price"));
}

TEST(HtmlPage, LeavesOutWhatDoesNotApply) {
  EXPECT_THAT(
      SectionIds(WithCharts(OpenLoopFixture())),
      testing::ElementsAre("verdicts", "trust", "scaling", "load", "latency", "time", "spread"));
  EXPECT_THAT(SectionIds(WithCharts(Comparison())), testing::ElementsAre("verdicts", "trust"));
}

TEST(HtmlPage, SaysWhyThereIsNoTimeSeries) {
  const std::string page = WithCharts(ShortRunsFixture(1, 4));
  EXPECT_THAT(page, HasSubstr("<p>The runs are too short for a time series: each has a single "
                              "interval."));
  EXPECT_THAT(page, Not(HasSubstr("rate-over-time")));
}

TEST(HtmlPage, AnswersFirst) {
  const std::string page = TablesOnly(EnginesFixture());
  EXPECT_THAT(page, HasSubstr("<h1>io_uring against epoll</h1>"));
  EXPECT_THAT(html::Answer(EnginesFixture()),
              HasSubstr("<strong>io_uring</strong> against epoll: messages/s <span class=\"verdict "
                        "faster\">faster</span> in 2"));
  EXPECT_THAT(html::Answer(Comparison()), HasSubstr("nothing to judge"));
}

TEST(HtmlPage, AnswersInWordsThatNeedNoExplanation) {
  const std::string answer = html::Answer(EnginesFixture());
  EXPECT_THAT(answer, HasSubstr("<span class=\"verdict same\">no difference told</span> in 1 of 4 "
                                "(geometric mean +"));
  EXPECT_THAT(answer, Not(HasSubstr("~")));
}

TEST(HtmlPage, AnswersForManySidesInOneSentence) {
  Comparison comparison = ManySidesFixture(1);
  for (Finding& finding : comparison.findings) {
    finding.judgement = Judgement::kSlower;
    if (finding.side == 2) finding.judgement = Judgement::kSame;
    if (finding.side == 3) finding.judgement = Judgement::kInconclusive;
    if (finding.side == 4 && finding.metric == 0) finding.judgement = Judgement::kFaster;
    if (finding.side == 5) finding.judgement = Judgement::kFaster;
  }
  const std::string answer = html::Answer(comparison);
  EXPECT_EQ(Count(answer, "<p"), 1U);
  EXPECT_THAT(answer, HasSubstr("<strong>15</strong> compared with epoll: 1 <span class=\"verdict "
                                "faster\">faster</span> in something: set 5 ("));
  EXPECT_THAT(
      answer,
      HasSubstr("; 11 <span class=\"verdict slower\">slower</span> in something, most of all "));
  EXPECT_THAT(answer, HasSubstr("; 1 faster in one thing and slower in another: set 4 ("));
  EXPECT_THAT(answer, HasSubstr("no difference told</span>: set 2; "));
  EXPECT_THAT(answer, HasSubstr("inconclusive</span>: set 3.</p>"));
  EXPECT_EQ(Count(answer, "set "), 7U);
  for (Finding& finding : comparison.findings) finding.judgement = Judgement::kSame;
  EXPECT_THAT(html::Answer(comparison), HasSubstr("15 <span class=\"verdict same\">no difference "
                                                  "told</span>.</p>"));
}

TEST(HtmlVerdictTable, NamesTheSidesAloneWhereThereIsOneCell) {
  const std::string table = html::VerdictTables(ManySidesFixture(1));
  EXPECT_THAT(table, HasSubstr("<th scope=\"row\">set 1</th><td class=\"number\">"));
  EXPECT_THAT(table, Not(HasSubstr("all runs")));
  EXPECT_THAT(html::VerdictTables(ManySidesFixture(2)), HasSubstr("<td>set 1</td>"));
}

TEST(HtmlVerdictTable, HasBaseNewChangeIntervalAndWord) {
  Comparison comparison;
  comparison.vary = "engine";
  comparison.sides = {"epoll", "io_uring"};
  comparison.axes = {"connections"};
  comparison.metrics = {{"messages_per_s", "messages/s", Unit::kPerSecond, Better::kHigher, true},
                        {"p50_ns", "p50", Unit::kNanoseconds, Better::kLower, false}};
  comparison.cells = {{{"10000"}, {{}, {}}}};
  comparison.findings = {{0,
                          1,
                          0,
                          6,
                          5,
                          {92795, 90000, 95000},
                          {102322, 101000, 104000},
                          {0.1027, 0.07, 0.13},
                          0.004,
                          0.016,
                          Judgement::kFaster,
                          "a note"},
                         {0,
                          1,
                          1,
                          6,
                          5,
                          {108e6, html::kNan, html::kNan},
                          {99e6, html::kNan, html::kNan},
                          {-0.083, html::kNan, html::kNan},
                          1,
                          1,
                          Judgement::kInconclusive,
                          ""}};
  comparison.overall = {{1, 0, 1, 1.1027}};
  const std::string table = html::VerdictTables(comparison);
  EXPECT_THAT(table, HasSubstr("<th scope=\"row\">10,000</th>"));
  EXPECT_THAT(table, HasSubstr("92,795<small>90,000 to 95,000, n=6</small>"));
  EXPECT_THAT(table, HasSubstr("102,322<small>101,000 to 104,000, n=5</small>"));
  EXPECT_THAT(table, HasSubstr("+10.3%<small>+7.0% to +13.0%</small>"));
  EXPECT_THAT(table, HasSubstr("<span class=\"verdict faster\">faster</span><small>p = 0.016; "
                               "a note</small>"));
  EXPECT_THAT(table, HasSubstr("108 ms<small>n=6</small>"));
  const size_t further = table.find("<details><summary>Further metrics");
  EXPECT_LT(table.find("102,322"), further);
  EXPECT_GT(table.find("108 ms"), further);
  EXPECT_THAT(table.substr(further), Not(HasSubstr("<span class=\"verdict")));
  EXPECT_THAT(table, Not(HasSubstr("geometric mean")));  // of one cell
  EXPECT_THAT(html::Answer(comparison),
              HasSubstr("messages/s <span class=\"verdict faster\">faster</span> (+10.3%).</p>"));
}

TEST(HtmlVerdictTable, NamesTheSideWhereThereAreSeveral) {
  const std::string table = html::VerdictTables(OpenLoopFixture());
  EXPECT_THAT(table, HasSubstr("<td>6.6.92</td>"));
  EXPECT_THAT(table, HasSubstr("geometric mean of 6.12.30, 10 cells"));
  EXPECT_THAT(table, HasSubstr("inconclusive</span><small>p = 0.026; takes 4 repeats or more"));
  // Ten cells, two sides, three metrics that have values.
  EXPECT_EQ(Count(table, "<span class=\"verdict "), 40U);
  EXPECT_EQ(Count(table, "<td class=\"number change\">"), 60U + 6U);
}

TEST(HtmlContext, TellsDifferencesAndWhatMayBeBelieved) {
  const Comparison comparison = EnginesFixture();
  const std::string differences = html::DifferenceTable(comparison);
  EXPECT_THAT(differences, HasSubstr("in spite of the differences"));
  EXPECT_THAT(differences, HasSubstr("net.core.somaxconn</th><td class=\"prose\">4096</td>"
                                     "<td class=\"prose\">1024</td><td><span class=\"badge "
                                     "suspect\">unexpected</span>"));
  const std::string validity = html::ValidityTables(comparison);
  const std::string trust = html::Trust(comparison);
  EXPECT_THAT(trust, HasSubstr(">44 valid<"));
  EXPECT_THAT(trust, HasSubstr(">4 suspect<"));
  EXPECT_THAT(trust, HasSubstr(">1 left out<"));
  EXPECT_THAT(validity, HasSubstr("<th scope=\"row\">steal</th><td class=\"number\">4</td>"
                                  "<td class=\"number\">0</td>"));
  EXPECT_THAT(validity, HasSubstr("interrupted after 3.1 s"));
  EXPECT_THAT(html::DifferenceTable(Comparison()), HasSubstr("differ in nothing"));
}

TEST(HtmlPage, HasItsNotesBesideTheBadgesAboveTheVerdicts) {
  Comparison comparison = EnginesFixture();
  comparison.notes = {"CPUs to be used were 93% busy", "noisy: <p99>"};
  EXPECT_THAT(html::Trust(comparison),
              HasSubstr(" left out</span></p>\n<ul class=\"notes\"><li>CPUs to be used were 93% "
                        "busy</li>\n<li>noisy: &lt;p99&gt;</li>\n</ul>"));
  const std::string page = TablesOnly(comparison);
  const size_t badges = page.find("class=\"badges\"");
  EXPECT_LT(page.find("class=\"answer\""), badges);
  EXPECT_LT(page.find("93% busy"), page.find("id=\"verdicts\""));
  EXPECT_EQ(Count(page, "93% busy"), 1U);
  comparison.notes.clear();
  EXPECT_THAT(html::Trust(comparison), Not(HasSubstr("<ul")));
}

TEST(HtmlContext, ShowsFirstWhatPeopleAskFirst) {
  Comparison comparison = EnginesFixture();
  comparison.common.emplace_back("server.idle_timeout_ns", "1500000000");
  const std::string list = html::CommonList(comparison);
  const size_t rest = list.find("<details>");
  EXPECT_LT(list.find("<dt>size</dt><dd>64 B</dd>"), rest);
  EXPECT_LT(list.find("<dt>kernel</dt><dd>6.12.30</dd>"), rest);
  EXPECT_GT(list.find("<dt>server idle timeout</dt><dd>1.50 s</dd>"), rest);
  EXPECT_THAT(html::CommonList(EnginesFixture()), Not(HasSubstr("<details>")));
}

TEST(HtmlContext, CountsACheckThatFailedOnBothEndsOnce) {
  Comparison comparison = EnginesFixture();
  for (Measurement& measurement : comparison.measurements) {
    measurement.server->validity = measurement.load->validity;
  }
  EXPECT_THAT(html::ValidityTables(comparison), HasSubstr("steal</th><td class=\"number\">4</td>"));
}

TEST(HtmlPage, ShowsTablesWithoutChartJs) {
  const std::string page = TablesOnly(EnginesFixture());
  EXPECT_THAT(page, HasSubstr("built without Chart.js"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<canvas")));
  EXPECT_THAT(page, Not(HasSubstr("script-src")));
  EXPECT_THAT(page, HasSubstr("<figure id=\"percentiles\""));
  EXPECT_THAT(page, HasSubstr("99.999%"));
}

TEST(HtmlPage, ForbidsWhatIsNotBuiltIn) {
  const std::string page = WithCharts(EnginesFixture());
  EXPECT_THAT(page, HasSubstr("content=\"default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(page, HasSubstr("script-src 'sha256-aGFzaA==' 'sha256-"));
  EXPECT_THAT(page, Not(HasSubstr("unsafe")));
  EXPECT_THAT(page, Not(HasSubstr("style=\"")));  // the policy would refuse it
}

TEST(HtmlPage, NamesNoOtherPlace) {
  for (const std::string& page : {WithCharts(EnginesFixture()), TablesOnly(OpenLoopFixture())}) {
    EXPECT_THAT(page, Not(HasSubstr("http:")));
    EXPECT_THAT(page, Not(HasSubstr("https:")));
    EXPECT_THAT(page, Not(HasSubstr("src=")));
    EXPECT_THAT(page, Not(HasSubstr("url(")));
    EXPECT_THAT(page, Not(HasSubstr("@import")));
    EXPECT_EQ(Count(page, "href="), Count(page, "href=\"#"));
  }
}

TEST(HtmlPage, LetsNothingFromAFileBecomeMarkup) {
  const std::string markup = "\"'><b>x</b></script><!--";
  const std::string page = WithCharts(HostileFixture(markup));
  EXPECT_THAT(page, Not(HasSubstr("<b>")));
  EXPECT_THAT(page, Not(HasSubstr("<!--")));
  EXPECT_EQ(Count(page, "</script>"), 4U);  // data, Chart.js, charts.js, page.js
  EXPECT_THAT(page, HasSubstr("&quot;&#39;&gt;&lt;b&gt;x&lt;/b&gt;&lt;/script&gt;&lt;!--"));
}

TEST(HtmlPage, LetsNoControlCharacterThroughFromAFile) {
  const std::string text = "\x1b]0;x\x07\x7f\u009b";
  const std::string page = WithCharts(HostileFixture(text));
  for (const std::string_view control : {"\x1b", "\x07", "\x7f", "\u009b"}) {
    EXPECT_EQ(Count(page, control), 0U) << static_cast<int>(control[0]);
  }
  EXPECT_THAT(page, HasSubstr("\ufffd]0;x\ufffd\ufffd\ufffd"));
}

TEST(HtmlPage, IsOfReasonableSize) {
  EXPECT_LT(ToHtml(EnginesFixture()).size(), 1'500'000U);
  EXPECT_LT(ToHtml(OpenLoopFixture()).size(), 1'500'000U);
}

TEST(HtmlPage, CarriesTheLicenceOfChartJs) {
  const std::string page = ToHtml(EnginesFixture());
  if (html::kChartJs.chunks.empty()) GTEST_SKIP() << "built without Chart.js";
  EXPECT_THAT(page, HasSubstr("Chart.js Contributors\n"));
  EXPECT_THAT(page, HasSubstr("The above copyright notice and this permission notice"));
}

}  // namespace
}  // namespace ringecho::compare

#include "compare/html/format.h"

#include <cmath>

#include "compare/html/view.h"
#include "gtest/gtest.h"

namespace ringecho::compare::html {
namespace {

TEST(HtmlFormat, WritesEachQuantityAsPeopleReadIt) {
  EXPECT_EQ(Format(96411.4, Quantity::kPerSecond), "96,411");
  EXPECT_EQ(Format(12.345, Quantity::kPerSecond), "12.3");
  EXPECT_EQ(Format(8824.6, Quantity::kNanoseconds), "8.82 us");
  EXPECT_EQ(Format(4096, Quantity::kBytes), "4.00 KiB");
  EXPECT_EQ(Format(10000, Quantity::kCount), "10,000");
  EXPECT_EQ(Format(0.25, Quantity::kCount), "0.25");
  EXPECT_EQ(Format(-0.5, Quantity::kSeconds), "-0.5 s");
  EXPECT_EQ(Format(1.084, Quantity::kTimes), "1.08 \u00d7");
  EXPECT_EQ(Format(12.34, Quantity::kTimes), "12.3 \u00d7");
}

TEST(HtmlFormat, GivesChangesTheirSign) {
  EXPECT_EQ(Format(0.062, Quantity::kChange), "+6.2%");
  EXPECT_EQ(Format(-0.031, Quantity::kChange), "\u22123.1%");
  EXPECT_EQ(Format(-0.0002, Quantity::kChange), "0.0%");
  EXPECT_EQ(Format(12.5, Quantity::kChange), "+1,250%");
}

TEST(HtmlFormat, NamesPercentilesByTheirTail) {
  EXPECT_EQ(Format(1, Quantity::kTail), "0%");
  EXPECT_EQ(Format(2, Quantity::kTail), "50%");
  EXPECT_EQ(Format(10, Quantity::kTail), "90%");
  EXPECT_EQ(Format(1000, Quantity::kTail), "99.9%");
  EXPECT_EQ(Format(1e5, Quantity::kTail), "99.999%");
}

TEST(HtmlFormat, HasADashForWhatIsNoNumber) {
  for (const Quantity quantity : {Quantity::kPerSecond, Quantity::kNanoseconds, Quantity::kBytes,
                                  Quantity::kCount, Quantity::kChange, Quantity::kTail}) {
    EXPECT_EQ(Format(kNan, quantity), "-");
    EXPECT_EQ(Format(INFINITY, quantity), "-");
  }
  EXPECT_EQ(Format(1e300, Quantity::kNanoseconds), "-");
  EXPECT_EQ(Format(1e300, Quantity::kCount), "1e+300");
  EXPECT_EQ(Format(0.5, Quantity::kTail), "-");
}

TEST(HtmlFormat, LeavesAnIntervalOutWhenThereIsNone) {
  EXPECT_EQ(FormatRange(0.01, 0.112, Quantity::kChange), "+1.0% to +11.2%");
  EXPECT_EQ(FormatRange(kNan, kNan, Quantity::kChange), "");
}

TEST(HtmlFormat, EscapesEverythingThatIsMarkup) {
  EXPECT_EQ(Escape("<a href=\"x\">'&amp;'</a>"),
            "&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;&#39;&lt;/a&gt;");
  EXPECT_EQ(OpenScroll("a\"b").find("a\"b"), std::string::npos);
}

TEST(HtmlFormat, LetsNoControlCharacterThrough) {
  EXPECT_EQ(Escape("a\x1b[31mb\x07"), "a\ufffd[31mb\ufffd");
  EXPECT_EQ(Escape(std::string_view("\0\x7f", 2)), "\ufffd\ufffd");
  EXPECT_EQ(Escape("\u009b2J\u0085"), "\ufffd2J\ufffd");
  EXPECT_EQ(Escape("tab\tline\n\u00a0\u00e9 \xc2"), "tab\tline\n\u00a0\u00e9 \xc2");
}

TEST(HtmlView, WritesAxisValuesForPeople) {
  EXPECT_EQ(AxisValue("connections", "10000"), "10,000");
  EXPECT_EQ(AxisValue("size_bytes", "4096"), "4,096 B");
  EXPECT_EQ(AxisValue("duration_ns", "5000000000"), "5.00 s");
  EXPECT_EQ(AxisValue("server.cpus", "0,2-3"), "0,2-3");
  EXPECT_EQ(AxisTitle("size_bytes"), "size");
  EXPECT_EQ(AxisTitle("label.note"), "label.note");
  EXPECT_EQ(AxisValue("mode", "closed"), "closed loop");
  Comparison comparison;
  comparison.axes = {"mode", "threads"};
  EXPECT_EQ(CellLabel(comparison, {{"open", "2"}, {}}), "open loop, load generator threads 2");
}

TEST(HtmlView, SaysOfWhichEndAKeyIs) {
  EXPECT_EQ(AxisTitle("threads"), "load generator threads");
  EXPECT_EQ(AxisTitle("cpus"), "load generator cpus");
  EXPECT_EQ(AxisTitle("wait"), "load generator wait");
  EXPECT_EQ(AxisTitle("loader_engine"), "load generator engine");
  EXPECT_EQ(AxisTitle("server.threads"), "server threads");
  EXPECT_EQ(AxisTitle("engine"), "server engine");
  EXPECT_EQ(AxisTitle("connections"), "connections");
}

TEST(HtmlView, TakesTheMedian) {
  EXPECT_EQ(Median({3, 1, 2}), 2);
  EXPECT_EQ(Median({4, 1, 2, 3}), 2.5);
  EXPECT_TRUE(std::isnan(Median({})));
}

}  // namespace
}  // namespace ringecho::compare::html

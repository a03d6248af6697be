// A chart as plain data, and its three forms: JSON for charts.js, a table for everybody, and the
// figure of the page that has both.
#ifndef RINGECHO_COMPARE_HTML_CHART_H_
#define RINGECHO_COMPARE_HTML_CHART_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compare/html/format.h"
#include "compare/html/view.h"

namespace ringecho::compare::html {

enum class Scale : uint8_t { kLinear, kLog, kCategory };

struct Axis {
  std::string title;
  Scale scale = Scale::kLinear;
  Quantity quantity = Quantity::kCount;
};

struct Point {
  double x = 0;  // on a category axis an index of Chart::categories
  double y = 0;
  double low = kNan;  // interval; NaN: none
  double high = kNan;
  bool hollow = false;  // Figure::hollow says what that means
  std::string text;     // for the table, instead of y and its interval
};

struct Series {
  std::string name;
  size_t side = 0;  // gives it colour and marker
  bool dashed = false;
  std::vector<Point> points;
};

struct Band {  // shaded, along the whole height
  double from = 0;
  double to = 0;
  std::string label;
};

struct Chart {
  std::string label;  // among the charts of its figure
  Axis x;
  Axis y;
  std::vector<std::string> categories;
  std::vector<Series> series;
  std::vector<Band> bands;
  double reference = kNan;  // a line across at this y; NaN: none
  std::string reference_label;
  // The categories stand below one another and y runs to the right: of many sides the names are
  // read where the bars are. Such a chart has a single series.
  bool sideways = false;
};

enum class Draw : uint8_t { kLines, kDots, kBars };

// One canvas, on which one of the charts is shown at a time.
struct Figure {
  std::string id;  // letters and hyphens; unique on the page
  std::string title;
  std::string caption;  // a sentence or two: how to read it
  std::string choice;   // what the charts differ in, the label of the selection
  std::string hollow;   // what hollow points are; empty: nothing is said
  std::string instead;  // a sentence, said where there are no charts; empty: there is no figure
  Draw draw = Draw::kLines;
  std::vector<Chart> charts;
};

// Of charts with a category per cell and a series per side: a chart per cell with a category per
// side, sideways. `vary` is what the sides differ in, `base` the name of the one whose value
// becomes the reference line of charts without one.
std::vector<Chart> Turned(const std::vector<Chart>& charts, const std::string& vary,
                          const std::string& base);

// HTML. With `charts` there is a canvas and, for the script to show, the controls; without, only
// the tables. Everything is escaped.
std::string FigureHtml(const Figure& figure, bool charts);

// For a <script type="application/json"> element: no "<" in it, invalid UTF-8 replaced. `colors`
// are those of the sides, see ColorsOf.
std::string FiguresJson(const std::vector<Figure>& figures, const std::vector<std::string>& sides,
                        const std::vector<std::optional<size_t>>& colors);

}  // namespace ringecho::compare::html

#endif  // RINGECHO_COMPARE_HTML_CHART_H_

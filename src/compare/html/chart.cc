#include "compare/html/chart.h"

#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace ringecho::compare::html {
namespace {

using nlohmann::json;

std::string_view Name(Scale scale) {
  switch (scale) {
    case Scale::kLinear:
      return "linear";
    case Scale::kLog:
      return "logarithmic";
    case Scale::kCategory:
      break;
  }
  return "category";
}

std::string_view Name(Draw draw) {
  switch (draw) {
    case Draw::kLines:
      return "lines";
    case Draw::kDots:
      return "dots";
    case Draw::kBars:
      break;
  }
  return "bars";
}

std::string XText(const Chart& chart, double x) {
  if (chart.x.scale != Scale::kCategory) return Format(x, chart.x.quantity);
  const auto index = static_cast<size_t>(x);
  return index < chart.categories.size() ? chart.categories[index] : "-";
}

std::string YText(const Chart& chart, const Point& point) {
  if (!point.text.empty()) return point.text;
  std::string text = Format(point.y, chart.y.quantity);
  const std::string range = FormatRange(point.low, point.high, chart.y.quantity);
  if (!range.empty()) absl::StrAppend(&text, " (", range, ")");
  return text;
}

// A row per x that is written differently, in ascending order, and a column per series. Points of
// one series that fall on the same x share a field.
std::string DataTable(const Figure& figure, const Chart& chart) {
  std::map<double, std::vector<std::string>> rows;
  std::map<std::string, double> x_of_text;
  for (size_t column = 0; column < chart.series.size(); ++column) {
    for (const Point& point : chart.series[column].points) {
      const double x = x_of_text.try_emplace(XText(chart, point.x), point.x).first->second;
      auto& row = rows.try_emplace(x, chart.series.size()).first->second;
      std::string& field = row[column];
      absl::StrAppend(&field, field.empty() ? "" : ", ", YText(chart, point),
                      point.hollow ? "*" : "");
    }
  }
  std::string out =
      absl::StrCat("<table><caption>", Escape(figure.title), ": ", Escape(chart.y.title),
                   "</caption><thead><tr><th scope=\"col\">", Escape(chart.x.title), "</th>");
  for (const Series& series : chart.series) {
    absl::StrAppend(&out, "<th scope=\"col\" class=\"number\">", Escape(series.name), "</th>");
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& [x, row] : rows) {
    absl::StrAppend(&out, "<tr><th scope=\"row\">", Escape(XText(chart, x)), "</th>");
    for (const std::string& field : row) {
      absl::StrAppend(&out, "<td class=\"number\">", field.empty() ? "-" : Escape(field), "</td>");
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table>";
}

// The selection and the button; the script makes them visible, nobody else could use them.
std::string Controls(const Figure& figure) {
  std::string out = "<div class=\"controls\" hidden>";
  if (figure.charts.size() > 1) {
    absl::StrAppend(&out, "<label>", Escape(figure.choice), " <select>");
    for (const Chart& chart : figure.charts) {
      absl::StrAppend(&out, "<option>", Escape(chart.label), "</option>");
    }
    out += "</select></label>";
  }
  return out + "<button type=\"button\">Save as PNG</button></div>\n";
}

// Six digits are more than a chart shows.
json Rounded(double value) {
  if (!std::isfinite(value)) return nullptr;
  return std::strtod(absl::StrFormat("%.6g", value).c_str(), nullptr);
}

json ToJson(const Axis& axis) {
  return {{"title", axis.title}, {"scale", Name(axis.scale)}, {"quantity", Name(axis.quantity)}};
}

// [x, y, low, high, hollow, text], cut behind the last that says something.
json ToJson(const Point& point) {
  json out = {Rounded(point.x), Rounded(point.y)};
  if (std::isfinite(point.low) || point.hollow || !point.text.empty()) {
    out.insert(out.end(), {Rounded(point.low), Rounded(point.high)});
  }
  if (point.hollow || !point.text.empty()) out.push_back(point.hollow ? 1 : 0);
  if (!point.text.empty()) out.push_back(point.text);
  return out;
}

json ToJson(const Chart& chart) {
  json series = json::array();
  for (const Series& one : chart.series) {
    json points = json::array();
    for (const Point& point : one.points) points.push_back(ToJson(point));
    series.push_back(
        {{"name", one.name}, {"side", one.side}, {"dashed", one.dashed}, {"points", points}});
  }
  json bands = json::array();
  for (const Band& band : chart.bands) {
    bands.push_back(
        {{"from", Rounded(band.from)}, {"to", Rounded(band.to)}, {"label", band.label}});
  }
  return {{"label", chart.label},
          {"x", ToJson(chart.x)},
          {"y", ToJson(chart.y)},
          {"categories", chart.categories},
          {"series", series},
          {"bands", bands},
          {"reference", Rounded(chart.reference)},
          {"reference_label", chart.reference_label},
          {"sideways", chart.sideways}};
}

// The points of one category of such a chart, each series a category.
Chart TurnedCell(const Chart& chart, size_t cell, const std::string& vary,
                 const std::string& base) {
  Chart turned;
  turned.label = chart.label;
  turned.x = {vary, Scale::kCategory, Quantity::kCount};
  turned.y = chart.y;
  turned.reference = chart.reference;
  turned.reference_label = chart.reference_label;
  turned.sideways = true;
  turned.series = {{chart.y.title, 1, false, {}}};
  for (const Series& side : chart.series) {
    const auto row = static_cast<double>(turned.categories.size());
    bool any = false;
    for (Point point : side.points) {
      if (static_cast<size_t>(point.x) != cell) continue;
      if (std::isnan(turned.reference) && side.name == base) {
        turned.reference = point.y;
        turned.reference_label = base;
      }
      point.x = row;
      turned.series[0].points.push_back(std::move(point));
      any = true;
    }
    if (any) turned.categories.push_back(side.name);
  }
  return turned;
}

}  // namespace

std::vector<Chart> Turned(const std::vector<Chart>& charts, const std::string& vary,
                          const std::string& base) {
  std::vector<Chart> all;
  for (const Chart& chart : charts) {
    const size_t cells = chart.categories.size();
    for (size_t cell = 0; cell < cells; ++cell) {
      Chart turned = TurnedCell(chart, cell, vary, base);
      if (turned.categories.empty()) continue;
      if (cells > 1) {
        const std::string& name = chart.categories[cell];
        turned.label = charts.size() > 1 ? absl::StrCat(chart.label, ", ", name) : name;
      }
      all.push_back(std::move(turned));
    }
  }
  return all;
}

std::string FigureHtml(const Figure& figure, bool charts) {
  if (figure.charts.empty()) return absl::StrCat("<p>", Escape(figure.instead), "</p>\n");
  const std::string id = Escape(figure.id);
  std::string out = absl::StrCat("<figure id=\"", id, "\" aria-labelledby=\"", id,
                                 "-title\">\n<figcaption><h3 id=\"", id, "-title\">",
                                 Escape(figure.title), "</h3><p>", Escape(figure.caption), "</p>");
  if (!figure.hollow.empty()) {
    absl::StrAppend(&out, "<p class=\"hollow\">Hollow points, and * in the table: ",
                    Escape(figure.hollow), "</p>");
  }
  out += "</figcaption>\n";
  if (charts) {
    absl::StrAppend(&out, Controls(figure), "<div class=\"canvas\" hidden><canvas role=\"img\" ",
                    "aria-label=\"", Escape(figure.title), ", ", Escape(figure.charts[0].label),
                    "; the table below has the numbers\"></canvas></div>\n");
  }
  out += "<div class=\"tables\">";
  for (const Chart& chart : figure.charts) {
    absl::StrAppend(&out, "<details", charts ? "" : " open", "><summary>Table",
                    chart.label.empty() ? "" : ": ", Escape(chart.label), "</summary>",
                    OpenScroll(figure.title), DataTable(figure, chart), "</div></details>\n");
  }
  return out + "</div>\n</figure>\n";
}

std::string FiguresJson(const std::vector<Figure>& figures, const std::vector<std::string>& sides,
                        const std::vector<std::optional<size_t>>& colors) {
  json slots = json::array();
  for (const auto& color : colors) slots.push_back(color ? json(*color) : json(nullptr));
  json out = {{"sides", sides}, {"colors", slots}, {"figures", json::array()}};
  for (const Figure& figure : figures) {
    if (figure.charts.empty()) continue;
    json charts = json::array();
    for (const Chart& chart : figure.charts) charts.push_back(ToJson(chart));
    out["figures"].push_back({{"id", figure.id},
                              {"title", figure.title},
                              {"draw", Name(figure.draw)},
                              {"charts", charts}});
  }
  const std::string text = out.dump(-1, ' ', false, json::error_handler_t::replace);
  // Outside of strings JSON has no "<", so that nothing in it can end the script element. It
  // escapes the control characters below the space itself.
  return absl::StrReplaceAll(WithoutControls(text), {{"<", "\\u003c"}});
}

}  // namespace ringecho::compare::html

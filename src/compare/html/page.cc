#include "compare/html/page.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "compare/html/figures.h"
#include "compare/html/format.h"
#include "compare/html/html.h"
#include "compare/html/tables.h"

namespace ringecho::compare {
namespace html {
namespace {

struct Section {
  std::string id;
  std::string title;
  std::vector<Figure> figures;
};

// In the order of the page; figures and sections that do not apply are left out.
std::vector<Section> Sections(const Comparison& comparison) {
  std::vector<Section> all;
  all.push_back({"scaling",
                 "Throughput and CPU",
                 {ScalingFigure(comparison, "messages_per_s", "throughput"),
                  ScalingFigure(comparison, "server_cpu_ns_per_message", "cpu")}});
  all.push_back({"load", "Latency under load", {OfferedLoadFigure(comparison)}});
  all.push_back({"latency", "Latency", {PercentileFigure(comparison)}});
  all.push_back(
      {"time", "Over time", {RateOverTimeFigure(comparison), LatencyOverTimeFigure(comparison)}});
  all.push_back({"spread", "Spread", {RepeatsFigure(comparison)}});
  all.push_back(
      {"price", "Against epoll and the floor", {EpollFigure(comparison), FloorFigure(comparison)}});
  std::vector<Section> kept;
  for (Section& section : all) {
    std::erase_if(section.figures, [](const Figure& figure) {
      return figure.charts.empty() && figure.instead.empty();
    });
    if (!section.figures.empty()) kept.push_back(std::move(section));
  }
  return kept;
}

void Append(std::string& out, const Embedded& embedded) {
  for (const std::string_view chunk : embedded.chunks) out.append(chunk);
}

// Only what was built in may run or give style, and nothing may be fetched. What is embedded is
// admitted by its hash, so that markup which came in through a result would do nothing.
std::string Policy(const Embedded& chart_js) {
  std::string policy =
      absl::StrCat("default-src 'none'; style-src 'sha256-", base::ToAbsl(kStyle.sha256), "'");
  if (!chart_js.chunks.empty()) {
    policy += "; script-src";
    for (const Embedded* script : {&chart_js, &kChartsScript, &kPageScript}) {
      absl::StrAppend(&policy, " 'sha256-", base::ToAbsl(script->sha256), "'");
    }
  }
  return policy + "; base-uri 'none'; form-action 'none'";
}

std::string Head(const Comparison& comparison, const Embedded& chart_js) {
  std::string out = absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"",
      Policy(chart_js),
      "\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
      Escape(Title(comparison)), " - ringecho</title>\n<style>");
  Append(out, kStyle);
  return out + "</style>\n</head>\n";
}

std::string Navigation(const std::vector<Section>& sections) {
  std::string out =
      "<nav aria-label=\"Sections\"><ul><li><a href=\"#verdicts\">Verdicts</a></li>"
      "<li><a href=\"#trust\">Environment and validity</a></li>";
  for (const Section& section : sections) {
    absl::StrAppend(&out, "<li><a href=\"#", section.id, "\">", section.title, "</a></li>");
  }
  return out + "</ul></nav>\n";
}

std::string Opening(const Comparison& comparison) {
  return absl::StrCat("<header>\n<p class=\"kicker\">ringecho comparison by ",
                      Escape(comparison.vary), "</p>\n<h1>", Escape(Title(comparison)), "</h1>\n",
                      Answer(comparison), Trust(comparison), CommonList(comparison), "</header>\n");
}

std::string Script(const Embedded& embedded) {
  std::string out = "<script>";
  Append(out, embedded);
  return out + "</script>\n";
}

std::string Scripts(const Comparison& comparison, const std::vector<Section>& sections,
                    const Embedded& chart_js) {
  std::vector<Figure> figures;
  for (const Section& section : sections) {
    figures.insert(figures.end(), section.figures.begin(), section.figures.end());
  }
  return absl::StrCat("<script type=\"application/json\" id=\"data\">",
                      FiguresJson(figures, comparison.sides, ColorsOf(comparison)), "</script>\n",
                      Script(chart_js), Script(kChartsScript), Script(kPageScript));
}

}  // namespace

std::string Page(const Comparison& comparison, const Embedded& chart_js) {
  const bool charts = !chart_js.chunks.empty();
  const std::vector<Section> sections = Sections(comparison);
  std::string out = absl::StrCat(
      Head(comparison, chart_js), "<body>\n", Opening(comparison), Navigation(sections),
      "<main>\n<section id=\"verdicts\">\n<h2>Verdicts</h2>\n", VerdictTables(comparison),
      "</section>\n<section id=\"trust\">\n<h2>Environment and validity</h2>\n",
      DifferenceTable(comparison), ValidityTables(comparison), "</section>\n");
  if (!charts && !sections.empty()) {
    out +=
        "<p class=\"note\">This copy of ringecho was built without Chart.js: the numbers "
        "of every chart stand in its table.</p>\n";
  }
  for (const Section& section : sections) {
    absl::StrAppend(&out, "<section id=\"", section.id, "\">\n<h2>", section.title,
                    "</h2>\n<div class=\"figures\">\n");
    for (const Figure& figure : section.figures) out += FigureHtml(figure, charts);
    out += "</div>\n</section>\n";
  }
  absl::StrAppend(
      &out, "</main>\n<footer><p>Made by ringecho-compare",
      charts ? ". Charts are drawn by Chart.js (MIT licence, in the source of this page)" : "",
      ".</p></footer>\n");
  if (charts) out += Scripts(comparison, sections, chart_js);
  return out + "</body>\n</html>\n";
}

}  // namespace html

std::string ToHtml(const Comparison& comparison) { return html::Page(comparison, html::kChartJs); }

}  // namespace ringecho::compare

#include "compare/gate.h"

#include <functional>

#include "absl/strings/str_cat.h"
#include "compare/cells.h"
#include "compare/format.h"
#include "compare/judge.h"

namespace ringecho::compare {
namespace {

// "p99 of B, connections 64: +12.0%"
std::string Told(const Comparison& comparison, const Finding& finding) {
  const std::string where = Describe(comparison, comparison.cells[finding.cell]);
  return absl::StrCat(comparison.metrics[finding.metric].title, " of ",
                      comparison.sides[finding.side], where.empty() ? "" : ", ", where, ": ",
                      FormatChange(finding.change.value));
}

const Finding* WorstOf(const Comparison& comparison,
                       const std::function<bool(const Finding&)>& counts) {
  const Finding* worst = nullptr;
  const auto worsening = [&comparison](const Finding& finding) {
    return Worsening(finding, comparison.metrics[finding.metric]);
  };
  for (const Finding& finding : comparison.findings) {
    if (!comparison.metrics[finding.metric].judged || !counts(finding)) continue;
    if (worst == nullptr || worsening(finding) > worsening(*worst)) worst = &finding;
  }
  return worst;
}

}  // namespace

std::vector<std::string> Failures(const Comparison& comparison, double least) {
  std::vector<std::string> lines = comparison.lost;
  const Finding* const slower = WorstOf(
      comparison, [](const Finding& finding) { return finding.judgement == Judgement::kSlower; });
  if (slower != nullptr && Worsening(*slower, comparison.metrics[slower->metric]) >= least) {
    lines.push_back(absl::StrCat("slower, worst of all ", Told(comparison, *slower)));
  }
  const bool judged = WorstOf(comparison, [](const Finding&) { return true; }) != nullptr;
  if (!judged && lines.empty()) lines.emplace_back("nothing was judged");
  for (const auto& [note, count] : InconclusiveNotes(comparison)) {
    const Finding* const worst =
        WorstOf(comparison, [&note = note](const Finding& one) { return one.note == note; });
    lines.push_back(absl::StrCat("inconclusive (", count, "): ", note, "; worst of all ",
                                 Told(comparison, *worst)));
  }
  return lines;
}

}  // namespace ringecho::compare

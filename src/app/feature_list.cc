#include "app/feature_list.h"

#include <cstdio>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/exit_code.h"
#include "engine/choice.h"

#if RINGECHO_HAVE_URING
#include "engine/uring/capabilities.h"
#endif

namespace ringecho::app {
namespace {

std::string NamesOf(engine::FeatureSet set) {
  std::vector<std::string> names;
  for (const engine::FeatureInfo& info : engine::kFeatureTable) {
    if (set.Has(info.id)) names.emplace_back(info.name);
  }
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

// "not here: REASON" below the feature, in lines of 80 columns.
std::string NotHere(const std::string& reason) {
  constexpr size_t kColumns = 80;
  constexpr char kIndent[] = "      ";
  std::string out;
  std::string line = "    not here:";
  for (absl::string_view word : absl::StrSplit(reason, ' ')) {
    if (line.size() + 1 + word.size() > kColumns) {
      absl::StrAppend(&out, line, "\n");
      line = kIndent;
    } else {
      line += ' ';
    }
    absl::StrAppend(&line, word);
  }
  return absl::StrCat(out, line, "\n");
}

}  // namespace

std::string FeatureListText(engine::FeatureSet here, const engine::FeatureReasons& why_not,
                            const std::string& why_none) {
  std::string out;
  if (!why_none.empty()) absl::StrAppend(&out, "io_uring is not available: ", why_none, "\n\n");
  absl::StrAppend(&out, "feature             Linux  here  default\n");
  for (const engine::FeatureInfo& info : engine::kFeatureTable) {
    absl::StrAppendFormat(&out, "%-19s %-6s %-5s %s\n    %s\n", std::string(info.name),
                          std::string(info.since), here.Has(info.id) ? "yes" : "no",
                          engine::kDefaultFeatures.Has(info.id) ? "on" : "off",
                          std::string(info.what));
    const std::string& reason = why_not[static_cast<size_t>(info.id)];
    if (!here.Has(info.id) && !reason.empty()) absl::StrAppend(&out, NotHere(reason));
  }
  absl::StrAppend(&out, "\nbest      the default\nbaseline  what a program for Linux 5.1 to 5.17 ",
                  "would use: ", NamesOf(engine::kBaselineFeatures), "\nminimal   none of them\n");
  return out;
}

int PrintFeatureList() {
  engine::UringStatus status = engine::UringHere();
  engine::FeatureSet here;
  engine::FeatureReasons why_not;  // none where all of io_uring is missing for one reason
#if RINGECHO_HAVE_URING
  here = engine::uring::ThisKernel().has;
  if (status.available) why_not = engine::uring::WhyNotHere(engine::uring::ThisKernel());
#endif
  std::fputs(FeatureListText(here, why_not, status.available ? "" : status.why_not).c_str(),
             stdout);
  return cli::kExitOk;
}

}  // namespace ringecho::app

#include "compare/run_ids.h"

#include <set>
#include <variant>

namespace ringecho::compare {

std::vector<std::string> RunIdsOf(const report::Result& result) {
  std::vector<std::string> out = {result.run.id};
  std::set<std::string> known = {result.run.id};
  for (const auto& [name, value] : result.config.extra) {
    const auto* ids = std::get_if<std::vector<std::string>>(&value);
    if (name != "merged_run_ids" || ids == nullptr) continue;
    for (const std::string& id : *ids) {
      if (known.insert(id).second) out.push_back(id);
    }
  }
  return out;
}

}  // namespace ringecho::compare

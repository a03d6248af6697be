// Which runs a result is of: a merged one is of several.
#ifndef RINGECHO_COMPARE_RUN_IDS_H_
#define RINGECHO_COMPARE_RUN_IDS_H_

#include <string>
#include <vector>

#include "report/result.h"

namespace ringecho::compare {

// merged_run_ids and run.id, each once: a list that leaves out the result's own id, or that is
// empty, does not make it another run.
std::vector<std::string> RunIdsOf(const report::Result& result);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_RUN_IDS_H_

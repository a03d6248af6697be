// What `--features list` prints.
#ifndef RINGECHO_APP_FEATURE_LIST_H_
#define RINGECHO_APP_FEATURE_LIST_H_

#include <string>

#include "engine/feature_set.h"

namespace ringecho::app {

// A table of all features in 80 columns; `here` are those this kernel has, `why_not` says of others
// why it does not, where that is known, and `why_none` why there is no io_uring at all, if so.
// Pure.
std::string FeatureListText(engine::FeatureSet here, const engine::FeatureReasons& why_not,
                            const std::string& why_none);

// Prints the same for this kernel; the program's exit code.
int PrintFeatureList();

}  // namespace ringecho::app

#endif  // RINGECHO_APP_FEATURE_LIST_H_

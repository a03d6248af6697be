// What `--features list` prints.
#ifndef RINGECHO_APP_FEATURE_LIST_H_
#define RINGECHO_APP_FEATURE_LIST_H_

#include <string>

#include "engine/feature_set.h"

namespace ringecho::app {

// A table of all features in 80 columns; `here` are those this kernel has, and `why_none` says why
// there is no io_uring at all, if so. Pure.
std::string FeatureListText(engine::FeatureSet here, const std::string& why_none);

// Prints the same for this kernel; the program's exit code.
int PrintFeatureList();

}  // namespace ringecho::app

#endif  // RINGECHO_APP_FEATURE_LIST_H_

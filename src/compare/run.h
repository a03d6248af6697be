// What ringecho-compare does with its options.
#ifndef RINGECHO_COMPARE_RUN_H_
#define RINGECHO_COMPARE_RUN_H_

#include "compare/options.h"

namespace ringecho::compare {

// The exit code; errors are told on stderr.
int Run(const Options& options);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_RUN_H_

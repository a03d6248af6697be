// What this build is.
#ifndef RINGECHO_CLI_VERSION_H_
#define RINGECHO_CLI_VERSION_H_

#include <string>

#include "report/result.h"

namespace ringecho::cli {

// Everything the build knows of itself; `name` is the program's.
report::Tool ThisTool(const std::string& name);

// One line: "ringecho-load 0.1.0 (abc1234, release), liburing 2.3, Linux 6.18.1".
std::string VersionText(const std::string& name);

}  // namespace ringecho::cli

#endif  // RINGECHO_CLI_VERSION_H_

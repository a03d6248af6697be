// What this build is.
#ifndef RINGECHO_APP_VERSION_H_
#define RINGECHO_APP_VERSION_H_

#include <string>

#include "report/result.h"

namespace ringecho::app {

// Everything the build knows of itself; `name` is the program's.
report::Tool ThisTool(const std::string& name);

// One line: "ringecho-load 0.1.0 (abc1234, release), liburing 2.3, Linux 6.18.1".
std::string VersionText(const std::string& name);

}  // namespace ringecho::app

#endif  // RINGECHO_APP_VERSION_H_

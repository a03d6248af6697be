#include "cli/version.h"

#include <sys/utsname.h>

#include "absl/strings/str_cat.h"
#include "cli/build_info.h"

namespace ringecho::cli {

report::Tool ThisTool(const std::string& name) {
  report::Tool tool;
  tool.name = name;
  tool.version = RINGECHO_VERSION;
  tool.git_commit = RINGECHO_GIT_COMMIT;
  tool.build_type = RINGECHO_BUILD_TYPE;
  tool.compiler = RINGECHO_COMPILER;
  tool.liburing_version = RINGECHO_LIBURING_VERSION;
  return tool;
}

std::string VersionText(const std::string& name) {
  report::Tool tool = ThisTool(name);
  utsname system{};
  uname(&system);
  std::string build = tool.git_commit.empty()
                          ? tool.build_type
                          : absl::StrCat(tool.git_commit, ", ", tool.build_type);
  std::string liburing = tool.liburing_version.empty()
                             ? "without io_uring"
                             : absl::StrCat("liburing ", tool.liburing_version);
  return absl::StrCat(name, " ", tool.version, " (", build, "), ", liburing, ", ", system.sysname,
                      " ", system.release);
}

}  // namespace ringecho::cli

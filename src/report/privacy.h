// Command lines without what a shared result should not tell: host names, addresses, user names
// and the paths that contain them.
#ifndef RINGECHO_REPORT_PRIVACY_H_
#define RINGECHO_REPORT_PRIVACY_H_

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringecho::report {

// What stands for something removed.
inline constexpr char kRemoved[] = "REMOVED";

// The program's own arguments. Paths are cut to their last part; the hosts of --listen, --connect
// and --source are removed unless they are loopback or wildcard addresses; ports stay, and so do
// labels, which are there because somebody asked for them.
std::vector<std::string> CleanArguments(std::span<const char* const> argv);

// /proc/cmdline: the arguments of init (after "--") are dropped; the values of parameters that
// name disks, hosts or files are removed, and so is every value with an address, a path or a UUID.
std::string CleanKernelCommandLine(std::string_view line);

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_PRIVACY_H_

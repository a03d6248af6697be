// Errors of set-up, teardown and parsing. Nothing here is used per message.
#ifndef RINGECHO_BASE_STATUS_H_
#define RINGECHO_BASE_STATUS_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace ringecho::base {

// Debian 12's Abseil has an absl::string_view of its own; these two cross that border.
inline absl::string_view ToAbsl(std::string_view s) { return {s.data(), s.size()}; }
inline std::string_view ToStd(absl::string_view s) { return {s.data(), s.size()}; }

// "Connection refused (ECONNREFUSED)". `error` is positive; an unknown one prints as a number.
std::string ErrnoText(int error);

// A status that names what failed, the errno and, where there is one, what the user can do:
// "bind 127.0.0.1:80: Permission denied (EACCES); ports below 1024 need root". The code follows
// the errno as absl::ErrnoToStatus has it.
absl::Status ErrnoStatus(int error, std::string_view what, std::string_view advice = {});

}  // namespace ringecho::base

#define RINGECHO_RETURN_IF_ERROR(expr)                                                        \
  do {                                                                                        \
    if (absl::Status ringecho_status = (expr); !ringecho_status.ok()) return ringecho_status; \
  } while (false)

#endif  // RINGECHO_BASE_STATUS_H_

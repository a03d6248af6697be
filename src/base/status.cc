#include "base/status.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace ringecho::base {

std::string ErrnoText(int error) {
  const char* text = strerrordesc_np(error);
  const char* name = strerrorname_np(error);
  if (text == nullptr || name == nullptr) return absl::StrCat("errno ", error);
  return absl::StrCat(text, " (", name, ")");
}

absl::Status ErrnoStatus(int error, std::string_view what, std::string_view advice) {
  std::string message = absl::StrCat(ToAbsl(what), ": ", ErrnoText(error));
  if (!advice.empty()) absl::StrAppend(&message, "; ", ToAbsl(advice));
  return absl::Status(absl::ErrnoToStatusCode(error), message);
}

}  // namespace ringecho::base

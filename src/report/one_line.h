// Text of unknown origin as a part of a one-line message.
#ifndef RINGECHO_REPORT_ONE_LINE_H_
#define RINGECHO_REPORT_ONE_LINE_H_

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>

namespace ringecho::report {

// `text` with what a terminal would act on, and bytes that are not UTF-8, as "\x1b": control
// characters (C0, DEL, C1), line and paragraph separators, and marks that reverse the direction of
// writing. What would exceed `bytes_max` is cut off at a character, and "..." stands for it.
// Text that has been through here comes through unchanged. Thread-safe.
std::string OneLine(std::string_view text, size_t bytes_max = std::numeric_limits<size_t>::max());

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_ONE_LINE_H_

// ringecho-compare's command line.
#ifndef RINGECHO_COMPARE_OPTIONS_H_
#define RINGECHO_COMPARE_OPTIONS_H_

#include <optional>
#include <string>
#include <vector>

#include "compare/compare.h"

namespace ringecho::compare {

inline constexpr char kProgram[] = "ringecho-compare";

enum class Format : uint8_t { kText, kMarkdown, kJson, kHtml };

struct Options {
  std::vector<std::string> paths;
  CompareOptions compare;
  std::string row;  // both or none
  std::string col;
  Format format = Format::kText;
  std::string output = "-";               // a file; "-": stdout
  std::optional<double> fail_regression;  // a ratio: exit code 4 from this worsening on

  bool merge = false;  // `merge`: paths are results, output gets one
};

// The exit code when the program should end now.
std::optional<int> ParseOptions(int argc, const char* const* argv, Options& options);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_OPTIONS_H_

// Names that are too long for a table, cut so that they can still be told apart.
#ifndef RINGECHO_COMPARE_NAMES_H_
#define RINGECHO_COMPARE_NAMES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ringecho::compare {

// As wide as its characters (UTF-8), not its bytes.
size_t Width(std::string_view text);

// The first `width` characters, or all there are.
std::string_view Head(std::string_view text, size_t width);

// One for each of `names`, which differ, in their order: as they are where all of them are short.
// Otherwise without the parts, between '-' or '/', with which all begin or end, and what is still
// too long with its end alone, which tells more in paths and versions: "..6.18.44-engines". Where
// two would look alike they are numbered, and `legend` gets a line for each: "#2 is FULL NAME".
std::vector<std::string> ShortNames(const std::vector<std::string>& names,
                                    std::vector<std::string>& legend);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_NAMES_H_

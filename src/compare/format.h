// Numbers and headings of a comparison as people read them; shared by text, markdown and matrices.
#ifndef RINGECHO_COMPARE_FORMAT_H_
#define RINGECHO_COMPARE_FORMAT_H_

#include <string>
#include <string_view>
#include <vector>

#include "compare/comparison.h"

namespace ringecho::compare {

// "102,322", "12.3 us", "4.00 KiB", "0.252"; "-" for NaN.
std::string FormatValue(Unit unit, double value);

// "-5.8%", "+12.0%"; "-" for NaN.
std::string FormatChange(double change);
// "-5.8% (-7.1 to -4.2)", without the interval where there is none.
std::string FormatChange(const Estimate& change);

// "0.0021", "<0.0001".
std::string FormatP(double p);

// "connections 64", "64 B": a config key and its value as a phrase.
std::string Phrase(std::string_view key, std::string_view value);

// "engine: epoll (base), io_uring".
std::string Title(const Comparison& comparison);

// What was compared on, each a line without indentation: machine and system; programs and their
// CPUs; load; samples. Values that differ between results are joined by " / ".
std::vector<std::string> HeadingLines(const Comparison& comparison);

// "2 of 3": findings of one side that say so, for a summary.
std::string CountJudgements(const Comparison& comparison, size_t side);

// Differences that matter to a reader: those nobody expected, and how many were.
std::vector<std::string> DifferenceLines(const Comparison& comparison);

// Text broken at spaces into lines of at most `columns`, the second and further ones indented.
std::string Wrap(std::string_view text, size_t columns, size_t indent);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_FORMAT_H_

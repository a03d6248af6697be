#include "compare/names.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace ringecho::compare {
namespace {

constexpr size_t kNameMax = 24;
constexpr std::string_view kCut = "..";

bool IsLead(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

bool Fit(const std::vector<std::string>& names) {
  return std::all_of(names.begin(), names.end(),
                     [](const std::string& name) { return Width(name) <= kNameMax; });
}

bool Differ(const std::vector<std::string>& names) {
  return std::set<std::string>(names.begin(), names.end()).size() == names.size();
}

bool IsBoundary(char c) { return c == '-' || c == '/'; }

// Bytes that all begin with, up to a boundary and including it.
size_t CommonBegin(const std::vector<std::string>& names) {
  const std::string& first = names.front();
  size_t common = first.size();
  for (const std::string& name : names) {
    const auto limit = std::min(common, name.size());
    const auto end = first.begin() + static_cast<std::ptrdiff_t>(limit);
    common =
        static_cast<size_t>(std::mismatch(first.begin(), end, name.begin()).first - first.begin());
  }
  while (common > 0 && !IsBoundary(first[common - 1])) --common;
  return common;
}

std::vector<std::string> Reversed(std::vector<std::string> names) {
  for (std::string& name : names) std::reverse(name.begin(), name.end());
  return names;
}

// What remains of each when what is common to all is replaced by dots.
std::vector<std::string> WithoutCommonParts(const std::vector<std::string>& names) {
  const size_t begin = CommonBegin(names);
  std::vector<std::string> rest;
  rest.reserve(names.size());
  for (const std::string& name : names) rest.push_back(name.substr(begin));
  const size_t end = CommonBegin(Reversed(rest));
  for (std::string& name : rest) {
    if (name.size() <= end) return names;  // nothing would be left of it
    name.resize(name.size() - end);
    name =
        absl::StrCat(base::ToAbsl(begin > 0 ? kCut : ""), name, base::ToAbsl(end > 0 ? kCut : ""));
  }
  return rest;
}

std::string EndOf(const std::string& name, size_t width) {
  size_t at = name.size();
  for (size_t room = width; at > 0 && room > 0;) {
    if (IsLead(name[--at])) --room;
  }
  return name.substr(at);
}

// The end of what is longer than `width`.
std::string Tail(const std::string& name, size_t width) {
  if (Width(name) <= width) return name;
  return absl::StrCat(base::ToAbsl(kCut), EndOf(name, width - kCut.size()));
}

std::vector<std::string> Tails(std::vector<std::string> names) {
  for (std::string& name : names) name = Tail(name, kNameMax);
  return names;
}

}  // namespace

size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), IsLead));
}

std::string_view Head(std::string_view text, size_t width) {
  size_t at = 0;
  while (at < text.size() && (width > 0 || !IsLead(text[at]))) {
    if (IsLead(text[at++])) --width;
  }
  return text.substr(0, at);
}

std::vector<std::string> ShortNames(const std::vector<std::string>& names,
                                    std::vector<std::string>& legend) {
  if (Fit(names)) return names;
  const std::vector<std::string> rest = names.size() > 1 ? WithoutCommonParts(names) : names;
  std::vector<std::string> out = Tails(rest);
  if (Differ(out)) return out;
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string number = absl::StrCat("#", i + 1);
    out[i] = absl::StrCat(number, " ", Tail(rest[i], kNameMax - number.size() - 1));
    legend.push_back(absl::StrCat(number, " is ", names[i]));
  }
  return out;
}

}  // namespace ringecho::compare

#include "compare/sides.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "report/one_line.h"

namespace ringecho::compare {
namespace {

// What is looked at when nobody says what is varied. A key that follows from one before it is not a
// difference of its own.
constexpr std::string_view kCandidates[] = {"kernel",
                                            "host.environment.kernel_version",
                                            "host.environment.kernel_cmdline",
                                            "version",
                                            "engine",
                                            "features"};

std::vector<std::string> InOrder(const std::vector<Entry>& entries, std::string_view key) {
  std::vector<std::string> out;
  for (const Entry& entry : entries) {
    const std::string& value = entry.Value(key);
    if (std::find(out.begin(), out.end(), value) == out.end()) out.push_back(value);
  }
  return out;
}

// Whether this key tells the series apart: each has one value, and not all the same.
bool TellsApart(const std::vector<Entry>& entries, const std::vector<std::string>& series,
                std::string_view key) {
  Values all;
  for (const std::string& name : series) {
    Values mine;
    for (const Entry& entry : entries) {
      if (entry.series == name) mine.insert(entry.Value(key));
    }
    if (mine.size() != 1) return false;
    all.insert(*mine.begin());
  }
  return all.size() > 1;
}

// The candidates for which `differs` holds, or, if it holds for none, what was asked for, or
// labels.
template <class Predicate>
std::vector<std::string> Varying(const std::vector<Entry>& entries, Predicate differs) {
  std::vector<std::string> found;
  for (std::string_view key : kCandidates) {
    const bool follows = std::any_of(found.begin(), found.end(), [key](const std::string& earlier) {
      return Follows(key, earlier);
    });
    if (!follows && differs(key)) found.emplace_back(key);
  }
  if (!found.empty()) return found;
  // Lists of features that come to the same.
  if (differs("features_asked")) return {"features_asked"};
  for (const std::string& key : AllKeys(entries)) {
    if (key.rfind("label.", 0) == 0 && differs(key)) found.push_back(key);
  }
  return found;
}

// "engine (epoll, io_uring)" of every config key that takes several values.
std::string WhatVaries(const std::vector<Entry>& entries) {
  std::vector<std::string> parts;
  for (const std::string& key : AllKeys(entries)) {
    const Values values = ValuesOf(entries, key);
    if (values.size() > 1) parts.push_back(absl::StrCat(key, " (", Joined(values), ")"));
  }
  return parts.empty() ? "nothing" : absl::StrJoin(parts, ", ");
}

// What a series compares by. A kernel that lacks a feature makes lists of features that somebody
// asked for come to the same; then they are sides by what was asked.
std::string UsualVary(const std::vector<Entry>& entries, const std::string& vary) {
  if (vary != "features") return vary;
  std::map<std::string, Values> asked;
  for (const Entry& entry : entries) {
    asked[entry.Value("features")].insert(entry.Value("features_asked"));
  }
  const bool apart = std::all_of(asked.begin(), asked.end(),
                                 [](const auto& list) { return list.second.size() == 1; });
  return apart ? vary : "features_asked";
}

absl::StatusOr<std::string> VaryWithin(const std::vector<Entry>& entries,
                                       const CompareOptions& options) {
  auto varies = [&entries](std::string_view key) { return ValuesOf(entries, key).size() > 1; };
  const std::string usual = UsualVary(entries, options.usual_vary);
  if (!usual.empty() && varies(usual)) return usual;
  const std::vector<std::string> found = Varying(entries, varies);
  if (found.size() == 1 || (!found.empty() && options.force)) return found.front();
  if (found.empty() && options.one_side) return std::string(kSeriesKey);
  if (found.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("nothing to compare within ", entries.front().series,
                     ": no engine, kernel, features, version or label varies; name a second "
                     "series, or --vary what does: ",
                     WhatVaries(entries)));
  }
  return absl::FailedPreconditionError(
      absl::StrCat("more than one thing varies within ", entries.front().series, ": ",
                   absl::StrJoin(found, ", "), "; choose with --vary, and leave the others out ",
                   "with --filter KEY=VALUE"));
}

absl::StatusOr<std::string> VaryBetween(const std::vector<Entry>& entries,
                                        const std::vector<std::string>& series, bool force) {
  const std::vector<std::string> found =
      Varying(entries, [&](std::string_view key) { return TellsApart(entries, series, key); });
  if (found.empty()) return std::string(kSeriesKey);
  if (found.size() == 1 || force) return found.front();
  std::vector<Difference> differences;
  for (const std::string& key : found) {
    Difference difference{.key = key, .values = {}, .expected = false};
    for (const std::string& name : series) {
      Values mine;
      for (const Entry& entry : entries) {
        if (entry.series == name) mine.insert(entry.Value(key));
      }
      difference.values.push_back(Joined(mine));
    }
    differences.push_back(std::move(difference));
  }
  return Refusal("the series differ in more than one thing", series, differences);
}

absl::StatusOr<std::string> FindVary(const CompareOptions& options,
                                     const std::vector<Entry>& entries) {
  const std::vector<std::string> series = InOrder(entries, kSeriesKey);
  if (options.vary.empty()) {
    return series.size() == 1 ? VaryWithin(entries, options)
                              : VaryBetween(entries, series, options.force);
  }
  const bool known = options.vary == kSeriesKey || AllKeys(entries).count(options.vary) != 0;
  if (!known) {
    return absl::InvalidArgumentError(absl::StrCat("--vary: no result has \"", options.vary,
                                                   "\"; what varies is ", WhatVaries(entries)));
  }
  if (!options.one_side && ValuesOf(entries, options.vary).size() == 1) {
    return absl::FailedPreconditionError(absl::StrCat("--vary: every result has ", options.vary,
                                                      " ", Joined(ValuesOf(entries, options.vary)),
                                                      "; what varies is ", WhatVaries(entries)));
  }
  return options.vary;
}

bool IsFeatureList(std::string_view key) {
  return key.find("features") != std::string_view::npos &&
         key.find('.') == std::string_view::npos && !key.ends_with("_asked");
}

// What `list` has less and more than `usual`: "-vectored_send", "-defer_taskrun", "+coop_taskrun".
std::vector<std::string> Unlike(const std::vector<std::string>& usual,
                                const std::vector<std::string>& list) {
  std::vector<std::string> parts;
  auto add_missing = [&parts](char sign, const std::vector<std::string>& from,
                              const std::vector<std::string>& in) {
    for (const std::string& feature : from) {
      if (std::find(in.begin(), in.end(), feature) == in.end()) {
        parts.push_back(absl::StrCat(std::string(1, sign), feature));
      }
    }
  };
  add_missing('-', usual, list);
  add_missing('+', list, usual);
  return parts;
}

// The list that is least unlike all the others; of several the longest. A list of one is the name
// of an engine, as likely as not, and left alone.
std::vector<std::string> UsualOf(const std::vector<std::vector<std::string>>& lists) {
  std::vector<std::string> usual;
  size_t least = SIZE_MAX;
  for (const std::vector<std::string>& list : lists) {
    if (list.size() <= 1) continue;
    size_t unlike = 0;
    for (const std::vector<std::string>& other : lists) {
      if (other.size() > 1) unlike += Unlike(list, other).size();
    }
    if (unlike < least || (unlike == least && list.size() > usual.size())) {
      least = unlike;
      usual = list;
    }
  }
  return usual;
}

// As a side can be called; empty when it is nothing that the option takes.
std::string NameOfAsked(const std::string& asked) {
  constexpr size_t kLongest = 100;
  const bool plain = std::all_of(asked.begin(), asked.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '+' || c == '-' ||
           c == ',';
  });
  return plain && asked.size() <= kLongest ? asked : "";
}

// By side, what its features were asked for as; nothing unless each has one name of its own. A list
// of one is the name of an engine, as likely as not, and stays.
std::vector<std::string> AskedBySide(const std::vector<Entry>& entries,
                                     const std::vector<std::string>& values,
                                     const Comparison& comparison) {
  std::vector<Values> asked(values.size());
  for (const Entry& entry : entries) {
    const Measurement& measurement = comparison.measurements[entry.measurement];
    const bool of_loader = comparison.vary.starts_with("loader") || !measurement.server;
    const std::string& value = entry.Value(comparison.vary);
    const auto side = std::find(values.begin(), values.end(), value) - values.begin();
    const std::string& name = entry.Value(of_loader ? "loader_features_asked" : "features_asked");
    asked[static_cast<size_t>(side)].insert(NameOfAsked(name));
  }
  std::vector<std::string> out;
  Values all;
  for (const Values& names : asked) {
    if (names.size() != 1 || names.begin()->empty() || !all.insert(*names.begin()).second) {
      return {};
    }
    out.push_back(*names.begin());
  }
  return out;
}

// Lists of features are long and nearly the same. They are called as they were asked for; where
// that does not tell them apart, one is "usual" and the others are how they differ from it, if that
// is shorter. A note has the list in full.
void NameFeatures(const std::vector<Entry>& entries, const std::vector<std::string>& values,
                  Comparison& comparison) {
  std::vector<std::vector<std::string>> lists;
  for (const std::string& side : comparison.sides) lists.push_back(absl::StrSplit(side, ','));
  const std::vector<std::string> usual = UsualOf(lists);
  const std::vector<std::string> asked = AskedBySide(entries, values, comparison);
  if (usual.empty()) {
    if (!asked.empty()) comparison.sides = asked;
    return;
  }
  const auto usual_side =
      static_cast<size_t>(std::find(lists.begin(), lists.end(), usual) - lists.begin());
  for (size_t i = 0; i < lists.size(); ++i) {
    if (!asked.empty()) {
      comparison.sides[i] = asked[i];
      continue;
    }
    if (lists[i].size() <= 1) continue;
    const std::string unlike = absl::StrJoin(Unlike(usual, lists[i]), ",");
    if (unlike.empty()) {
      comparison.sides[i] = "usual";
    } else if (unlike.size() < comparison.sides[i].size()) {
      comparison.sides[i] = unlike;
    }
  }
  comparison.notes.push_back(
      absl::StrCat(comparison.sides[usual_side], " is ", absl::StrJoin(usual, ", ")));
}

std::string_view WantedBase(const CompareOptions& options, const std::vector<std::string>& names) {
  if (!options.base.empty()) return options.base;
  for (std::string_view wanted :
       {std::string_view(options.usual_base), std::string_view("epoll")}) {
    if (std::find(names.begin(), names.end(), wanted) != names.end()) return wanted;
  }
  return names.front();
}

}  // namespace

Values ValuesOf(const std::vector<Entry>& entries, std::string_view key) {
  Values out;
  for (const Entry& entry : entries) out.insert(entry.Value(key));
  return out;
}

std::vector<Values> ValuesBySide(const std::vector<Entry>& entries, size_t sides,
                                 std::string_view key) {
  std::vector<Values> out(sides);
  for (const Entry& entry : entries) out[entry.side].insert(entry.Value(key));
  return out;
}

bool AllHave(const std::vector<Entry>& entries, std::string_view key) {
  return !entries.empty() && ValuesOf(entries, key).count("") == 0;
}

std::string Joined(const Values& values) {
  std::vector<std::string> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end(),
            [](const std::string& a, const std::string& b) { return NaturalLess(a, b); });
  for (std::string& value : sorted) {
    if (value.empty()) value = kAbsent;
  }
  return absl::StrJoin(sorted, ", ");
}

std::set<std::string> AllKeys(const std::vector<Entry>& entries) {
  std::set<std::string> out;
  for (const Entry& entry : entries) {
    for (const KeyValues* values :
         {&entry.keys.config, &entry.keys.environment, &entry.keys.labels}) {
      for (const auto& [key, value] : *values) out.insert(key);
    }
  }
  return out;
}

absl::Status Refusal(std::string_view first, const std::vector<std::string>& sides,
                     const std::vector<Difference>& differences) {
  constexpr size_t kValueMax = 100;
  constexpr size_t kMost = 12;
  std::string text = absl::StrCat(base::ToAbsl(first), ":");
  for (size_t i = 0; i < differences.size(); ++i) {
    if (i == kMost) {
      absl::StrAppend(&text, "\n  and ", differences.size() - kMost, " more keys");
      break;
    }
    const Difference& difference = differences[i];
    absl::StrAppend(&text, "\n  ", difference.key);
    for (size_t side = 0; side < difference.values.size(); ++side) {
      absl::StrAppend(&text, "\n    ", sides[side], ": ",
                      report::OneLine(difference.values[side], kValueMax));
    }
  }
  absl::StrAppend(&text,
                  "\n--vary KEY compares by one of them, --filter KEY=VALUE leaves results out,"
                  "\n--force compares all the same");
  return absl::FailedPreconditionError(text);
}

absl::Status FindSides(const CompareOptions& options, std::vector<Entry>& entries,
                       Comparison& comparison) {
  absl::StatusOr<std::string> vary = FindVary(options, entries);
  if (!vary.ok()) return vary.status();
  comparison.vary = *vary;
  comparison.by_boot = IsKernelKey(comparison.vary);
  std::vector<std::string> values = InOrder(entries, comparison.vary);
  comparison.sides = values;
  for (std::string& side : comparison.sides) {
    if (side.empty()) side = kAbsent;
  }
  if (IsFeatureList(comparison.vary)) NameFeatures(entries, values, comparison);

  const std::string wanted(WantedBase(options, comparison.sides));
  auto base = std::find(comparison.sides.begin(), comparison.sides.end(), wanted);
  if (base == comparison.sides.end()) {
    const auto value = std::find(values.begin(), values.end(), wanted);
    if (value == values.end()) {
      return absl::InvalidArgumentError(absl::StrCat("--base: got \"", wanted, "\", ",
                                                     comparison.vary, " is one of ",
                                                     absl::StrJoin(comparison.sides, ", ")));
    }
    base = comparison.sides.begin() + (value - values.begin());
  }
  const auto place = base - comparison.sides.begin();
  std::rotate(comparison.sides.begin(), base, base + 1);
  std::rotate(values.begin(), values.begin() + place, values.begin() + place + 1);
  for (Entry& entry : entries) {
    entry.side = static_cast<size_t>(
        std::find(values.begin(), values.end(), entry.Value(comparison.vary)) - values.begin());
  }
  return absl::OkStatus();
}

}  // namespace ringecho::compare

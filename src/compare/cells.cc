#include "compare/cells.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"

namespace ringecho::compare {
namespace {

class CellFinder {
 public:
  CellFinder(const CompareOptions& options, const std::vector<Entry>& entries,
             Comparison& comparison)
      : options_(options), entries_(entries), out_(comparison) {}

  absl::Status Run() {
    ChooseKeys();
    Group();
    FindDifferences();
    if (unexpected_.empty() || options_.force) {
      out_.forced = !unexpected_.empty();
    } else {
      return Refusal(absl::StrCat("the sides differ in more than ", out_.vary,
                                  ", so what they differ by ", "would not be known"),
                     out_.sides, unexpected_);
    }
    ChooseAxes();
    MakeCells();
    if (!out_.cells.empty()) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("no result of ", out_.sides.front(),
                     " was made as one of the others: ", absl::StrJoin(out_.notes, "; ")));
  }

 private:
  size_t sides() const { return out_.sides.size(); }

  bool Wanted(const std::string& key) const {
    return std::find(options_.axes.begin(), options_.axes.end(), key) != options_.axes.end();
  }

  // Config keys that a side shares no value of with the base cannot make up cells.
  bool Matches(const std::string& key) const {
    const std::vector<Values> values = ValuesBySide(entries_, sides(), key);
    return std::all_of(values.begin(), values.end(), [&values](const Values& of_side) {
      return std::any_of(of_side.begin(), of_side.end(), [&values](const std::string& value) {
        return values.front().count(value) != 0;
      });
    });
  }

  // What would follow from the varied key alone, was it not chosen: each side has all the values.
  bool ChosenOnEverySide(const std::string& key) const {
    const std::vector<Values> values = ValuesBySide(entries_, sides(), key);
    return values.front().size() > 1 &&
           std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
  }

  // What came of a key that makes up cells by itself: it is no choice of its own.
  bool IsOutcome(const std::string& key) const {
    const std::string_view requested = RequestedKeyOf(key);
    return !requested.empty() && AllHave(entries_, requested);
  }

  void ChooseKeys() {
    std::set<std::string> config;
    for (const Entry& entry : entries_) {
      for (const auto& [key, value] : entry.keys.config) config.insert(key);
    }
    for (const std::string& key : options_.axes) {
      if (key != out_.vary) config.insert(key);
    }
    for (const std::string& key : config) {
      if (IsOutcome(key) && !Wanted(key)) continue;
      if (Follows(key, out_.vary) ? ChosenOnEverySide(key) : Matches(key)) keys_.push_back(key);
    }
    std::sort(keys_.begin(), keys_.end(), KeyLess);
  }

  void Group() {
    for (size_t i = 0; i < entries_.size(); ++i) {
      std::vector<std::string> values;
      for (const std::string& key : keys_) values.push_back(entries_[i].Value(key));
      auto [it, made] = groups_.try_emplace(std::move(values));
      if (made) it->second.resize(sides());
      it->second[entries_[i].side].push_back(i);
    }
  }

  bool SameWithinCells(const std::string& key) const {
    for (const auto& [values, by_side] : groups_) {
      for (const std::vector<size_t>& members : by_side) {
        for (size_t member : members) {
          if (entries_[member].Value(key) != entries_[members.front()].Value(key)) return false;
        }
      }
    }
    return true;
  }

  bool SameEverywhere(const std::string& key) const {
    return std::all_of(entries_.begin(), entries_.end(), [&](const Entry& entry) {
      return entry.Value(key) == entries_.front().Value(key);
    });
  }

  // A key that another version of the tool did not write yet, or no longer.
  bool IsNews(const std::vector<Values>& values) const {
    return Follows("loader_version", out_.vary) &&
           std::any_of(values.begin(), values.end(),
                       [](const Values& of_side) { return of_side == Values{""}; });
  }

  // Whether a key may differ because what is varied does.
  bool MayDiffer(const std::string& key) const {
    if (Follows(key, out_.vary)) return true;
    return IsOutcome(key) && Follows(FeaturesKeyOf(key), out_.vary);
  }

  void FindDifferences() {
    const std::set<std::string> all = AllKeys(entries_);
    std::vector<std::string> keys(all.begin(), all.end());
    std::sort(keys.begin(), keys.end(), KeyLess);  // the telling ones first
    for (const std::string& key : keys) {
      const bool label = key.rfind("label.", 0) == 0;
      if (key == out_.vary || label || std::find(keys_.begin(), keys_.end(), key) != keys_.end()) {
        continue;
      }
      if (SameEverywhere(key)) continue;
      const std::vector<Values> values = ValuesBySide(entries_, sides(), key);
      const bool same_sides =
          std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
      const bool same_within = SameWithinCells(key);
      if (same_sides && same_within) continue;
      Difference difference{.key = key, .values = {}, .expected = false};
      for (const Values& of_side : values) difference.values.push_back(Joined(of_side));
      difference.expected = same_within && (MayDiffer(key) || IsNews(values));
      if (!difference.expected) unexpected_.push_back(difference);
      out_.differences.push_back(std::move(difference));
    }
    std::stable_sort(
        out_.differences.begin(), out_.differences.end(),
        [](const Difference& a, const Difference& b) { return a.expected < b.expected; });
  }

  // Whether a key says nothing that the axes before it do not: threads, where few connections have
  // fewer.
  bool FollowsFromAxes(size_t key) const {
    std::map<std::vector<std::string>, std::string> seen;
    for (const auto& [values, by_side] : groups_) {
      std::vector<std::string> so_far;
      for (size_t axis : axes_) so_far.push_back(values[axis]);
      auto [it, made] = seen.try_emplace(std::move(so_far), values[key]);
      if (!made && it->second != values[key]) return false;
    }
    return true;
  }

  void ChooseAxes() {
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (Wanted(keys_[i])) axes_.push_back(i);
    }
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (Wanted(keys_[i])) continue;
      Values values;
      for (const auto& [group, by_side] : groups_) values.insert(group[i]);
      if (values.size() == 1) {
        if (!values.begin()->empty()) out_.common.emplace_back(keys_[i], *values.begin());
      } else if (!FollowsFromAxes(i)) {
        axes_.push_back(i);
      }
    }
    std::sort(axes_.begin(), axes_.end());
    for (size_t axis : axes_) out_.axes.push_back(keys_[axis]);
  }

  // Whether there is something to compare: the base, and another side if there is one.
  bool HasCounterpart(const Cell& cell) const {
    if (cell.by_side.front().empty()) return false;
    return sides() == 1 || std::any_of(cell.by_side.begin() + 1, cell.by_side.end(),
                                       [](const auto& members) { return !members.empty(); });
  }

  void MakeCells() {
    for (const auto& [values, by_side] : groups_) {
      Cell cell;
      for (size_t axis : axes_) {
        cell.values.push_back(values[axis].empty() ? kAbsent : values[axis]);
      }
      for (const std::vector<size_t>& members : by_side) {
        std::vector<size_t>& out = cell.by_side.emplace_back();
        for (size_t member : members) out.push_back(entries_[member].measurement);
      }
      NoteMissing(cell);
      if (HasCounterpart(cell)) out_.cells.push_back(std::move(cell));
    }
    std::stable_sort(out_.cells.begin(), out_.cells.end(), [](const Cell& a, const Cell& b) {
      return std::lexicographical_compare(a.values.begin(), a.values.end(), b.values.begin(),
                                          b.values.end(), NaturalLess);
    });
  }

  void NoteMissing(const Cell& cell) {
    std::vector<std::string> missing;
    for (size_t side = 0; side < sides(); ++side) {
      if (cell.by_side[side].empty()) missing.push_back(out_.sides[side]);
    }
    if (missing.empty()) return;
    const std::string what = cell.values.empty() ? "" : Describe(out_, cell) + ": ";
    const std::string note = absl::StrCat(what, "no results of ", absl::StrJoin(missing, ", "),
                                          HasCounterpart(cell) ? "" : ", not compared");
    out_.notes.push_back(note);
    if (!cell.by_side.front().empty()) out_.lost.push_back(note);
  }

  const CompareOptions& options_;
  const std::vector<Entry>& entries_;
  Comparison& out_;
  std::vector<std::string> keys_;  // what makes up a cell
  std::vector<size_t> axes_;       // those of them that are shown
  // Values of keys_ -> entries by side.
  std::map<std::vector<std::string>, std::vector<std::vector<size_t>>> groups_;
  std::vector<Difference> unexpected_;
};

}  // namespace

std::string Describe(const Comparison& comparison, const Cell& cell) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < cell.values.size(); ++i) {
    parts.push_back(absl::StrCat(comparison.axes[i], " ", cell.values[i]));
  }
  return absl::StrJoin(parts, ", ");
}

absl::Status FindCells(const CompareOptions& options, const std::vector<Entry>& entries,
                       Comparison& comparison) {
  return CellFinder(options, entries, comparison).Run();
}

}  // namespace ringecho::compare

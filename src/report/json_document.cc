#include "report/json_document.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "report/one_line.h"

namespace ringecho::report {
namespace {

constexpr size_t kShownKeyBytes = 60;
constexpr size_t kShownPlaceBytes = 100;
constexpr size_t kShownNumberBytes = 40;
constexpr int kOverflowError = 406;  // nlohmann's: a number beyond the range of a double

// Where the first string, number or run of spaces above kJsonTokenBytesMax begins; the size of the
// text when there is none. The parser keeps several copies of what it is reading, so that it must
// not even begin with one.
size_t LongTokenAt(std::string_view text) {
  constexpr std::string_view kBetweenTokens = ",:[]{}";
  size_t start = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = false;
      }
    } else if (c == '"') {
      in_string = true;
      start = i;
    } else if (kBetweenTokens.find(c) != std::string_view::npos) {
      start = i + 1;
      continue;
    }
    if (i >= start + kJsonTokenBytesMax) return start;
  }
  return text.size();
}

// Builds the document from the events of nlohmann's parser, which have the names it gives them.
// Each returns whether to go on. Objects are filled through the vector that they are: the parser's
// own way looks every key up first, in time quadratic in the number of keys.
class Builder {
 public:
  // The parser is given what stands before `end`.
  Builder(std::string_view text, size_t end) : text_(text), end_(end) {}

  absl::Status status() const { return status_; }
  Json Take() { return std::move(root_); }

  std::string NotJson(size_t offset) const {
    const std::string_view before = text_.substr(0, offset);
    const size_t line = 1 + static_cast<size_t>(std::count(before.begin(), before.end(), '\n'));
    const size_t column = offset - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    std::string what = absl::StrCat("not JSON at line ", line, ", column ", column);
    const char c = offset < text_.size() ? text_[offset] : '\0';
    if (c == 'N' || c == 'I') absl::StrAppend(&what, "; NaN and Infinity are no JSON numbers");
    return what;
  }

  // The parser's events.

  bool null() { return Add(nullptr) != nullptr; }
  bool boolean(bool value) { return Add(value) != nullptr; }
  bool number_integer(int64_t value) { return Add(value) != nullptr; }
  bool number_unsigned(uint64_t value) { return Add(value) != nullptr; }
  bool number_float(double value, const std::string&) { return Add(value) != nullptr; }
  bool string(std::string& value) {
    if (value.find('\0') != std::string::npos) return Fail("holds a NUL character");
    return Add(value) != nullptr;
  }
  bool binary(Json::binary_t&) { return Fail("is binary"); }

  bool start_object(size_t) { return Open(Json::object()); }
  bool key(std::string& name) {
    if (name.find('\0') != std::string::npos) return Fail("has a key with a NUL character");
    if (Members().size() == kJsonKeysMax) {
      return Fail(absl::StrCat("has an object of more than ", kJsonKeysMax, " keys"));
    }
    GrowMembers();
    Members().push_back({name, nullptr});
    return true;
  }
  bool end_object() {
    if (!KeysDiffer()) return false;
    open_.pop_back();
    return true;
  }
  bool start_array(size_t) { return Open(Json::array()); }
  bool end_array() {
    open_.pop_back();
    return true;
  }

  bool parse_error(size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) {
    if (error.id == kOverflowError) {
      return Fail(absl::StrCat("is ", OneLine(token, kShownNumberBytes),
                               ", takes a number of at most 1.8e308"));
    }
    // The parser counts its look at the end as one more byte.
    if (text_.empty()) return Fail("is empty");
    if (position <= end_) return Fail(NotJson(position - std::min<size_t>(position, 1)));
    if (end_ == text_.size()) {
      return Fail(absl::StrCat("cut short: the text ends at byte ", end_, ", inside the document"));
    }
    return Fail(absl::StrCat("goes on for more than ", kJsonTokenBytesMax, " bytes"));
  }

 private:
  Json::object_t& Members() { return open_.back()->get_ref<Json::object_t&>(); }

  // Left to itself the vector would copy all values to their new place, documents within documents:
  // its elements have constant keys, which cannot be moved.
  void GrowMembers() {
    Json::object_t& members = Members();
    if (members.size() < members.capacity()) return;
    Json::object_t larger;
    larger.reserve(std::max<size_t>(1, 2 * members.size()));
    for (auto& [key, value] : members) larger.push_back({key, std::move(value)});
    members.swap(larger);
  }

  // Null when the document has become too large.
  Json* Add(Json value) {
    if (++values_ > kJsonValuesMax) {
      Fail(absl::StrCat("the document holds more than ", kJsonValuesMax, " values"));
      return nullptr;
    }
    if (open_.empty()) return &(root_ = std::move(value));
    Json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    Json& member = Members().back().second;
    member = std::move(value);
    return &member;
  }
  bool Open(Json container) {
    if (open_.size() == kJsonDepthMax) {
      return Fail(absl::StrCat("is nested more than ", kJsonDepthMax, " deep"));
    }
    Json* added = Add(std::move(container));
    if (added == nullptr) return false;
    open_.push_back(added);
    return true;
  }

  bool KeysDiffer() {
    std::vector<std::string_view> keys;
    keys.reserve(Members().size());
    for (const auto& member : Members()) keys.push_back(member.first);
    std::sort(keys.begin(), keys.end());
    auto twice = std::adjacent_find(keys.begin(), keys.end());
    if (twice == keys.end()) return true;
    std::string place = PlaceOf(open_.size() - 1);
    AppendKey(*twice, place);
    status_ = ErrorAt(place, "stands twice");
    return false;
  }

  // What stands at the end of the first `depth` open containers.
  std::string PlaceOf(size_t depth) const {
    std::string place;
    for (size_t i = 0; i < depth; ++i) {
      const Json& container = *open_[i];
      if (container.is_array()) {
        // Of the innermost list the next element is meant, which is not in it yet.
        AppendIndex(container.size() - (i + 1 < open_.size() ? 1 : 0), place);
      } else if (!container.empty()) {
        AppendKey(container.get_ref<const Json::object_t&>().back().first, place);
      }
    }
    return place;
  }

  bool Fail(std::string_view what) {
    status_ = ErrorAt(PlaceOf(open_.size()), what);
    return false;
  }

  std::string_view text_;
  size_t end_;
  Json root_;
  std::vector<Json*> open_;  // from the root to the innermost container that has not ended
  size_t values_ = 0;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<Json> ParseJson(std::string_view text) {
  const size_t end = LongTokenAt(text);
  Builder builder(text, end);
  if (!Json::sax_parse(text.substr(0, end), &builder)) return builder.status();
  if (end < text.size()) return ErrorAt("", builder.NotJson(end));  // behind a whole document
  return builder.Take();
}

void AppendKey(std::string_view key, std::string& place) {
  absl::StrAppend(&place, place.empty() ? "" : ".",
                  key.empty() ? "\"\"" : OneLine(key, kShownKeyBytes));
}

void AppendIndex(size_t index, std::string& place) { absl::StrAppend(&place, "[", index, "]"); }

absl::Status ErrorAt(std::string_view place, std::string_view what) {
  if (place.empty()) return absl::InvalidArgumentError(base::ToAbsl(what));
  return absl::InvalidArgumentError(
      absl::StrCat(OneLine(place, kShownPlaceBytes), ": ", base::ToAbsl(what)));
}

}  // namespace ringecho::report

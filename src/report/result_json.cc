#include "report/result_json.h"

#include <algorithm>
#include <charconv>
#include <concepts>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "report/json_document.h"
#include "report/one_line.h"
#include "report/result_fields.h"

namespace ringecho::report {
namespace {

constexpr std::string_view kRunStatusNames[] = {"ok", "interrupted", "error"};
constexpr std::string_view kRoleNames[] = {"server", "load"};
constexpr std::string_view kModeNames[] = {"closed", "open"};
constexpr std::string_view kPhaseNames[] = {"connect", "warmup", "measure", "drain"};
constexpr std::string_view kVerdictNames[] = {"valid", "suspect", "invalid"};

// In the order of the enumerators.
template <class E>
std::span<const std::string_view> NamesOf() {
  if constexpr (std::is_same_v<E, RunStatus>) return kRunStatusNames;
  if constexpr (std::is_same_v<E, Role>) return kRoleNames;
  if constexpr (std::is_same_v<E, Mode>) return kModeNames;
  if constexpr (std::is_same_v<E, PhaseName>) return kPhaseNames;
  if constexpr (std::is_same_v<E, Verdict>) return kVerdictNames;
}

template <class E>
std::string_view NameOf(E value) {
  return NamesOf<E>()[static_cast<size_t>(value)];
}

// The shortest text that reads back as the same number: "50", "99.99999".
std::string PercentKey(double percent) {
  char text[32];
  auto [end, error] = std::to_chars(text, text + sizeof(text), percent);
  return std::string(text, end);
}

class Writer {
 public:
  template <class S>
  using Ref = const S&;

  template <class T>
  void Always(const char* key, const T& value) {
    out_[key] = Write(value);
  }
  template <class T>
  void OrNull(const char* key, const std::optional<T>& value) {
    out_[key] = value ? Write(*value) : Json(nullptr);
  }
  template <class T>
  void IfSet(const char* key, const std::optional<T>& value) {
    if (value) out_[key] = Write(*value);
  }
  void Rest(const NamedValues& values) {
    for (const auto& [name, value] : values) out_[name] = Write(value);
  }

  Json Take() { return std::move(out_); }

 private:
  static Json Write(double value) { return value; }  // dump() writes null for what is not finite
  static Json Write(const std::string& value) { return value; }
  template <std::integral T>
  static Json Write(T value) {
    return value;
  }
  template <class E>
  requires std::is_enum_v<E>
  static Json Write(E value) { return NameOf(value); }
  template <class... T>
  static Json Write(const std::variant<T...>& value) {
    return std::visit([](const auto& held) { return Write(held); }, value);
  }
  // std::map-like lists become objects, other lists arrays.
  template <class T>
  static Json Write(const std::vector<std::pair<std::string, T>>& values) {
    Json object = Json::object();
    for (const auto& [name, value] : values) object[name] = Write(value);
    return object;
  }
  static Json Write(const std::vector<Percentile>& values) {
    Json object = Json::object();
    for (const Percentile& p : values) object[PercentKey(p.percent)] = p.value_ns;
    return object;
  }
  template <class T>
  static Json Write(const std::vector<T>& values) {
    Json array = Json::array();
    for (const T& value : values) array.push_back(Write(value));
    return array;
  }
  template <class S>
  requires std::is_class_v<S>
  static Json Write(const S& value) {
    Writer writer;
    Fields(Of<S>(), writer, value);
    return writer.Take();
  }

  Json out_ = Json::object();
};

// Where in the document the reader is. The name is made only when there is something to tell:
// reading makes as many places as there are fields.
struct Place {
  const Place* parent = nullptr;  // none: the whole document
  std::string_view key;           // empty in a list
  size_t index = 0;               // in a list

  Place Of(std::string_view member) const { return {this, member, 0}; }
  Place At(size_t element) const { return {this, {}, element}; }
  std::string Name() const {
    if (parent == nullptr) return {};
    std::string name = parent->Name();
    if (key.data() == nullptr) {
      AppendIndex(index, name);
    } else {
      AppendKey(key, name);
    }
    return name;
  }
};

// "12", "\"fast\"", "an object": for messages.
std::string Shown(const Json& json) {
  constexpr size_t kShownBytes = 40;
  if (json.is_object()) return "an object";
  if (json.is_array()) return "a list";
  if (!json.is_string()) return json.dump();
  return absl::StrCat("\"", OneLine(json.get_ref<const std::string&>(), kShownBytes), "\"");
}

// Reads one object. The first error is kept and stops nothing but lists: reading on is harmless and
// keeps the list of fields free of error handling.
class Reader {
 public:
  template <class S>
  using Ref = S&;

  Reader(Json& in, const Place& place, absl::Status& status)
      : in_(in), place_(place), status_(status) {}

  template <class T>
  void Always(const char* key, T& value) {
    if (Json* json = Find(key)) {
      Read(*json, place_.Of(key), value);
    } else {
      Fail(place_.Of(key), "missing");
    }
  }
  template <class T>
  void OrNull(const char* key, std::optional<T>& value) {
    Json* json = Find(key);
    if (json == nullptr || json->is_null()) return value.reset();
    Read(*json, place_.Of(key), value.emplace());
  }
  template <class T>
  void IfSet(const char* key, std::optional<T>& value) {
    OrNull(key, value);
  }
  void Rest(NamedValues& values) {
    for (auto& [name, json] : Members(in_)) {
      Value value;
      if (!Known(name) && ReadScalar(json, value)) values.emplace_back(name, std::move(value));
    }
  }

 private:
  static Json::object_t& Members(Json& object) { return object.get_ref<Json::object_t&>(); }

  Json* Find(const char* key) {
    known_.emplace_back(key);
    auto it = in_.find(key);
    return it == in_.end() ? nullptr : &*it;
  }
  bool Known(std::string_view name) const {
    return std::find(known_.begin(), known_.end(), name) != known_.end();
  }

  void Fail(const Place& place, std::string_view what) {
    if (status_.ok()) status_ = ErrorAt(place.Name(), what);
  }
  void WrongType(const Place& place, const Json& json, std::string_view takes) {
    if (!status_.ok()) return;
    Fail(place, absl::StrCat("is ", Shown(json), ", takes ", base::ToAbsl(takes)));
  }

  void Read(Json& json, const Place& place, bool& value) {
    if (!json.is_boolean()) return WrongType(place, json, "true or false");
    value = json.get<bool>();
  }
  void Read(Json& json, const Place& place, double& value) {
    if (json.is_null()) {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (json.is_number()) {
      value = json.get<double>();
    } else {
      WrongType(place, json, "a number or null");
    }
  }
  void Read(Json& json, const Place& place, std::string& value) {
    if (!json.is_string()) return WrongType(place, json, "a string");
    value = std::move(json.get_ref<std::string&>());
  }
  template <std::integral T>
  void Read(Json& json, const Place& place, T& value) {
    // The parser calls unsigned what has no minus sign; with one there is only -0.
    const bool fits = json.is_number_unsigned()
                          ? std::in_range<T>(json.get<uint64_t>())
                          : json.is_number_integer() && json.get<int64_t>() == 0;
    if (!fits) {
      return WrongType(place, json,
                       absl::StrCat("an integer from 0 to ", std::numeric_limits<T>::max()));
    }
    value = json.get<T>();
  }
  template <class E>
  requires std::is_enum_v<E>
  void Read(Json& json, const Place& place, E& value) {
    std::span<const std::string_view> names = NamesOf<E>();
    std::string takes;
    for (size_t i = 0; i < names.size(); ++i) {
      if (json.is_string() && json.get_ref<const std::string&>() == names[i]) {
        value = static_cast<E>(i);
        return;
      }
      absl::StrAppend(&takes, i == 0 ? "" : ", ", base::ToAbsl(names[i]));
    }
    WrongType(place, json, takes);
  }
  void Read(Json& json, const Place& place, Number& value) {
    if (json.is_number_float() || json.is_null()) {
      Read(json, place, value.emplace<double>());
    } else {
      Read(json, place, value.emplace<int64_t>());
    }
  }
  void Read(Json& json, const Place& place, Value& value) {
    if (!ReadScalar(json, value)) {
      WrongType(place, json, "a number, string, boolean or list of strings");
    }
  }
  static bool ReadScalar(Json& json, Value& value) {
    if (json.is_boolean()) {
      value = json.get<bool>();
    } else if (json.is_string()) {
      value = std::move(json.get_ref<std::string&>());
    } else if (json.is_number_integer() &&
               (!json.is_number_unsigned() || std::in_range<int64_t>(json.get<uint64_t>()))) {
      value = json.get<int64_t>();
    } else if (json.is_number()) {
      value = json.get<double>();
    } else if (json.is_null()) {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (json.is_array()) {
      std::vector<std::string> list;
      for (Json& item : json) {
        if (!item.is_string()) return false;
        list.push_back(std::move(item.get_ref<std::string&>()));
      }
      value = std::move(list);
    } else {
      return false;
    }
    return true;
  }
  template <class T>
  void Read(Json& json, const Place& place, std::vector<std::pair<std::string, T>>& values) {
    if (!json.is_object()) return WrongType(place, json, "an object");
    for (auto& [name, item] : Members(json)) {
      if (!status_.ok()) return;
      Read(item, place.Of(name), values.emplace_back(name, T()).second);
    }
  }
  // Their order in the file may be anything: tools that rewrite JSON sort keys as text.
  void Read(Json& json, const Place& place, std::vector<Percentile>& values) {
    if (!json.is_object()) return WrongType(place, json, "an object");
    for (auto& [name, item] : Members(json)) {
      if (!status_.ok()) return;
      Percentile p;
      const char* end = name.data() + name.size();
      auto [stop, error] = std::from_chars(name.data(), end, p.percent);
      const bool in_range = p.percent >= 0 && p.percent <= 100;  // false for NaN
      if (error != std::errc() || stop != end || !in_range) {
        return Fail(place.Of(name), "is not a percentile, takes 0 to 100");
      }
      Read(item, place.Of(name), p.value_ns);
      values.push_back(p);
    }
    auto before = [](const Percentile& a, const Percentile& b) { return a.percent < b.percent; };
    auto same = [](const Percentile& a, const Percentile& b) { return a.percent == b.percent; };
    std::sort(values.begin(), values.end(), before);
    auto twice = std::adjacent_find(values.begin(), values.end(), same);
    if (twice != values.end()) Fail(place.Of(PercentKey(twice->percent)), "stands twice");
  }
  template <class T>
  void Read(Json& json, const Place& place, std::vector<T>& values) {
    if (!json.is_array()) return WrongType(place, json, "a list");
    for (Json& item : json) {
      if (!status_.ok()) return;
      const Place at = place.At(values.size());
      Read(item, at, values.emplace_back());
    }
  }
  template <class S>
  requires std::is_class_v<S>
  void Read(Json& json, const Place& place, S& value) {
    if (!json.is_object()) return WrongType(place, json, "an object");
    Reader reader(json, place, status_);
    Fields(Of<S>(), reader, value);
  }

  Json& in_;
  const Place& place_;
  absl::Status& status_;
  std::vector<std::string_view> known_;
};

bool IsVersion(std::string_view text, int& major) {
  int minor = 0;
  const char* end = text.data() + text.size();
  auto [dot, error] = std::from_chars(text.data(), end, major);
  if (error != std::errc() || dot == end || *dot != '.') return false;
  auto [stop, minor_error] = std::from_chars(dot + 1, end, minor);
  return minor_error == std::errc() && stop == end && major >= 0 && minor >= 0;
}

absl::Status CheckSchema(const Json& json) {
  if (!json.is_object()) {
    return ErrorAt("", absl::StrCat("is ", Shown(json), ", this is not a ringecho result"));
  }
  auto schema = json.find("schema");
  if (schema == json.end()) return ErrorAt("schema", "missing, this is not a ringecho result");
  if (*schema != kSchemaName) {
    return ErrorAt("schema",
                   absl::StrCat("is ", Shown(*schema), ", this is not a ringecho result"));
  }
  auto version = json.find("schema_version");
  if (version == json.end()) return ErrorAt("schema_version", "missing");
  int major = 0;
  if (!version->is_string() || !IsVersion(version->get_ref<const std::string&>(), major)) {
    return ErrorAt("schema_version",
                   absl::StrCat("is ", Shown(*version), ", takes \"MAJOR.MINOR\""));
  }
  if (major != kSchemaMajor) {
    return ErrorAt("schema_version", absl::StrCat("is ", Shown(*version), ", this program reads ",
                                                  kSchemaMajor, ".x"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string ToJson(const Result& result) {
  Json json = Json::object();
  json["schema"] = kSchemaName;
  json["schema_version"] = absl::StrCat(kSchemaMajor, ".", kSchemaMinor);
  Writer writer;
  Fields(Of<Result>(), writer, result);
  json.update(writer.Take());
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

absl::StatusOr<Result> FromJson(std::string_view text) {
  absl::StatusOr<Json> json = ParseJson(text);
  if (!json.ok()) return json.status();
  RINGECHO_RETURN_IF_ERROR(CheckSchema(*json));
  Result result;
  absl::Status status;
  const Place whole;
  Reader reader(*json, whole, status);
  Fields(Of<Result>(), reader, result);
  if (!status.ok()) return status;
  return result;
}

std::string_view Name(RunStatus status) { return NameOf(status); }
std::string_view Name(Role role) { return NameOf(role); }
std::string_view Name(Mode mode) { return NameOf(mode); }
std::string_view Name(PhaseName phase) { return NameOf(phase); }
std::string_view Name(Verdict verdict) { return NameOf(verdict); }

}  // namespace ringecho::report

#include "report/result_json.h"

#include <charconv>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "report/result_fields.h"

namespace ringecho::report {
namespace {

using Json = nlohmann::ordered_json;

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

// Reads one object. The first error is kept and stops nothing: reading on is harmless and keeps
// the list of fields free of error handling.
class Reader {
 public:
  template <class S>
  using Ref = S&;

  Reader(const Json& in, std::string path, absl::Status& status)
      : in_(in), path_(std::move(path)), status_(status) {}

  template <class T>
  void Always(const char* key, T& value) {
    if (const Json* json = Find(key)) {
      Read(*json, Place(key), value);
    } else {
      Fail(Place(key), "missing");
    }
  }
  template <class T>
  void OrNull(const char* key, std::optional<T>& value) {
    const Json* json = Find(key);
    if (json == nullptr || json->is_null()) return value.reset();
    Read(*json, Place(key), value.emplace());
  }
  template <class T>
  void IfSet(const char* key, std::optional<T>& value) {
    OrNull(key, value);
  }
  void Rest(NamedValues& values) {
    for (const auto& [name, json] : in_.items()) {
      Value value;
      if (!Known(name) && ReadScalar(json, value)) values.emplace_back(name, std::move(value));
    }
  }

 private:
  const Json* Find(const char* key) {
    known_.emplace_back(key);
    auto it = in_.find(key);
    return it == in_.end() ? nullptr : &*it;
  }
  bool Known(std::string_view name) const {
    for (std::string_view key : known_) {
      if (key == name) return true;
    }
    return false;
  }
  std::string Place(std::string_view key) const {
    return path_.empty() ? std::string(key) : absl::StrCat(path_, ".", base::ToAbsl(key));
  }
  void Fail(const std::string& place, std::string_view what) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(absl::StrCat(place, ": ", base::ToAbsl(what)));
  }

  void Read(const Json& json, const std::string& place, bool& value) {
    if (!json.is_boolean()) return Fail(place, "takes true or false");
    value = json.get<bool>();
  }
  void Read(const Json& json, const std::string& place, double& value) {
    if (json.is_null()) {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (json.is_number()) {
      value = json.get<double>();
    } else {
      Fail(place, "takes a number or null");
    }
  }
  void Read(const Json& json, const std::string& place, std::string& value) {
    if (!json.is_string()) return Fail(place, "takes a string");
    value = json.get<std::string>();
  }
  template <std::integral T>
  void Read(const Json& json, const std::string& place, T& value) {
    if (!json.is_number_integer()) return Fail(place, "takes an integer");
    bool fits = json.is_number_unsigned() ? std::in_range<T>(json.get<uint64_t>())
                                          : std::in_range<T>(json.get<int64_t>());
    if (!fits) return Fail(place, "integer out of range");
    value = json.get<T>();
  }
  template <class E>
  requires std::is_enum_v<E>
  void Read(const Json& json, const std::string& place, E& value) {
    std::span<const std::string_view> names = NamesOf<E>();
    std::string takes;
    for (size_t i = 0; i < names.size(); ++i) {
      if (json.is_string() && json.get_ref<const std::string&>() == names[i]) {
        value = static_cast<E>(i);
        return;
      }
      absl::StrAppend(&takes, i == 0 ? "takes " : ", ", base::ToAbsl(names[i]));
    }
    Fail(place, takes);
  }
  void Read(const Json& json, const std::string& place, Number& value) {
    if (json.is_number_float() || json.is_null()) {
      Read(json, place, value.emplace<double>());
    } else {
      Read(json, place, value.emplace<int64_t>());
    }
  }
  void Read(const Json& json, const std::string& place, Value& value) {
    if (!ReadScalar(json, value)) Fail(place, "takes a number, string, boolean or list of strings");
  }
  bool ReadScalar(const Json& json, Value& value) {
    if (json.is_boolean()) {
      value = json.get<bool>();
    } else if (json.is_string()) {
      value = json.get<std::string>();
    } else if (json.is_number_integer() &&
               (!json.is_number_unsigned() || std::in_range<int64_t>(json.get<uint64_t>()))) {
      value = json.get<int64_t>();
    } else if (json.is_number()) {
      value = json.get<double>();
    } else if (json.is_null()) {
      value = std::numeric_limits<double>::quiet_NaN();
    } else if (json.is_array()) {
      std::vector<std::string> list;
      for (const Json& item : json) {
        if (!item.is_string()) return false;
        list.push_back(item.get<std::string>());
      }
      value = std::move(list);
    } else {
      return false;
    }
    return true;
  }
  template <class T>
  void Read(const Json& json, const std::string& place,
            std::vector<std::pair<std::string, T>>& values) {
    if (!json.is_object()) return Fail(place, "takes an object");
    for (const auto& [name, item] : json.items()) {
      values.emplace_back(name, T());
      Read(item, absl::StrCat(place, ".", name), values.back().second);
    }
  }
  void Read(const Json& json, const std::string& place, std::vector<Percentile>& values) {
    if (!json.is_object()) return Fail(place, "takes an object");
    for (const auto& [name, item] : json.items()) {
      Percentile p;
      const char* end = name.data() + name.size();
      auto [stop, error] = std::from_chars(name.data(), end, p.percent);
      std::string at = absl::StrCat(place, ".", name);
      if (error != std::errc() || stop != end) return Fail(at, "is not a percentile");
      Read(item, at, p.value_ns);
      values.push_back(p);
    }
  }
  template <class T>
  void Read(const Json& json, const std::string& place, std::vector<T>& values) {
    if (!json.is_array()) return Fail(place, "takes a list");
    for (const Json& item : json) {
      std::string at = absl::StrCat(place, "[", values.size(), "]");
      Read(item, at, values.emplace_back());
    }
  }
  template <class S>
  requires std::is_class_v<S>
  void Read(const Json& json, const std::string& place, S& value) {
    if (!json.is_object()) return Fail(place, "takes an object");
    Reader reader(json, place, status_);
    Fields(Of<S>(), reader, value);
  }

  const Json& in_;
  std::string path_;
  absl::Status& status_;
  std::vector<std::string_view> known_;
};

absl::Status CheckSchema(const Json& json) {
  auto text = [&](const char* key) {
    auto it = json.find(key);
    return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
  };
  if (text("schema") != kSchemaName) {
    return absl::InvalidArgumentError(absl::StrCat("schema: takes \"", kSchemaName, "\""));
  }
  std::string version = text("schema_version");
  int major = 0;
  const char* end = version.data() + version.size();
  auto [dot, error] = std::from_chars(version.data(), end, major);
  if (error != std::errc() || dot == end || *dot != '.') {
    return absl::InvalidArgumentError("schema_version: takes MAJOR.MINOR");
  }
  if (major != kSchemaMajor) {
    return absl::InvalidArgumentError(
        absl::StrCat("schema_version: is ", version, ", this program reads ", kSchemaMajor, ".x"));
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
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat("no JSON document: error at byte ", error.byte, " of ", text.size()));
  }
  if (!json.is_object()) return absl::InvalidArgumentError("takes a JSON object");
  RINGECHO_RETURN_IF_ERROR(CheckSchema(json));
  Result result;
  absl::Status status;
  Reader reader(json, "", status);
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

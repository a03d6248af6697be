#include "statistics_fixtures.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace ringecho::compare {
namespace {

using Json = nlohmann::json;

const Json& Fixtures() {
  static const Json json = [] {
    std::ifstream file(RINGECHO_STATISTICS_FIXTURES);
    return Json::parse(file, nullptr, false);
  }();
  return json;
}

template <class T>
std::optional<T> Maybe(const Json& json, const char* key) {
  if (!json.contains(key) || json[key].is_null()) return std::nullopt;
  return json[key].get<T>();
}

}  // namespace

std::vector<SamplesFixture> SamplesFixtures() {
  using Interval = std::pair<double, double>;
  std::vector<SamplesFixture> out;
  for (const Json& json : Fixtures()["samples"]) {
    out.push_back({json["name"], json["a"], json["b"], Maybe<double>(json, "exact_p"),
                   json["approximate_p"], json["median_a"], json["median_b"],
                   json["geometric_mean_a"], Maybe<Interval>(json, "interval_a"),
                   Maybe<double>(json, "change"), Maybe<Interval>(json, "interval_change")});
  }
  return out;
}

std::vector<HolmFixture> HolmFixtures() {
  std::vector<HolmFixture> out;
  for (const Json& json : Fixtures()["holm"]) out.push_back({json["p"], json["adjusted"]});
  return out;
}

}  // namespace ringecho::compare

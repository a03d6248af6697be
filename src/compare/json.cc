#include "compare/json.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace ringecho::compare {
namespace {

using Json = nlohmann::ordered_json;

std::string_view NameOf(Unit unit) {
  switch (unit) {
    case Unit::kPerSecond:
      return "per_s";
    case Unit::kNanoseconds:
      return "ns";
    case Unit::kBytes:
      return "bytes";
    case Unit::kRatio:
      return "ratio";
    case Unit::kCount:
      break;
  }
  return "count";
}

// dump() writes null for what is not finite.
Json Write(const Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}};
}

Json Write(const Metric& metric) {
  return {{"id", metric.id},
          {"title", metric.title},
          {"unit", NameOf(metric.unit)},
          {"better", metric.better == Better::kHigher ? "higher" : "lower"},
          {"judged", metric.judged}};
}

Json Write(const Comparison& comparison, const Cell& cell) {
  Json values = Json::object();
  for (size_t i = 0; i < cell.values.size(); ++i) values[comparison.axes[i]] = cell.values[i];
  return {{"values", values}, {"measurements", cell.by_side}};
}

Json Write(const Comparison& comparison, const Finding& finding) {
  const bool judged = comparison.metrics[finding.metric].judged;
  return {{"cell", finding.cell},
          {"side", finding.side},
          {"metric", finding.metric},
          {"base_samples", finding.base_samples},
          {"samples", finding.samples},
          {"base", Write(finding.base)},
          {"median", Write(finding.median)},
          {"change", Write(finding.change)},
          {"p", finding.p},
          {"p_adjusted", judged ? Json(finding.p_adjusted) : Json()},
          {"verdict", judged ? Json(Name(finding.judgement)) : Json()},
          {"note", finding.note.empty() ? Json() : Json(finding.note)}};
}

Json RunId(const std::optional<report::Result>& result) {
  return result ? Json(result->run.id) : Json();
}

Json Write(const Comparison& comparison, const Measurement& measurement) {
  Json values = Json::object();
  for (const Metric& metric : comparison.metrics) {
    const std::optional<double> value = ValueOf(measurement, metric);
    values[metric.id] = value ? Json(*value) : Json();
  }
  return {{"name", measurement.name},
          {"series", measurement.series},
          {"load_run_id", RunId(measurement.load)},
          {"server_run_id", RunId(measurement.server)},
          {"values", values}};
}

template <class List, class Writer>
Json Each(const List& list, Writer write) {
  Json out = Json::array();
  for (const auto& item : list) out.push_back(write(item));
  return out;
}

}  // namespace

std::string ToJson(const Comparison& comparison) {
  Json common = Json::object();
  for (const auto& [key, value] : comparison.common) common[key] = value;
  const auto of_this = [&comparison](const auto& item) { return Write(comparison, item); };
  const Json json = {
      {"schema", "ringecho.comparison"},
      {"schema_version", "1.1"},
      {"vary", comparison.vary},
      {"sides", comparison.sides},
      {"axes", comparison.axes},
      {"common", common},
      {"alpha", comparison.alpha},
      {"min_effect", comparison.min_effect},
      {"by_boot", comparison.by_boot},
      {"forced", comparison.forced},
      {"metrics", Each(comparison.metrics, [](const Metric& metric) { return Write(metric); })},
      {"cells", Each(comparison.cells, of_this)},
      {"findings", Each(comparison.findings, of_this)},
      {"overall", Each(comparison.overall,
                       [](const Overall& overall) -> Json {
                         return {{"side", overall.side},
                                 {"metric", overall.metric},
                                 {"cells", overall.cells},
                                 {"ratio", overall.ratio}};
                       })},
      {"measurements", Each(comparison.measurements, of_this)},
      {"differences", Each(comparison.differences,
                           [](const Difference& difference) -> Json {
                             return {{"key", difference.key},
                                     {"values", difference.values},
                                     {"expected", difference.expected}};
                           })},
      {"left_out", Each(comparison.left_out,
                        [](const LeftOut& left) -> Json {
                          return {{"measurement", left.measurement}, {"reason", left.reason}};
                        })},
      {"lost", comparison.lost},
      {"notes", comparison.notes}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace ringecho::compare

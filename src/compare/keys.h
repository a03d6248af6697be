// What a measurement was made with, as names and values: what sides are told apart and cells are
// matched by, and what has to be equal for a comparison to mean anything.
#ifndef RINGECHO_COMPARE_KEYS_H_
#define RINGECHO_COMPARE_KEYS_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compare/comparison.h"

namespace ringecho::compare {

using KeyValues = std::map<std::string, std::string, std::less<>>;

// Values as people write them: 10000, true, "0,2-3". Keys that do not apply are not there.
//
//   config       engine, features, features_asked, features_requested  of the server: what is in
//                use but for min_wait, which follows from how it waits; what --features was given;
//                and what that stands for
//                loader_engine, loader_features, loader_features_asked, loader_features_requested
//                connections, size_bytes, depth, mode, rate_target_per_s, ...: the load
//                generator's, and server.threads, server.cpus, server.wait, ...: the server's, by
//                the names they have in the file
//   environment  kernel (its release) and version ("0.1.0 (git commit)") of the server
//                loader_version, tool.*, loader.tool.*: compiler, liburing, build type
//                host.fingerprint, host.environment.*: the server's machine; the load generator's
//                as loader.host.* when it is another one, otherwise only what differs from
//                the server's (limits, control group, sysctls)
//   labels       label.NAME of either; those by which a series keeps its books (series, repeat,
//                order) are none
//
// Without a server's result the load generator's kernel, host and version stand in, because what is
// measured then includes it.
struct Keys {
  KeyValues config;
  KeyValues environment;
  KeyValues labels;

  // In all three; empty when there is none.
  const std::string& Find(std::string_view key) const;
  bool Has(std::string_view key) const;
};

Keys KeysOf(const Measurement& measurement);

// What was asked for where `key` says what came of it by engine and features; empty where there is
// no such key. Results before schema 1.2 do not have it.
std::string_view RequestedKeyOf(std::string_view key);
// The features it came of.
std::string_view FeaturesKeyOf(std::string_view key);

// The key that stands for the folder or file a measurement came from.
inline constexpr char kSeriesKey[] = "series";

// Config keys in the order in which people think of them; the rest follow by name.
bool KeyLess(std::string_view a, std::string_view b);

// 2 < 10 < "abc" < "abd".
bool NaturalLess(std::string_view a, std::string_view b);

// Whether `key` may differ because `vary` does: another kernel has other mitigations, another
// engine other features. Everything follows from itself.
bool Follows(std::string_view key, std::string_view vary);

// Whether it is the load generator's, beside one of the server's: "loader_kernel".
bool IsLoaderKey(std::string_view key);

// Whether it is the kernel, its build or its command line that is varied: then a boot is a sample,
// not a run, because every boot lays out memory and places interrupts anew.
bool IsKernelKey(std::string_view key);

}  // namespace ringecho::compare

#endif  // RINGECHO_COMPARE_KEYS_H_

#include "compare/keys.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstdint>
#include <iterator>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cpus.h"
#include "base/status.h"
#include "report/one_line.h"
#include "report/result_json.h"

namespace ringecho::compare {
namespace {

using report::Result;

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

// The shortest text that reads back as the same number.
std::string Text(double value) {
  char text[32];
  auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  return std::string(text, end);
}
std::string Text(bool value) { return value ? "true" : "false"; }
std::string Text(int64_t value) { return absl::StrCat(value); }
std::string Text(const std::string& value) { return value; }
std::string Text(const std::vector<std::string>& value) { return absl::StrJoin(value, ","); }
std::string Text(const report::Value& value) {
  return std::visit([](const auto& held) { return Text(held); }, value);
}

template <class T>
void Put(KeyValues& out, const std::string& key, const std::optional<T>& value) {
  if (value) out[key] = Text(*value);
}

// "buffer_ring,multishot_recv,receive=multishot": switches that are on by name, the rest with
// value.
std::string FeatureText(const report::NamedValues& values, std::string_view without = {}) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : values) {
    // These have keys of their own: min_wait is how batches are waited for, where that was asked.
    if (name == "engine" || name == without) continue;
    if (const bool* on = std::get_if<bool>(&value)) {
      if (*on) parts.push_back(name);
    } else {
      parts.push_back(absl::StrCat(name, "=", Text(value)));
    }
  }
  std::sort(parts.begin(), parts.end());
  return parts.empty() ? "none" : absl::StrJoin(parts, ",");
}

// What --features was given, which says what somebody wanted to know ("baseline", "-recv_bundle").
std::optional<std::string> AskedFeatures(const std::vector<std::string>& argv) {
  constexpr std::string_view kOption = "--features";
  if (argv.empty()) return std::nullopt;
  std::string asked = "best";
  for (size_t i = 0; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (word == kOption && i + 1 < argv.size()) asked = argv[i + 1];
    if (StartsWith(word, kOption) && word.size() > kOption.size() && word[kOption.size()] == '=') {
      asked = word.substr(kOption.size() + 1);
    }
  }
  // The default needs no naming.
  constexpr std::string_view kDefault = "best,";
  return StartsWith(asked, kDefault) ? asked.substr(kDefault.size()) : asked;
}

void PutEngine(const Result& result, const std::string& prefix, KeyValues& out) {
  const report::Engine& engine = result.config.engine;
  out[prefix + "engine"] = engine.name;
  // An engine without any goes by its name, so that features can be compared with epoll.
  const std::string features = FeatureText(engine.effective, "min_wait");
  out[prefix + "features"] = features == "none" ? engine.name : features;
  out[prefix + "features_requested"] = FeatureText(engine.requested);
  // epoll takes the option, and has nothing to do with it.
  Put(out, prefix + "features_asked",
      engine.name == "epoll" ? engine.name : AskedFeatures(result.run.argv));
}

// What is not chosen by anybody: a limit that follows from the descriptors there are, addresses
// that follow from the ports that are free, ids.
bool IsChosen(const report::Config& config, std::string_view key) {
  if (key == "source_addresses" || key == "merged_run_ids") return false;
  if (key != "connections" || config.role != report::Role::kServer) return true;
  return std::find(config.extra.begin(), config.extra.end(),
                   std::pair<std::string, report::Value>("max_connections_limited", false)) ==
         config.extra.end();
}

// A size that was not chosen is no number: engines have sizes of their own.
std::string ConfigText(std::string_view name, const report::Value& value) {
  const bool own = name == "buffer_size_requested_bytes" && value == report::Value(int64_t{0});
  return own ? "default" : Text(value);
}

void PutConfig(const report::Config& config, const std::string& prefix, KeyValues& out) {
  auto put = [&](const char* key, const auto& value) {
    if (IsChosen(config, key)) Put(out, prefix + key, std::optional(value));
  };
  put("transport", config.transport);
  put("connections", config.connections);
  put("threads", config.threads);
  put("cpus", config.cpus.empty() ? std::string("any") : base::FormatCpuList(config.cpus));
  put("wait", config.wait);
  Put(out, prefix + "size_bytes", config.size_bytes);
  Put(out, prefix + "depth", config.depth);
  if (config.mode) put("mode", std::string(report::Name(*config.mode)));
  Put(out, prefix + "rate_target_per_s", config.rate_target_per_s);
  Put(out, prefix + "warmup_ns", config.warmup_ns);
  Put(out, prefix + "duration_ns", config.duration_ns);
  Put(out, prefix + "messages_per_connection", config.messages_per_connection);
  Put(out, prefix + "sessions", config.sessions);
  for (const auto& [name, value] : config.extra) {
    if (IsChosen(config, name)) out[prefix + name] = ConfigText(name, value);
  }
}

void PutTool(const report::Tool& tool, const std::string& version_key, const std::string& prefix,
             KeyValues& out) {
  out[version_key] = tool.git_commit.empty()
                         ? tool.version
                         : absl::StrCat(tool.version, " (", tool.git_commit, ")");
  out[prefix + "build_type"] = tool.build_type;
  out[prefix + "compiler"] = tool.compiler;
  out[prefix + "liburing_version"] = tool.liburing_version;
}

void PutStrings(const report::NamedStrings& values, const std::string& prefix, KeyValues& out) {
  for (const auto& [name, value] : values) out[prefix + name] = value;
}

void PutHost(const report::Host& host, const std::string& kernel_key, const std::string& prefix,
             KeyValues& out) {
  const report::Environment& e = host.environment;
  const std::string env = prefix + "environment.";
  out[prefix + "fingerprint"] = host.fingerprint;
  out[kernel_key] = e.kernel_release;
  out[env + "kernel_version"] = e.kernel_version;
  out[env + "kernel_cmdline"] = e.kernel_cmdline;
  out[env + "architecture"] = e.architecture;
  out[env + "cpu.model"] = e.cpu.model;
  out[env + "cpu.count"] = Text(e.cpu.count);
  Put(out, env + "cpu.smt", e.cpu.smt);
  Put(out, env + "cpu.governor", e.cpu.governor);
  PutStrings(e.cpu.mitigations, env + "cpu.mitigations.", out);
  out[env + "virtualization.hypervisor"] = Text(e.virtualization.hypervisor);
  Put(out, env + "virtualization.product", e.virtualization.product);
  Put(out, env + "virtualization.container", e.virtualization.container);
  Put(out, env + "clocksource", e.clocksource);
  // Every kernel keeps a little more or less of it; rounded as in the fingerprint.
  if (e.memory_bytes > 0 && e.memory_bytes < INT64_C(1) << 62) {
    out[env + "memory_bytes"] = absl::StrCat(std::bit_ceil(static_cast<uint64_t>(e.memory_bytes)));
  }
  Put(out, env + "transparent_hugepages", e.transparent_hugepages);
  Put(out, env + "limits.nofile_soft", e.limits.nofile_soft);
  Put(out, env + "limits.nofile_hard", e.limits.nofile_hard);
  Put(out, env + "limits.memlock_bytes", e.limits.memlock_bytes);
  Put(out, env + "limits.cgroup_cpus", e.limits.cgroup_cpus);
  PutStrings(e.sysctls, env + "sysctls.", out);
  out[env + "io_uring.available"] = Text(e.io_uring.available);
  Put(out, env + "io_uring.reason", e.io_uring.reason);
  Put(out, env + "io_uring.disabled", e.io_uring.disabled);
  out[env + "io_uring.features"] = Text(e.io_uring.features);
  out[env + "io_uring.opcodes"] = Text(e.io_uring.opcodes);
  out[env + "io_uring.ring_flags"] = Text(e.io_uring.ring_flags);
}

// What a load generator beside the server had otherwise: it may have run in another control group,
// with other limits, or after a change of the machine.
void PutOtherwise(const report::Host& load, const report::Host& server, KeyValues& out) {
  KeyValues of_load;
  KeyValues of_server;
  PutHost(load, "kernel", "host.", of_load);
  PutHost(server, "kernel", "host.", of_server);
  for (const auto& [key, value] : of_load) {
    const auto it = of_server.find(key);
    if (it == of_server.end() || it->second != value) out["loader." + key] = value;
  }
  for (const auto& [key, value] : of_server) {
    if (of_load.count(key) == 0) out["loader." + key] = "(none)";
  }
}

void PutLabels(const report::NamedStrings& labels, KeyValues& out) {
  for (const auto& [name, value] : labels) {
    if (name == "series" || name == "repeat" || name == "order") continue;
    out["label." + name] = value;
  }
}

// The key of the server's that a load generator's stands beside.
std::string_view WithoutLoader(std::string_view key) {
  for (std::string_view prefix : {"loader_", "loader."}) {
    if (StartsWith(key, prefix)) return key.substr(prefix.size());
  }
  return key;
}

// What a key of the load generator's is of the server; empty for a key of the server's.
std::string ServerKeyOf(std::string_view key) {
  if (key == "buffers" || key == "buffer_size_bytes")
    return absl::StrCat("server.", base::ToAbsl(key));
  const std::string_view bare = WithoutLoader(key);
  return std::string(bare.size() == key.size() ? std::string_view() : bare);
}

bool FollowsFromKernel(std::string_view key) {
  for (std::string_view prefix : {"host.environment.kernel_", "host.environment.cpu.mitigations.",
                                  "host.environment.sysctls.", "host.environment.io_uring.",
                                  "host.environment.transparent_hugepages"}) {
    if (StartsWith(key, prefix)) return true;
  }
  return key == "features" || key == "kernel";
}

// What was asked for is not among it: that somebody chose.
bool FollowsFromVersion(std::string_view key) {
  return key == "version" || StartsWith(key, "tool.") || key == "features" ||
         key == "features_requested" || StartsWith(key, "host.environment.io_uring.");
}

bool FollowsFromEngine(std::string_view key) {
  return key == "features" || key == "features_requested" || key == "features_asked" ||
         key == "server.buffers" || key == "server.buffer_size_bytes";
}

constexpr std::string_view kOrder[] = {
    "engine",      "features_asked", "features",    "loader_engine",     "connections",
    "size_bytes",  "depth",          "mode",        "rate_target_per_s", "sessions",
    "transport",   "server.threads", "server.cpus", "threads",           "cpus",
    "server.wait", "wait",           "warmup_ns",   "duration_ns",       "messages_per_connection"};

// Files come from anywhere, and what stands in them ends up on terminals and in tables.
KeyValues Printable(const KeyValues& values) {
  KeyValues out;
  for (const auto& [key, value] : values) out[report::OneLine(key)] = report::OneLine(value);
  return out;
}

Keys RawKeysOf(const Measurement& measurement) {
  Keys keys;
  const Result* const load = measurement.load ? &*measurement.load : nullptr;
  const Result* const server = measurement.server ? &*measurement.server : nullptr;
  if (load != nullptr) {
    PutConfig(load->config, "", keys.config);
    PutEngine(*load, "loader_", keys.config);
    PutTool(load->tool, "loader_version", "loader.tool.", keys.environment);
    PutLabels(load->run.labels, keys.labels);
  }
  if (server != nullptr) {
    PutConfig(server->config, "server.", keys.config);
    PutEngine(*server, "", keys.config);
    PutLabels(server->run.labels, keys.labels);
  }
  const Result* const measured = server != nullptr ? server : load;
  if (measured == nullptr) return keys;
  PutTool(measured->tool, "version", "tool.", keys.environment);
  PutHost(measured->host, "kernel", "host.", keys.environment);
  if (load != nullptr && server != nullptr &&
      (load->host.fingerprint != server->host.fingerprint ||
       load->host.environment.kernel_release != server->host.environment.kernel_release)) {
    PutHost(load->host, "loader_kernel", "loader.host.", keys.environment);
  } else if (load != nullptr && server != nullptr) {
    PutOtherwise(load->host, server->host, keys.environment);
  }
  return keys;
}

}  // namespace

const std::string& Keys::Find(std::string_view key) const {
  static const std::string kNone;
  for (const KeyValues* values : {&config, &environment, &labels}) {
    if (auto it = values->find(key); it != values->end()) return it->second;
  }
  return kNone;
}

bool Keys::Has(std::string_view key) const {
  return config.count(key) + environment.count(key) + labels.count(key) != 0;
}

Keys KeysOf(const Measurement& measurement) {
  Keys keys = RawKeysOf(measurement);
  keys.config = Printable(keys.config);
  keys.environment = Printable(keys.environment);
  keys.labels = Printable(keys.labels);
  return keys;
}

std::string_view RequestedKeyOf(std::string_view key) {
  if (key == "server.buffer_size_bytes") return "server.buffer_size_requested_bytes";
  if (key == "buffer_size_bytes") return "buffer_size_requested_bytes";
  return {};
}

std::string_view FeaturesKeyOf(std::string_view key) {
  return StartsWith(key, "server.") ? "features" : "loader_features";
}

bool KeyLess(std::string_view a, std::string_view b) {
  auto rank = [](std::string_view key) {
    return std::find(std::begin(kOrder), std::end(kOrder), key) - std::begin(kOrder);
  };
  return rank(a) != rank(b) ? rank(a) < rank(b) : a < b;
}

bool NaturalLess(std::string_view a, std::string_view b) {
  auto number = [](std::string_view text, double& value) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
  };
  double x = 0;
  double y = 0;
  const bool a_is_number = number(a, x);
  const bool b_is_number = number(b, y);
  if (a_is_number && b_is_number && x != y) return x < y;
  if (a_is_number != b_is_number) return a_is_number;
  return a < b;
}

bool IsLoaderKey(std::string_view key) { return WithoutLoader(key).size() != key.size(); }

bool IsKernelKey(std::string_view key) {
  key = WithoutLoader(key);
  return key == "kernel" || StartsWith(key, "host.environment.kernel_");
}

bool Follows(std::string_view key, std::string_view vary) {
  if (key == vary) return true;
  if (IsLoaderKey(vary)) {
    const std::string of_server = ServerKeyOf(key);
    return !of_server.empty() && Follows(of_server, WithoutLoader(vary));
  }
  // The load generator usually changes with the server: built with it, on the same kernel.
  const std::string_view whose = WithoutLoader(key);
  if (IsKernelKey(vary)) return FollowsFromKernel(whose);
  if (vary == "version" || StartsWith(vary, "label.")) return FollowsFromVersion(whose);
  if (vary == "engine") return FollowsFromEngine(key);
  if (vary == "features" || vary == "features_asked") {
    return FollowsFromEngine(key) || key == "engine" ||
           whose == "host.environment.io_uring.ring_flags";
  }
  // A runner gives few connections fewer threads.
  if (vary == "connections" && (key == "threads" || key == "cpus")) return true;
  if (vary == "mode" && key == "rate_target_per_s") return true;
  // And the load generator the CPUs that the server leaves, with a thread on each.
  if (vary == "server.threads" && (key == "server.cpus" || key == "threads")) return true;
  if ((vary == "server.threads" || vary == "server.cpus") && key == "cpus") return true;
  return vary == "threads" && key == "cpus";
}

}  // namespace ringecho::compare

#include "report/environment.h"

#include <sys/random.h>
#include <sys/utsname.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/clock.h"
#include "base/cpus.h"
#include "base/status.h"
#include "report/privacy.h"

namespace ringecho::report {
namespace {

namespace fs = std::filesystem;

// What may change the speed of an echo over TCP or its limits.
constexpr const char* kSysctls[] = {
    "fs.file-max",
    "fs.nr_open",
    "kernel.io_uring_disabled",
    "kernel.numa_balancing",
    "kernel.pid_max",
    "kernel.sched_autogroup_enabled",
    "kernel.threads-max",
    "net.core.busy_poll",
    "net.core.busy_read",
    "net.core.default_qdisc",
    "net.core.dev_weight",
    "net.core.netdev_budget",
    "net.core.netdev_max_backlog",
    "net.core.optmem_max",
    "net.core.rmem_default",
    "net.core.rmem_max",
    "net.core.rps_sock_flow_entries",
    "net.core.somaxconn",
    "net.core.wmem_default",
    "net.core.wmem_max",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_autocorking",
    "net.ipv4.tcp_congestion_control",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_max_orphans",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.tcp_max_tw_buckets",
    "net.ipv4.tcp_mem",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_sack",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.tcp_timestamps",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_wmem",
    "net.netfilter.nf_conntrack_max",
    "net.unix.max_dgram_qlen",
    "vm.max_map_count",
};

// A file's text without white space at its ends, or nothing when it cannot be read. Files below
// /proc and /sys have no size, so they are read to their end.
std::optional<std::string> ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  if (!in || !(text << in.rdbuf())) return std::nullopt;
  return std::string(absl::StripAsciiWhitespace(text.str()));
}

std::optional<int64_t> ReadInteger(const std::string& path) {
  std::optional<std::string> text = ReadText(path);
  int64_t value = 0;
  if (!text || !absl::SimpleAtoi(*text, &value)) return std::nullopt;
  return value;
}

std::vector<std::string> ReadLines(const std::string& path) {
  std::optional<std::string> text = ReadText(path);
  if (!text) return {};
  return absl::StrSplit(*text, '\n');
}

// "model name : AMD EPYC" -> the value of the first line with that key.
std::string ValueOf(const std::vector<std::string>& lines, std::string_view key) {
  for (const std::string& line : lines) {
    std::pair<std::string, std::string> field = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(field.first) == base::ToAbsl(key)) {
      return std::string(absl::StripAsciiWhitespace(field.second));
    }
  }
  return "";
}

std::string CpuModel(const std::vector<std::string>& cpuinfo) {
  std::string model = ValueOf(cpuinfo, "model name");
  if (!model.empty()) return model;
  // Arm has numbers only; they name the core as well as a name would.
  std::string implementer = ValueOf(cpuinfo, "CPU implementer");
  std::string part = ValueOf(cpuinfo, "CPU part");
  if (!implementer.empty()) return absl::StrCat("implementer ", implementer, " part ", part);
  return ValueOf(cpuinfo, "cpu");
}

std::optional<std::string> Governor(const std::string& cpus, const std::vector<int>& online) {
  std::optional<std::string> common;
  for (int cpu : online) {
    auto governor = ReadText(absl::StrCat(cpus, "/cpu", cpu, "/cpufreq/scaling_governor"));
    if (!governor) continue;
    if (common && *common != *governor) return "mixed";
    common = governor;
  }
  return common;
}

NamedStrings Mitigations(const std::string& folder) {
  NamedStrings found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (auto state = ReadText(it->path().string())) {
      found.emplace_back(it->path().filename().string(), *state);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

Cpu ReadCpu(const std::string& root, const std::vector<std::string>& cpuinfo) {
  const std::string folder = root + "/sys/devices/system/cpu";
  Cpu cpu;
  cpu.model = CpuModel(cpuinfo);
  std::vector<int> online;
  if (auto list = base::ParseCpuList(ReadText(folder + "/online").value_or("")); list.ok()) {
    online = *list;
  }
  cpu.count = static_cast<int64_t>(online.size());
  // Without /sys, or with more CPUs than a list may name: count the entries.
  if (cpu.count == 0) {
    cpu.count = std::count_if(cpuinfo.begin(), cpuinfo.end(), [](const std::string& line) {
      return absl::StartsWith(line, "processor");
    });
  }
  cpu.count = std::max<int64_t>(cpu.count, 1);
  if (auto active = ReadInteger(folder + "/smt/active")) cpu.smt = *active != 0;
  cpu.governor = Governor(folder, online);
  cpu.mitigations = Mitigations(folder + "/vulnerabilities");
  return cpu;
}

std::optional<std::string> Product(const std::string& root) {
  const std::string dmi = root + "/sys/class/dmi/id";
  std::vector<std::string> parts;
  for (const char* name : {"/sys_vendor", "/product_name"}) {
    if (auto text = ReadText(dmi + name); text && !text->empty()) parts.push_back(*text);
  }
  if (!parts.empty()) return absl::StrJoin(parts, " ");
  auto model = ReadText(root + "/proc/device-tree/model");
  if (!model) model = ReadText(root + "/sys/hypervisor/type");
  // The device tree ends its strings in NUL.
  if (model) model->erase(std::find(model->begin(), model->end(), '\0'), model->end());
  return model;
}

std::optional<std::string> Container(const std::string& root) {
  std::error_code error;
  if (fs::exists(root + "/.dockerenv", error)) return "docker";
  if (fs::exists(root + "/run/.containerenv", error)) return "podman";
  if (auto name = ReadText(root + "/run/systemd/container"); name && !name->empty()) return name;
  std::string cgroup = ReadText(root + "/proc/1/cgroup").value_or("");
  constexpr std::pair<const char*, const char*> kMarks[] = {{"kubepods", "kubernetes"},
                                                            {"docker", "docker"},
                                                            {"libpod", "podman"},
                                                            {"lxc", "lxc"},
                                                            {"containerd", "containerd"}};
  for (auto [mark, name] : kMarks) {
    if (absl::StrContains(cgroup, mark)) return name;
  }
  return std::nullopt;
}

Virtualization ReadVirtualization(const std::string& root,
                                  const std::vector<std::string>& cpuinfo) {
  Virtualization v;
  std::error_code error;
  std::vector<std::string> flags = absl::StrSplit(ValueOf(cpuinfo, "flags"), ' ');
  v.hypervisor = std::find(flags.begin(), flags.end(), "hypervisor") != flags.end() ||
                 fs::exists(root + "/sys/hypervisor/type", error);
  v.product = Product(root);
  v.container = Container(root);
  return v;
}

int64_t MemoryBytes(const std::string& root) {
  std::string total = ValueOf(ReadLines(root + "/proc/meminfo"), "MemTotal");
  int64_t kib = 0;
  if (!absl::SimpleAtoi(absl::StripSuffix(total, " kB"), &kib)) return 0;
  return kib * 1024;
}

// "always [madvise] never" -> "madvise".
std::optional<std::string> Chosen(const std::optional<std::string>& text) {
  if (!text) return text;
  size_t open = text->find('[');
  size_t close = text->find(']');
  if (open == std::string::npos || close == std::string::npos || close < open) return text;
  return text->substr(open + 1, close - open - 1);
}

// CPUs granted by one cgroup's files; nothing when it sets no quota.
std::optional<double> Quota(const std::string& folder) {
  int64_t quota = 0;
  int64_t period = 0;
  if (auto v2 = ReadText(folder + "/cpu.max")) {  // "max 100000" or "150000 100000"
    std::pair<std::string, std::string> fields = absl::StrSplit(*v2, ' ');
    if (!absl::SimpleAtoi(fields.first, &quota) || !absl::SimpleAtoi(fields.second, &period)) {
      return std::nullopt;
    }
  } else {
    quota = ReadInteger(folder + "/cpu.cfs_quota_us").value_or(-1);
    period = ReadInteger(folder + "/cpu.cfs_period_us").value_or(0);
  }
  if (quota <= 0 || period <= 0) return std::nullopt;
  return static_cast<double>(quota) / static_cast<double>(period);
}

// The smallest quota from the process's own cgroup up to the root of the mount. Inside a container
// the path may be one of the host's that is not visible here; its parents are tried all the same,
// and the mount's root is then the container's own group.
void TakeQuotas(const std::string& mount, std::string path, std::optional<double>& smallest) {
  while (true) {
    auto quota = Quota(mount + path);
    if (quota && (!smallest || *quota < *smallest)) smallest = quota;
    size_t slash = path.rfind('/');
    if (path.empty() || slash == std::string::npos) return;
    path.erase(slash);
  }
}

std::optional<double> CgroupCpus(const std::string& root) {
  std::optional<double> smallest;
  for (const std::string& line : ReadLines(root + "/proc/self/cgroup")) {
    // hierarchy:controllers:path; v2 has hierarchy 0 and no controllers.
    std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    std::string path = fields[2] == "/" ? "" : fields[2];
    std::vector<std::string> controllers = absl::StrSplit(fields[1], ',');
    const std::string mounts = root + "/sys/fs/cgroup";
    if (fields[0] == "0") {
      TakeQuotas(mounts, path, smallest);
      TakeQuotas(mounts + "/unified", path, smallest);
    } else if (std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end()) {
      TakeQuotas(absl::StrCat(mounts, "/", fields[1]), path, smallest);
    }
  }
  return smallest;
}

Limits ReadLimits(const std::string& root) {
  Limits limits;
  for (const std::string& line : ReadLines(root + "/proc/self/limits")) {
    // The name has spaces; soft and hard limit are the first words behind its column.
    auto words = [&](std::string_view name) -> std::vector<std::string> {
      if (!absl::StartsWith(line, base::ToAbsl(name))) return {};
      return absl::StrSplit(line.substr(name.size()), ' ', absl::SkipEmpty());
    };
    auto number = [](const std::string& word) -> std::optional<int64_t> {
      int64_t value = 0;
      if (!absl::SimpleAtoi(word, &value)) return std::nullopt;  // "unlimited"
      return value;
    };
    if (auto w = words("Max open files"); w.size() >= 2) {
      limits.nofile_soft = number(w[0]);
      limits.nofile_hard = number(w[1]);
    }
    if (auto w = words("Max locked memory"); w.size() >= 2) limits.memlock_bytes = number(w[0]);
  }
  limits.cgroup_cpus = CgroupCpus(root);
  return limits;
}

NamedStrings ReadSysctls(const std::string& root) {
  NamedStrings found;
  for (const char* name : kSysctls) {
    std::string path = name;
    std::replace(path.begin(), path.end(), '.', '/');
    auto text = ReadText(absl::StrCat(root, "/proc/sys/", path));
    if (!text) continue;
    // "4096\t131072\t6291456"
    std::vector<std::string> words =
        absl::StrSplit(*text, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    found.emplace_back(name, absl::StrJoin(words, " "));
  }
  return found;
}

uint64_t Fnv1a(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3;
  }
  return hash;
}

// Unique without a host name: the moment and 64 random bits.
std::string NewRunId(int64_t wall_ns) {
  uint64_t bits = 0;
  // Cannot fail for 8 bytes once the kernel is up; if it did, the time would still tell runs apart.
  [[maybe_unused]] ssize_t got = getrandom(&bits, sizeof(bits), 0);
  std::string moment = base::Rfc3339(wall_ns);
  std::erase_if(moment, [](char c) { return c == '-' || c == ':'; });
  return absl::StrFormat("%s-%016x", moment, bits);
}

}  // namespace

Environment ReadEnvironment(const IoUring& io_uring, const std::string& root) {
  Environment e;
  utsname names{};
  uname(&names);
  e.architecture = names.machine;
  e.kernel_release = ReadText(root + "/proc/sys/kernel/osrelease").value_or(names.release);
  e.kernel_version = ReadText(root + "/proc/sys/kernel/version").value_or(names.version);
  e.kernel_cmdline = CleanKernelCommandLine(ReadText(root + "/proc/cmdline").value_or(""));
  std::vector<std::string> cpuinfo = ReadLines(root + "/proc/cpuinfo");
  e.cpu = ReadCpu(root, cpuinfo);
  e.virtualization = ReadVirtualization(root, cpuinfo);
  e.clocksource =
      ReadText(root + "/sys/devices/system/clocksource/clocksource0/current_clocksource");
  e.memory_bytes = MemoryBytes(root);
  e.transparent_hugepages = Chosen(ReadText(root + "/sys/kernel/mm/transparent_hugepage/enabled"));
  e.limits = ReadLimits(root);
  e.sysctls = ReadSysctls(root);
  e.io_uring = io_uring;
  if (!e.io_uring.disabled) {
    e.io_uring.disabled = ReadInteger(root + "/proc/sys/kernel/io_uring_disabled");
  }
  return e;
}

std::string Fingerprint(const Environment& e) {
  std::string text;
  auto add = [&](const char* key, const std::string& value) {
    absl::StrAppend(&text, key, "=", value, "\n");
  };
  add("architecture", e.architecture);
  add("cpu.model", e.cpu.model);
  add("cpu.count", absl::StrCat(e.cpu.count));
  add("cpu.smt", e.cpu.smt ? absl::StrCat(static_cast<int>(*e.cpu.smt)) : "");
  add("cpu.governor", e.cpu.governor.value_or(""));
  add("virtualization.hypervisor", absl::StrCat(static_cast<int>(e.virtualization.hypervisor)));
  add("virtualization.product", e.virtualization.product.value_or(""));
  add("virtualization.container", e.virtualization.container.value_or(""));
  add("clocksource", e.clocksource.value_or(""));
  add("limits.cgroup_cpus",
      e.limits.cgroup_cpus ? absl::StrFormat("%.3f", *e.limits.cgroup_cpus) : "");
  add("memory_class",
      absl::StrCat(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(e.memory_bytes, 1)))));
  return absl::StrFormat("%016x", Fnv1a(text));
}

Host ReadHost(const IoUring& io_uring, const std::string& root) {
  Host host;
  host.environment = ReadEnvironment(io_uring, root);
  host.fingerprint = Fingerprint(host.environment);
  return host;
}

Run StartRun(std::span<const char* const> argv, const std::string& root) {
  Run run;
  run.boot_id = ReadText(root + "/proc/sys/kernel/random/boot_id");
  run.argv = CleanArguments(argv);
  int64_t wall_ns = base::WallNs();
  run.start_monotonic_ns = base::NowNs();
  run.start_time = base::Rfc3339(wall_ns);
  run.id = NewRunId(wall_ns);
  return run;
}

}  // namespace ringecho::report

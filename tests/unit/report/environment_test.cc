#include "report/environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "base/clock.h"
#include "report/result_json.h"

namespace ringecho::report {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using ::testing::Pair;

// A /proc and /sys of our own.
class EnvironmentTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ringecho-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(root_ + path).parent_path());
    std::ofstream(root_ + path) << text;
  }
  Environment Read() const { return ReadEnvironment({}, root_); }

  std::string root_;
};

TEST_F(EnvironmentTest, AnEmptyMachineIsReadWithoutErrors) {
  Environment e = Read();
  EXPECT_FALSE(e.kernel_release.empty());
  EXPECT_FALSE(e.architecture.empty());
  EXPECT_EQ(e.cpu.count, 1);
  EXPECT_EQ(e.cpu.smt, std::nullopt);
  EXPECT_EQ(e.clocksource, std::nullopt);
  EXPECT_EQ(e.virtualization.container, std::nullopt);
  EXPECT_EQ(e.limits.nofile_soft, std::nullopt);
  EXPECT_TRUE(e.sysctls.empty());
  EXPECT_EQ(e.io_uring.disabled, std::nullopt);
}

TEST_F(EnvironmentTest, KernelAndCommandLine) {
  Write("/proc/sys/kernel/osrelease", "6.1.0-18-amd64\n");
  Write("/proc/sys/kernel/version", "#1 SMP Debian\n");
  Write("/proc/cmdline", "ro quiet root=/dev/sda1 mitigations=off\n");
  Environment e = Read();
  EXPECT_EQ(e.kernel_release, "6.1.0-18-amd64");
  EXPECT_EQ(e.kernel_version, "#1 SMP Debian");
  EXPECT_EQ(e.kernel_cmdline, "ro quiet root=REMOVED mitigations=off");
}

TEST_F(EnvironmentTest, CpuOfX86) {
  Write("/proc/cpuinfo",
        "processor\t: 0\nmodel name\t: Example CPU\nflags\t\t: fpu hypervisor tsc\n\n"
        "processor\t: 1\nmodel name\t: Example CPU\n");
  Write("/sys/devices/system/cpu/online", "0-3,6\n");
  Write("/sys/devices/system/cpu/smt/active", "1\n");
  for (int cpu : {0, 1, 2, 3, 6}) {
    Write("/sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/cpufreq/scaling_governor",
          "performance\n");
  }
  Write("/sys/devices/system/cpu/vulnerabilities/spectre_v2", "Mitigation: IBRS\n");
  Write("/sys/devices/system/cpu/vulnerabilities/meltdown", "Not affected\n");
  Environment e = Read();
  EXPECT_EQ(e.cpu.model, "Example CPU");
  EXPECT_EQ(e.cpu.count, 5);
  EXPECT_EQ(e.cpu.smt, true);
  EXPECT_EQ(e.cpu.governor, "performance");
  EXPECT_THAT(e.cpu.mitigations, ElementsAre(Pair("meltdown", "Not affected"),
                                             Pair("spectre_v2", "Mitigation: IBRS")));
  EXPECT_TRUE(e.virtualization.hypervisor);

  Write("/sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "powersave\n");
  Write("/sys/devices/system/cpu/smt/active", "0\n");
  EXPECT_EQ(Read().cpu.governor, "mixed");
  EXPECT_EQ(Read().cpu.smt, false);
}

TEST_F(EnvironmentTest, MitigationsAreSorted) {
  for (char c : std::string_view("hcfaebgd")) {
    Write(std::string("/sys/devices/system/cpu/vulnerabilities/") + c, "Vulnerable\n");
  }
  std::string names;
  for (const auto& [name, state] : Read().cpu.mitigations) names += name;
  EXPECT_EQ(names, "abcdefgh");
}

TEST_F(EnvironmentTest, CpuOfArmAndCountWithoutSys) {
  Write("/proc/cpuinfo",
        "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\nprocessor\t: 1\n");
  Environment e = Read();
  EXPECT_EQ(e.cpu.model, "implementer 0x41 part 0xd0c");
  EXPECT_EQ(e.cpu.count, 2);
  EXPECT_FALSE(e.virtualization.hypervisor);
}

TEST_F(EnvironmentTest, ProductIsReadFromDmiOrDeviceTree) {
  Write("/proc/device-tree/model", std::string("Board 4\0", 8));
  EXPECT_EQ(Read().virtualization.product, "Board 4");
  Write("/sys/class/dmi/id/sys_vendor", "QEMU\n");
  Write("/sys/class/dmi/id/product_name", "Standard PC\n");
  EXPECT_EQ(Read().virtualization.product, "QEMU Standard PC");
}

TEST_F(EnvironmentTest, ContainersAreRecognised) {
  Write("/proc/1/cgroup", "0::/\n");
  EXPECT_EQ(Read().virtualization.container, std::nullopt);
  Write("/proc/1/cgroup", "12:cpu:/kubepods/burstable/pod1\n");
  EXPECT_EQ(Read().virtualization.container, "kubernetes");
  Write("/run/systemd/container", "lxc\n");
  EXPECT_EQ(Read().virtualization.container, "lxc");
  Write("/run/.containerenv", "");
  EXPECT_EQ(Read().virtualization.container, "podman");
  Write("/.dockerenv", "");
  EXPECT_EQ(Read().virtualization.container, "docker");
}

TEST_F(EnvironmentTest, ClockMemoryAndHugePages) {
  Write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
  Write("/proc/meminfo", "MemTotal:       16384000 kB\nMemFree: 1 kB\n");
  Write("/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n");
  Environment e = Read();
  EXPECT_EQ(e.clocksource, "tsc");
  EXPECT_EQ(e.memory_bytes, 16'384'000LL * 1024);
  EXPECT_EQ(e.transparent_hugepages, "madvise");
}

TEST_F(EnvironmentTest, ProcessLimits) {
  Write("/proc/self/limits",
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max open files            1024                 524288               files     \n"
        "Max locked memory         8388608              unlimited            bytes     \n");
  Environment e = Read();
  EXPECT_EQ(e.limits.nofile_soft, 1024);
  EXPECT_EQ(e.limits.nofile_hard, 524'288);
  EXPECT_EQ(e.limits.memlock_bytes, 8'388'608);
  Write("/proc/self/limits",
        "Max locked memory         unlimited            unlimited      bytes\n");
  EXPECT_EQ(Read().limits.memlock_bytes, std::nullopt);
}

TEST_F(EnvironmentTest, TheSmallestCpuQuotaOnTheWayUpCounts) {
  Write("/proc/self/cgroup", "0::/a/b/c\n");
  Write("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  EXPECT_EQ(Read().limits.cgroup_cpus, std::nullopt);
  Write("/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
  Write("/sys/fs/cgroup/a/cpu.max", "400000 100000\n");
  EXPECT_EQ(Read().limits.cgroup_cpus, 1.5);
}

TEST_F(EnvironmentTest, AContainersQuotaIsFoundAtItsMount) {
  Write("/proc/self/cgroup", "0::/\n");
  Write("/sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(Read().limits.cgroup_cpus, 0.5);
}

TEST_F(EnvironmentTest, QuotasOfCgroupV1) {
  Write("/proc/self/cgroup", "9:name=systemd:/x\n4:cpu,cpuacct:/docker/1234\n0::/\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Read().limits.cgroup_cpus, std::nullopt);
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/1234/cpu.cfs_quota_us", "250000\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/docker/1234/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Read().limits.cgroup_cpus, 2.5);
}

TEST_F(EnvironmentTest, SysctlsInOneForm) {
  Write("/proc/sys/net/core/somaxconn", "4096\n");
  Write("/proc/sys/net/ipv4/tcp_rmem", "4096\t131072\t6291456\n");
  Write("/proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n");
  Environment e = Read();
  EXPECT_THAT(e.sysctls, ElementsAre(Pair("net.core.somaxconn", "4096"),
                                     Pair("net.ipv4.ip_local_port_range", "32768 60999"),
                                     Pair("net.ipv4.tcp_rmem", "4096 131072 6291456")));
}

TEST_F(EnvironmentTest, IoUringIsTakenOverAndCompleted) {
  Write("/proc/sys/kernel/io_uring_disabled", "2\n");
  IoUring io_uring;
  io_uring.available = false;
  io_uring.reason = "disabled";
  io_uring.opcodes = {"NOP"};
  Environment e = ReadEnvironment(io_uring, root_);
  EXPECT_EQ(e.io_uring.reason, "disabled");
  EXPECT_EQ(e.io_uring.disabled, 2);
  EXPECT_THAT(e.io_uring.opcodes, ElementsAre("NOP"));
  io_uring.disabled = 1;
  EXPECT_EQ(ReadEnvironment(io_uring, root_).io_uring.disabled, 1);
}

TEST_F(EnvironmentTest, TheRealMachineIsReadAndCanBeWritten) {
  Result result;
  result.host = ReadHost();
  const Environment& e = result.host.environment;
  EXPECT_GT(e.memory_bytes, 0);
  EXPECT_GE(e.cpu.count, 1);
  EXPECT_NE(e.limits.nofile_hard.has_value() || e.limits.nofile_soft.has_value(), false);
  EXPECT_THAT(e.sysctls, Contains(Pair("net.core.somaxconn", testing::_)));
  EXPECT_TRUE(FromJson(ToJson(result)).ok());
  // No host name anywhere; one too short to be told from other words proves nothing.
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  if (std::string_view(host).size() > 4) {
    EXPECT_EQ(ToJson(result).find(host), std::string::npos) << host;
  }
}

Environment Machine() {
  Environment e;
  e.kernel_release = "6.1";
  e.architecture = "x86_64";
  e.cpu.model = "Example";
  e.cpu.count = 8;
  e.cpu.smt = true;
  e.cpu.governor = "performance";
  e.clocksource = "tsc";
  e.memory_bytes = 16'300'000'000;
  return e;
}

// The expected values come from an implementation of FNV-1a in another language.
TEST(FingerprintTest, IsTheSameInAllVersions) {
  EXPECT_EQ(Fingerprint(Environment()), "e1dd54ea51b4c9fd");
  EXPECT_EQ(Fingerprint(Machine()), "057f5d37af16cfd1");
}

TEST(FingerprintTest, TheKernelAndWhatFollowsFromItDoNotCount) {
  Environment e = Machine();
  e.kernel_release = "6.18";
  e.kernel_version = "#2";
  e.kernel_cmdline = "mitigations=off";
  e.cpu.mitigations = {{"new_one", "Vulnerable"}};
  e.sysctls = {{"net.core.somaxconn", "128"}};
  e.io_uring.available = true;
  e.limits.nofile_soft = 5;
  e.memory_bytes -= 200'000'000;
  EXPECT_EQ(Fingerprint(e), Fingerprint(Machine()));
}

TEST(FingerprintTest, EveryFieldOfTheMachineCounts) {
  const std::function<void(Environment&)> changes[] = {
      [](Environment& e) { e.architecture = "aarch64"; },
      [](Environment& e) { e.cpu.model = "Other"; },
      [](Environment& e) { e.cpu.count = 4; },
      [](Environment& e) { e.cpu.smt = false; },
      [](Environment& e) { e.cpu.governor = "powersave"; },
      [](Environment& e) { e.virtualization.hypervisor = true; },
      [](Environment& e) { e.virtualization.product = "KVM"; },
      [](Environment& e) { e.virtualization.container = "docker"; },
      [](Environment& e) { e.clocksource = "hpet"; },
      [](Environment& e) { e.limits.cgroup_cpus = 2; },
      [](Environment& e) { e.memory_bytes = 8'200'000'000; },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    Environment e = Machine();
    changes[i](e);
    EXPECT_NE(Fingerprint(e), Fingerprint(Machine())) << i;
  }
}

TEST_F(EnvironmentTest, ARunStartsWithItsIdentity) {
  Write("/proc/sys/kernel/random/boot_id", "5f8c2a52-0000-4000-8000-000000000000\n");
  const char* argv[] = {"/usr/bin/ringecho-load", "-c", "5"};
  int64_t before = base::NowNs();
  report::Run run = StartRun(argv, root_);
  EXPECT_THAT(run.id, MatchesRegex("[0-9]{8}T[0-9]{6}\\.[0-9]{3}Z-[0-9a-f]{16}"));
  EXPECT_NE(StartRun(argv, root_).id, run.id);
  EXPECT_THAT(run.start_time, MatchesRegex("....-..-..T..:..:..\\....Z"));
  EXPECT_GE(run.start_monotonic_ns, before);
  EXPECT_LE(run.start_monotonic_ns, base::NowNs());
  EXPECT_EQ(run.boot_id, "5f8c2a52-0000-4000-8000-000000000000");
  EXPECT_THAT(run.argv, ElementsAre("ringecho-load", "-c", "5"));
}

}  // namespace
}  // namespace ringecho::report

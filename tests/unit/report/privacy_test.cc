#include "report/privacy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ringecho::report {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Clean(std::vector<const char*> argv) {
  argv.insert(argv.begin(), "/home/joe/build/ringecho-server");
  std::vector<std::string> cleaned = CleanArguments(argv);
  EXPECT_EQ(cleaned.at(0), "ringecho-server");
  cleaned.erase(cleaned.begin());
  return cleaned;
}

TEST(PrivacyTest, OrdinaryArgumentsStay) {
  EXPECT_THAT(Clean({"-c", "10k", "--threads=4", "-d", "10s", "--json", "-", "--verify"}),
              ElementsAre("-c", "10k", "--threads=4", "-d", "10s", "--json", "-", "--verify"));
  EXPECT_TRUE(CleanArguments({}).empty());
}

TEST(PrivacyTest, PathsAreCutToTheirLastPart) {
  EXPECT_THAT(Clean({"--json", "/home/joe/r.json", "--payload=../joe/p.txt", "-o/home/joe/x"}),
              ElementsAre("--json", "r.json", "--payload=p.txt", "-ox"));
  EXPECT_THAT(Clean({"--listen", "unix:/home/joe/s"}), ElementsAre("--listen", "unix:s"));
}

TEST(PrivacyTest, ForeignHostsAreRemovedAndPortsStay) {
  EXPECT_THAT(Clean({"--connect", "db7.example.org:8888"}),
              ElementsAre("--connect", "REMOVED:8888"));
  EXPECT_THAT(Clean({"--connect=10.1.2.3"}), ElementsAre("--connect=REMOVED"));
  EXPECT_THAT(Clean({"--listen", "[2001:db8::1]:80"}), ElementsAre("--listen", "REMOVED:80"));
  EXPECT_THAT(Clean({"--source", "192.168.0.1,127.0.0.5,fe80::1"}),
              ElementsAre("--source", "REMOVED,127.0.0.5,REMOVED"));
}

TEST(PrivacyTest, LoopbackAndWildcardHostsStay) {
  for (const char* host : {"127.0.0.1:8888", "127.8.0.1", "localhost:1", "[::1]:8888", "[::]:0",
                           "0.0.0.0:8888", ":8888", "auto"}) {
    EXPECT_THAT(Clean({"--listen", host}), ElementsAre("--listen", host));
  }
}

TEST(PrivacyTest, LabelsAreWhatSomebodyAskedFor) {
  EXPECT_THAT(Clean({"--label", "branch=joe/fix", "--label=host=db7"}),
              ElementsAre("--label", "branch=joe/fix", "--label=host=db7"));
}

TEST(PrivacyTest, SwitchesOfTheKernelStay) {
  const char* line =
      "ro quiet mitigations=auto,nosmt isolcpus=managed_irq,domain,1-3 console=ttyS0,115200n8 "
      "intel_idle.max_cstate=1 hugepages=64 clocksource=tsc";
  EXPECT_EQ(CleanKernelCommandLine(line), line);
  EXPECT_EQ(CleanKernelCommandLine(" a  b=1\n"), "a b=1");
  EXPECT_EQ(CleanKernelCommandLine(""), "");
}

TEST(PrivacyTest, WhatNamesDisksHostsAndFilesIsRemovedFromTheKernelsLine) {
  EXPECT_EQ(CleanKernelCommandLine("BOOT_IMAGE=/vmlinuz root=LABEL=joes ip=dhcp resume=swap"),
            "BOOT_IMAGE=REMOVED root=REMOVED ip=REMOVED resume=REMOVED");
  EXPECT_EQ(CleanKernelCommandLine("a=10.1.2.3 b=1.2.3 c=fe80::1 d=/dev/x e=joe@host"),
            "a=REMOVED b=1.2.3 c=REMOVED d=REMOVED e=REMOVED");
  EXPECT_EQ(CleanKernelCommandLine("x=12345678-9abc-def0-1234-56789abcdef0 y=1-2-3-4-5"),
            "x=REMOVED y=1-2-3-4-5");
  EXPECT_EQ(CleanKernelCommandLine("rd.luks.name=secret systemd.hostname=db7 ro"),
            "rd.luks.name=REMOVED systemd.hostname=REMOVED ro");
  EXPECT_EQ(CleanKernelCommandLine("quoted=\"a b/c\" ro"), "quoted=REMOVED ro");
}

TEST(PrivacyTest, ArgumentsOfInitAreDropped) {
  EXPECT_EQ(CleanKernelCommandLine("ro quiet -- --addr 10.0.0.1:22 joe"), "ro quiet");
}

}  // namespace
}  // namespace ringecho::report

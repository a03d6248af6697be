#include "engine/uring/absence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace ringecho::engine::uring {
namespace {

using ::testing::HasSubstr;

struct Case {
  int error;
  SystemFacts facts;
  Absence absence;
  const char* name;
  const char* says;  // what the user must read
};

class AbsenceTest : public ::testing::TestWithParam<Case> {};

TEST_P(AbsenceTest, TellsTheReasonsApart) {
  const Case& c = GetParam();
  EXPECT_EQ(DiagnoseAbsence(c.error, c.facts), c.absence);
  EXPECT_EQ(AbsenceName(c.absence), c.name);
  std::string text = ExplainAbsence(c.absence, c.error, c.facts);
  EXPECT_THAT(text, HasSubstr(c.says));
  EXPECT_EQ(text.find('\n'), std::string::npos);
}

constexpr SystemFacts Facts(int disabled, int seccomp, long long memlock) {
  return {.io_uring_disabled = disabled, .seccomp = seccomp, .memlock_bytes = memlock};
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, AbsenceTest,
    ::testing::Values(
        Case{ENOSYS, Facts(-1, 0, -1), Absence::kNoKernelSupport, "no_kernel_support",
             "has no io_uring"},
        Case{ENOSYS, Facts(0, 2, -1), Absence::kSeccomp, "seccomp", "seccomp filter"},
        Case{EPERM, Facts(1, 0, -1), Absence::kDisabledUnprivileged, "io_uring_disabled_1",
             "kernel.io_uring_disabled = 1"},
        Case{EPERM, Facts(2, 0, -1), Absence::kDisabled, "io_uring_disabled_2",
             "kernel.io_uring_disabled = 2"},
        // The switch explains it whether or not there is a filter as well.
        Case{EPERM, Facts(2, 2, -1), Absence::kDisabled, "io_uring_disabled_2",
             "kernel.io_uring_disabled = 2"},
        Case{EPERM, Facts(0, 2, -1), Absence::kSeccomp, "seccomp", "--security-opt"},
        Case{EPERM, Facts(-1, 2, -1), Absence::kSeccomp, "seccomp", "Docker"},
        Case{EPERM, Facts(0, 0, -1), Absence::kSecurityModule, "security_module", "SELinux"},
        Case{EACCES, Facts(0, 0, -1), Absence::kSecurityModule, "security_module", "EACCES"},
        Case{ENOMEM, Facts(0, 0, 256 << 10), Absence::kLockedMemory, "locked_memory", "memlock"},
        Case{ENOMEM, Facts(0, 0, 16 << 10), Absence::kLockedMemory, "locked_memory", "ulimit -l"},
        // A shortage is not an absence.
        Case{ENOMEM, Facts(0, 0, 8 << 20), Absence::kOutOfResources, "out_of_resources", "ENOMEM"},
        Case{ENOMEM, Facts(0, 0, -1), Absence::kOutOfResources, "out_of_resources", "ENOMEM"},
        Case{EMFILE, Facts(0, 0, -1), Absence::kOutOfResources, "out_of_resources", "EMFILE"},
        Case{ENFILE, Facts(0, 2, -1), Absence::kOutOfResources, "out_of_resources", "ENFILE"},
        Case{EINVAL, Facts(0, 0, -1), Absence::kOther, "other", "EINVAL"}));

TEST(SystemFactsTest, AreReadable) {
  SystemFacts facts = ReadSystemFacts();
  EXPECT_GE(facts.io_uring_disabled, -1);
  EXPECT_LE(facts.io_uring_disabled, 2);
  EXPECT_GE(facts.seccomp, 0);
}

}  // namespace
}  // namespace ringecho::engine::uring

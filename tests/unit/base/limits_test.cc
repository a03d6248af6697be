#include "base/limits.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <string>

#include "base/status.h"

namespace ringecho::base {
namespace {

TEST(LimitsTest, RaisesTheSoftLimitToTheHardOne) {
  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = 256;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  absl::StatusOr<int64_t> raised = RaiseDescriptorLimit();
  ASSERT_TRUE(raised.ok()) << raised.status();
  EXPECT_EQ(static_cast<rlim_t>(*raised), limit.rlim_max);
}

TEST(LimitsTest, SaysWhichNumberIsNeededAndHowToGetIt) {
  EXPECT_TRUE(CheckDescriptorLimit(100, 100, "x").ok());
  absl::Status status = CheckDescriptorLimit(30'020, 20'000, "30000 connections");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  std::string text(status.message());
  for (const char* part : {"30000 connections need 30020 descriptors", "the limit is 20000",
                           "ulimit -n 30020", "LimitNOFILE=30020", "--ulimit nofile=30020"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << " in " << text;
  }
}

TEST(StatusTest, NamesTheCallTheErrnoAndTheAdvice) {
  absl::Status status = ErrnoStatus(EACCES, "bind 127.0.0.1:80", "ports below 1024 need root");
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(status.message(),
            "bind 127.0.0.1:80: Permission denied (EACCES); ports below 1024 need root");
  EXPECT_EQ(ErrnoText(99999), "errno 99999");
}

}  // namespace
}  // namespace ringecho::base

#include "load/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

namespace ringecho::load {
namespace {

using ::testing::HasSubstr;

SourceRequest Request(std::string_view to, int64_t connections, int64_t sessions = 0) {
  SourceRequest request;
  request.to = *net::ResolveOne(to, 0);
  request.connections = connections;
  request.sessions = sessions;
  request.ports = {32768, 60999};
  return request;
}

std::string Error(const SourceRequest& request) { return PlanSources(request).status().ToString(); }

TEST(SourcesTest, TheKernelPicksWhenOneAddressIsEnough) {
  for (const char* to : {"127.0.0.1:8888", "[::1]:8888", "192.0.2.1:7", "unix:/tmp/x"}) {
    absl::StatusOr<std::vector<net::Address>> plan = PlanSources(Request(to, 5000));
    ASSERT_TRUE(plan.ok()) << to << ": " << plan.status();
    EXPECT_TRUE(plan->empty()) << to;
  }
}

TEST(SourcesTest, LoopbackIsSpreadWithAtMostFiveThousandEach) {
  struct Case {
    int64_t connections, sessions;
    size_t sources;
  };
  for (const Case& c :
       {Case{5001, 0, 2}, Case{10000, 0, 2}, Case{10001, 0, 3}, Case{100, 20000, 4},
        Case{1'000'000, 0, 200}, Case{1000, 100'000'000, 1024}, Case{6'000'000, 0, 1200}}) {
    absl::StatusOr<std::vector<net::Address>> plan =
        PlanSources(Request("127.0.0.1:8888", c.connections, c.sessions));
    ASSERT_TRUE(plan.ok()) << plan.status();
    EXPECT_EQ(plan->size(), c.sources) << c.connections << " " << c.sessions;
    std::set<std::string> different;
    for (const net::Address& source : *plan) {
      EXPECT_TRUE(source.is_loopback());
      EXPECT_EQ(source.port(), 0);
      different.insert(source.ToString());
    }
    EXPECT_EQ(different.size(), c.sources);
  }
}

TEST(SourcesTest, AnotherStartGivesOtherAddresses) {
  std::set<std::string> seen;
  for (uint64_t start : {uint64_t{0}, uint64_t{12345}, uint64_t{15'624'999}, ~uint64_t{0}}) {
    SourceRequest request = Request("127.0.0.1:8888", 10000);
    request.start = start;
    const absl::StatusOr<std::vector<net::Address>> plan = PlanSources(request);
    ASSERT_TRUE(plan.ok()) << plan.status();
    for (const net::Address& source : *plan) seen.insert(source.ToString());
  }
  // The start at the very end goes on at the beginning.
  EXPECT_EQ(seen.size(), 7u);
}

TEST(SourcesTest, ASmallPortRangeNeedsMoreAddresses) {
  SourceRequest request = Request("127.0.0.1:8888", 10000);
  request.ports = {40000, 40999};
  EXPECT_EQ(PlanSources(request)->size(), 10u);
}

TEST(SourcesTest, RefusesMoreThanThePortsOfAnAddressAndSaysWhatToDo) {
  EXPECT_TRUE(PlanSources(Request("192.0.2.1:7", 28232)).ok());
  for (const char* to : {"192.0.2.1:7", "[::1]:7"}) {
    const std::string error = Error(Request(to, 60000));
    EXPECT_THAT(error, HasSubstr("60000 connections"));
    EXPECT_THAT(error, HasSubstr("28232"));
    EXPECT_THAT(error, HasSubstr("name 3 source addresses with --source"));
    EXPECT_THAT(error, HasSubstr("ip_local_port_range"));
  }
}

TEST(SourcesTest, TakesTheAddressesThatAreNamed) {
  SourceRequest request = Request("192.0.2.1:7", 50000);
  request.list = "10.0.0.1,10.0.0.2";
  absl::StatusOr<std::vector<net::Address>> plan = PlanSources(request);
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->size(), 2u);
  EXPECT_EQ((*plan)[0].ToString(), "10.0.0.1:0");
  EXPECT_EQ((*plan)[1].ToString(), "10.0.0.2:0");

  request.list = "10.0.0.1";
  EXPECT_THAT(Error(request), HasSubstr("1 source address has 28232"));

  SourceRequest six = Request("[::1]:7", 1);
  six.list = "::1";
  ASSERT_TRUE(PlanSources(six).ok()) << PlanSources(six).status();
}

TEST(SourcesTest, RefusesWhatCannotBeASource) {
  for (const char* list : {"nonsense!", ",", "10.0.0.1,", "unix:/x"}) {
    SourceRequest request = Request("192.0.2.1:7", 1);
    request.list = list;
    EXPECT_THAT(Error(request), HasSubstr("--source: got")) << list;
  }
  SourceRequest family = Request("192.0.2.1:7", 1);
  family.list = "::1";
  EXPECT_THAT(Error(family), HasSubstr("another address family"));
  SourceRequest local = Request("unix:/tmp/x", 1);
  local.list = "127.0.0.1";
  EXPECT_THAT(Error(local), HasSubstr("unix socket"));
}

}  // namespace
}  // namespace ringecho::load

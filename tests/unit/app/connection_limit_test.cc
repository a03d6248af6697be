#include "app/connection_limit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace ringecho::app {
namespace {

using engine::FeatureId;
using engine::FeatureRequest;
using ::testing::HasSubstr;
using ::testing::Not;

ConnectionDemand Demand(int64_t connections, int64_t threads, bool direct = true) {
  return {.connections = connections,
          .threads = threads,
          .others = 100,
          .descriptor_limit = 20'000,
          .direct_available = direct};
}

FeatureRequest Asking(const std::string& text) { return *engine::ParseFeatures(text); }

TEST(FindRoom, TakesOrdinaryDescriptorsWhereTheySuffice) {
  for (int64_t connections : {0, 1, 19'900}) {
    absl::StatusOr<ConnectionRoom> room = FindRoom(Demand(connections, 4), {});
    ASSERT_TRUE(room.ok()) << room.status();
    EXPECT_FALSE(room->direct) << connections;
    EXPECT_EQ(room->per_engine, 19'900);
  }
}

TEST(FindRoom, TakesDirectOnesBeyondThatWhenNothingWasSaid) {
  absl::StatusOr<ConnectionRoom> room = FindRoom(Demand(80'000, 4), {});
  ASSERT_TRUE(room.ok()) << room.status();
  EXPECT_TRUE(room->direct);
  EXPECT_EQ(room->per_engine, 20'000);
}

TEST(FindRoom, FeaturesThatWereNamedAreLeftAsTheyAre) {
  EXPECT_TRUE(FindRoom(Demand(10, 1), Asking("+direct_descriptors"))->direct);
  absl::Status status = FindRoom(Demand(30'000, 4), Asking("baseline")).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("30000 connections need 30100 descriptors, the limit is 20000"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("--features +direct_descriptors and -t 4"));
}

TEST(FindRoom, SaysHowManyThreadsItWouldTake) {
  absl::Status status = FindRoom(Demand(80'001, 4), {}).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("-t 5: each thread carries 20000"));
}

TEST(FindRoom, WithoutDirectDescriptorsOnlyTheLimitHelps) {
  absl::Status status = FindRoom(Demand(30'000, 4, false), {}).status();
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("ulimit -n 30100"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("direct")));
  EXPECT_FALSE(FindRoom(Demand(10, 1, false), Asking("+direct_descriptors"))->direct);
}

TEST(FindRoom, ThoseThatConnectNeedOrdinaryOnesForAMoment) {
  ConnectionDemand demand = Demand(1'000, 1);
  demand.others = 20;
  demand.connecting = 64;
  demand.descriptor_limit = 88;
  demand.threads = 12;
  EXPECT_FALSE(FindRoom(demand, {}).ok());
  demand.descriptor_limit = 132;
  EXPECT_TRUE(FindRoom(demand, {})->direct);
}

TEST(FindRoom, TheEnginesThemselvesNeedSome) {
  ConnectionDemand demand = Demand(0, 1);
  demand.descriptor_limit = 100;
  EXPECT_TRUE(absl::IsResourceExhausted(FindRoom(demand, {}).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(FindRoom(demand, Asking("+direct_descriptors")).status()));
}

}  // namespace
}  // namespace ringecho::app

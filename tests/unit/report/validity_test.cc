#include "report/validity.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "sample.h"

namespace ringecho::report {
namespace {

constexpr int64_t kSec = 1'000'000'000;

// A run that nothing can be said against, every fact known.
Facts GoodFacts() {
  Facts facts;
  facts.exceptions = 0;
  facts.payload_mismatches = 0;
  facts.connections_wanted = 100;
  facts.connections_made = 100;
  facts.duration_ns = 10 * kSec;
  facts.measured_ns = 10 * kSec;
  facts.messages = 1'000'000;
  facts.cpu_share = 0.5;
  facts.steal_share = 0.001;
  facts.interval_rates = {100, 101, 99, 100, 100};
  facts.clamped = 0;
  return facts;
}

const Check* Find(const Validity& validity, std::string_view id) {
  for (const Check& check : validity.checks) {
    if (check.id == id) return &check;
  }
  return nullptr;
}

TEST(ValidityTest, AGoodRunIsValidAndListsEveryCheck) {
  Validity validity = Judge(GoodFacts());
  EXPECT_EQ(validity.verdict, Verdict::kValid);
  EXPECT_EQ(validity.checks.size(), 10U);
  for (const Check& check : validity.checks) {
    EXPECT_TRUE(check.ok) << check.id;
    EXPECT_FALSE(check.message.empty()) << check.id;
  }
}

TEST(ValidityTest, EachDefectSetsItsVerdictAndOnlyItsCheck) {
  struct Case {
    const char* id;
    std::function<void(Facts&)> damage;
    Verdict verdict;
  };
  const Case cases[] = {
      {"interrupted", [](Facts& f) { f.interrupted = true; }, Verdict::kSuspect},
      {"exceptions", [](Facts& f) { f.exceptions = 1; }, Verdict::kInvalid},
      {"payload", [](Facts& f) { f.payload_mismatches = 1; }, Verdict::kInvalid},
      {"connections", [](Facts& f) { f.connections_made = 99; }, Verdict::kInvalid},
      {"duration", [](Facts& f) { f.measured_ns = 9'899'999'999; }, Verdict::kInvalid},
      {"messages", [](Facts& f) { f.messages = 99; }, Verdict::kSuspect},
      {"messages", [](Facts& f) { f.messages = 0; }, Verdict::kInvalid},
      {"loader_cpu", [](Facts& f) { f.cpu_share = 0.91; }, Verdict::kSuspect},
      {"steal", [](Facts& f) { f.steal_share = 0.021; }, Verdict::kSuspect},
      {"rate_variation",
       [](Facts& f) {
         f.interval_rates = {100, 60, 100, 140, 100};
       },
       Verdict::kSuspect},
      {"latency_range", [](Facts& f) { f.clamped = 1; }, Verdict::kSuspect},
  };
  for (const Case& c : cases) {
    Facts facts = GoodFacts();
    c.damage(facts);
    Validity validity = Judge(facts);
    EXPECT_EQ(validity.verdict, c.verdict) << c.id;
    for (const Check& check : validity.checks) EXPECT_EQ(check.ok, check.id != c.id) << c.id;
  }
}

TEST(ValidityTest, ValuesAtTheLimitPass) {
  Facts facts = GoodFacts();
  facts.measured_ns = 9'900'000'000;
  facts.messages = 100;
  facts.cpu_share = 0.9;
  facts.steal_share = 0.02;
  EXPECT_EQ(Judge(facts).verdict, Verdict::kValid);
}

TEST(ValidityTest, TheWorstCheckDecides) {
  Facts facts = GoodFacts();
  facts.exceptions = 3;
  facts.interrupted = true;
  facts.clamped = 5;
  EXPECT_EQ(Judge(facts).verdict, Verdict::kInvalid);
}

TEST(ValidityTest, UnknownFactsAreNotChecked) {
  EXPECT_EQ(Judge(Facts()).checks.size(), 1U);
  Facts facts = GoodFacts();
  facts.cpu_share = std::numeric_limits<double>::quiet_NaN();
  facts.steal_share = std::nullopt;
  facts.interval_rates.resize(4);
  Validity validity = Judge(facts);
  EXPECT_EQ(Find(validity, "loader_cpu"), nullptr);
  EXPECT_EQ(Find(validity, "steal"), nullptr);
  EXPECT_EQ(Find(validity, "rate_variation"), nullptr);
}

TEST(ValidityTest, NoMessageAtAllDoesNotDivideByZero) {
  Facts facts = GoodFacts();
  facts.messages = 0;
  facts.interval_rates = {0, 0, 0, 0, 0};
  Validity validity = Judge(facts);
  EXPECT_EQ(validity.verdict, Verdict::kInvalid);
  EXPECT_EQ(Find(validity, "rate_variation"), nullptr);
}

Result GoodLoadResult() {
  Result r = SampleLoadResult();
  r.config.sessions.reset();
  r.config.messages_per_connection.reset();
  r.totals.exceptions = 0;
  r.resources.steal_share = 0;
  r.errors = {{"payload_mismatch", 0}};
  return r;
}

TEST(ValidityTest, ALoadResultHoldsItsFacts) {
  Result r = GoodLoadResult();
  EXPECT_EQ(Judge(LoadFacts(r)).verdict, Verdict::kValid);
  Facts facts = LoadFacts(r);
  EXPECT_EQ(facts.connections_wanted, 10'000);
  EXPECT_EQ(facts.duration_ns, 10 * kSec);
  EXPECT_EQ(facts.messages, 1'200'000);
  EXPECT_EQ(facts.cpu_share, 0.475);
  // A spinning loader is busy only with what it finds.
  Result spinning = r;
  spinning.config.threads = 2;
  spinning.resources.cpu_share = 1.0;
  spinning.totals.measured_ns = 10 * kSec;
  spinning.engine_stats = {{"spun_ns", 5 * kSec}};
  EXPECT_EQ(LoadFacts(spinning).cpu_share, 0.75);
  EXPECT_FALSE(LoadFacts(spinning).sq_thread_share);
  // What the kernel's thread took is said, of a server too; it polls, so it condemns nothing.
  Result polled = r;
  polled.config.threads = 2;
  polled.totals.measured_ns = 10 * kSec;
  polled.engine_stats = {{"sq_thread_ns", 15 * kSec}};
  EXPECT_EQ(LoadFacts(polled).sq_thread_share, 0.75);
  EXPECT_EQ(ServerFacts(polled).sq_thread_share, 0.75);
  Validity said = Judge(LoadFacts(polled));
  EXPECT_EQ(said.verdict, Verdict::kValid);
  ASSERT_NE(Find(said, "sq_thread"), nullptr);
  EXPECT_EQ(Find(said, "sq_thread")->message,
            "the kernel's SQPOLL thread took 75.0% of a CPU for each thread, which the CPU times "
            "include");
  EXPECT_EQ(facts.clamped, 0);

  r.errors = {{"reset", 1}, {"payload_mismatch", 2}};
  EXPECT_EQ(LoadFacts(r).payload_mismatches, 2);
}

TEST(ValidityTest, BytesThatWereNotComparedAreNotCalledRight) {
  Result r = GoodLoadResult();
  r.config.extra = {{"verify", false}};
  EXPECT_EQ(Find(Judge(LoadFacts(r)), "payload"), nullptr);
  r.config.extra = {{"verify", true}};
  EXPECT_NE(Find(Judge(LoadFacts(r)), "payload"), nullptr);
}

TEST(ValidityTest, SessionsAreCountedInsteadOfConnectionsAndTime) {
  Result r = GoodLoadResult();
  r.config.sessions = 20'000;
  r.totals.sessions_completed = 19'999;
  r.totals.measured_ns = 5;
  Facts facts = LoadFacts(r);
  EXPECT_EQ(facts.duration_ns, std::nullopt);
  Validity validity = Judge(facts);
  ASSERT_NE(Find(validity, "connections"), nullptr);
  EXPECT_FALSE(Find(validity, "connections")->ok);
  r.totals.sessions_completed = 20'000;
  EXPECT_EQ(Judge(LoadFacts(r)).verdict, Verdict::kValid);
}

TEST(ValidityTest, AnInterruptedRunIsSuspectNotInvalid) {
  Result r = GoodLoadResult();
  r.run.status = RunStatus::kInterrupted;
  r.totals.measured_ns = 2 * kSec;
  EXPECT_EQ(Judge(LoadFacts(r)).verdict, Verdict::kSuspect);
}

TEST(ValidityTest, OnlyWholeIntervalsOfTheMeasurePhaseCount) {
  Result r = GoodLoadResult();
  r.phases = {{PhaseName::kWarmup, 0, 1 * kSec}, {PhaseName::kMeasure, 1 * kSec, 4'200'000'000}};
  auto interval = [](int64_t start, int64_t end, int64_t messages) {
    Interval i;
    i.t_start_ns = start;
    i.t_end_ns = end;
    i.messages = messages;
    return i;
  };
  r.intervals = {interval(0, kSec, 9), interval(kSec, 2 * kSec, 100),
                 interval(2 * kSec, 4 * kSec, 400), interval(4 * kSec, 4'200'000'000, 1),
                 interval(4'200'000'000, 5 * kSec, 7)};
  EXPECT_EQ(MeasuredRates(r), (std::vector<double>{100, 200}));
  r.phases.clear();
  EXPECT_TRUE(MeasuredRates(r).empty());
}

}  // namespace
}  // namespace ringecho::report

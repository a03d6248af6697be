// What disturbed the runs is told in the notes of a comparison.
#include "compare/noise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "compare/compare.h"
#include "simulated.h"

namespace ringecho::compare {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

using Change = std::function<void(size_t repeat, Measurement& one)>;

// The notes of a comparison of engines, `repeats` of each, every one changed.
std::vector<std::string> NotesOf(int repeats, const Change& change) {
  std::vector<Measurement> all = TwoEngines(repeats);
  for (size_t i = 0; i < all.size(); ++i) {
    all[i].load->totals.messages_per_s = 1000;
    change(i / 2, all[i]);
  }
  auto comparison = Compare(all, {});
  EXPECT_TRUE(comparison.ok()) << comparison.status();
  return comparison.ok() ? comparison->notes : std::vector<std::string>();
}

TEST(Noise, IsNamedWhereItIsLarge) {
  auto noted = [](double spread) {
    return NotesOf(6, [spread](size_t repeat, Measurement& one) {
      one.load->totals.messages_per_s = 1000 + (repeat % 2 == 0 ? spread : 0);
    });
  };
  EXPECT_THAT(noted(1000), Contains(HasSubstr("noisy: messages/s varied by up to 37%")));
  EXPECT_THAT(noted(10), Not(Contains(HasSubstr("noisy"))));
}

TEST(Costs, FoundInTwoWaysInOneCellAreNamed) {
  auto noted = [](size_t short_runs) {
    return NotesOf(6, [short_runs](size_t repeat, Measurement& one) {
      constexpr int64_t kSecond = 1'000'000'000;
      one.load->phases = {{report::PhaseName::kMeasure, 0, kSecond}};
      report::Interval interval;
      interval.t_end_ns = kSecond / 2;
      interval.messages = 1000;
      interval.cpu_ns = 9'000'000;
      one.load->intervals = one.server->intervals = {interval};
      if (repeat < short_runs) one.server->intervals.clear();
    });
  };
  EXPECT_THAT(noted(2),
              Contains(AllOf(HasSubstr("server CPU/msg was not found in one way in 1 cell"),
                             HasSubstr("in 4 of 12 runs it is that of the whole run"))));
  for (const size_t alike : {size_t{0}, size_t{6}}) {
    EXPECT_THAT(noted(alike), Not(Contains(HasSubstr("server CPU/msg was not"))));
  }
}

TEST(Drift, IsNamedWithWhatItWasOf) {
  auto noted = [](double a_step) {
    return NotesOf(10, [a_step](size_t repeat, Measurement& one) {
      if (one.server->config.engine.name != "epoll") return;
      one.load->totals.messages_per_s = 1000 - a_step * static_cast<double>(repeat);
    });
  };
  EXPECT_THAT(noted(10), Contains(AllOf(HasSubstr("drift: messages/s of epoll fell by 9%"),
                                        HasSubstr("from the first repeat to the last"))));
  // Sure, but less than the minimum effect.
  EXPECT_THAT(noted(1), Not(Contains(HasSubstr("drift"))));
}

TEST(Drift, GoesByTheTimeOfARunNotByItsPlace) {
  auto noted = [](bool times) {
    return NotesOf(10, [times](size_t repeat, Measurement& one) {
      // Up and down as given; only up by their times.
      const size_t at = (repeat * 3) % 10;
      one.load->totals.messages_per_s = 1000 + 20 * static_cast<double>(at);
      if (times) one.load->run.start_time = "2026-01-31T12:00:0" + std::to_string(at) + "Z";
    });
  };
  EXPECT_THAT(noted(true), Contains(HasSubstr("rose by 17%")));
  EXPECT_THAT(noted(false), Not(Contains(HasSubstr("drift"))));
}

TEST(Drift, OfAFewRepeatsInManyCellsIsSeen) {
  std::vector<Measurement> all;
  for (int repeat = 0; repeat < 5; ++repeat) {
    for (int64_t connections = 1; connections <= 8; ++connections) {
      for (const char* engine : {"io_uring", "epoll"}) {
        Simulated what{.engine = engine, .connections = connections};
        what.p99_ns = 1'000'000 + 50'000 * repeat;
        all.push_back(Make(what));
      }
    }
  }
  auto comparison = Compare(all, {});
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_THAT(comparison->notes, Contains(HasSubstr("drift: p99 of epoll rose by 18%")));
}

// One in twenty comparisons of a quiet machine may say so.
TEST(Drift, IsSeldomSeenWhereThereIsNone) {
  base::SplitMix64 random(7);
  constexpr int kSeries = RINGECHO_SIMULATED_SERIES / 2;
  int noted = 0;
  for (int i = 0; i < kSeries; ++i) {
    CompareOptions options;
    options.resamples = 20;
    auto comparison =
        Compare(SimulateSeries(10, {64}, {.variation = 0.05, .drift = 0}, 0, random), options);
    ASSERT_TRUE(comparison.ok()) << comparison.status();
    if (testing::Value(comparison->notes, Contains(HasSubstr("drift")))) ++noted;
  }
  EXPECT_LE(noted, kSeries * 5 / 100);
}

TEST(Steal, IsNamedByItsShare) {
  auto noted = [](double share) {
    return NotesOf(5, [share](size_t repeat, Measurement& one) {
      one.load->resources.steal_share = repeat == 3 ? share : 0.001;
    });
  };
  EXPECT_THAT(noted(0.034), Contains(HasSubstr("steal: the hypervisor took up to 3.4%")));
  EXPECT_THAT(noted(0.01), Not(Contains(HasSubstr("steal:"))));
}

TEST(Frequency, IsNamedWhereAGovernorMovesIt) {
  auto noted = [](const char* governor) {
    return NotesOf(5, [governor](size_t, Measurement& one) {
      for (auto* result : {&*one.load, &*one.server}) {
        result->host.environment.cpu.governor = governor;
      }
    });
  };
  EXPECT_THAT(noted("powersave"),
              Contains(HasSubstr("frequency: the governor was powersave, so clocks")));
  EXPECT_THAT(noted("performance"), Not(Contains(HasSubstr("frequency"))));
}

}  // namespace
}  // namespace ringecho::compare

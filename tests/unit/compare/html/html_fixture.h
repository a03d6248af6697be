// Comparisons for the tests of the page, with everything a real one has: latencies in histograms,
// intervals, phases, calibration, checks. Deterministic; the judgements are rough, because nothing
// here is about statistics.
#ifndef RINGECHO_TESTS_UNIT_COMPARE_HTML_FIXTURE_H_
#define RINGECHO_TESTS_UNIT_COMPARE_HTML_FIXTURE_H_

#include <cstddef>
#include <string>

#include "compare/comparison.h"

namespace ringecho::compare {

// epoll (base) and io_uring at 1, 64, 1,000 and 10,000 connections, six closed-loop repeats of
// each; some suspect, one left out, one unexpected difference that was forced.
Comparison EnginesFixture();

// The same, but what was measured has no more than this many intervals in each run of the first
// `cells` cells, and there are none of the warm-up.
Comparison ShortRunsFixture(size_t intervals, size_t cells);

// Three kernels at five rates of an open loop, the highest of which is not reached, and at two
// sizes. No server results: those of somebody else's server.
Comparison OpenLoopFixture();

// epoll and 15 sets of features, "set 1" to "set 15" but for a long name, each server dearer than
// the one before; five repeats at 64 connections or, with two cells, at 64 and 1,000.
Comparison ManySidesFixture(size_t cells);

// Small, and every text in it wants to be markup: `markup` in sides, axes, metrics, notes, keys.
Comparison HostileFixture(const std::string& markup);

}  // namespace ringecho::compare

#endif  // RINGECHO_TESTS_UNIT_COMPARE_HTML_FIXTURE_H_

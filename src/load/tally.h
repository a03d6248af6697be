// Counts of one worker over the whole run.
#ifndef RINGECHO_LOAD_TALLY_H_
#define RINGECHO_LOAD_TALLY_H_

#include <array>
#include <cstdint>

#include "engine/stream.h"
#include "load/diagnose.h"
#include "stats/counter.h"

namespace ringecho::load {

// Written by the worker, readable by anybody while it runs. Session: one connection with the
// messages that belong to it, its failed connects and their retries included.
struct alignas(64) Tally {
  using Counter = stats::Counter;

  Counter started;     // sessions begun
  Counter made;        // sessions whose connection came up, the first time
  Counter open;        // connections open now (a gauge)
  Counter open_max;    // the most of them
  Counter completed;   // sessions of which every byte came back
  Counter exceptions;  // sessions that ended otherwise, by themselves
  Counter cut;         // sessions ended because the run was interrupted
  Counter retries;     // connects tried again
  Counter messages;    // that came back whole

  // Why sessions ended in an exception, and why connects were tried again.
  std::array<Counter, engine::kCloseReasonCount> exception_reasons;
  std::array<Counter, engine::kCloseReasonCount> retry_reasons;
  // What was wrong with the bytes of those that ended in kPayloadMismatch; `undiagnosed` are more
  // than it was worth looking into.
  std::array<Counter, kDamageCount> damages;
  Counter undiagnosed;
};

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_TALLY_H_

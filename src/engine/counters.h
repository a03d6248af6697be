// What an engine did, counted where it happens, one struct per engine (so per thread).
#ifndef RINGECHO_ENGINE_COUNTERS_H_
#define RINGECHO_ENGINE_COUNTERS_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "stats/counter.h"

namespace ringecho::engine {

// Every field is a count since the engine was made unless its comment says otherwise. A field that
// an engine cannot have stays 0 (epoll has no submissions).
struct alignas(64) Counters {
  using Counter = stats::Counter;

  Counter accepted;   // connections accepted
  Counter connected;  // connects that succeeded
  Counter open;       // connections open now (a gauge)
  Counter receives;   // reads that brought bytes
  Counter sends;      // sends the kernel completed, whole or short
  Counter bytes_received;
  Counter bytes_sent;

  Counter syscalls;      // system calls made by the engine's thread, all kinds
  Counter enter_calls;   // io_uring_enter, or epoll_wait
  Counter spun_ns;       // CPU time spent looking for events in vain, ns
  Counter sq_thread_ns;  // CPU time of the kernel's SQPOLL thread of this engine, ns; a ms late
  Counter submissions;   // SQEs handed to the kernel
  Counter completions;   // CQEs taken, or events returned by epoll_wait

  Counter multishot_rearms;  // multishot requests that ended and were armed again
  Counter bundles;           // receives that brought several provided buffers at once
  Counter vectored_sends;    // sends of several provided buffers at once
  Counter zc_sends;          // zero-copy sends the kernel took bytes of
  Counter zc_copied;         // of those, as notified, sends whose bytes were copied after all, as
                             // on loopback all are; 0 before Linux 6.2, which does not tell
  Counter short_sends;       // sends that took only a part
  Counter buffers_held;      // provided buffers whose bytes wait to be sent, when the last batch of
                             // completions ended (a gauge)
  Counter buffers_starved;   // receives that ended for want of provided buffers: ENOBUFS, or a
                             // bundle that took the last one
  Counter sends_spilled;  // times a part of what waits to be sent was copied out to give provided
                          // buffers back to the pool
  Counter buffers_fixed;  // buffers of connections that are registered with the kernel (a gauge)
  Counter backpressure_pauses;  // times a connection stopped being read because its peer was not
                                // reading
  Counter cq_overflows;         // times the kernel had to keep completions aside, the CQ being full
  Counter stale_completions;    // completions of a connection that no longer exists, dropped
  Counter accept_pauses;        // times accepting stopped for want of a place or a descriptor
  Counter accept_emfile;        // accepts that failed with EMFILE or ENFILE
  Counter accept_errors;        // accepts that failed otherwise (ECONNABORTED ...), retried
  Counter rejected;             // clients without a place when listening ended
  Counter last_errno;           // errno behind the last CloseReason::kOther; not a count
};

// Name (as in results) and member of each, for summing, printing and writing without a list
// anywhere else.
struct CounterField {
  std::string_view name;
  stats::Counter Counters::*member;
  bool is_gauge = false;  // what is now: the later of two values, not their difference
};
inline constexpr std::array kCounterFields = {
    CounterField{"accepted", &Counters::accepted},
    CounterField{"connected", &Counters::connected},
    CounterField{"open", &Counters::open, true},
    CounterField{"receives", &Counters::receives},
    CounterField{"sends", &Counters::sends},
    CounterField{"bytes_received", &Counters::bytes_received},
    CounterField{"bytes_sent", &Counters::bytes_sent},
    CounterField{"syscalls", &Counters::syscalls},
    CounterField{"enter_calls", &Counters::enter_calls},
    CounterField{"spun_ns", &Counters::spun_ns},
    CounterField{"sq_thread_ns", &Counters::sq_thread_ns},
    CounterField{"submissions", &Counters::submissions},
    CounterField{"completions", &Counters::completions},
    CounterField{"multishot_rearms", &Counters::multishot_rearms},
    CounterField{"bundles", &Counters::bundles},
    CounterField{"vectored_sends", &Counters::vectored_sends},
    CounterField{"zc_sends", &Counters::zc_sends},
    CounterField{"zc_copied", &Counters::zc_copied},
    CounterField{"short_sends", &Counters::short_sends},
    CounterField{"buffers_held", &Counters::buffers_held, true},
    CounterField{"buffers_starved", &Counters::buffers_starved},
    CounterField{"sends_spilled", &Counters::sends_spilled},
    CounterField{"buffers_fixed", &Counters::buffers_fixed, true},
    CounterField{"backpressure_pauses", &Counters::backpressure_pauses},
    CounterField{"cq_overflows", &Counters::cq_overflows},
    CounterField{"stale_completions", &Counters::stale_completions},
    CounterField{"accept_pauses", &Counters::accept_pauses},
    CounterField{"accept_emfile", &Counters::accept_emfile},
    CounterField{"accept_errors", &Counters::accept_errors},
    CounterField{"rejected", &Counters::rejected},
};

}  // namespace ringecho::engine

#endif  // RINGECHO_ENGINE_COUNTERS_H_

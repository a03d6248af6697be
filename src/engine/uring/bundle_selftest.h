// Whether this kernel's receive bundles are to be trusted.
//
// Kernels from 6.13.11 and 6.14 on until their fixes ("io_uring/net: only retry recv bundle for a
// full transfer", "io_uring/kbuf: flag partial buffer mappings") brought the bytes of a bundle out
// of order (liburing issues 1409 and 1423). Fixes are carried back, so that no version tells; bytes
// do.
#ifndef RINGECHO_ENGINE_URING_BUNDLE_SELFTEST_H_
#define RINGECHO_ENGINE_URING_BUNDLE_SELFTEST_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "engine/uring/ring.h"

namespace ringecho::engine::uring {

struct BundleSelftest {
  bool passed = false;
  int error = 0;        // errno of what it needs and did not get (a socket, a ring); or 0
  std::string why_not;  // when not passed: one clause for people
};

// Sends segments of many sizes over a pair of TCP sockets, receives them in bundles into a ring of
// small buffers that return in another order than they were taken in, and compares every byte. TCP
// over loopback and not socketpair(2): the kernel makes large bundles from what TCP says is left in
// the queue, and unix sockets say so only on recent kernels. About 2 ms. `ring` was made on this
// thread.
//
// `corrupt`, for tests, may alter what was received before it is compared.
BundleSelftest RunBundleSelftest(std::unique_ptr<Ring> ring,
                                 const std::function<void(std::span<std::byte>)>& corrupt = {});

}  // namespace ringecho::engine::uring

#endif  // RINGECHO_ENGINE_URING_BUNDLE_SELFTEST_H_

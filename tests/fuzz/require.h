// What a fuzz target insists on; failing is a crash, which is what the fuzzer looks for.
#ifndef RINGECHO_TESTS_FUZZ_REQUIRE_H_
#define RINGECHO_TESTS_FUZZ_REQUIRE_H_

#include <cstdio>
#include <cstdlib>

namespace ringecho::fuzz {

// Unlike assert, also in builds without asserts.
inline void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace ringecho::fuzz

#endif  // RINGECHO_TESTS_FUZZ_REQUIRE_H_

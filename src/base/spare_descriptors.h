// Descriptors kept back for when all others are in use.
#ifndef RINGECHO_BASE_SPARE_DESCRIPTORS_H_
#define RINGECHO_BASE_SPARE_DESCRIPTORS_H_

#include <sys/eventfd.h>

#include <array>
#include <utility>

#include "base/unique_fd.h"

namespace ringecho::base {

// A server whose clients take every descriptor must still read /proc, which takes up to three.
// One thread's.
class SpareDescriptors {
 public:
  SpareDescriptors() { Keep(); }

  // What `use` returns, which runs while they are free. Another thread may be faster.
  template <class F>
  auto Lend(F&& use) {
    for (UniqueFd& fd : kept_) fd.Reset();
    auto result = std::forward<F>(use)();
    Keep();
    return result;
  }

 private:
  void Keep() {
    for (UniqueFd& fd : kept_) {
      if (!fd.valid()) fd.Reset(eventfd(0, EFD_CLOEXEC));
    }
  }

  std::array<UniqueFd, 3> kept_;
};

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_SPARE_DESCRIPTORS_H_

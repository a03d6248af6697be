// A process that runs out of descriptors.
#ifndef RINGECHO_ENGINE_CONFORMANCE_FEW_DESCRIPTORS_H_
#define RINGECHO_ENGINE_CONFORMANCE_FEW_DESCRIPTORS_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstddef>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "support/peer.h"

namespace ringecho::support {

// Makes this process run out of descriptors. The limit is lowered at once, because io_uring looks
// at it when an accept is armed, not when a connection comes; Fill then uses the descriptors up.
class FewDescriptors {
 public:
  FewDescriptors() {
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(OpenDescriptors()) + 100;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  ~FewDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;

  // Leaves `count`.
  void Fill(size_t count) {
    for (;;) {
      base::UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!fd.valid()) break;
      filling_.push_back(std::move(fd));
    }
    ASSERT_GE(filling_.size(), count);
    filling_.resize(filling_.size() - count);
  }
  void Release() { filling_.clear(); }

 private:
  rlimit before_{};
  std::vector<base::UniqueFd> filling_;
};

}  // namespace ringecho::support

#endif  // RINGECHO_ENGINE_CONFORMANCE_FEW_DESCRIPTORS_H_

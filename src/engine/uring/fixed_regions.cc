#include "engine/uring/fixed_regions.h"

#include <cerrno>
#include <functional>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/units.h"
#include "engine/uring/connection_buffers.h"

namespace ringecho::engine::uring {

absl::Status FixedRegions::Register(Ring& ring,
                                    std::initializer_list<std::span<const std::byte>> regions) {
  std::vector<std::span<const std::byte>> usable;
  std::vector<iovec> vectors;
  size_t bytes = 0;
  for (std::span<const std::byte> region : regions) {
    if (region.empty() || region.size() > ConnectionBuffers::kMaxRegisteredBytes) continue;
    usable.push_back(region);
    // The ring's requests only read it; iovec has no const.
    vectors.push_back({const_cast<std::byte*>(region.data()), region.size()});
    bytes += region.size();
  }
  if (usable.empty()) return absl::NotFoundError("no memory that can be registered");
  if (int error = ring.RegisterBuffers(vectors.data(), static_cast<unsigned>(vectors.size()));
      error < 0) {
    return base::ErrnoStatus(
        -error, absl::StrCat("registering ", base::FormatBytes(static_cast<int64_t>(bytes))),
        error == -ENOMEM ? "raise the locked-memory limit (ulimit -l, LimitMEMLOCK=)" : "");
  }
  regions_ = std::move(usable);
  return absl::OkStatus();
}

int FixedRegions::IndexOf(std::span<const std::byte> bytes) const {
  std::less_equal<const std::byte*> at_most;
  for (size_t i = 0; i < regions_.size(); ++i) {
    const std::byte* end = regions_[i].data() + regions_[i].size();
    if (at_most(regions_[i].data(), bytes.data()) && at_most(bytes.data() + bytes.size(), end)) {
      return static_cast<int>(i);
    }
  }
  return kNotRegistered;
}

}  // namespace ringecho::engine::uring

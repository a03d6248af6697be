#include "load/suspects.h"

#include <algorithm>
#include <cassert>

#include "base/clock.h"

namespace ringecho::load {
namespace {

// With less than this a repeated or foreign piece could not be recognised, so a little more is
// waited for even when nothing is outstanding.
constexpr uint64_t kBytesMin = 32;

}  // namespace

bool Suspects::Open(uint32_t item, uint32_t at, uint64_t verified, uint64_t outstanding,
                    int64_t now_ns) {
  if (suspects_.size() >= kCollectingMax || diagnose_ns_ >= kDiagnoseNsMax) return false;
  suspects_[item] = {.at = at,
                     .verified = verified,
                     .outstanding = outstanding,
                     .due_ns = now_ns + wait_ns_,
                     .received = {}};
  due_.emplace_back(now_ns + wait_ns_, item);
  return true;
}

bool Suspects::Collect(uint32_t item, std::span<const std::byte> data) {
  const auto found = suspects_.find(item);
  assert(found != suspects_.end());
  Suspect& suspect = found->second;
  const size_t part = std::min(data.size(), kBytesMax - suspect.received.size());
  const std::span<const std::byte> kept = data.first(part);
  suspect.received.insert(suspect.received.end(), kept.begin(), kept.end());
  const uint64_t enough = std::max(suspect.outstanding, kBytesMin);
  return suspect.received.size() >= std::min<uint64_t>(enough, kBytesMax);
}

std::optional<Finding> Suspects::Conclude(uint32_t item) {
  const auto found = suspects_.find(item);
  assert(found != suspects_.end());
  const Suspect suspect = std::move(found->second);
  suspects_.erase(found);
  if (diagnose_ns_ >= kDiagnoseNsMax) return std::nullopt;
  const int64_t begin_ns = base::NowNs();
  const Finding finding = Diagnose({
      .region = payload_.region(),
      .turn = payload_.text().size(),
      .at = suspect.at,
      .behind = std::min<uint64_t>(suspect.verified, payload_.repeat_bytes_max()),
      .ahead = suspect.outstanding,
      .received = suspect.received,
  });
  diagnose_ns_ += base::NowNs() - begin_ns;
  return finding;
}

int64_t Suspects::NextNs() const { return due_.empty() ? base::kNever : due_.front().first; }

std::optional<uint32_t> Suspects::PopDue(int64_t now_ns) {
  while (!due_.empty() && due_.front().first <= now_ns) {
    const auto [due_ns, item] = due_.front();
    due_.pop_front();
    const auto found = suspects_.find(item);
    if (found != suspects_.end() && found->second.due_ns == due_ns) return item;
  }
  return std::nullopt;
}

}  // namespace ringecho::load

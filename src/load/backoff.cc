#include "load/backoff.h"

#include <algorithm>
#include <cassert>

namespace ringecho::load {

int64_t Backoff::DelayNs(int retry, base::SplitMix64* random) const {
  int64_t delay_ns = std::min(base_ns, cap_ns);
  for (int i = 0; i < retry && delay_ns < cap_ns; ++i) delay_ns = std::min(delay_ns * 2, cap_ns);
  const int64_t certain_ns = delay_ns / 2;
  return certain_ns +
         static_cast<int64_t>(random->Below(static_cast<uint64_t>(delay_ns - certain_ns)));
}

void RetryQueue::Push(int64_t due_ns, uint32_t item) {
  heap_.push_back({due_ns, item});
  std::push_heap(heap_.begin(), heap_.end(), Later);
}

uint32_t RetryQueue::Pop() {
  assert(!heap_.empty());
  std::pop_heap(heap_.begin(), heap_.end(), Later);
  const uint32_t item = heap_.back().item;
  heap_.pop_back();
  return item;
}

}  // namespace ringecho::load

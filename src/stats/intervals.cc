#include "stats/intervals.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace ringecho::stats {
namespace {

// next_index_ of a worker that posts nothing more.
constexpr int64_t kFinished = std::numeric_limits<int64_t>::max();

void AddCounts(const IntervalCounts& from, bool first, IntervalCounts& to) {
  to.start_ns = first ? from.start_ns : std::min(to.start_ns, from.start_ns);
  to.end_ns = first ? from.end_ns : std::max(to.end_ns, from.end_ns);
  to.messages += from.messages;
  to.errors += from.errors;
  to.bytes += from.bytes;
  to.cpu_ns += from.cpu_ns;
  to.open_connections += from.open_connections;
  to.syscalls += from.syscalls;
  to.enter_calls += from.enter_calls;
  to.completions += from.completions;
}

// The sum of all of them, in the first.
const Histogram& Merge(const std::vector<std::unique_ptr<Histogram>>& histograms) {
  for (size_t i = 1; i < histograms.size(); ++i) {
    // Layouts are the board's, and no interval has 2^63 samples.
    [[maybe_unused]] const absl::Status added = histograms[0]->Add(*histograms[i]);
    assert(added.ok());
  }
  return *histograms[0];
}

}  // namespace

IntervalBoard::IntervalBoard(int workers, const HistogramLayout& layout)
    : layout_(layout), next_index_(static_cast<size_t>(workers)) {
  assert(workers >= 1);
}

std::unique_ptr<Histogram> IntervalBoard::NewHistogram() {
  auto spare = std::make_unique<Histogram>(layout_);
  {
    std::lock_guard lock(mutex_);
    spare_.push_back(std::move(spare));
  }
  return std::make_unique<Histogram>(layout_);
}

std::unique_ptr<Histogram> IntervalBoard::Post(int worker, int64_t index,
                                               const IntervalCounts& counts,
                                               std::unique_ptr<Histogram> latency) {
  assert(latency == nullptr || latency->layout() == layout_);
  assert(worker >= 0 && static_cast<size_t>(worker) < next_index_.size());
  const bool has_latency = latency != nullptr;
  bool kept = false;
  std::unique_ptr<Histogram> next;
  {
    std::lock_guard lock(mutex_);
    int64_t& next_index = next_index_[static_cast<size_t>(worker)];
    assert(index >= next_index && next_index != kFinished);
    next_index = index + 1;
    kept = index - first_ < kPendingMax;
    if (kept) {
      end_ = std::max(end_, index + 1);
      Pending& pending = At(index);
      AddCounts(counts, pending.workers == 0, pending.counts);
      ++pending.workers;
      if (has_latency) pending.latencies.push_back(std::move(latency));
      if (has_latency && !spare_.empty()) {
        next = std::move(spare_.back());
        spare_.pop_back();
      }
    } else {
      // Its latencies are lost to the series; its counts are not.
      ++dropped_;
      next = std::move(latency);
      end_ = first_ + kPendingMax;
      Pending& newest = At(end_ - 1);
      AddCounts(counts, newest.workers == 0, newest.counts);
      newest.workers = std::max(newest.workers, 1);
    }
  }
  if (!kept && has_latency) next->Reset();
  // Nothing to spare: the coordinator is behind.
  if (has_latency && next == nullptr) next = std::make_unique<Histogram>(layout_);
  return next;
}

void IntervalBoard::Finish(int worker) {
  assert(worker >= 0 && static_cast<size_t>(worker) < next_index_.size());
  std::lock_guard lock(mutex_);
  next_index_[static_cast<size_t>(worker)] = kFinished;
}

int64_t IntervalBoard::PopComplete(Pending& out) {
  const int64_t complete_end = *std::min_element(next_index_.begin(), next_index_.end());
  for (const int64_t stop = std::min(complete_end, end_); first_ < stop;) {
    const int64_t index = first_++;
    if (At(index).workers == 0) continue;
    out = std::exchange(At(index), Pending());
    return index;
  }
  // What follows up to complete_end was left out or dropped by everybody: make room for new posts.
  if (complete_end != kFinished) first_ = std::max(first_, complete_end);
  return -1;
}

std::optional<Interval> IntervalBoard::Take() {
  Pending pending;
  Interval interval;
  {
    std::lock_guard lock(mutex_);
    interval.index = PopComplete(pending);
  }
  if (interval.index < 0) return std::nullopt;
  interval.workers = pending.workers;
  interval.counts = pending.counts;
  if (pending.latencies.empty()) return interval;

  const Histogram& latency = Merge(pending.latencies);
  interval.samples = latency.count();
  if (interval.samples > 0) {
    interval.p50_ns = latency.ValueAtPercentile(50);
    interval.p99_ns = latency.ValueAtPercentile(99);
  }
  for (const std::unique_ptr<Histogram>& histogram : pending.latencies) histogram->Reset();
  std::lock_guard lock(mutex_);
  for (std::unique_ptr<Histogram>& histogram : pending.latencies) {
    spare_.push_back(std::move(histogram));
  }
  return interval;
}

uint64_t IntervalBoard::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

}  // namespace ringecho::stats

// Latency histogram with the bucket layout of HdrHistogram (Gil Tene; hdrhistogram.org).
//
// SUMMARY
//
// Every sample is counted in one bucket of fixed position. With D significant digits any value
// read back is at most 1/10^D above the sample it stands for (D = 3: less than 0.1%), from 1 ns to
// the highest trackable value. Memory is fixed at construction, recording is a shift, an index and
// three additions, and histograms of the same layout add up exactly: percentiles of many workers,
// intervals or processes come from the sum of their buckets, never from averaged percentiles.
//
// ERROR BOUND
//
// A bucket [low, high] answers with `high` (percentiles, maximum), `low` (minimum) or its middle
// (mean, standard deviation). Let H be the smallest power of two >= 10^D. Values below 2H have
// buckets of width 1 and are exact. Above that a bucket of width 2^k holds values of at least
// H * 2^k, so
//
//               high - low     2^k - 1      1      1
//     error  <= ----------  <= -------  <  --- <= ----
//                  low         H * 2^k      H     10^D
//
// and half of that for the middle.
//
// DERIVATION
//
// A value v has the group k = max(0, bit width of v - log2(2H)): the number of low bits that are
// dropped. What is left, v >> k, is below 2H; from group 1 on its top bit is always set, so only
// the upper half [H, 2H) occurs and a group needs H buckets. The buckets of all groups are then
// contiguous, and both directions are a shift and an addition:
//
//     index   = k * H + (v >> k)
//     low(i)  = (i - k * H) << k   with k = max(0, i / H - 1)
//     high(i) = low(i) + 2^k - 1
//
// BUCKETS for 3 digits (H = 1,024) up to one hour, the layout of this tool's results
//
//     group   values, ns                             width, ns     buckets
//     --------------------------------------------------------------------
//     0       [0, 2047]                              1             2,048
//     1       [2048, 4095]                           2             1,024
//     2       [4096, 8191]                           4             1,024
//     3       [8192, 16383]                          8             1,024
//     ...     [2^(k+10), 2^(k+11) - 1]               2^k           1,024
//     31      [2199023255552, 4398046511103]         2147483648    1,024
//
// 33,792 buckets, 264 KiB; a run touches the few cache lines around its own latencies.
//
// WHAT IS NOT KEPT
//
// There are no exact minimum, maximum or sum beside the buckets. They would be more exact than a
// percentile of the same result (a p100 above the maximum), and they would be lost in the encoded
// form: as it is, a histogram read back from a result answers every question with the same
// numbers, and any other HDR tool does too.
#ifndef RINGECHO_STATS_HISTOGRAM_H_
#define RINGECHO_STATS_HISTOGRAM_H_

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace ringecho::stats {

// Where the buckets lie. A value type; layouts of equal range and digits are the same.
class HistogramLayout {
 public:
  // More is refused: 2^22 buckets are 32 MiB, enough for 78 hours in ns at 5 digits or the whole
  // range at 4. Keeps a few bytes of input from asking for gigabytes.
  static constexpr size_t kBucketsMax = size_t{1} << 22;

  // 1 ns to 1 h at 3 digits.
  HistogramLayout() : HistogramLayout(3'600'000'000'000, 3) {}

  // `highest` is the largest value told apart, 2 to 2^63 - 1; `digits` 1 to 5. INVALID_ARGUMENT
  // outside of that, RESOURCE_EXHAUSTED above kBucketsMax.
  static absl::StatusOr<HistogramLayout> Create(uint64_t highest, int digits);

  uint64_t highest() const { return highest_; }
  int digits() const { return digits_; }
  size_t buckets() const { return buckets_; }
  bool operator==(const HistogramLayout&) const = default;

  // The bucket of a value up to High(buckets() - 1), which is `highest` or somewhat more.
  size_t IndexOf(uint64_t value) const {
    const int group = GroupOf(value);
    return (static_cast<size_t>(group) << half_bits_) + (value >> group);
  }

  // Of a bucket below buckets(): its lowest and highest value and the middle, rounded up.
  uint64_t Low(size_t index) const {
    const int group = GroupAt(index);
    return (index - (static_cast<size_t>(group) << half_bits_)) << group;
  }
  uint64_t High(size_t index) const { return Low(index) + (uint64_t{1} << GroupAt(index)) - 1; }
  uint64_t Middle(size_t index) const { return Low(index) + (uint64_t{1} << GroupAt(index) >> 1); }

 private:
  HistogramLayout(uint64_t highest, int digits);

  int GroupOf(uint64_t value) const {
    return 63 - std::countl_zero(value | low_mask_) - half_bits_;
  }
  int GroupAt(size_t index) const { return std::max(0, static_cast<int>(index >> half_bits_) - 1); }

  uint64_t highest_;
  uint64_t low_mask_;  // 2H - 1
  size_t buckets_;
  int digits_;
  int half_bits_;  // log2(H)
};

// One thread at a time; allocates only at construction and when copied. A moved-from histogram may
// only be destroyed or assigned to.
class Histogram {
 public:
  explicit Histogram(const HistogramLayout& layout = HistogramLayout())
      : layout_(layout), counts_(layout.buckets()) {}

  const HistogramLayout& layout() const { return layout_; }

  // Values in ns. One above the layout's highest is counted there and also in clamped(); a
  // negative difference that was converted to unsigned shows up the same way. The samples of one
  // histogram must stay below 2^63.
  void Record(uint64_t value_ns) { RecordN(value_ns, 1); }
  void RecordN(uint64_t value_ns, uint64_t count) {
    const bool over = value_ns > layout_.highest();
    clamped_ += over ? count : 0;
    counts_[layout_.IndexOf(over ? layout_.highest() : value_ns)] += count;
    count_ += count;
  }

  // Adds the other's buckets to these. INVALID_ARGUMENT when the layouts differ, OUT_OF_RANGE when
  // the sum would not stay below 2^63; either leaves this histogram as it was.
  absl::Status Add(const Histogram& other);

  void Reset();

  // Samples recorded, those clamped among them. The clamped ones are not part of the encoded form.
  uint64_t count() const { return count_; }
  uint64_t clamped() const { return clamped_; }

  // All of these are 0 when nothing was recorded. min_ns is the lowest value of the first bucket
  // that is not empty, max_ns the highest value of the last.
  uint64_t min_ns() const;
  uint64_t max_ns() const;
  double mean_ns() const;
  double stddev_ns() const;  // of the population, as HDR has it

  // The highest value of the bucket that holds the sample of rank ceil(percentile / 100 * count),
  // at least rank 1: at least `percentile` percent of all samples are at or below the answer. 0 or
  // less answers min_ns(), 100 or more max_ns().
  uint64_t ValueAtPercentile(double percentile) const;

  // Bucket access for codecs; index below layout().buckets().
  uint64_t CountAt(size_t index) const {
    assert(index < counts_.size());
    return counts_[index];
  }
  void AddAt(size_t index, uint64_t count) {
    assert(index < counts_.size());
    counts_[index] += count;
    count_ += count;
  }

  // One past the last bucket that is not empty; 0 when nothing was recorded.
  size_t UsedBuckets() const;

  // Calls f(low_ns, high_ns, count) for every bucket that is not empty, in ascending order.
  template <class F>
  void ForEach(F f) const {
    for (size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] != 0) f(layout_.Low(i), layout_.High(i), counts_[i]);
    }
  }

 private:
  HistogramLayout layout_;
  std::vector<uint64_t> counts_;
  uint64_t count_ = 0;
  uint64_t clamped_ = 0;
};

}  // namespace ringecho::stats

#endif  // RINGECHO_STATS_HISTOGRAM_H_

#include "stats/histogram.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace ringecho::stats {
namespace {

constexpr uint64_t kValueMax = std::numeric_limits<int64_t>::max();

// log2(H): H is the smallest power of two that is at least 10^digits.
int HalfBits(int digits) {
  uint64_t power = 1;
  for (int i = 0; i < digits; ++i) power *= 10;
  return 64 - std::countl_zero(power - 1);
}

}  // namespace

HistogramLayout::HistogramLayout(uint64_t highest, int digits)
    : highest_(highest), digits_(digits), half_bits_(HalfBits(digits)) {
  low_mask_ = (uint64_t{2} << half_bits_) - 1;
  buckets_ = static_cast<size_t>(GroupOf(highest) + 2) << half_bits_;
}

absl::StatusOr<HistogramLayout> HistogramLayout::Create(uint64_t highest, int digits) {
  if (digits < 1 || digits > 5) {
    return absl::InvalidArgumentError(
        absl::StrCat("histogram with ", digits, " significant digits, takes 1 to 5"));
  }
  if (highest < 2 || highest > kValueMax) {
    return absl::InvalidArgumentError(absl::StrCat("histogram with highest trackable value ",
                                                   highest, ", takes 2 to ", kValueMax));
  }
  HistogramLayout layout(highest, digits);
  if (layout.buckets() > kBucketsMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("histogram up to ", highest, " with ", digits, " digits needs ",
                     layout.buckets(), " buckets, at most ", kBucketsMax, " are taken"));
  }
  return layout;
}

absl::Status Histogram::Add(const Histogram& other) {
  if (layout_ != other.layout_) {
    return absl::InvalidArgumentError(
        absl::StrCat("histograms of different layouts cannot be added: up to ", layout_.highest(),
                     " with ", layout_.digits(), " digits, and up to ", other.layout_.highest(),
                     " with ", other.layout_.digits(), " digits"));
  }
  if (other.count_ > kValueMax - count_) {
    return absl::OutOfRangeError(absl::StrCat("histograms of ", count_, " and ", other.count_,
                                              " samples cannot be added: the sum exceeds ",
                                              kValueMax));
  }
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  clamped_ += other.clamped_;
  return absl::OkStatus();
}

void Histogram::Reset() {
  std::fill(counts_.begin(), counts_.end(), 0);
  count_ = 0;
  clamped_ = 0;
}

size_t Histogram::UsedBuckets() const {
  size_t used = counts_.size();
  while (used > 0 && counts_[used - 1] == 0) --used;
  return used;
}

uint64_t Histogram::min_ns() const {
  auto first = std::find_if(counts_.begin(), counts_.end(), [](uint64_t n) { return n != 0; });
  return first == counts_.end() ? 0 : layout_.Low(static_cast<size_t>(first - counts_.begin()));
}

uint64_t Histogram::max_ns() const {
  const size_t used = UsedBuckets();
  return used == 0 ? 0 : layout_.High(used - 1);
}

double Histogram::mean_ns() const {
  if (count_ == 0) return 0;
  double sum = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    sum += static_cast<double>(layout_.Middle(i)) * static_cast<double>(counts_[i]);
  }
  return sum / static_cast<double>(count_);
}

double Histogram::stddev_ns() const {
  if (count_ == 0) return 0;
  const double mean = mean_ns();
  double squares = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    const double deviation = static_cast<double>(layout_.Middle(i)) - mean;
    squares += deviation * deviation * static_cast<double>(counts_[i]);
  }
  return std::sqrt(squares / static_cast<double>(count_));
}

uint64_t Histogram::ValueAtPercentile(double percentile) const {
  if (!(percentile > 0)) return min_ns();
  if (percentile >= 100) return max_ns();
  // One step down before rounding up, as HDR does: 99.9 / 100 * 1000 is a little above 999 in
  // binary and must still mean rank 999.
  const double lower = std::nextafter(percentile, 0.0);
  const double rank = std::ceil(lower * static_cast<double>(count_) / 100.0);
  const uint64_t wanted = std::max<uint64_t>(1, static_cast<uint64_t>(rank));
  uint64_t seen = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    seen += counts_[i];
    if (seen >= wanted) return layout_.High(i);
  }
  return 0;
}

}  // namespace ringecho::stats

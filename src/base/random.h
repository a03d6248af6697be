// A small, fast, seedable generator whose output is fixed for all time, so that a recorded seed
// reproduces a payload and a schedule on any build (absl and std distributions do not promise it).
#ifndef RINGECHO_BASE_RANDOM_H_
#define RINGECHO_BASE_RANDOM_H_

#include <cstdint>

namespace ringecho::base {

__extension__ using Wide = unsigned __int128;

// SplitMix64 (Steele, Lea, Flood 2014; public domain reference by Vigna).
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound) for bound > 0, with a bias below bound / 2^64.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<Wide>(Next()) * bound) >> 64);
  }

  // Uniform in [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

 private:
  uint64_t state_;
};

}  // namespace ringecho::base

#endif  // RINGECHO_BASE_RANDOM_H_

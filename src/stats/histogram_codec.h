// Histograms as bytes and text: the HdrHistogram V2 format, which every HDR tool reads.
//
//     base64 text   RFC 4648 of the compressed form; starts with "HISTFAAA"
//     compressed    cookie 0x1c849314, length, zlib stream of the V2 form
//     V2            cookie 0x1c849313, payload length, index offset (0), digits, lowest value (1),
//                   highest value, conversion ratio (1.0), payload; all big-endian
//     payload       one ZigZag LEB128 number per bucket up to the last that is not empty, n < 0
//                   standing for -n empty buckets; at most 9 bytes, the ninth with all 8 bits
//
// Source: AbstractHistogram.java and ZigZagEncoding.java of HdrHistogram 2.1; what is written here
// is byte for byte what they write, the deflate stream excepted.
//
// Encoding cannot fail. Decoding takes input from anywhere: it answers INVALID_ARGUMENT naming
// what is wrong, or RESOURCE_EXHAUSTED for a layout above HistogramLayout::kBucketsMax, and never
// allocates more than that layout and its longest payload take. Histograms that this library
// cannot hold are refused: a lowest value other than 1, an index offset, a conversion ratio (both
// are of HDR's DoubleHistogram), and the V0 and V1 formats. Histogram::clamped() is not carried.
#ifndef RINGECHO_STATS_HISTOGRAM_CODEC_H_
#define RINGECHO_STATS_HISTOGRAM_CODEC_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "stats/histogram.h"

namespace ringecho::stats {

std::string EncodeV2(const Histogram& histogram);
std::string EncodeV2Compressed(const Histogram& histogram);
std::string EncodeV2Base64(const Histogram& histogram);

// Each takes exactly one histogram; bytes behind it are an error.
absl::StatusOr<Histogram> DecodeV2(std::string_view bytes);
absl::StatusOr<Histogram> DecodeV2Compressed(std::string_view bytes);
absl::StatusOr<Histogram> DecodeV2Base64(std::string_view text);

}  // namespace ringecho::stats

#endif  // RINGECHO_STATS_HISTOGRAM_CODEC_H_

// Any bytes as a histogram, in each of its encoded forms and also as the content of a compressed
// one, which no fuzzer would get past the checksum of otherwise.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "require.h"
#include "stats/histogram_codec.h"

namespace ringecho::stats {
namespace {

using fuzz::Require;

std::string Compressed(std::string_view plain) {
  uLongf bytes = compressBound(plain.size());
  std::string deflated(bytes, '\0');
  Require(compress(reinterpret_cast<Bytef*>(deflated.data()), &bytes,
                   reinterpret_cast<const Bytef*>(plain.data()), plain.size()) == Z_OK,
          "there is memory to compress");
  std::string out("\x1c\x84\x93\x14", 4);
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(bytes >> shift & 0xff));
  }
  return out.append(deflated, 0, bytes);
}

bool Same(const Histogram& a, const Histogram& b) {
  return a.layout() == b.layout() && a.count() == b.count() && EncodeV2(a) == EncodeV2(b);
}

void CheckMessage(const absl::Status& status) {
  const std::string_view message = base::ToStd(status.message());
  Require(!message.empty() && message.size() < 300, "messages are neither empty nor long");
  for (char c : message) Require(c >= ' ' && c <= '~', "messages are printable");
}

void CheckHistogram(const Histogram& histogram) {
  const absl::StatusOr<Histogram> plain = DecodeV2(EncodeV2(histogram));
  Require(plain.ok() && Same(*plain, histogram), "V2 comes back the same");
  const absl::StatusOr<Histogram> text = DecodeV2Base64(EncodeV2Base64(histogram));
  Require(text.ok() && Same(*text, histogram), "base64 comes back the same");
  const uint64_t median = histogram.ValueAtPercentile(50);
  Require(histogram.min_ns() <= median && median <= histogram.max_ns(), "the median lies inside");
  Require(histogram.mean_ns() >= 0 && histogram.stddev_ns() >= 0, "moments are numbers");
}

}  // namespace
}  // namespace ringecho::stats

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringecho::stats;  // NOLINT(google-build-using-namespace)
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Histogram> plain = DecodeV2(bytes);
  const absl::StatusOr<Histogram> inside = DecodeV2Compressed(Compressed(bytes));
  ringecho::fuzz::Require(plain.ok() == inside.ok(), "compression changes nothing");
  for (const absl::StatusOr<Histogram>& decoded :
       {plain, DecodeV2Compressed(bytes), DecodeV2Base64(bytes)}) {
    if (decoded.ok()) {
      CheckHistogram(*decoded);
    } else {
      CheckMessage(decoded.status());
    }
  }
  return 0;
}

#include "stats/histogram_codec.h"

#include <zlib.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <new>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace ringecho::stats {
namespace {

// The second lowest hex digit of a cookie is a word size that V2 does not use; writers put 1.
constexpr uint32_t kV2Cookie = 0x1c849303;
constexpr uint32_t kV2CompressedCookie = 0x1c849304;
constexpr uint32_t kWordSizeMask = 0xf0;
constexpr uint32_t kWordSize = 0x10;

constexpr size_t kHeaderBytes = 40;
constexpr size_t kCompressedHeaderBytes = 8;
constexpr size_t kVarintBytesMax = 9;
constexpr uint64_t kCountMax = std::numeric_limits<int64_t>::max();

template <class T>
void PutBigEndian(T value, std::string& out) {
  for (int shift = 8 * (static_cast<int>(sizeof(T)) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

template <class T>
T GetBigEndian(std::string_view bytes, size_t offset) {
  T value = 0;
  for (char c : bytes.substr(offset, sizeof(T))) {
    value = static_cast<T>(value << 8 | static_cast<uint8_t>(c));
  }
  return value;
}

void PutZigZag(int64_t number, std::string& out) {
  uint64_t bits = static_cast<uint64_t>(number) << 1 ^ static_cast<uint64_t>(number >> 63);
  for (size_t i = 1; i < kVarintBytesMax && bits >= 0x80; ++i) {
    out.push_back(static_cast<char>(bits | 0x80));
    bits >>= 7;
  }
  out.push_back(static_cast<char>(bits));
}

// The number at `offset`, which is moved behind it; nothing when the bytes end inside of it.
std::optional<int64_t> GetZigZag(std::string_view bytes, size_t& offset) {
  uint64_t bits = 0;
  for (size_t i = 0; offset < bytes.size(); ++i) {
    const auto byte = static_cast<uint8_t>(bytes[offset++]);
    const bool last = i + 1 == kVarintBytesMax;
    bits |= static_cast<uint64_t>(last ? byte : byte & 0x7f) << (7 * i);
    if (last || byte < 0x80) return static_cast<int64_t>(bits >> 1 ^ -(bits & 1));
  }
  return std::nullopt;
}

absl::Status Bad(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("HDR histogram: ", what));
}

absl::Status BadCookie(uint32_t cookie) {
  switch (cookie & ~kWordSizeMask) {
    case 0x1c849301:
    case 0x1c849302:
      return Bad("V1 encoding, only V2 is read");
    case 0x1c849308:
    case 0x1c849309:
      return Bad("V0 encoding, only V2 is read");
    case kV2Cookie:
      return Bad("uncompressed V2 encoding where a compressed one is expected");
    case kV2CompressedCookie:
      return Bad("compressed V2 encoding where an uncompressed one is expected");
    default:
      return Bad(absl::StrCat("cookie 0x", absl::Hex(cookie, absl::kZeroPad8),
                              " is not that of a V2 histogram"));
  }
}

struct Header {
  HistogramLayout layout;
  size_t payload_bytes = 0;
};

// `bytes` has kHeaderBytes or more. The payload length is checked against the layout, so that it
// may be allocated.
absl::StatusOr<Header> ParseHeader(std::string_view bytes) {
  const auto cookie = GetBigEndian<uint32_t>(bytes, 0);
  if ((cookie & ~kWordSizeMask) != kV2Cookie) return BadCookie(cookie);
  const auto payload_bytes = GetBigEndian<uint32_t>(bytes, 4);
  const auto index_offset = GetBigEndian<uint32_t>(bytes, 8);
  const auto digits = GetBigEndian<uint32_t>(bytes, 12);
  const auto lowest = GetBigEndian<uint64_t>(bytes, 16);
  const auto highest = GetBigEndian<uint64_t>(bytes, 24);
  const auto ratio = std::bit_cast<double>(GetBigEndian<uint64_t>(bytes, 32));

  if (index_offset != 0) {
    return Bad(absl::StrCat("normalizing index offset ", static_cast<int32_t>(index_offset),
                            ", only 0 is read"));
  }
  if (lowest != 1) {
    return Bad(absl::StrCat("lowest discernible value ", lowest, ", only 1 is read"));
  }
  if (!(ratio == 1.0)) return Bad(absl::StrCat("conversion ratio ", ratio, ", only 1 is read"));

  absl::StatusOr<HistogramLayout> layout =
      HistogramLayout::Create(highest, static_cast<int>(digits));
  if (!layout.ok()) {
    return absl::Status(layout.status().code(),
                        absl::StrCat("HDR histogram: ", layout.status().message()));
  }
  const size_t payload_bytes_max = layout->buckets() * kVarintBytesMax;
  if (payload_bytes > payload_bytes_max) {
    return Bad(absl::StrCat("payload of ", payload_bytes, " bytes, ", layout->buckets(),
                            " buckets have at most ", payload_bytes_max));
  }
  return Header{*layout, payload_bytes};
}

absl::StatusOr<Histogram> ParsePayload(const HistogramLayout& layout, std::string_view payload) {
  Histogram histogram(layout);
  size_t index = 0;
  for (size_t offset = 0; offset < payload.size();) {
    const size_t start = offset;
    const std::optional<int64_t> number = GetZigZag(payload, offset);
    if (!number) return Bad(absl::StrCat("payload ends inside the number at byte ", start));
    const size_t left = layout.buckets() - index;
    if (*number < 0) {
      // Negated as unsigned: -2^63 has no positive counterpart.
      const uint64_t zeros = -static_cast<uint64_t>(*number);
      if (zeros > left) {
        return Bad(absl::StrCat("run of ", zeros, " empty buckets at byte ", start, ", only ", left,
                                " of ", layout.buckets(), " are left"));
      }
      index += zeros;
      continue;
    }
    const auto count = static_cast<uint64_t>(*number);
    if (left == 0) {
      return Bad(absl::StrCat("payload goes on at byte ", start, " behind the last of ",
                              layout.buckets(), " buckets"));
    }
    if (count > kCountMax - histogram.count()) {
      return Bad(absl::StrCat("counts add up to more than ", kCountMax, " at byte ", start));
    }
    histogram.AddAt(index++, count);
  }
  return histogram;
}

// One zlib stream being inflated; owns zlib's state.
class Inflater {
 public:
  explicit Inflater(std::string_view in) {
    // zlib's interface lacks const for what it only reads.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    if (inflateInit(&stream_) != Z_OK) throw std::bad_alloc();
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  // Up to `bytes` more of the content: fewer at its end, nothing when the stream is corrupt.
  std::optional<std::string> Read(size_t bytes) {
    std::string out(bytes, '\0');
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(bytes);
    while (!ended_ && stream_.avail_out > 0) {
      const int result = inflate(&stream_, Z_NO_FLUSH);
      ended_ = result == Z_STREAM_END;
      if (!ended_ && result != Z_OK) return std::nullopt;
    }
    out.resize(bytes - stream_.avail_out);
    return out;
  }

  // Whether the stream's own end mark and checksum were seen and right.
  bool ended() const { return ended_; }
  size_t unused_bytes() const { return stream_.avail_in; }

 private:
  z_stream stream_{};
  bool ended_ = false;
};

}  // namespace

std::string EncodeV2(const Histogram& histogram) {
  std::string payload;
  // HDR writes the first bucket of an empty histogram.
  const size_t used = std::max<size_t>(1, histogram.UsedBuckets());
  for (size_t i = 0; i < used;) {
    const uint64_t count = histogram.CountAt(i++);
    int64_t zeros = count == 0 ? 1 : 0;
    while (zeros > 0 && i < used && histogram.CountAt(i) == 0) {
      ++zeros;
      ++i;
    }
    // A single empty bucket is written as its count, 0.
    PutZigZag(zeros > 1 ? -zeros : static_cast<int64_t>(count), payload);
  }

  std::string out;
  out.reserve(kHeaderBytes + payload.size());
  PutBigEndian<uint32_t>(kV2Cookie | kWordSize, out);
  PutBigEndian<uint32_t>(static_cast<uint32_t>(payload.size()), out);
  PutBigEndian<uint32_t>(0, out);
  PutBigEndian<uint32_t>(static_cast<uint32_t>(histogram.layout().digits()), out);
  PutBigEndian<uint64_t>(1, out);
  PutBigEndian<uint64_t>(histogram.layout().highest(), out);
  PutBigEndian<uint64_t>(std::bit_cast<uint64_t>(1.0), out);
  return out.append(payload);
}

std::string EncodeV2Compressed(const Histogram& histogram) {
  const std::string plain = EncodeV2(histogram);
  uLongf bytes = compressBound(plain.size());
  std::string deflated(bytes, '\0');
  // With a buffer of compressBound() bytes only memory can be missing.
  if (compress(reinterpret_cast<Bytef*>(deflated.data()), &bytes,
               reinterpret_cast<const Bytef*>(plain.data()), plain.size()) != Z_OK) {
    throw std::bad_alloc();
  }
  deflated.resize(bytes);

  std::string out;
  out.reserve(kCompressedHeaderBytes + deflated.size());
  PutBigEndian<uint32_t>(kV2CompressedCookie | kWordSize, out);
  PutBigEndian<uint32_t>(static_cast<uint32_t>(deflated.size()), out);
  return out.append(deflated);
}

std::string EncodeV2Base64(const Histogram& histogram) {
  return absl::Base64Escape(base::ToAbsl(EncodeV2Compressed(histogram)));
}

absl::StatusOr<Histogram> DecodeV2(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) {
    return Bad(absl::StrCat(bytes.size(), " bytes, the V2 header alone has ", kHeaderBytes));
  }
  absl::StatusOr<Header> header = ParseHeader(bytes);
  if (!header.ok()) return header.status();
  const std::string_view payload = bytes.substr(kHeaderBytes);
  if (payload.size() != header->payload_bytes) {
    return Bad(absl::StrCat("header announces a payload of ", header->payload_bytes,
                            " bytes, there are ", payload.size()));
  }
  return ParsePayload(header->layout, payload);
}

absl::StatusOr<Histogram> DecodeV2Compressed(std::string_view bytes) {
  if (bytes.size() < kCompressedHeaderBytes) {
    return Bad(absl::StrCat(bytes.size(), " bytes, the compressed header alone has ",
                            kCompressedHeaderBytes));
  }
  const auto cookie = GetBigEndian<uint32_t>(bytes, 0);
  if ((cookie & ~kWordSizeMask) != kV2CompressedCookie) return BadCookie(cookie);
  const auto announced = GetBigEndian<uint32_t>(bytes, 4);
  const std::string_view deflated = bytes.substr(kCompressedHeaderBytes);
  if (deflated.size() != announced) {
    return Bad(absl::StrCat("compressed header announces ", announced, " bytes, there are ",
                            deflated.size()));
  }

  Inflater inflater(deflated);
  const std::optional<std::string> plain_header = inflater.Read(kHeaderBytes);
  if (!plain_header) return Bad("zlib stream is corrupt or cut short");
  if (plain_header->size() < kHeaderBytes) {
    return Bad(absl::StrCat("zlib stream holds ", plain_header->size(),
                            " bytes, the V2 header alone has ", kHeaderBytes));
  }
  absl::StatusOr<Header> header = ParseHeader(*plain_header);
  if (!header.ok()) return header.status();
  // One byte more than announced is asked for: a shorter answer means that the stream has ended.
  const std::optional<std::string> payload = inflater.Read(header->payload_bytes + 1);
  if (!payload) return Bad("zlib stream is corrupt or cut short");
  if (payload->size() != header->payload_bytes) {
    return Bad(absl::StrCat("header announces a payload of ", header->payload_bytes,
                            " bytes, the zlib stream holds ",
                            inflater.ended() ? absl::StrCat(payload->size()) : "more"));
  }
  if (inflater.unused_bytes() != 0) {
    return Bad(absl::StrCat(inflater.unused_bytes(), " bytes behind the zlib stream"));
  }
  return ParsePayload(header->layout, *payload);
}

absl::StatusOr<Histogram> DecodeV2Base64(std::string_view text) {
  std::string bytes;
  if (!absl::Base64Unescape(base::ToAbsl(text), &bytes)) return Bad("text is not base64");
  return DecodeV2Compressed(bytes);
}

}  // namespace ringecho::stats

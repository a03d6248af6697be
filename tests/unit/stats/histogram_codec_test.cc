#include "stats/histogram_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/escaping.h"
#include "base/random.h"

namespace ringecho::stats {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

std::string BigEndian(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return out;
}

// A V2 stream in its parts; the defaults are those of an hour at 3 digits.
struct Stream {
  uint32_t cookie = 0x1c849313;
  int64_t payload_bytes = -1;  // -1: what the payload has
  uint32_t index_offset = 0;
  uint32_t digits = 3;
  uint64_t lowest = 1;
  uint64_t highest = 3'600'000'000'000;
  double ratio = 1.0;
  std::string payload = std::string("\x02", 1);  // one sample in bucket 0

  std::string Bytes() const {
    const auto bytes = payload_bytes < 0 ? payload.size() : static_cast<uint64_t>(payload_bytes);
    return BigEndian(cookie, 4) + BigEndian(bytes, 4) + BigEndian(index_offset, 4) +
           BigEndian(digits, 4) + BigEndian(lowest, 8) + BigEndian(highest, 8) +
           BigEndian(std::bit_cast<uint64_t>(ratio), 8) + payload;
  }
};

std::string Deflate(const std::string& plain) {
  uLongf size = compressBound(plain.size());
  std::string out(size, '\0');
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(out.data()), &size,
                     reinterpret_cast<const Bytef*>(plain.data()), plain.size()),
            Z_OK);
  out.resize(size);
  return out;
}

std::string Compressed(const std::string& deflated) {
  return BigEndian(0x1c849314, 4) + BigEndian(deflated.size(), 4) + deflated;
}

// `number` as ZigZag LEB128, straight from the definition.
std::string ZigZag(int64_t number) {
  const auto n = static_cast<uint64_t>(number);
  uint64_t bits = number < 0 ? 2 * -n - 1 : 2 * n;
  std::string out;
  while (out.size() < 8 && bits > 0x7f) {
    out.push_back(static_cast<char>(0x80 | (bits & 0x7f)));
    bits >>= 7;
  }
  out.push_back(static_cast<char>(bits));
  return out;
}

// The error of decoding, both as it is and compressed (which must agree), or "" for success.
std::string ErrorOf(const Stream& stream) {
  absl::Status plain = DecodeV2(stream.Bytes()).status();
  absl::Status compressed = DecodeV2Compressed(Compressed(Deflate(stream.Bytes()))).status();
  EXPECT_EQ(plain.ok(), compressed.ok()) << plain << " / " << compressed;
  return std::string(plain.message());
}

std::string CompressedError(const std::string& bytes) {
  return std::string(DecodeV2Compressed(bytes).status().message());
}

TEST(HistogramCodecTest, RoundTripsEveryForm) {
  Histogram h;
  base::SplitMix64 random(11);
  for (int i = 0; i < 5'000; ++i) h.RecordN(random.Next() >> (22 + random.Below(40)), i);
  for (const absl::StatusOr<Histogram>& read :
       {DecodeV2(EncodeV2(h)), DecodeV2Compressed(EncodeV2Compressed(h)),
        DecodeV2Base64(EncodeV2Base64(h))}) {
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->layout(), h.layout());
    EXPECT_EQ(read->count(), h.count());
    EXPECT_EQ(EncodeV2(*read), EncodeV2(h));
    EXPECT_EQ(read->mean_ns(), h.mean_ns());
  }
}

TEST(HistogramCodecTest, WritesTheLayoutOfTheFormat) {
  Histogram h;
  h.RecordN(0, 1);
  h.RecordN(2, 64);    // behind a single empty bucket, which is written as 0
  h.RecordN(10, 100);  // behind a run of 7
  Stream expected;
  expected.payload = ZigZag(1) + ZigZag(0) + ZigZag(64) + ZigZag(-7) + ZigZag(100);
  EXPECT_EQ(EncodeV2(h), expected.Bytes());
  EXPECT_EQ(EncodeV2Compressed(h), Compressed(Deflate(expected.Bytes())));
  EXPECT_EQ(EncodeV2Base64(h).substr(0, 8), "HISTFAAA");
}

TEST(HistogramCodecTest, NumbersOfEveryLengthSurvive) {
  for (int bits = 0; bits < 63; ++bits) {
    for (uint64_t count : {uint64_t{1} << bits, (uint64_t{2} << bits) - 1}) {
      Histogram h;
      h.RecordN(5, count);
      absl::StatusOr<Histogram> read = DecodeV2(EncodeV2(h));
      ASSERT_TRUE(read.ok()) << count << ": " << read.status();
      EXPECT_EQ(read->CountAt(5), count);
      EXPECT_EQ(EncodeV2(h).size(), 40 + 1 + ZigZag(static_cast<int64_t>(count)).size());
    }
  }
}

TEST(HistogramCodecTest, ReadsWhatOtherWritersMayWrite) {
  Stream stream;
  stream.payload = "";  // an empty histogram without its first bucket
  EXPECT_EQ(ErrorOf(stream), "");
  stream.payload = ZigZag(-1) + ZigZag(3) + ZigZag(-33'790);  // single and trailing empty buckets
  EXPECT_EQ(ErrorOf(stream), "");
  EXPECT_EQ(DecodeV2(stream.Bytes())->CountAt(1), 3u);
  stream.payload = std::string("\x82\x80\x00", 3);  // 1, longer than it needs to be
  EXPECT_EQ(ErrorOf(stream), "");
  stream.cookie = 0x1c849303;
  EXPECT_EQ(ErrorOf(stream), "");
  // Values between the highest trackable one and the end of its bucket group.
  stream.payload = ZigZag(-33'791) + ZigZag(7);
  ASSERT_EQ(ErrorOf(stream), "");
  EXPECT_EQ(DecodeV2(stream.Bytes())->max_ns(), 4'398'046'511'103u);
}

TEST(HistogramCodecTest, RefusesTextThatIsNotBase64) {
  const std::string text = EncodeV2Base64(Histogram());
  for (const std::string& bad : {"*" + text, text.substr(0, 9), "!" + text.substr(1)}) {
    EXPECT_EQ(DecodeV2Base64(bad).status().message(), "HDR histogram: text is not base64") << bad;
  }
}

TEST(HistogramCodecTest, RefusesForeignCookiesByName) {
  Stream stream;
  stream.cookie = 0xdeadbeef;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("cookie 0xdeadbeef is not that of a V2 histogram"));
  stream.cookie = 0x1c849301;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("V1 encoding, only V2 is read"));
  stream.cookie = 0x1c849308;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("V0 encoding, only V2 is read"));
  EXPECT_THAT(CompressedError(Stream().Bytes()), HasSubstr("uncompressed V2 encoding where"));
  EXPECT_THAT(
      std::string(DecodeV2(BigEndian(0x1c849314, 4) + std::string(40, '\0')).status().message()),
      HasSubstr(": compressed V2 encoding where"));
  EXPECT_THAT(CompressedError(BigEndian(0x1c849302, 4) + BigEndian(0, 4)), HasSubstr("V1"));
}

TEST(HistogramCodecTest, RefusesLayoutsItCannotHold) {
  Stream stream;
  stream.digits = 6;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("6 significant digits"));
  stream.digits = 0xffffffff;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("significant digits"));
  stream = {};
  stream.highest = 1;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("highest trackable value 1"));
  stream.highest = ~uint64_t{0};
  EXPECT_THAT(ErrorOf(stream), HasSubstr("highest trackable value 18446744073709551615"));
  stream = {};
  stream.digits = 5;
  stream.highest = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(DecodeV2(stream.Bytes()).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(ErrorOf(stream), HasSubstr("buckets, at most 4194304"));
  stream = {};
  stream.lowest = 1000;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("lowest discernible value 1000, only 1 is read"));
  stream = {};
  stream.index_offset = 0xffffffff;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("normalizing index offset -1, only 0 is read"));
  stream = {};
  stream.ratio = 0.5;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("conversion ratio 0.5, only 1 is read"));
  stream.ratio = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(ErrorOf(stream), HasSubstr("conversion ratio"));
}

TEST(HistogramCodecTest, RefusesPayloadLengthsThatLie) {
  Stream stream;
  stream.payload_bytes = 2;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("announces a payload of 2 bytes"));
  stream.payload_bytes = 0;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("announces a payload of 0 bytes"));
  // Never allocated: more than nine bytes for each of 33,792 buckets.
  stream.payload_bytes = 0x7fffffff;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("payload of 2147483647 bytes, 33792 buckets have at most "
                                         "304128"));
  stream.payload_bytes = 0xffffffff;
  EXPECT_THAT(ErrorOf(stream), HasSubstr("payload of 4294967295 bytes"));
}

TEST(HistogramCodecTest, RefusesPayloadsThatDoNotFitTheBuckets) {
  Stream stream;
  stream.payload = ZigZag(1) + "\x80";
  EXPECT_THAT(ErrorOf(stream), HasSubstr("payload ends inside the number at byte 1"));
  stream.payload = std::string(8, '\xff');
  EXPECT_THAT(ErrorOf(stream), HasSubstr("payload ends inside the number at byte 0"));
  stream.payload = ZigZag(2) + ZigZag(-33'792);
  EXPECT_THAT(ErrorOf(stream),
              HasSubstr("run of 33792 empty buckets at byte 1, only 33791 of 33792 are left"));
  stream.payload = ZigZag(std::numeric_limits<int64_t>::min());
  EXPECT_THAT(ErrorOf(stream), HasSubstr("run of 9223372036854775808 empty buckets"));
  stream.payload = ZigZag(-33'792) + ZigZag(1);
  EXPECT_THAT(ErrorOf(stream), HasSubstr("goes on at byte 3 behind the last of 33792 buckets"));
  stream.payload = ZigZag(std::numeric_limits<int64_t>::max()) + ZigZag(1);
  EXPECT_THAT(ErrorOf(stream), HasSubstr("counts add up to more than 9223372036854775807"));
}

TEST(HistogramCodecTest, RefusesCompressedLengthsThatLie) {
  const std::string good = Compressed(Deflate(Stream().Bytes()));
  EXPECT_EQ(CompressedError(good), "");
  EXPECT_THAT(CompressedError(good + "x"), HasSubstr("compressed header announces"));
  EXPECT_THAT(CompressedError(good.substr(0, good.size() - 1)),
              HasSubstr("compressed header announces"));
  EXPECT_THAT(CompressedError(Compressed(Deflate(Stream().Bytes()) + "xy")),
              HasSubstr("2 bytes behind the zlib stream"));
  EXPECT_THAT(CompressedError(""), HasSubstr("0 bytes, the compressed header alone has 8"));
  EXPECT_THAT(CompressedError(good.substr(0, 7)), HasSubstr("7 bytes"));
}

TEST(HistogramCodecTest, RefusesZlibStreamsThatAreCorruptOrCutShort) {
  const std::string deflated = Deflate(Stream().Bytes());
  for (size_t bytes = 0; bytes < deflated.size(); ++bytes) {
    EXPECT_THAT(CompressedError(Compressed(deflated.substr(0, bytes))), HasSubstr("zlib stream"));
  }
  std::string wrong_checksum = deflated;
  wrong_checksum.back() = static_cast<char>(wrong_checksum.back() ^ 1);
  EXPECT_THAT(CompressedError(Compressed(wrong_checksum)), HasSubstr("corrupt"));
  EXPECT_THAT(CompressedError(Compressed(Deflate("short"))),
              HasSubstr("zlib stream holds 5 bytes, the V2 header alone has 40"));
}

TEST(HistogramCodecTest, AnInflatingBombIsStoppedAtTheAnnouncedPayload) {
  Stream stream;
  stream.payload = std::string(64 << 20, '\0');
  stream.payload_bytes = 100;
  EXPECT_THAT(CompressedError(Compressed(Deflate(stream.Bytes()))),
              HasSubstr("announces a payload of 100 bytes, the zlib stream holds more"));
  stream.payload_bytes = -1;
  EXPECT_THAT(CompressedError(Compressed(Deflate(stream.Bytes()))),
              HasSubstr("payload of 67108864 bytes, 33792 buckets have at most 304128"));
}

TEST(HistogramCodecTest, SurvivesEveryCutAndEveryFlippedByte) {
  Histogram h;
  for (uint64_t v = 1; v < 100'000'000; v *= 3) h.RecordN(v, v);
  const std::string good = EncodeV2(h);
  for (size_t i = 0; i < good.size(); ++i) {
    EXPECT_FALSE(DecodeV2(good.substr(0, i)).ok()) << i;
    for (int flip : {1, 0x40, 0x80, 0xff}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      absl::StatusOr<Histogram> read = DecodeV2(bad);
      if (read.ok()) {
        EXPECT_LE(read->layout().buckets(), HistogramLayout::kBucketsMax);
      } else {
        EXPECT_THAT(read.status().code(), AnyOf(absl::StatusCode::kInvalidArgument,
                                                absl::StatusCode::kResourceExhausted));
      }
    }
  }
  const std::string text = EncodeV2Base64(h);
  for (size_t i = 0; i < text.size(); ++i) {
    std::string bad = text;
    bad[i] = bad[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(DecodeV2Base64(bad).ok()) << i;
  }
}

}  // namespace
}  // namespace ringecho::stats

#include "load/payload.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace ringecho::load {
namespace {

std::string Text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Payload Random(uint64_t seed, uint64_t bytes, uint64_t depth) {
  absl::StatusOr<Payload> payload = Payload::Random(seed, bytes, depth);
  EXPECT_TRUE(payload.ok()) << payload.status();
  return *std::move(payload);
}

Payload Lines(std::string_view text, uint64_t depth) {
  absl::StatusOr<Payload> payload = Payload::Lines(text, depth);
  EXPECT_TRUE(payload.ok()) << payload.status();
  return *std::move(payload);
}

TEST(RandomPayloadTest, TextIsAPowerOfTwoOfSixteenRunsWithinItsBounds) {
  struct Case {
    uint64_t bytes, depth, text;
  };
  for (const Case& c :
       {Case{1, 1, 256 << 10}, Case{64, 64, 256 << 10}, Case{1024, 16, 256 << 10},
        Case{1025, 16, 512 << 10}, Case{4 << 20, 1, 64 << 20}, Case{16 << 20, 1, 64 << 20}}) {
    EXPECT_EQ(Random(1, c.bytes, c.depth).text().size(), c.text) << c.bytes << " x " << c.depth;
  }
}

TEST(RandomPayloadTest, TheSeedDecidesTheBytes) {
  EXPECT_EQ(Text(Random(7, 64, 1).text()), Text(Random(7, 64, 1).text()));
  EXPECT_NE(Text(Random(7, 64, 1).text()), Text(Random(8, 64, 1).text()));
}

TEST(RandomPayloadTest, EveryRunIsContiguousAndContinuesTheStream) {
  const Payload payload = Random(3, 1000, 4);
  const std::string text = Text(payload.text());
  // 2,000 runs of up to 4,000 bytes go round the 256 KiB circle many times.
  Payload::Cursor cursor = payload.Begin(42);
  uint64_t at = cursor.at;
  for (uint32_t i = 0; i < 2000; ++i) {
    const uint32_t count = 1 + i % 4;
    const std::string run = Text(payload.Take(&cursor, count));
    ASSERT_EQ(run.size(), 1000u * count);
    for (char c : run) {
      ASSERT_EQ(c, text[at]);
      at = (at + 1) % text.size();
    }
  }
}

TEST(RandomPayloadTest, ExpectedBytesFollowFromThePositionAcrossTheEnd) {
  const Payload payload = Random(3, 64, 2);
  const auto turn = static_cast<uint32_t>(payload.text().size());
  const uint32_t at = turn - 10;
  EXPECT_EQ(Text({payload.Expected(at), 128}),
            Text(payload.text()).substr(at) + Text(payload.text()).substr(0, 118));
  EXPECT_EQ(payload.Advance(at, 10), 0u);
  EXPECT_EQ(payload.Advance(at, 128), 118u);
}

TEST(RandomPayloadTest, StreamsBeginInDifferentPlaces) {
  const Payload payload = Random(1, 64, 1);
  std::set<uint32_t> places;
  for (uint64_t stream = 0; stream < 1000; ++stream) places.insert(payload.Begin(stream).at);
  // 1,000 of 262,144 places: two or so are expected to fall together.
  EXPECT_GT(places.size(), 980u);
}

TEST(RandomPayloadTest, RefusesNothingAndTooMuch) {
  EXPECT_FALSE(Payload::Random(1, 0, 1).ok());
  EXPECT_FALSE(Payload::Random(1, 1, 0).ok());
  EXPECT_FALSE(Payload::Random(1, 16 << 20, 2).ok());
  EXPECT_FALSE(Payload::Random(1, uint64_t{1} << 63, 2).ok());
}

TEST(LinePayloadTest, MessagesAreLinesWithTheirNewline) {
  const Payload payload = Lines("a\nbcd\n\nlast", 1);
  Payload::Cursor cursor = payload.Begin(0);
  std::vector<std::string> got;
  for (int i = 0; i < 6; ++i) {
    const uint32_t bytes = payload.MessageBytes(cursor.line);
    got.push_back(Text(payload.Take(&cursor, 1)));
    EXPECT_EQ(got.back().size(), bytes);
  }
  EXPECT_EQ(got, (std::vector<std::string>{"a\n", "bcd\n", "\n", "last", "a\n", "bcd\n"}));
  EXPECT_EQ(payload.message_bytes(), 0u);
}

TEST(LinePayloadTest, StreamCBeginsAtLineC) {
  const Payload payload = Lines("a\nbcd\nef\n", 1);
  for (uint64_t stream : {1u, 4u, 3001u}) {
    Payload::Cursor cursor = payload.Begin(stream);
    EXPECT_EQ(Text(payload.Take(&cursor, 1)), "bcd\n") << stream;
  }
}

TEST(LinePayloadTest, ARunLongerThanTheFileGoesRound) {
  const Payload payload = Lines("a\nbc\n", 7);
  Payload::Cursor cursor = payload.Begin(1);
  EXPECT_EQ(Text(payload.Take(&cursor, 7)), "bc\na\nbc\na\nbc\na\nbc\n");
  EXPECT_EQ(cursor.line, 0u);
  EXPECT_EQ(cursor.at, 0u);
  EXPECT_EQ(payload.run_bytes_max(), 18u);
}

TEST(LinePayloadTest, EveryRunOfEveryLengthIsContiguous) {
  const std::string text = "one\ntwo two\nthree three three\n4";
  const std::vector<std::string> lines = {"one\n", "two two\n", "three three three\n", "4"};
  const Payload payload = Lines(text, 9);
  for (uint32_t first = 0; first < 4; ++first) {
    for (uint32_t count = 1; count <= 9; ++count) {
      std::string want;
      for (uint32_t i = 0; i < count; ++i) want += lines[(first + i) % 4];
      Payload::Cursor cursor = payload.Begin(first);
      EXPECT_EQ(Text(payload.Take(&cursor, count)), want) << first << " " << count;
      EXPECT_EQ(cursor.line, (first + count) % 4);
    }
  }
}

TEST(LinePayloadTest, RefusesAnEmptyFileAndTooLongRuns) {
  EXPECT_FALSE(Payload::Lines("", 1).ok());
  EXPECT_FALSE(Payload::Lines("a\n", (16 << 20) / 2 + 1).ok());
  EXPECT_TRUE(Payload::Lines("a\n", 1000).ok());
  EXPECT_FALSE(Payload::Lines(std::string((64 << 20) + 1, 'x'), 1).ok());
}

TEST(LinePayloadTest, FileErrorsNameTheFile) {
  absl::StatusOr<Payload> missing = Payload::LinesOfFile("/nonexistent/lines", 1);
  ASSERT_FALSE(missing.ok());
  EXPECT_NE(missing.status().ToString().find("/nonexistent/lines"), std::string::npos);
  EXPECT_FALSE(Payload::LinesOfFile("/", 1).ok());
  EXPECT_FALSE(Payload::LinesOfFile("/dev/null", 1).ok());
}

TEST(LinePayloadTest, ReadsAFile) {
  char path[] = "/tmp/ringecho-payload-XXXXXX";
  const int fd = mkstemp(path);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(write(fd, "x\nyz\n", 5), 5);
  close(fd);
  absl::StatusOr<Payload> payload = Payload::LinesOfFile(path, 2);
  unlink(path);
  ASSERT_TRUE(payload.ok()) << payload.status();
  EXPECT_EQ(Text(payload->text()), "x\nyz\n");
}

}  // namespace
}  // namespace ringecho::load

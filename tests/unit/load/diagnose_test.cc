#include "load/diagnose.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "load/payload.h"

namespace ringecho::load {
namespace {

using Bytes = std::vector<std::byte>;

// What a connection has in flight, and what its peer makes of it.
class Flight {
 public:
  Flight(const Payload& payload, uint64_t stream, uint64_t verified, uint32_t messages)
      : payload_(payload), verified_(verified) {
    at_ = payload.Advance(payload.Begin(stream).at, verified);
    Payload::Cursor cursor{.at = at_, .line = 0};
    const std::span<const std::byte> run = payload.Take(&cursor, messages);
    sent_.assign(run.begin(), run.end());
  }

  const Bytes& sent() const { return sent_; }

  // The last `count` bytes that were verified before.
  Bytes Before(size_t count) const {
    Bytes out;
    const size_t turn = payload_.text().size();
    for (size_t i = count; i > 0; --i) out.push_back(payload_.text()[(at_ + turn - i) % turn]);
    return out;
  }

  // Nothing when `got` has no wrong byte: it is whole, or its end is missing.
  std::optional<Finding> Diagnose(const Bytes& got) const {
    const auto same = static_cast<size_t>(std::ranges::mismatch(sent_, got).in1 - sent_.begin());
    if (same == got.size()) return std::nullopt;
    const std::span<const std::byte> wrong(got);
    return load::Diagnose({
        .region = payload_.region(),
        .turn = payload_.text().size(),
        .at = payload_.Advance(at_, same),
        .behind = std::min<uint64_t>(verified_ + same, payload_.repeat_bytes_max()),
        .ahead = sent_.size() - same,
        .received = wrong.subspan(same),
    });
  }

 private:
  const Payload& payload_;
  uint64_t verified_;
  uint32_t at_ = 0;
  Bytes sent_;
};

Bytes operator+(const Bytes& a, const Bytes& b) {
  Bytes out = a;
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

Bytes Part(const Bytes& bytes, size_t from, size_t count) {
  const auto begin = bytes.begin() + static_cast<ptrdiff_t>(from);
  return {begin, begin + static_cast<ptrdiff_t>(count)};
}
Bytes From(const Bytes& bytes, size_t from) { return Part(bytes, from, bytes.size() - from); }

struct Shape {
  uint32_t message_bytes;
  uint32_t depth;
};

class DiagnoseTest : public ::testing::TestWithParam<Shape> {
 protected:
  size_t size() const { return GetParam().message_bytes; }
  uint32_t depth() const { return GetParam().depth; }

  void Expect(const Flight& flight, const Bytes& got, Damage want, const std::string& what) {
    const std::optional<Finding> finding = flight.Diagnose(got);
    ASSERT_TRUE(finding.has_value()) << what << ": no wrong byte";
    EXPECT_EQ(DamageName(finding->damage), DamageName(want))
        << what << ", size " << size() << ", depth " << depth();
  }

  const Payload payload_ = *Payload::Random(11, GetParam().message_bytes, GetParam().depth);
};

TEST_P(DiagnoseTest, BytesLostAnywhereAreLost) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    base::SplitMix64 random(seed);
    const Flight flight(payload_, seed, random.Below(1 << 20), depth());
    const Bytes& sent = flight.sent();
    const size_t from = random.Below(sent.size() - 1);
    const size_t count = 1 + random.Below(sent.size() - from - 1);
    const Bytes got = Part(sent, 0, from) + From(sent, from + count);
    // A repeated byte at the edge can make a loss look like one at the very end.
    if (!flight.Diagnose(got)) continue;
    Expect(flight, got, Damage::kLost,
           "bytes " + std::to_string(from) + " to " + std::to_string(from + count));
  }
}

TEST_P(DiagnoseTest, EveryWholeMessageLostIsLost) {
  const Flight flight(payload_, 1, 100'000, depth());
  for (uint32_t k = 0; k + 1 < depth(); ++k) {
    const Bytes got = Part(flight.sent(), 0, k * size()) + From(flight.sent(), (k + 1) * size());
    Expect(flight, got, Damage::kLost, "message " + std::to_string(k));
  }
}

TEST_P(DiagnoseTest, TwoMessagesInTheWrongOrderAreReordered) {
  const Flight flight(payload_, 2, 100'000, depth());
  const Bytes& sent = flight.sent();
  for (uint32_t k = 0; k + 1 < depth(); ++k) {
    const size_t at = k * size();
    const Bytes got = Part(sent, 0, at) + Part(sent, at + size(), size()) + Part(sent, at, size()) +
                      From(sent, at + 2 * size());
    Expect(flight, got, Damage::kReordered, "message " + std::to_string(k));
  }
}

TEST_P(DiagnoseTest, PiecesExchangedAnywhereAreReordered) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    base::SplitMix64 random(seed);
    const Flight flight(payload_, seed, 100'000, depth());
    const Bytes& sent = flight.sent();
    const size_t a = random.Below(sent.size() - 1);
    const size_t b = a + 1 + random.Below(sent.size() - a - 1);
    const size_t c = b + 1 + random.Below(sent.size() - b);
    const Bytes got =
        Part(sent, 0, a) + Part(sent, b, c - b) + Part(sent, a, b - a) + From(sent, c);
    if (got == sent) continue;  // equal single bytes
    Expect(flight, got, Damage::kReordered,
           std::to_string(a) + " " + std::to_string(b) + " " + std::to_string(c));
  }
}

TEST_P(DiagnoseTest, BytesThatComeTwiceAreDuplicated) {
  for (size_t count : {size_t{4}, size_t{8}, size(), size() * depth()}) {
    if (count > size() * depth()) continue;
    const Flight flight(payload_, 3, 100'000, depth());
    const Bytes& sent = flight.sent();
    const size_t step = std::max<size_t>(1, sent.size() / 64);
    for (size_t at = 0; at <= sent.size(); at += step) {
      // Fewer than five bytes with nothing behind them are too few to be recognised.
      if (count + sent.size() - at < 5) continue;
      // The `count` bytes before `at` come a second time.
      const Bytes all = flight.Before(count) + sent;
      const Bytes got = Part(sent, 0, at) + Part(all, at, count) + From(sent, at);
      Expect(flight, got, Damage::kDuplicated,
             std::to_string(count) + " bytes at " + std::to_string(at));
    }
  }
}

TEST_P(DiagnoseTest, AnotherConnectionsBytesAreForeign) {
  int wrong = 0;
  int all = 0;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    base::SplitMix64 random(seed);
    const Flight flight(payload_, seed, random.Below(1 << 20), depth());
    const Flight other(payload_, seed + 1000, random.Below(1 << 20), depth());
    const Bytes& sent = flight.sent();
    const size_t count = std::min<size_t>(sent.size(), 8 + random.Below(sent.size()));
    const size_t at = random.Below(sent.size() - count + 1);
    const Bytes piece = Part(other.sent(), 0, count);
    const Bytes instead = Part(sent, 0, at) + piece + From(sent, at + count);
    const Bytes between = Part(sent, 0, at) + piece + From(sent, at);
    for (const Bytes& got : {instead, between}) {
      const std::optional<Finding> finding = flight.Diagnose(got);
      if (!finding) continue;  // the two windows are the same by chance
      ++all;
      if (finding->damage != Damage::kForeign) ++wrong;
    }
  }
  // Windows overlap by chance as often as diagnose.h says.
  const double run = static_cast<double>(size()) * depth();
  const double overlap = 1.0 / 64 + 2 * run / static_cast<double>(payload_.text().size());
  EXPECT_LE(wrong, 2 * overlap * all + 3) << size() << " x " << depth() << " of " << all;
}

TEST_P(DiagnoseTest, AChangedByteAnywhereIsAltered) {
  const Flight flight(payload_, 4, 100'000, depth());
  const size_t step = std::max<size_t>(1, flight.sent().size() / 100);
  for (size_t at = 0; at < flight.sent().size(); at += step) {
    for (std::byte flip : {std::byte{1}, std::byte{0x80}, std::byte{0xff}}) {
      Bytes got = flight.sent();
      got[at] ^= flip;
      Expect(flight, got, Damage::kAltered, "byte " + std::to_string(at));
    }
  }
}

TEST_P(DiagnoseTest, GarbageIsAltered) {
  const Flight flight(payload_, 5, 100'000, depth());
  const size_t n = flight.sent().size();
  base::SplitMix64 random(99);
  Bytes noise(n);
  for (std::byte& b : noise) b = static_cast<std::byte>(random.Next() & 0xff);
  Expect(flight, noise, Damage::kAltered, "noise");
  Expect(flight, Bytes(n, std::byte{0}), Damage::kAltered, "zeros");
}

INSTANTIATE_TEST_SUITE_P(Shapes, DiagnoseTest,
                         ::testing::Values(Shape{64, 1}, Shape{64, 8}, Shape{16, 4}, Shape{4096, 4},
                                           Shape{100, 3}, Shape{1, 64}, Shape{3, 32},
                                           Shape{8192, 1}),
                         [](const auto& shape) {
                           return std::to_string(shape.param.message_bytes) + "x" +
                                  std::to_string(shape.param.depth);
                         });

TEST(DiagnoseLimitsTest, BytesNobodyWaitedForAreToldApartToo) {
  const Payload payload = *Payload::Random(1, 64, 1);
  const Flight flight(payload, 1, 6400, 1);
  // Everything came, and then the last message once more.
  EXPECT_EQ(flight.Diagnose(flight.sent() + flight.sent())->damage, Damage::kDuplicated);
  const Flight other(payload, 2, 0, 1);
  EXPECT_EQ(flight.Diagnose(flight.sent() + other.sent())->damage, Damage::kForeign);
  EXPECT_EQ(flight.Diagnose(flight.sent() + Bytes(64, std::byte{1}))->damage, Damage::kAltered);
}

TEST(DiagnoseLimitsTest, NothingIsBehindTheFirstByteOfAStream) {
  const Payload payload = *Payload::Random(1, 64, 1);
  const Flight flight(payload, 1, 0, 1);
  // Bytes that stand before the stream's beginning were never sent on it.
  EXPECT_EQ(flight.Diagnose(flight.Before(64) + flight.sent())->damage, Damage::kForeign);
}

TEST(DiagnoseLimitsTest, OneWrongByteAloneIsAltered) {
  const Payload payload = *Payload::Random(1, 1, 1);
  const Flight flight(payload, 1, 5000, 1);
  Bytes got = flight.sent();
  got[0] ^= std::byte{1};
  EXPECT_EQ(flight.Diagnose(got)->damage, Damage::kAltered);
}

TEST(DiagnoseLimitsTest, SeveralSmallLossesAreALoss) {
  const Payload payload = *Payload::Random(1, 64, 4);
  const Flight flight(payload, 1, 100'000, 4);
  const Bytes& sent = flight.sent();
  // Too small to be searched for: what is missing in all decides.
  for (size_t hole = 1; hole < 4; ++hole) {
    const Bytes got = Part(sent, 0, 20) + Part(sent, 20 + hole, 100) + From(sent, 130);
    EXPECT_EQ(flight.Diagnose(got)->damage, Damage::kLost) << hole;
  }
}

TEST(DiagnoseLimitsTest, ForeignBytesAcrossTheEndOfTheTextAreFound) {
  const Payload payload = *Payload::Random(1, 64, 1);
  const size_t turn = payload.text().size();
  const Flight flight(payload, 1, 0, 1);
  for (size_t before = 1; before < 64; ++before) {
    const std::span<const std::byte> piece = payload.region().subspan(turn - before, 64);
    EXPECT_EQ(flight.Diagnose(Bytes(piece.begin(), piece.end()))->damage, Damage::kForeign)
        << before;
  }
}

TEST(DiagnoseLimitsTest, LinesOfAFileAreToldApart) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "line number " + std::to_string(i * 7919) + "\n";
  const Payload payload = *Payload::Lines(text, 4);
  const Flight flight(payload, 0, 0, 4);
  const Bytes& sent = flight.sent();
  const size_t first = std::string("line number 0\n").size();
  const size_t second = std::string("line number 7919\n").size();
  EXPECT_EQ(flight.Diagnose(From(sent, first))->damage, Damage::kLost);
  EXPECT_EQ(
      flight
          .Diagnose(Part(sent, first, second) + Part(sent, 0, first) + From(sent, first + second))
          ->damage,
      Damage::kReordered);
}

TEST(DiagnoseLimitsTest, AFileOfEqualLinesIsNoTroubleForTheSearch) {
  const Payload payload = *Payload::Lines(std::string(1 << 20, 'a'), 1);
  const Bytes got(1000, std::byte{'b'});
  const Finding finding = Diagnose({.region = payload.region(),
                                    .turn = payload.text().size(),
                                    .at = 5,
                                    .behind = 5,
                                    .ahead = 1000,
                                    .received = got});
  EXPECT_EQ(finding.damage, Damage::kAltered);
}

}  // namespace
}  // namespace ringecho::load

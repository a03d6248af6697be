#include "base/units.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/random.h"

namespace ringecho::base {
namespace {

TEST(UnitsTest, CountsAreDecimal) {
  EXPECT_EQ(*ParseCount("0"), 0);
  EXPECT_EQ(*ParseCount("64"), 64);
  EXPECT_EQ(*ParseCount("10k"), 10'000);
  EXPECT_EQ(*ParseCount("2m"), 2'000'000);
  EXPECT_EQ(*ParseCount("1.5k"), 1'500);
}

TEST(UnitsTest, SizesAreBinary) {
  EXPECT_EQ(*ParseSize("64"), 64);
  EXPECT_EQ(*ParseSize("4k"), 4096);
  EXPECT_EQ(*ParseSize("1M"), 1 << 20);
  EXPECT_EQ(*ParseSize("2g"), 2LL << 30);
}

TEST(UnitsTest, DurationsTakeUnitsAndDefaultToSeconds) {
  EXPECT_EQ(*ParseDuration("10"), 10 * kNsPerSec);
  EXPECT_EQ(*ParseDuration("250ns"), 250);
  EXPECT_EQ(*ParseDuration("50us"), 50'000);
  EXPECT_EQ(*ParseDuration("10ms"), 10'000'000);
  EXPECT_EQ(*ParseDuration("1.5s"), 1'500'000'000);
  EXPECT_EQ(*ParseDuration("2m"), 120 * kNsPerSec);
  EXPECT_EQ(*ParseDuration("1h"), 3600 * kNsPerSec);
}

TEST(UnitsTest, RefusesWhatIsNotANumberWithAUnit) {
  for (const char* text :
       {"", "k", "-1", "1x", "1 k", "1..5k", "1.5.k", ".5s", "0x10", "1kk", "1e3",
        "9223372036854775808", "99999999999999999k", "9.3e30", "inf", "nan"}) {
    EXPECT_FALSE(ParseCount(text).ok()) << text;
    EXPECT_FALSE(ParseSize(text).ok()) << text;
    EXPECT_FALSE(ParseDuration(text).ok()) << text;
  }
  EXPECT_FALSE(ParseDuration("9999999999999.5h").ok());
}

TEST(UnitsTest, RefusesPartsOfWhatIsCounted) {
  EXPECT_FALSE(ParseCount("1.5").ok());
  EXPECT_FALSE(ParseCount("0.0005k").ok());
  EXPECT_FALSE(ParseSize("1.5").ok());
  EXPECT_FALSE(ParseDuration("1.5ns").ok());
  EXPECT_EQ(*ParseCount("1.1k"), 1'100);
  EXPECT_EQ(*ParseDuration("0.1us"), 100);
  EXPECT_EQ(*ParseDuration("2.3"), 2'300'000'000);
}

TEST(UnitsTest, AnErrorSaysWhatItGotAndWhatItTakes) {
  EXPECT_EQ(ParseDuration("5x").status().message(),
            "got \"5x\", takes a time such as 50us, 10ms, 1.5s or 2m");
}

TEST(UnitsTest, FormatsForPeople) {
  EXPECT_EQ(FormatThousands(0), "0");
  EXPECT_EQ(FormatThousands(999), "999");
  EXPECT_EQ(FormatThousands(1'234'567), "1,234,567");
  EXPECT_EQ(FormatThousands(-123'456), "-123,456");
  EXPECT_EQ(FormatThousands(-1'234), "-1,234");
  EXPECT_EQ(FormatDuration(812), "812 ns");
  EXPECT_EQ(FormatDuration(12'340), "12.3 us");
  EXPECT_EQ(FormatDuration(1'020'000), "1.02 ms");
  EXPECT_EQ(FormatDuration(31 * kNsPerSec), "31.0 s");
  EXPECT_EQ(FormatBytes(512), "512 B");
  EXPECT_EQ(FormatBytes(4096), "4.00 KiB");
  EXPECT_EQ(FormatBytes(16'880'000), "16.1 MiB");
}

TEST(ClockTest, WritesWallTimeAsRfc3339) {
  EXPECT_EQ(Rfc3339(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(Rfc3339(1'792'670'400'123'456'789), "2026-10-22T12:00:00.123Z");
}

TEST(RandomTest, TheSequenceOfASeedNeverChanges) {
  // First outputs of the reference implementation for seed 1234567.
  SplitMix64 random(1234567);
  EXPECT_EQ(random.Next(), 6457827717110365317u);
  EXPECT_EQ(random.Next(), 3203168211198807973u);
  EXPECT_EQ(random.Next(), 9817491932198370423u);
}

TEST(RandomTest, StaysBelowItsBound) {
  SplitMix64 random(1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(random.Below(7), 7u);
    double unit = random.Unit();
    EXPECT_GE(unit, 0.0);
    EXPECT_LT(unit, 1.0);
  }
}

}  // namespace
}  // namespace ringecho::base

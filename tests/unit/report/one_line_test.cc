#include "report/one_line.h"

#include <gtest/gtest.h>

namespace ringecho::report {
namespace {

TEST(OneLineTest, PrintableTextStaysAsItIs) {
  for (const char* text : {"", "a b", "\"\\'", "\u00e9\u00df", "\u65e5\u672c", "\U0001f600"}) {
    EXPECT_EQ(OneLine(text), text);
  }
}

TEST(OneLineTest, WhatATerminalWouldActOnIsEscaped) {
  EXPECT_EQ(OneLine("a\nb\r\t"), "a\\x0ab\\x0d\\x09");
  EXPECT_EQ(OneLine("\x1b[31m\x7f"), "\\x1b[31m\\x7f");
  EXPECT_EQ(OneLine(std::string_view("\0x", 2)), "\\x00x");
  EXPECT_EQ(OneLine("\u009b\u00a0"), "\\xc2\\x9b\u00a0");                // C1: CSI
  EXPECT_EQ(OneLine("\u2028\u2029"), "\\xe2\\x80\\xa8\\xe2\\x80\\xa9");  // separators
  EXPECT_EQ(OneLine("\u202e\u2066\u200f"),                               // directions
            "\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xe2\\x80\\x8f");
}

TEST(OneLineTest, BytesThatAreNotUtf8AreEscapedOneByOne) {
  EXPECT_EQ(OneLine("\xff\xfe"), "\\xff\\xfe");
  EXPECT_EQ(OneLine("\xc3"), "\\xc3");                             // cut short
  EXPECT_EQ(OneLine("\xc3("), "\\xc3(");                           // not continued
  EXPECT_EQ(OneLine("\xc0\x8a"), "\\xc0\\x8a");                    // a line feed, overlong
  EXPECT_EQ(OneLine("\xe0\x80\x8a"), "\\xe0\\x80\\x8a");           // likewise
  EXPECT_EQ(OneLine("\xed\xa0\x80"), "\\xed\\xa0\\x80");           // a surrogate
  EXPECT_EQ(OneLine("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80");  // above U+10FFFF
}

TEST(OneLineTest, LongTextIsCutBetweenCharacters) {
  EXPECT_EQ(OneLine("abcdef", 6), "abcdef");
  EXPECT_EQ(OneLine("abcdef", 5), "abcde...");
  EXPECT_EQ(OneLine("ab\u00e9", 3), "ab...");
  EXPECT_EQ(OneLine("ab\n", 5), "ab...");
  EXPECT_EQ(OneLine("abc", 0), "...");
}

TEST(OneLineTest, ASecondTimeChangesNothing) {
  const std::string once = OneLine("a\n\xff\u202e");
  EXPECT_EQ(OneLine(once), once);
}

}  // namespace
}  // namespace ringecho::report

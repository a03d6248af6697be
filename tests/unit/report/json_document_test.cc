#include "report/json_document.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace ringecho::report {
namespace {

std::string ErrorOf(std::string_view text) {
  absl::StatusOr<Json> json = ParseJson(text);
  return json.ok() ? "accepted" : std::string(json.status().message());
}

std::string Repeat(std::string_view part, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += part;
  return out;
}

TEST(JsonDocumentTest, ReadsWhatTheLibraryReads) {
  for (const char* text :
       {"null", "true", " [ ] ", "{}", "-0", "1e-400", "18446744073709551615",
        "-9223372036854775808", "\"\\u00e9\\ud83d\\ude00\\n\"",
        "[1,[2,{\"a\":[3,\"x\"],\"b\":{}}],-1.5e3]",
        "{\"z\":1,\"a\":{\"z\":2},\"b\":[{\"z\":3},{\"z\":4}]}", "\xef\xbb\xbf[1]"}) {
    absl::StatusOr<Json> json = ParseJson(text);
    ASSERT_TRUE(json.ok()) << text << ": " << json.status();
    EXPECT_EQ(json->dump(), Json::parse(text).dump());
  }
}

TEST(JsonDocumentTest, ErrorsAreGivenWithTheirPlace) {
  struct Case {
    const char* text;
    const char* error;
  };
  const Case cases[] = {
      {"", "is empty"},
      {" ", "cut short: the text ends at byte 1, inside the document"},
      {"[1", "[1]: cut short: the text ends at byte 2, inside the document"},
      {"{\"a\": {\"b\": \"c", "a.b: cut short: the text ends at byte 14, inside the document"},
      {"nul", "cut short: the text ends at byte 3, inside the document"},
      {"{\"a\": [1,\n2,x]}", "a[2]: not JSON at line 2, column 3"},
      {"{\"a\": [[], {\"b\": }]}", "a[1].b: not JSON at line 1, column 18"},
      {"[] []", "not JSON at line 1, column 4"},
      {"[NaN]", "[0]: not JSON at line 1, column 2; NaN and Infinity are no JSON numbers"},
      {"{\"a\": -Infinity}",
       "a: not JSON at line 1, column 8; NaN and Infinity are no JSON numbers"},
      {"{\"a\": [1e400]}", "a[0]: is 1e400, takes a number of at most 1.8e308"},
      {"{\"a\": 1, \"b\": 2, \"a\": 3}", "a: stands twice"},
      {"[{\"a\": {\"b\": 1, \"b\": 1}}]", "[0].a.b: stands twice"},
      {"{\"\": 1, \"\": 1}", "\"\": stands twice"},
      {"{\"a\": \"b\\u0000\"}", "a: holds a NUL character"},
      {"{\"a\": {\"\\u0000\": 1}}", "a: has a key with a NUL character"},
      {"{\"a\\nb\": x}", "a\\x0ab: not JSON at line 1, column 10"},
  };
  for (const Case& c : cases) EXPECT_EQ(ErrorOf(c.text), c.error) << c.text;
}

TEST(JsonDocumentTest, DepthIsLimited) {
  EXPECT_EQ(ErrorOf(Repeat("[", kJsonDepthMax) + Repeat("]", kJsonDepthMax)), "accepted");
  const std::string lists = ErrorOf(Repeat("[", kJsonDepthMax + 1));
  EXPECT_EQ(lists, Repeat("[0]", 33) + "[...: is nested more than 64 deep");
  const std::string objects = ErrorOf(Repeat("{\"a\":", kJsonDepthMax + 1));
  EXPECT_EQ(objects, Repeat("a.", 50) + "...: is nested more than 64 deep");
}

TEST(JsonDocumentTest, ValuesAreLimited) {
  EXPECT_EQ(ErrorOf("[0" + Repeat(",0", kJsonValuesMax - 2) + "]"), "accepted");
  EXPECT_EQ(ErrorOf("[0" + Repeat(",0", kJsonValuesMax - 1) + "]"),
            "[2097151]: the document holds more than 2097152 values");
}

TEST(JsonDocumentTest, KeysOfOneObjectAreLimited) {
  std::string text = "{\"a\": {";
  for (size_t i = 0; i < kJsonKeysMax; ++i)
    absl::StrAppend(&text, i == 0 ? "" : ",", "\"", i, "\":0");
  EXPECT_EQ(ErrorOf(text + "}}"), "accepted");
  EXPECT_EQ(ErrorOf(text + ",\"b\":0}}"), "a.65535: has an object of more than 65536 keys");
}

TEST(JsonDocumentTest, StringsNumbersAndSpacesAreLimited) {
  const std::string letters(kJsonTokenBytesMax - 2, 'a');
  EXPECT_EQ(ErrorOf("{\"a\": [\"" + letters + "\"]}"), "accepted");
  const std::string error = "goes on for more than 4194304 bytes";
  EXPECT_EQ(ErrorOf("{\"a\": [\"a" + letters + "\"]}"), "a[0]: " + error);
  EXPECT_EQ(ErrorOf("{\"a\": [\"aa" + letters), "a[0]: " + error);
  EXPECT_EQ(ErrorOf("{\"a\": [\"" + Repeat("\\\"", kJsonTokenBytesMax / 2)), "a[0]: " + error);
  EXPECT_EQ(ErrorOf("[0," + std::string(kJsonTokenBytesMax + 1, '1') + "]"), "[1]: " + error);
  EXPECT_EQ(ErrorOf("[0," + std::string(kJsonTokenBytesMax + 1, ' ') + "]"), "[1]: " + error);
  EXPECT_EQ(ErrorOf("[]" + std::string(kJsonTokenBytesMax + 1, 'x')),
            "not JSON at line 1, column 3");
}

// Left to themselves, objects are filled in quadratic time, which would be minutes here.
TEST(JsonDocumentTest, ManyObjectsOfManyKeysAreReadInTime) {
  std::string object = "{";
  for (size_t i = 0; i + 1 < kJsonKeysMax; ++i) {
    absl::StrAppend(&object, i == 0 ? "" : ",", "\"", i, "\":0");
  }
  object += "}";
  std::string text = "[" + object;
  for (size_t i = 1; i < kJsonValuesMax / kJsonKeysMax - 1; ++i) text += "," + object;
  EXPECT_EQ(ErrorOf(text + "]"), "accepted");
}

}  // namespace
}  // namespace ringecho::report

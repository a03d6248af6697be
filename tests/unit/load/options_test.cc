#include "load/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "cli/options.h"

namespace ringecho::load {
namespace {

using ::testing::HasSubstr;

struct Parsed {
  std::optional<int> code;
  Options options;
  std::string complaint;  // what went to stderr
};

Parsed Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), kProgram);
  Parsed parsed;
  testing::internal::CaptureStderr();
  parsed.code = ParseOptions(static_cast<int>(arguments.size()), arguments.data(), parsed.options);
  parsed.complaint = testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(LoadOptionsTest, RunsByTimeUnlessTold) {
  const Parsed parsed = Parse({});
  EXPECT_FALSE(parsed.code.has_value()) << parsed.complaint;
  EXPECT_EQ(parsed.options.messages, 0);
  EXPECT_EQ(parsed.options.duration_ns, 10 * base::kNsPerSec);
  EXPECT_EQ(parsed.options.warmup_ns, base::kNsPerSec);
  EXPECT_TRUE(parsed.options.verify);
  EXPECT_GE(parsed.options.seed, 0);
}

TEST(LoadOptionsTest, CountingMessagesReplacesTheDuration) {
  const Parsed messages = Parse({"-n", "5"});
  EXPECT_FALSE(messages.code.has_value()) << messages.complaint;
  EXPECT_EQ(messages.options.messages, 5);
  EXPECT_EQ(messages.options.sessions, 0);
  EXPECT_EQ(messages.options.duration_ns, 0);
  EXPECT_EQ(messages.options.warmup_ns, 0);
  const Parsed sessions = Parse({"--sessions", "10k", "-c", "100"});
  EXPECT_EQ(sessions.options.messages, 1);
  EXPECT_EQ(sessions.options.sessions, 10000);
}

TEST(LoadOptionsTest, TakesWhatIsGiven) {
  const Parsed parsed = Parse(
      {"--no-verify", "--seed", "7", "--percentiles", "99.9,50,99.9,0", "--payload", "/some/file"});
  EXPECT_FALSE(parsed.code.has_value()) << parsed.complaint;
  EXPECT_FALSE(parsed.options.verify);
  EXPECT_EQ(parsed.options.seed, 7);
  EXPECT_EQ(parsed.options.percentiles, (std::vector<double>{0, 50, 99.9}));
  EXPECT_EQ(parsed.options.message_bytes, 0);
}

TEST(LoadOptionsTest, ContradictionsAreOneLineThatNamesTheOption) {
  struct Case {
    std::vector<const char*> arguments;
    const char* option;
  };
  for (const Case& c : std::vector<Case>{
           {{"-n", "5", "-d", "3s"}, "--duration"},
           {{"--sessions", "500", "-d", "3s"}, "--duration"},
           {{"-n", "5", "--warmup", "3s"}, "--warmup"},
           {{"--sessions", "10", "-c", "20"}, "--sessions"},
           {{"-s", "10", "--payload", "/some/file"}, "--size"},
           {{"-t", "3", "-c", "2"}, "--threads"},
           {{"-s", "1m", "--depth", "17"}, "--depth"},
           {{"--verify", "--no-verify"}, "--verify"},
           {{"--percentiles", "50,x"}, "--percentiles"},
           {{"--percentiles", "100.1"}, "--percentiles"},
           {{"--percentiles", "-1"}, "--percentiles"},
           {{"--connect", "host:99999"}, "--connect"},
           {{"--connect", "127.0.0.1:0"}, "--connect"},
           {{"--timeout", "0"}, "--timeout"},
       }) {
    const Parsed parsed = Parse(c.arguments);
    EXPECT_EQ(parsed.code, cli::kExitUsage) << c.option;
    EXPECT_THAT(parsed.complaint, HasSubstr(c.option));
    EXPECT_EQ(parsed.complaint.find('\n'), parsed.complaint.size() - 1) << parsed.complaint;
  }
}

TEST(LoadOptionsTest, HelpFitsEightyColumns) {
  testing::internal::CaptureStdout();
  const Parsed parsed = Parse({"--help"});
  const std::string help = testing::internal::GetCapturedStdout();
  EXPECT_EQ(parsed.code, cli::kExitOk);
  size_t begin = 0;
  for (size_t end = help.find('\n'); end != std::string::npos; end = help.find('\n', begin)) {
    EXPECT_LE(end - begin, 80u) << help.substr(begin, end - begin);
    begin = end + 1;
  }
}

}  // namespace
}  // namespace ringecho::load

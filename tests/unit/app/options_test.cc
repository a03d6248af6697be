#include "app/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/engine_report.h"
#include "cli/exit_code.h"
#include "cli/options.h"

namespace ringecho::app {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

struct Parsed {
  CommonOptions options;
  std::optional<int> exit_code;
  std::string complaint;
  std::string output;
};

Parsed ParseText(std::vector<const char*> args) {
  Parsed parsed;
  CLI::App app;
  cli::SetUpApp(app, "tool", "Does things.", "That is all.");
  AddCommonOptions(app, parsed.options);
  args.insert(args.begin(), "tool");
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  parsed.exit_code = cli::Parse(app, static_cast<int>(args.size()), args.data(), [] {});
  parsed.output = testing::internal::GetCapturedStdout();
  parsed.complaint = testing::internal::GetCapturedStderr();
  return parsed;
}

TEST(OptionsTest, ParsesTheCommonOnes) {
  Parsed parsed = ParseText({"--engine", "epoll", "-t", "2", "--cpus", "0,2-3", "--buffers", "1k",
                             "--buffer-size", "4k", "-i", "100ms", "--json", "-", "--label", "a=b",
                             "--label", "c=d=e", "-q"});
  EXPECT_FALSE(parsed.exit_code) << parsed.complaint;
  EXPECT_EQ(parsed.options.engine, engine::EngineKind::kEpoll);
  EXPECT_EQ(parsed.options.threads, 2);
  EXPECT_EQ(parsed.options.cpus, (std::vector<int>{0, 2, 3}));
  EXPECT_EQ(parsed.options.buffers, 1000);
  EXPECT_EQ(parsed.options.buffer_bytes, 4096);
  EXPECT_EQ(parsed.options.interval_ns, 100 * base::kNsPerMs);
  EXPECT_EQ(parsed.options.json_path, "-");
  EXPECT_EQ(parsed.options.labels, (report::NamedStrings{{"a", "b"}, {"c", "d=e"}}));
  EXPECT_TRUE(parsed.options.quiet);
}

TEST(OptionsTest, NamesTheRunInItsSeries) {
  Parsed parsed = ParseText({"--series", "s1", "--repeat", "0", "--order", "7", "--label", "a=b"});
  ASSERT_FALSE(parsed.exit_code) << parsed.complaint;
  report::Run run;
  NameRun(parsed.options, run);
  EXPECT_EQ(run.series_id, "s1");
  EXPECT_EQ(run.repeat, 0);
  EXPECT_EQ(run.order_index, 7);
  EXPECT_EQ(run.labels, (report::NamedStrings{{"a", "b"}}));

  report::Run alone;
  NameRun(ParseText({}).options, alone);
  EXPECT_FALSE(alone.series_id || alone.repeat || alone.order_index);
}

TEST(OptionsTest, EveryBadOptionIsOneLineThatNamesItAndExitsWith2) {
  struct Bad {
    std::vector<const char*> args;
    const char* says;
  };
  for (const Bad& bad : std::vector<Bad>{
           {{"--engine", "uring"}, "--engine: got \"uring\", takes auto, io_uring or epoll"},
           {{"-t", "0"}, "--threads: got \"0\", takes 1 to 1024"},
           {{"--cpus", "3-1"}, "--cpus: got \"3-1\", takes CPU numbers"},
           {{"--buffers", "x"}, "--buffers: got \"x\", takes a number"},
           {{"--buffer-size", "17m"}, "--buffer-size: got \"17m\", takes 16 to 16777216"},
           {{"-i", "1ms"}, "--interval: got \"1ms\", takes 10ms to 86400s"},
           {{"--label", "=x"}, "--label: got \"=x\", takes KEY=VALUE"},
           {{"--label", "k"}, "--label: got \"k\", takes KEY=VALUE"},
           {{"--label", "k=1", "--label", "k=2"}, "--label: got \"k\" twice"},
           {{"--nonsense"}, "unknown option --nonsense"},
           {{"word"}, "unknown option word"},
           {{"--json"}, "--json"},
           {{"--json", ""}, "--json: got \"\", takes FILE"},
       }) {
    Parsed parsed = ParseText(bad.args);
    EXPECT_EQ(parsed.exit_code, std::optional<int>(cli::kExitUsage)) << bad.says;
    EXPECT_THAT(parsed.complaint, StartsWith("tool: "));
    EXPECT_THAT(parsed.complaint, HasSubstr(bad.says));
    EXPECT_EQ(std::count(parsed.complaint.begin(), parsed.complaint.end(), '\n'), 1)
        << parsed.complaint;
    EXPECT_EQ(parsed.output, "");
  }
}

TEST(OptionsTest, HelpFitsEightyColumns) {
  Parsed parsed = ParseText({"--help"});
  EXPECT_EQ(parsed.exit_code, std::optional<int>(cli::kExitOk));
  std::istringstream lines(parsed.output);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_GT(count, 20);
}

TEST(OptionsTest, VersionIsOneLine) {
  Parsed parsed = ParseText({"--version"});
  EXPECT_EQ(parsed.exit_code, std::optional<int>(cli::kExitOk));
  EXPECT_THAT(parsed.output, StartsWith("tool "));
  EXPECT_THAT(parsed.output, HasSubstr("Linux"));
  EXPECT_EQ(std::count(parsed.output.begin(), parsed.output.end(), '\n'), 1);
}

TEST(EngineReportTest, SumsSubtractsAndSkipsRatiosWithoutABase) {
  engine::Counters a;
  a.syscalls.Add(10);
  a.enter_calls.Add(4);
  a.completions.Add(12);
  CounterSums sums(a);
  sums += CounterSums(a);
  EXPECT_EQ(sums.Get(&engine::Counters::syscalls), 20);
  CounterSums rest = sums - CounterSums(a);
  EXPECT_EQ(rest.Get(&engine::Counters::completions), 12);
  report::NamedNumbers stats = EngineStats(rest, 5);
  auto find = [&](const char* name) -> std::optional<report::Number> {
    for (const auto& [key, value] : stats) {
      if (key == name) return value;
    }
    return std::nullopt;
  };
  EXPECT_EQ(find("completions_per_enter"), report::Number(3.0));
  EXPECT_EQ(find("syscalls_per_message"), report::Number(2.0));
  stats = EngineStats(CounterSums(), 0);
  EXPECT_FALSE(find("completions_per_enter"));
  EXPECT_FALSE(find("syscalls_per_message"));
}

TEST(EngineReportTest, AGaugeIsWhatItIsAfterTheOtherWasTakenOff) {
  engine::Counters counters;
  counters.open.Set(7);
  counters.buffers_held.Set(5);
  counters.accepted.Set(9);
  CounterSums earlier(counters);
  counters.open.Set(3);
  counters.buffers_held.Set(0);
  counters.accepted.Set(11);
  CounterSums rest = CounterSums(counters) - earlier;
  EXPECT_EQ(rest.Get(&engine::Counters::open), 3);
  EXPECT_EQ(rest.Get(&engine::Counters::buffers_held), 0);
  EXPECT_EQ(rest.Get(&engine::Counters::accepted), 2);
}

TEST(EngineReportTest, ASnapshotHasTheRatiosAndTheKernelsThreads) {
  engine::Counters counters;
  counters.accepted.Set(12'345);
  counters.syscalls.Set(10);
  counters.enter_calls.Set(4);
  counters.completions.Set(12);
  EXPECT_EQ(SnapshotText("now:", CounterSums(counters), 20),
            "now:\n"
            "  accepted 12,345, syscalls 10, enter_calls 4, completions 12,\n"
            "  completions_per_enter 3.000, syscalls_per_message 0.500, iou_workers 0\n");
  EXPECT_EQ(SnapshotText("now:", CounterSums(), 0), "now:\n  iou_workers 0\n");
}

TEST(EngineReportTest, TellsWhatWasDeclinedAndWhy) {
  report::Engine engine = DescribeEngine(
      engine::EngineKind::kAuto,
      {.kind = engine::EngineKind::kEpoll, .reason = "because", .absence = "seccomp"}, {});
  EXPECT_EQ(engine.name, "epoll");
  EXPECT_EQ(engine.declined, (report::NamedStrings{{"io_uring", "because"}}));
  engine = DescribeEngine(engine::EngineKind::kUring,
                          {.kind = engine::EngineKind::kUring, .reason = "r", .absence = ""},
                          {{"multishot_recv", true, false, "too old"},
                           {"fixed_buffers", false, false, ""},
                           {"submit_all", true, true, ""}});
  EXPECT_EQ(engine.declined, (report::NamedStrings{{"multishot_recv", "too old"}}));
}

}  // namespace
}  // namespace ringecho::app

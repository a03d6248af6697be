#include "cli/options.h"

#include <cstdio>
#include <functional>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "base/status.h"
#include "base/units.h"
#include "cli/exit_code.h"
#include "cli/version.h"

namespace ringecho::cli {
namespace {

constexpr size_t kColumns = 80;
constexpr size_t kNameColumn = 28;
constexpr char kGeneral[] = "General";

// Breaks at spaces so that each line fits behind the column of option names.
std::string Wrap(const std::string& text) {
  std::string out;
  size_t line = 0;
  for (absl::string_view word : absl::StrSplit(text, ' ')) {
    if (line > 0 && line + 1 + word.size() > kColumns - kNameColumn) {
      out += '\n';
      line = 0;
    } else if (line > 0) {
      out += ' ';
      ++line;
    }
    absl::StrAppend(&out, word);
    line += word.size();
  }
  return out;
}

using Parser = absl::StatusOr<int64_t> (*)(std::string_view);
using Printer = std::function<std::string(int64_t)>;

// The option's own name in messages: the long one.
std::string LongName(const std::string& names) {
  std::vector<std::string> all = absl::StrSplit(names, ',');
  return all.back();
}

CLI::Option* AddNumber(CLI::App& app, const std::string& names, int64_t& value, Range range,
                       Parser parse, const Printer& print, const std::string& type,
                       const std::string& description, const std::string& shown_default) {
  auto set = [names, range, parse, print, &value](const std::string& text) {
    absl::StatusOr<int64_t> parsed = parse(text);
    if (!parsed.ok()) Refuse(names, base::ToStd(parsed.status().message()));
    if (*parsed < range.min || *parsed > range.max) {
      Refuse(names, range.max == INT64_MAX
                        ? absl::StrCat("got \"", text, "\", takes at least ", print(range.min))
                        : absl::StrCat("got \"", text, "\", takes ", print(range.min), " to ",
                                       print(range.max)));
    }
    value = *parsed;
  };
  CLI::Option* option = app.add_option_function<std::string>(
      names, set, Describe(description, shown_default.empty() ? print(value) : shown_default));
  return option->type_name(type);
}

std::string PrintCount(int64_t value) { return absl::StrCat(value); }

// The way people type it: 10s, 50ms.
std::string PrintDuration(int64_t ns) {
  for (auto [unit, name] : {std::pair{base::kNsPerSec, "s"}, std::pair{base::kNsPerMs, "ms"},
                            std::pair{base::kNsPerUs, "us"}}) {
    if (ns % unit == 0) return absl::StrCat(ns / unit, name);
  }
  return absl::StrCat(ns, "ns");
}

// CLI11's own messages, in the shape of ours: one line that names the option.
std::string OneLine(const CLI::ParseError& error) {
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    absl::StrReplaceAll({{"The following arguments were not expected: ", "unknown option "},
                         {"The following argument was not expected: ", "unknown option "}},
                        &text);
    text += "; --help lists them";
  }
  return absl::StrReplaceAll(text, {{"\n", " "}});
}

}  // namespace

std::string Describe(const std::string& description, const std::string& shown_default) {
  return Wrap(shown_default.empty() ? description
                                    : absl::StrCat(description, " [", shown_default, "]"));
}

void Refuse(const std::string& names, std::string_view message) {
  throw CLI::ValidationError(LongName(names), std::string(message));
}

CLI::Option* AddCount(CLI::App& app, const std::string& names, int64_t& value, Range range,
                      const std::string& description, const std::string& shown_default) {
  return AddNumber(app, names, value, range, base::ParseCount, PrintCount, "N", description,
                   shown_default);
}

CLI::Option* AddSize(CLI::App& app, const std::string& names, int64_t& value, Range range,
                     const std::string& description, const std::string& shown_default) {
  return AddNumber(app, names, value, range, base::ParseSize, PrintCount, "BYTES", description,
                   shown_default);
}

CLI::Option* AddDuration(CLI::App& app, const std::string& names, int64_t& value, Range range,
                         const std::string& description, const std::string& shown_default) {
  return AddNumber(app, names, value, range, base::ParseDuration, PrintDuration, "TIME",
                   description, shown_default);
}

CLI::Option* AddText(CLI::App& app, const std::string& names, std::string& value,
                     const std::string& type, const std::string& description) {
  CLI::Option* option = app.add_option_function<std::string>(
      names,
      [&value, names, type](const std::string& text) {
        // An unset shell variable, most of the time.
        if (text.empty()) Refuse(names, absl::StrCat("got \"\", takes ", type));
        value = text;
      },
      Describe(description, value));
  return option->type_name(type);
}

CLI::Option* AddTexts(CLI::App& app, const std::string& names, std::vector<std::string>& values,
                      const std::string& type, const std::string& description) {
  CLI::Option* option = app.add_option_function<std::vector<std::string>>(
      names, [&values](const std::vector<std::string>& texts) { values = texts; },
      Describe(description, values.empty() ? "" : values.front()));
  return option->type_name(type)->expected(1)->take_all();
}

CLI::Option* AddFlag(CLI::App& app, const std::string& names, bool& value,
                     const std::string& description) {
  return app.add_flag(names, value, Describe(description));
}

void SetUpApp(CLI::App& app, const std::string& name, const std::string& purpose,
              const std::string& footer) {
  app.name(name);
  app.description(purpose);
  app.footer(footer);
  app.get_formatter()->column_width(kNameColumn);
  app.set_help_flag("-h,--help", "print this help and exit")->group(kGeneral);
  app.set_version_flag("--version", VersionText(name), "print the version and exit")
      ->group(kGeneral);
}

std::optional<int> Parse(CLI::App& app, int argc, const char* const* argv,
                         const std::function<void()>& check) {
  try {
    app.parse(argc, argv);
    check();
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    // CLI11 leaves two blank lines between groups.
    std::fputs(absl::StrReplaceAll(app.help(), {{"\n\n\n", "\n\n"}}).c_str(), stdout);
    return kExitOk;
  } catch (const CLI::CallForVersion&) {
    std::puts(app.version().c_str());
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    Complain(app.get_name(), OneLine(error));
    return kExitUsage;
  }
}

void Complain(const std::string& name, const std::string& message) {
  std::fprintf(stderr, "%s: %s\n", name.c_str(), message.c_str());
}

}  // namespace ringecho::cli

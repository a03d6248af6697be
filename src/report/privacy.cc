#include "report/privacy.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace ringecho::report {
namespace {

std::string LastPart(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

// One address as the command line takes it: "host:port", "[v6]:port", "host", "unix:/path".
std::string CleanAddress(std::string_view text) {
  if (text.starts_with("unix:")) return absl::StrCat("unix:", LastPart(text.substr(5)));
  // More than one colon without brackets: an IPv6 address without a port.
  size_t colon = text.rfind(':');
  bool bare_v6 = !text.starts_with('[') && std::count(text.begin(), text.end(), ':') > 1;
  if (bare_v6 || text.ends_with(']')) colon = std::string_view::npos;
  std::string_view host = text.substr(0, colon);
  std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon);
  constexpr std::array<std::string_view, 9> kHarmless = {"",   "localhost", "[::1]", "::1", "[::]",
                                                         "::", "0.0.0.0",   "*",     "auto"};
  bool harmless = host.starts_with("127.") ||
                  std::find(kHarmless.begin(), kHarmless.end(), host) != kHarmless.end();
  return absl::StrCat(harmless ? base::ToAbsl(host) : kRemoved, base::ToAbsl(port));
}

std::string CleanAddresses(std::string_view list) {
  std::vector<std::string> cleaned;
  for (absl::string_view address : absl::StrSplit(base::ToAbsl(list), ',')) {
    cleaned.push_back(CleanAddress(base::ToStd(address)));
  }
  return absl::StrJoin(cleaned, ",");
}

std::string CleanValue(std::string_view option, std::string_view value) {
  if (option == "--label") return std::string(value);
  if (option == "--listen" || option == "--connect" || option == "--source") {
    return CleanAddresses(value);
  }
  return LastPart(value);
}

bool IsHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isxdigit(c); });
}

// 8-4-4-4-12 hexadecimal digits.
bool HasUuid(std::string_view text) {
  constexpr size_t kLength = 36;
  for (size_t i = 0; i + kLength <= text.size(); ++i) {
    std::vector<std::string> parts = absl::StrSplit(base::ToAbsl(text.substr(i, kLength)), '-');
    if (parts.size() == 5 && parts[0].size() == 8 && parts[1].size() == 4 && parts[2].size() == 4 &&
        parts[3].size() == 4 && std::all_of(parts.begin(), parts.end(), IsHex)) {
      return true;
    }
  }
  return false;
}

// Four numbers with dots between, anywhere in the text.
bool HasIpv4(std::string_view text) {
  int dots = 0;
  bool digit_before = false;
  for (char c : text) {
    if (std::isdigit(static_cast<unsigned char>(c)) != 0) {
      if (dots == 3) return true;
      digit_before = true;
    } else if (c == '.' && digit_before) {
      ++dots;
      digit_before = false;
    } else {
      dots = 0;
      digit_before = false;
    }
  }
  return false;
}

bool NamesSomething(std::string_view key, std::string_view value) {
  constexpr std::string_view kKeys[] = {
      "root", "resume", "ip",   "nfsroot", "nfsaddrs", "netconsole", "cryptdevice", "hostname",
      "ds",   "ks",     "init", "initrd",  "rdinit",   "user",       "BOOT_IMAGE"};
  constexpr std::string_view kPrefixes[] = {"rd.", "systemd.", "inst.", "cloud", "ignition."};
  if (std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys)) return true;
  for (std::string_view prefix : kPrefixes) {
    if (key.starts_with(prefix)) return true;
  }
  return value.find_first_of("/@") != std::string_view::npos || HasIpv4(value) || HasUuid(value) ||
         absl::StrContains(base::ToAbsl(value), "::");
}

// Parameters are separated by spaces, except within double quotes.
std::vector<std::string> SplitParameters(std::string_view line) {
  std::vector<std::string> parameters(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') quoted = !quoted;
    if (!quoted && std::isspace(static_cast<unsigned char>(c)) != 0) {
      if (!parameters.back().empty()) parameters.emplace_back();
    } else {
      parameters.back() += c;
    }
  }
  if (parameters.back().empty()) parameters.pop_back();
  return parameters;
}

}  // namespace

std::vector<std::string> CleanArguments(std::span<const char* const> argv) {
  std::vector<std::string> cleaned;
  std::string_view option;  // the one that the next argument may be the value of
  for (std::string_view argument : argv) {
    size_t equals = argument.find('=');
    if (cleaned.empty()) {
      cleaned.push_back(LastPart(argument));
    } else if (argument.starts_with("--") && equals != std::string_view::npos) {
      std::string_view name = argument.substr(0, equals);
      cleaned.push_back(
          absl::StrCat(base::ToAbsl(name), "=", CleanValue(name, argument.substr(equals + 1))));
      option = {};
    } else if (argument.size() > 1 && argument.starts_with('-')) {
      // A short option may carry its value: "-o/home/...".
      cleaned.push_back(
          argument.find('/') == std::string_view::npos
              ? std::string(argument)
              : absl::StrCat(base::ToAbsl(argument.substr(0, 2)), LastPart(argument)));
      option = argument;
    } else {
      cleaned.push_back(CleanValue(option, argument));
    }
  }
  return cleaned;
}

std::string CleanKernelCommandLine(std::string_view line) {
  std::vector<std::string> cleaned;
  for (const std::string& parameter : SplitParameters(line)) {
    if (parameter == "--") break;
    size_t equals = parameter.find('=');
    std::string_view key = std::string_view(parameter).substr(0, equals);
    std::string_view value =
        equals == std::string::npos ? "" : std::string_view(parameter).substr(equals + 1);
    // What has no value and looks like one is an argument of init, not a switch of the kernel.
    if (equals == std::string::npos) {
      cleaned.push_back(NamesSomething("", key) ? kRemoved : parameter);
    } else {
      cleaned.push_back(NamesSomething(key, value) ? absl::StrCat(base::ToAbsl(key), "=", kRemoved)
                                                   : parameter);
    }
  }
  return absl::StrJoin(cleaned, " ");
}

}  // namespace ringecho::report

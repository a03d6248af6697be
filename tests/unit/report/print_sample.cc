// Prints a result with every field filled: "server" or "load". Input of schema_test.py.
#include <cstdio>
#include <string_view>

#include "report/result_json.h"
#include "sample.h"

int main(int argc, char** argv) {
  using namespace ringecho::report;  // NOLINT(google-build-using-namespace)
  bool load = argc == 2 && std::string_view(argv[1]) == "load";
  std::string json = ToJson(load ? SampleLoadResult() : SampleServerResult());
  return std::fputs(json.c_str(), stdout) < 0 ? 1 : 0;
}

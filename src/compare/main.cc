#include <optional>

#include "compare/options.h"
#include "compare/run.h"

int main(int argc, char** argv) {
  namespace compare = ringecho::compare;
  compare::Options options;
  if (std::optional<int> code = compare::ParseOptions(argc, argv, options)) return *code;
  return compare::Run(options);
}

#include <new>
#include <optional>
#include <string>

#include "app/supervisor.h"
#include "app/workers.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "load/options.h"
#include "load/run.h"

int main(int argc, char** argv) {
  namespace app = ringecho::app;
  namespace cli = ringecho::cli;
  namespace load = ringecho::load;
  load::Options options;
  if (std::optional<int> code = load::ParseOptions(argc, argv, options)) return *code;
  auto supervisor = app::Supervisor::Create();
  if (!supervisor.ok()) {
    cli::Complain(load::kProgram, std::string(supervisor.status().message()));
    return cli::kExitFailed;
  }
  try {
    return load::RunLoad(options, {argv, static_cast<size_t>(argc)}, **supervisor);
  } catch (const std::bad_alloc&) {
    cli::Complain(load::kProgram, std::string(app::OutOfMemory().message()));
    return cli::kExitFailed;
  }
}

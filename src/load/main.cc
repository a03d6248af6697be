#include <optional>
#include <string>

#include "app/exit_code.h"
#include "app/supervisor.h"
#include "load/options.h"
#include "load/run.h"

int main(int argc, char** argv) {
  namespace app = ringecho::app;
  namespace load = ringecho::load;
  load::Options options;
  if (std::optional<int> code = load::ParseOptions(argc, argv, options)) return *code;
  auto supervisor = app::Supervisor::Create();
  if (!supervisor.ok()) {
    app::Complain(load::kProgram, std::string(supervisor.status().message()));
    return app::kExitFailed;
  }
  return load::RunLoad(options, {argv, static_cast<size_t>(argc)}, **supervisor);
}

#include <new>
#include <optional>
#include <string>

#include "app/supervisor.h"
#include "app/workers.h"
#include "cli/exit_code.h"
#include "cli/options.h"
#include "server/options.h"
#include "server/server.h"

int main(int argc, char** argv) {
  namespace app = ringecho::app;
  namespace cli = ringecho::cli;
  namespace server = ringecho::server;
  server::Options options;
  if (std::optional<int> code = server::ParseOptions(argc, argv, options)) return *code;
  auto supervisor = app::Supervisor::Create();
  if (!supervisor.ok()) {
    cli::Complain(server::kProgram, std::string(supervisor.status().message()));
    return cli::kExitFailed;
  }
  try {
    return server::RunServer(options, {argv, static_cast<size_t>(argc)}, **supervisor);
  } catch (const std::bad_alloc&) {
    cli::Complain(server::kProgram, std::string(app::OutOfMemory().message()));
    return cli::kExitFailed;
  }
}

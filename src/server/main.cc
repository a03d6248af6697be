#include <optional>
#include <string>

#include "app/exit_code.h"
#include "app/supervisor.h"
#include "server/options.h"
#include "server/server.h"

int main(int argc, char** argv) {
  namespace app = ringecho::app;
  namespace server = ringecho::server;
  server::Options options;
  if (std::optional<int> code = server::ParseOptions(argc, argv, options)) return *code;
  auto supervisor = app::Supervisor::Create();
  if (!supervisor.ok()) {
    app::Complain(server::kProgram, std::string(supervisor.status().message()));
    return app::kExitFailed;
  }
  return server::RunServer(options, {argv, static_cast<size_t>(argc)}, **supervisor);
}

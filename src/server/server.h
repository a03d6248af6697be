// One run of the server, from listening to the written result.
#ifndef RINGECHO_SERVER_SERVER_H_
#define RINGECHO_SERVER_SERVER_H_

#include <span>

#include "app/supervisor.h"
#include "server/options.h"

namespace ringecho::server {

// Returns the exit code; has said everything there is to say.
int RunServer(const Options& options, std::span<const char* const> argv,
              app::Supervisor& supervisor);

}  // namespace ringecho::server

#endif  // RINGECHO_SERVER_SERVER_H_

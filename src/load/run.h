// One run of the load generator, from resolving the name to the written result.
#ifndef RINGECHO_LOAD_RUN_H_
#define RINGECHO_LOAD_RUN_H_

#include <span>

#include "app/supervisor.h"
#include "load/options.h"

namespace ringecho::load {

// Returns the exit code; has said everything there is to say.
int RunLoad(const Options& options, std::span<const char* const> argv, app::Supervisor& supervisor);

}  // namespace ringecho::load

#endif  // RINGECHO_LOAD_RUN_H_

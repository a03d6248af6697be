// Exit codes of every program of the project.
#ifndef RINGECHO_CLI_EXIT_CODE_H_
#define RINGECHO_CLI_EXIT_CODE_H_

namespace ringecho::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitFailed = 1,         // the run could not be made
  kExitUsage = 2,          // bad options or bad files
  kExitInvalid = 3,        // finished, but the result's verdict is "invalid"
  kExitRegression = 4,     // a comparison found one, and was asked to fail on it
  kExitInterrupted = 130,  // by SIGINT or SIGTERM; the result is complete up to there
};

}  // namespace ringecho::cli

#endif  // RINGECHO_CLI_EXIT_CODE_H_

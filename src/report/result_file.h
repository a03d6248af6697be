// A result reaches its file whole or not at all, and what would prevent it is found out before the
// run.
#ifndef RINGECHO_REPORT_RESULT_FILE_H_
#define RINGECHO_REPORT_RESULT_FILE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace ringecho::report {

// Sole owner of a place reserved for one file. Not thread-safe.
//
// A regular file is written to a temporary one beside it, ".ringecho-<random>.tmp", which takes
// its name only when every byte is on the disk; until then an older file of that name stays as it
// is. The temporary file is removed when the reservation goes unused; only SIGKILL or a crash
// leaves it behind. Pipes and devices (and "-", the standard output) are written directly, because
// renaming onto them would replace them.
class ResultFile {
 public:
  // What Reserve sets aside on the disk: more than a result of thousands of intervals takes.
  static constexpr int64_t kReservedBytes = 1 << 20;

  // Errors are one line naming the path, the errno and what to do: the folder is missing, not
  // writable or on a read-only or full file system, the path is a folder, an existing file is
  // write-protected, a FIFO has no reader, a file-size limit is too small.
  static absl::StatusOr<ResultFile> Reserve(std::string_view path);

  ResultFile(ResultFile&& other) noexcept;
  ResultFile& operator=(ResultFile&&) = delete;
  ~ResultFile();

  // The human text belongs on stderr when this is true.
  bool is_stdout() const { return target_ == Target::kStdout; }

  // Writes `content` and makes it durable, once. On error the temporary file is gone and an older
  // file of that name unharmed; something written directly may be there in part.
  absl::Status Commit(std::string_view content);

 private:
  enum class Target : uint8_t { kRegular, kDirect, kStdout };

  ResultFile() = default;

  static absl::StatusOr<ResultFile> ReserveDirect(const std::string& path);
  absl::Status ReserveRegular(const std::string& path, mode_t mode);
  absl::Status CreateTemporary(mode_t mode);
  absl::Status WriteAll(int fd, std::string_view content) const;
  absl::Status CommitRegular(std::string_view content);
  void RemoveTemporary();

  Target target_ = Target::kRegular;
  std::string path_;  // as given, for messages
  // Directory of the file, held open so that nothing that happens to the path or to the working
  // directory during the run redirects the result.
  base::UniqueFd directory_;
  std::string name_;       // in that directory
  std::string temporary_;  // in that directory; empty when there is none
  base::UniqueFd file_;
};

}  // namespace ringecho::report

#endif  // RINGECHO_REPORT_RESULT_FILE_H_

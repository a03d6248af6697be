#include "report/result_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"

namespace ringecho::report {
namespace {

// What a user can do about an errno of creating or writing a file.
std::string_view Advice(int error) {
  switch (error) {
    case ENOENT:
      return "create the folder first";
    case ENOTDIR:
      return "a part of the path is a file";
    case EACCES:
    case EPERM:
      return "choose a folder you may write to";
    case EROFS:
      return "the file system is read-only; choose another folder";
    case ENOSPC:
    case EDQUOT:
      return "free 1 MiB there or choose another folder";
    case EISDIR:
      return "name a file in that folder";
    case EFBIG:
      return "raise the file size limit (ulimit -f)";
    case ENAMETOOLONG:
      return "choose a shorter name";
    case ELOOP:
      return "a symbolic link leads back to itself";
    case ENXIO:
      return "nothing reads it; start the reader first, or name a file";
    case EPIPE:
      return "the reader has gone away";
    default:
      return {};
  }
}

absl::Status FileError(int error, std::string_view call, std::string_view path) {
  return base::ErrnoStatus(error, absl::StrCat(base::ToAbsl(call), " ", base::ToAbsl(path)),
                           Advice(error));
}

// Whether an open file of this process is what the path names.
bool IsStdout(const struct stat& named) {
  struct stat out;
  return fstat(STDOUT_FILENO, &out) == 0 && out.st_dev == named.st_dev &&
         out.st_ino == named.st_ino;
}

std::string RandomName() {
  uint64_t bits = 0;
  // Cannot fail for 8 bytes once the kernel is up; if it did, O_EXCL would still keep us apart.
  [[maybe_unused]] ssize_t got = getrandom(&bits, sizeof(bits), 0);
  return absl::StrFormat(".ringecho-%016x.tmp", bits);
}

// A write beyond RLIMIT_FSIZE does not merely fail, it kills by SIGXFSZ; so look before.
bool FitsFileSizeLimit(int64_t bytes) {
  rlimit limit;
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
         limit.rlim_cur >= static_cast<rlim_t>(bytes);
}

}  // namespace

ResultFile::ResultFile(ResultFile&& other) noexcept
    : target_(other.target_),
      path_(std::move(other.path_)),
      directory_(std::move(other.directory_)),
      name_(std::move(other.name_)),
      temporary_(std::exchange(other.temporary_, std::string())),
      file_(std::move(other.file_)) {}

ResultFile::~ResultFile() { RemoveTemporary(); }

absl::StatusOr<ResultFile> ResultFile::Reserve(std::string_view given) {
  std::string path(given);
  if (path.empty()) return absl::InvalidArgumentError("the name of the result file is empty");
  ResultFile file;
  file.path_ = path;
  struct stat named;
  if (path == "-") {
    file.target_ = Target::kStdout;
    if (fcntl(STDOUT_FILENO, F_GETFL) < 0) return FileError(errno, "write to", "standard output");
    return file;
  }
  if (stat(path.c_str(), &named) != 0) {
    if (errno != ENOENT) return FileError(errno, "create", path);
    struct stat link;
    if (lstat(path.c_str(), &link) == 0) return FileError(ENOENT, "create what is linked by", path);
    RINGECHO_RETURN_IF_ERROR(file.ReserveRegular(path, 0));
    return file;
  }
  if (IsStdout(named)) {
    file.target_ = Target::kStdout;
    return file;
  }
  if (!S_ISREG(named.st_mode)) return ReserveDirect(path);
  // Renaming would get around the protection of the old file; respect what its owner meant.
  if (faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) {
    return FileError(errno, "replace", path);
  }
  // Through symbolic links: the file they lead to is replaced, not the link.
  char* resolved = realpath(path.c_str(), nullptr);
  if (resolved == nullptr) return FileError(errno, "resolve", path);
  std::string real(resolved);
  free(resolved);
  RINGECHO_RETURN_IF_ERROR(file.ReserveRegular(real, named.st_mode & 07777));
  return file;
}

absl::StatusOr<ResultFile> ResultFile::ReserveDirect(const std::string& path) {
  ResultFile file;
  file.path_ = path;
  file.target_ = Target::kDirect;
  // O_NONBLOCK: a FIFO without a reader fails instead of blocking the start. A folder fails too.
  file.file_.Reset(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (!file.file_.valid()) return FileError(errno, "open", path);
  int flags = fcntl(file.file_.get(), F_GETFL);
  if (flags < 0 || fcntl(file.file_.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
    return FileError(errno, "open", path);
  }
  return file;
}

// `mode` 0 takes what the umask leaves of 0666.
absl::Status ResultFile::ReserveRegular(const std::string& path, mode_t mode) {
  size_t slash = path.rfind('/');
  std::string directory = slash == std::string::npos ? "."
                          : slash == 0               ? "/"
                                                     : path.substr(0, slash);
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  if (name_.empty()) return FileError(ENOENT, "create", path);
  // O_PATH: the folder need not be readable.
  directory_.Reset(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory_.valid()) return FileError(errno, "create", path_);
  return CreateTemporary(mode);
}

absl::Status ResultFile::CreateTemporary(mode_t mode) {
  do {
    temporary_ = RandomName();
    file_.Reset(openat(directory_.get(), temporary_.c_str(),
                       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666));
  } while (!file_.valid() && errno == EEXIST);
  if (!file_.valid()) {
    int error = errno;
    temporary_.clear();
    return FileError(error, "create", path_);
  }
  // As far as its owner allows; a result of other permissions is better than none.
  if (mode != 0) [[maybe_unused]]
    int result = fchmod(file_.get(), mode);
  if (!FitsFileSizeLimit(kReservedBytes)) return FileError(EFBIG, "reserve 1 MiB for", path_);
  int error = 0;
  do {
    error = posix_fallocate(file_.get(), 0, kReservedBytes);
  } while (error == EINTR);
  // A file system that cannot reserve is no reason to refuse; what is written is still checked.
  if (error != 0 && error != EOPNOTSUPP && error != EINVAL && error != ENOSYS) {
    return FileError(error, "reserve 1 MiB for", path_);
  }
  return absl::OkStatus();
}

absl::Status ResultFile::Commit(std::string_view content) {
  switch (target_) {
    case Target::kStdout:
      return WriteAll(STDOUT_FILENO, content);
    case Target::kDirect:
      return WriteAll(file_.get(), content);
    case Target::kRegular:
      break;
  }
  absl::Status status = CommitRegular(content);
  RemoveTemporary();
  return status;
}

absl::Status ResultFile::WriteAll(int fd, std::string_view content) const {
  while (!content.empty()) {
    ssize_t written = write(fd, content.data(), content.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return FileError(errno, "write", path_ == "-" ? "standard output" : path_);
    }
    content.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status ResultFile::CommitRegular(std::string_view content) {
  auto size = static_cast<int64_t>(content.size());
  if (!FitsFileSizeLimit(size)) return FileError(EFBIG, "write", path_);
  // Into the blocks reserved, and only then cut to length: truncating first would give them away.
  RINGECHO_RETURN_IF_ERROR(WriteAll(file_.get(), content));
  if (ftruncate(file_.get(), size) != 0) return FileError(errno, "write", path_);
  // Before the rename: it must never be durable earlier than what it names. EINVAL: a file system
  // that has nothing to sync.
  if (fsync(file_.get()) != 0 && errno != EINVAL) return FileError(errno, "fsync", path_);
  if (renameat(directory_.get(), temporary_.c_str(), directory_.get(), name_.c_str()) != 0) {
    return FileError(errno, "rename the temporary file to", path_);
  }
  temporary_.clear();
  // A folder that may not be read cannot be synced; the file itself is safe by then.
  base::UniqueFd directory(openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.valid() && fsync(directory.get()) != 0 && errno != EINVAL) {
    return FileError(errno, "fsync the folder of", path_);
  }
  return absl::OkStatus();
}

void ResultFile::RemoveTemporary() {
  if (temporary_.empty()) return;
  unlinkat(directory_.get(), temporary_.c_str(), 0);
  temporary_.clear();
}

}  // namespace ringecho::report

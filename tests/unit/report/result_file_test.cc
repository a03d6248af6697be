#include "report/result_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace ringecho::report {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ResultFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ringecho-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override {
    fs::permissions(root_, fs::perms::owner_all);
    fs::remove_all(root_);
  }

  std::string Path(const std::string& name) const { return (root_ / name).string(); }

  static std::string Read(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  // Everything in a folder, hidden files too.
  static std::vector<std::string> Names(const fs::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  static std::string ReserveError(const std::string& path) {
    auto file = ResultFile::Reserve(path);
    return file.ok() ? "reserved" : std::string(file.status().message());
  }

  fs::path root_;
};

TEST_F(ResultFileTest, ACommittedResultStandsAloneUnderItsName) {
  auto file = ResultFile::Reserve(Path("r.json"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_FALSE(file->is_stdout());
  EXPECT_FALSE(fs::exists(Path("r.json")));
  ASSERT_TRUE(file->Commit("{}\n").ok());
  EXPECT_EQ(Read(Path("r.json")), "{}\n");
  EXPECT_EQ(Names(root_), std::vector<std::string>{"r.json"});
}

TEST_F(ResultFileTest, AnUnusedReservationLeavesNothing) {
  Write(Path("r.json"), "old");
  {
    auto file = ResultFile::Reserve(Path("r.json"));
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(Names(root_).size(), 2U);
    ResultFile moved = std::move(*file);
    EXPECT_EQ(Names(root_).size(), 2U);
  }
  EXPECT_EQ(Names(root_), std::vector<std::string>{"r.json"});
  EXPECT_EQ(Read(Path("r.json")), "old");
}

TEST_F(ResultFileTest, AnOlderResultIsReplacedAndKeepsItsPermissions) {
  Write(Path("r.json"), std::string(5'000, 'x'));
  chmod(Path("r.json").c_str(), 0640);
  auto file = ResultFile::Reserve(Path("r.json"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Read(Path("r.json")).size(), 5'000U);
  ASSERT_TRUE(file->Commit("new").ok());
  EXPECT_EQ(Read(Path("r.json")), "new");
  struct stat stat_buf;
  ASSERT_EQ(stat(Path("r.json").c_str(), &stat_buf), 0);
  EXPECT_EQ(stat_buf.st_mode & 0777, 0640U);
}

TEST_F(ResultFileTest, PermissionsOfANewResultFollowTheUmask) {
  mode_t before = umask(027);
  auto file = ResultFile::Reserve(Path("r.json"));
  umask(before);
  ASSERT_TRUE(file.ok() && file->Commit("x").ok());
  struct stat stat_buf;
  ASSERT_EQ(stat(Path("r.json").c_str(), &stat_buf), 0);
  EXPECT_EQ(stat_buf.st_mode & 0777, 0640U);
}

TEST_F(ResultFileTest, MoreThanWasReservedIsWrittenToo) {
  auto file = ResultFile::Reserve(Path("r.json"));
  ASSERT_TRUE(file.ok());
  std::string content(3 * ResultFile::kReservedBytes + 1, 'y');
  ASSERT_TRUE(file->Commit(content).ok());
  EXPECT_EQ(Read(Path("r.json")), content);
}

TEST_F(ResultFileTest, ALinkIsFollowedNotReplaced) {
  Write(Path("real.json"), "old");
  fs::create_symlink("real.json", Path("link.json"));
  auto file = ResultFile::Reserve(Path("link.json"));
  ASSERT_TRUE(file.ok() && file->Commit("new").ok());
  EXPECT_TRUE(fs::is_symlink(Path("link.json")));
  EXPECT_EQ(Read(Path("real.json")), "new");
  fs::create_symlink("nowhere", Path("dangling.json"));
  EXPECT_THAT(ReserveError(Path("dangling.json")), HasSubstr("ENOENT"));
}

TEST_F(ResultFileTest, TheResultFollowsItsFolderNotItsPath) {
  fs::create_directory(Path("a"));
  auto file = ResultFile::Reserve(Path("a/r.json"));
  ASSERT_TRUE(file.ok());
  fs::rename(Path("a"), Path("b"));
  ASSERT_TRUE(file->Commit("x").ok());
  EXPECT_EQ(Read(Path("b/r.json")), "x");
}

TEST_F(ResultFileTest, HopelessPathsAreFoundOutBeforeTheRun) {
  Write(Path("file"), "");
  EXPECT_THAT(ReserveError(Path("none/r.json")),
              AllOf(HasSubstr(Path("none/r.json")), HasSubstr("ENOENT"),
                    HasSubstr("create the folder first")));
  EXPECT_THAT(ReserveError(root_.string()), AllOf(HasSubstr("EISDIR"), HasSubstr("name a file")));
  EXPECT_THAT(ReserveError(Path("new/")), HasSubstr("ENOENT"));
  EXPECT_THAT(ReserveError(Path("file/r.json")), HasSubstr("ENOTDIR"));
  EXPECT_THAT(ReserveError(Path(std::string(300, 'n'))), HasSubstr("ENAMETOOLONG"));
  EXPECT_THAT(ReserveError(""), HasSubstr("is empty"));
}

// Permissions bind everyone but root.
TEST_F(ResultFileTest, ProtectedFoldersAndFilesAreFoundOutBeforeTheRun) {
  fs::create_directory(Path("locked"));
  Write(Path("locked/r.json"), "old");
  Write(Path("protected.json"), "old");
  fs::permissions(Path("protected.json"), fs::perms::owner_read | fs::perms::others_read);
  fs::permissions(Path("locked"), fs::perms::owner_read | fs::perms::owner_exec);
  fs::permissions(root_, fs::perms::all);
  bool root = geteuid() == 0;
  ASSERT_TRUE(!root || seteuid(65534) == 0);
  std::string locked = ReserveError(Path("locked/new.json"));
  std::string replaced = ReserveError(Path("protected.json"));
  ASSERT_TRUE(!root || seteuid(0) == 0);
  fs::permissions(Path("locked"), fs::perms::owner_all);
  EXPECT_THAT(locked, AllOf(HasSubstr("EACCES"), HasSubstr("you may write to")));
  EXPECT_THAT(replaced, AllOf(HasSubstr("replace"), HasSubstr("EACCES")));
}

TEST_F(ResultFileTest, AFileSizeLimitIsAnErrorNotADeath) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string error = ReserveError(Path("r.json"));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_THAT(error, AllOf(HasSubstr("EFBIG"), HasSubstr("ulimit -f")));
  EXPECT_TRUE(Names(root_).empty());
}

TEST_F(ResultFileTest, PipesAreWrittenNotReplaced) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(ReserveError(Path("fifo")), AllOf(HasSubstr("ENXIO"), HasSubstr("start the reader")));
  base::UniqueFd reader(open(Path("fifo").c_str(), O_RDONLY | O_NONBLOCK));
  auto fifo = ResultFile::Reserve(Path("fifo"));
  ASSERT_TRUE(fifo.ok()) << fifo.status();
  ASSERT_TRUE(fifo->Commit("through").ok());
  char buffer[16];
  ASSERT_EQ(read(reader.get(), buffer, sizeof(buffer)), 7);
  EXPECT_TRUE(fs::is_fifo(Path("fifo")));
}

// Root works on a device of its own: a mistake here would replace the system's by a file.
TEST_F(ResultFileTest, DevicesAreWrittenNotReplaced) {
  std::string full = "/dev/full";
  if (geteuid() == 0) {
    full = Path("full");
    if (mknod(full.c_str(), S_IFCHR | 0600, makedev(1, 7)) != 0 ||
        !base::UniqueFd(open(full.c_str(), O_WRONLY)).valid()) {
      GTEST_SKIP() << "no device can be made here: writing to devices is NOT tested";
    }
  }
  auto file = ResultFile::Reserve(full);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->Commit("x").message(), AllOf(HasSubstr(full), HasSubstr("ENOSPC")));
  EXPECT_TRUE(fs::is_character_file(full));
}

// Standard output redirected to `fd` for the life of this object.
class RedirectedStdout {
 public:
  explicit RedirectedStdout(int fd) : saved_(dup(STDOUT_FILENO)) {
    fflush(stdout);
    dup2(fd, STDOUT_FILENO);
  }
  ~RedirectedStdout() { dup2(saved_.get(), STDOUT_FILENO); }

 private:
  base::UniqueFd saved_;
};

TEST_F(ResultFileTest, ADashIsStandardOutput) {
  base::UniqueFd out(open(Path("out").c_str(), O_RDWR | O_CREAT, 0600));
  absl::Status status;
  {
    RedirectedStdout redirected(out.get());
    auto file = ResultFile::Reserve("-");
    ASSERT_TRUE(file.ok());
    EXPECT_TRUE(file->is_stdout());
    status = file->Commit("to stdout");
  }
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Read(Path("out")), "to stdout");
}

TEST_F(ResultFileTest, APathThatIsStandardOutputIsNotReplacedUnderIt) {
  base::UniqueFd out(open(Path("out").c_str(), O_RDWR | O_CREAT, 0600));
  std::optional<bool> is_stdout;
  {
    RedirectedStdout redirected(out.get());
    auto file = ResultFile::Reserve(Path("out"));
    if (file.ok()) is_stdout = file->is_stdout();
  }
  EXPECT_EQ(is_stdout, true);
}

TEST_F(ResultFileTest, AFullStandardOutputIsAnError) {
  base::UniqueFd full(open("/dev/full", O_WRONLY));
  absl::Status status;
  {
    RedirectedStdout redirected(full.get());
    auto file = ResultFile::Reserve("-");
    if (file.ok()) status = file->Commit("x");
  }
  EXPECT_THAT(status.message(), AllOf(HasSubstr("standard output"), HasSubstr("ENOSPC")));
}

TEST_F(ResultFileTest, AClosedStandardOutputIsFoundOutBeforeTheRun) {
  fflush(stdout);
  base::UniqueFd saved(dup(STDOUT_FILENO));
  close(STDOUT_FILENO);
  std::string error = ReserveError("-");
  dup2(saved.get(), STDOUT_FILENO);
  EXPECT_THAT(error, AllOf(HasSubstr("standard output"), HasSubstr("EBADF")));
}

TEST_F(ResultFileTest, AReaderThatHasGoneIsAnError) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  base::UniqueFd reader(ends[0]);
  base::UniqueFd writer(ends[1]);
  auto before = std::signal(SIGPIPE, SIG_IGN);
  auto file = ResultFile::Reserve("/proc/self/fd/" + std::to_string(writer.get()));
  ASSERT_TRUE(file.ok()) << file.status();
  reader.Reset();
  EXPECT_THAT(file->Commit("x").message(), HasSubstr("EPIPE"));
  std::signal(SIGPIPE, before);
}

// A real file system of `bytes`, in a mount namespace of this process's own.
class SmallDisk {
 public:
  SmallDisk(const std::string& path, const std::string& bytes) : path_(path) {
    fs::create_directory(path);
    mounted_ = unshare(CLONE_NEWNS) == 0 &&
               mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               mount("tmpfs", path.c_str(), "tmpfs", 0, ("size=" + bytes).c_str()) == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  void MakeReadOnly() const {
    mount(nullptr, path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
  }

 private:
  std::string path_;
  bool mounted_ = false;
};

#define SKIP_UNLESS_MOUNTED(disk) \
  if (!(disk).mounted()) GTEST_SKIP() << "mounting a tmpfs needs root: full disks are NOT tested"

TEST_F(ResultFileTest, AFullDiskIsFoundOutBeforeTheRun) {
  SmallDisk disk(Path("disk"), "64k");
  SKIP_UNLESS_MOUNTED(disk);
  EXPECT_THAT(ReserveError(Path("disk/r.json")),
              AllOf(HasSubstr("ENOSPC"), HasSubstr("free 1 MiB")));
  EXPECT_TRUE(Names(Path("disk")).empty());
}

TEST_F(ResultFileTest, WhatWasReservedCanBeWrittenAlthoughTheDiskHasFilledUp) {
  SmallDisk disk(Path("disk"), "2m");
  SKIP_UNLESS_MOUNTED(disk);
  auto file = ResultFile::Reserve(Path("disk/r.json"));
  ASSERT_TRUE(file.ok()) << file.status();
  Write(Path("disk/hog"), std::string(4 << 20, 'h'));
  std::string content(ResultFile::kReservedBytes, 'r');
  absl::Status status = file->Commit(content);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(Read(Path("disk/r.json")), content);
}

TEST_F(ResultFileTest, ADiskThatFillsUpLeavesTheOlderResultAndNoRemains) {
  SmallDisk disk(Path("disk"), "2m");
  SKIP_UNLESS_MOUNTED(disk);
  Write(Path("disk/r.json"), "old");
  auto file = ResultFile::Reserve(Path("disk/r.json"));
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->Commit(std::string(3 << 20, 'n')).message(),
              AllOf(HasSubstr(Path("disk/r.json")), HasSubstr("ENOSPC")));
  EXPECT_EQ(Read(Path("disk/r.json")), "old");
  EXPECT_EQ(Names(Path("disk")), std::vector<std::string>{"r.json"});
}

TEST_F(ResultFileTest, AReadOnlyFileSystemIsFoundOutBeforeTheRun) {
  SmallDisk disk(Path("disk"), "2m");
  SKIP_UNLESS_MOUNTED(disk);
  disk.MakeReadOnly();
  EXPECT_THAT(ReserveError(Path("disk/r.json")), AllOf(HasSubstr("EROFS"), HasSubstr("read-only")));
}

}  // namespace
}  // namespace ringecho::report

#include "control/base/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::host {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  std::string At(const std::string& name) const {
    return scratch_.path() + "/" + name;
  }
  static std::string MessageOf(const absl::Status& status) {
    return std::string(status.message());
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }
  size_t Entries() const {
    return static_cast<size_t>(std::distance(
        fs::directory_iterator(scratch_.path()), fs::directory_iterator()));
  }

  const ScratchDir scratch_;
};

TEST_F(FilesTest, ContentIsReadWholeWhateverItsSize) {
  for (const size_t size : {0u, 1u, 4095u, 4096u, 4097u, 100'000u}) {
    std::string text(size, 'x');
    for (size_t i = 0; i < size; i += 7) text[i] = static_cast<char>(i);
    ASSERT_TRUE(ReplaceFile(At("f"), text).ok());
    const auto read = ReadFile(At("f"));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, text);
  }
}

TEST_F(FilesTest, AFileThatIsNotThereIsNotFound) {
  const auto none = ReadFile(At("none"));
  EXPECT_TRUE(absl::IsNotFound(none.status())) << none.status();
  EXPECT_EQ(MessageOf(none.status()),
            "cannot open " + At("none") + ": No such file or directory");
  EXPECT_TRUE(absl::IsNotFound(ReadFile(At("no/folder")).status()));
}

// Nobody writes into this pipe: a reader that opened it would wait for ever.
TEST_F(FilesTest, APipeIsRefusedWithoutWaiting) {
  ASSERT_EQ(mkfifo(At("pipe").c_str(), 0600), 0);
  const auto read = ReadFile(At("pipe"));
  EXPECT_TRUE(absl::IsFailedPrecondition(read.status())) << read.status();
  EXPECT_EQ(MessageOf(read.status()),
            "cannot read " + At("pipe") + ": it is no regular file");
  // One that has a writer who says nothing is no better.
  const ScopedFd writer(
      open(At("pipe").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  ASSERT_GE(writer.get(), 0);
  EXPECT_FALSE(ReadFile(At("pipe")).ok());
}

TEST_F(FilesTest, NorIsAnyOtherKindAFile) {
  const ScopedFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string socket = At("socket");
  std::memcpy(address.sun_path, socket.data(), socket.size());
  ASSERT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address),
                 sizeof(address)),
            0);
  for (const std::string& path :
       {scratch_.path(), socket, std::string("/dev/zero"),
        std::string("/dev/null")}) {
    const auto read = ReadFile(path);
    EXPECT_TRUE(absl::IsFailedPrecondition(read.status()))
        << path << ": " << read.status();
    EXPECT_FALSE(OpenRegularFile(path).ok()) << path;
  }
}

TEST_F(FilesTest, ALinkLeadsToItsFile) {
  ASSERT_TRUE(ReplaceFile(At("f"), "content").ok());
  ASSERT_EQ(symlink("f", At("link").c_str()), 0);
  EXPECT_EQ(*ReadFile(At("link")), "content");
  ASSERT_EQ(symlink("loop", At("loop").c_str()), 0);
  EXPECT_NE(MessageOf(ReadFile(At("loop")).status()).find("symbolic links"),
            std::string::npos);
}

TEST_F(FilesTest, AReplacedFileIsPrivateAndAlone) {
  const mode_t mask = umask(0);
  EXPECT_TRUE(ReplaceFile(At("f"), "one").ok());
  umask(mask);
  EXPECT_EQ(ModeOf(At("f")), 0600u);
  EXPECT_TRUE(ReplaceFile(At("f"), "two").ok());
  EXPECT_EQ(*ReadFile(At("f")), "two");
  EXPECT_EQ(Entries(), 1u) << "nothing is left beside it";
}

// What lies where the new content goes first is not written to, whatever it is.
TEST_F(FilesTest, WhatAKillOrAnybodyLeftIsReplacedToo) {
  const std::string temporary = TemporaryOf(At("f"));
  ASSERT_TRUE(ReplaceFile(At("other"), "theirs").ok());
  std::ofstream(temporary) << "half of an older and longer content";
  ASSERT_TRUE(ReplaceFile(At("f"), "short").ok());
  EXPECT_EQ(*ReadFile(At("f")), "short");
  ASSERT_EQ(symlink(At("other").c_str(), temporary.c_str()), 0);
  ASSERT_TRUE(ReplaceFile(At("f"), "ours").ok());
  EXPECT_EQ(*ReadFile(At("other")), "theirs");
  EXPECT_EQ(*ReadFile(At("f")), "ours");
  EXPECT_FALSE(fs::is_symlink(At("f")));
  ASSERT_EQ(mkfifo(temporary.c_str(), 0600), 0);
  ASSERT_TRUE(ReplaceFile(At("f"), "again").ok());
  EXPECT_EQ(*ReadFile(At("f")), "again");
}

TEST_F(FilesTest, WhatCannotBeWrittenLeavesTheOldContent) {
  EXPECT_FALSE(ReplaceFile(At("no/folder"), "x").ok());
  ASSERT_EQ(mkdir(At("folder").c_str(), 0700), 0);
  ASSERT_TRUE(ReplaceFile(At("folder/f"), "x").ok());
  const absl::Status status = ReplaceFile(At("folder"), "x");
  EXPECT_FALSE(status.ok()) << "no file takes a folder's place";
  EXPECT_TRUE(MessageOf(status).starts_with("cannot write " + At("folder")))
      << status;
  EXPECT_FALSE(fs::exists(TemporaryOf(At("folder"))));
  EXPECT_EQ(*ReadFile(At("folder/f")), "x");
}

// A disk that is full, by a limit of this process.
TEST_F(FilesTest, AFullDiskLeavesTheOldContent) {
  ASSERT_TRUE(ReplaceFile(At("f"), "old").ok());
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit little{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &little), 0);
  const absl::Status status = ReplaceFile(At("f"), std::string(5000, 'n'));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(MessageOf(status),
            "cannot write " + At("f") + ": write: File too large");
  EXPECT_EQ(*ReadFile(At("f")), "old");
  EXPECT_EQ(Entries(), 1u);
}

TEST_F(FilesTest, AFolderIsMadeWithItsParentsAndIsPrivate) {
  const mode_t mask = umask(0);
  EXPECT_TRUE(MakeDirectory(At("a/b/c")).ok());
  umask(mask);
  EXPECT_EQ(ModeOf(At("a")), 0755u);
  EXPECT_EQ(ModeOf(At("a/b")), 0755u);
  EXPECT_EQ(ModeOf(At("a/b/c")), 0700u);
  EXPECT_TRUE(MakeDirectory(At("a/b/c")).ok()) << "it is there";
  EXPECT_TRUE(MakeDirectory(At("a")).ok());
  EXPECT_EQ(ModeOf(At("a")), 0755u) << "and stays as it was";
}

TEST_F(FilesTest, WhereSomethingElseIsThereIsNoFolder) {
  ASSERT_TRUE(ReplaceFile(At("f"), "x").ok());
  const absl::Status is_file = MakeDirectory(At("f"));
  EXPECT_TRUE(absl::IsFailedPrecondition(is_file)) << is_file;
  EXPECT_EQ(MessageOf(is_file), At("f") + " is not a directory");
  const absl::Status below = MakeDirectory(At("f/a"));
  EXPECT_EQ(MessageOf(below),
            "cannot make directory " + At("f/a") + ": Not a directory");
  EXPECT_FALSE(MakeDirectory("/proc/lwt/a").ok());
}

// A file of the operator's, replaced in place.
TEST_F(FilesTest, OwnerAndModeOfAFileStay) {
  for (const mode_t mode : {0600u, 0640u, 0644u, 0400u}) {
    std::ofstream(At("own")) << "before";
    ASSERT_EQ(chown(At("own").c_str(), geteuid(), getegid()), 0);
    ASSERT_EQ(chmod(At("own").c_str(), mode), 0);
    ASSERT_TRUE(ReplaceFileOfOwner(At("own"), "after").ok());
    EXPECT_EQ(*ReadFile(At("own")), "after");
    EXPECT_EQ(ModeOf(At("own")), mode);
    EXPECT_EQ(Entries(), 1u);
    fs::remove(At("own"));
  }
}

TEST_F(FilesTest, AnotherOwnersFileStaysThatOwners) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  std::ofstream(At("own")) << "before";
  ASSERT_EQ(chown(At("own").c_str(), 1234, 5678), 0);
  ASSERT_TRUE(ReplaceFileOfOwner(At("own"), "after").ok());
  struct stat status {};
  ASSERT_EQ(stat(At("own").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 1234u);
  EXPECT_EQ(status.st_gid, 5678u);
}

TEST_F(FilesTest, ALinkLeadsToTheNewContent) {
  fs::create_directory(At("real"));
  std::ofstream(At("real/file")) << "before";
  fs::create_symlink("real/file", At("link"));
  ASSERT_TRUE(ReplaceFileOfOwner(At("link"), "after").ok());
  EXPECT_TRUE(fs::is_symlink(At("link")));
  EXPECT_EQ(*ReadFile(At("real/file")), "after");
}

TEST_F(FilesTest, WhatIsNoFileOfAnOwnerIsLeftAlone) {
  EXPECT_TRUE(absl::IsNotFound(ReplaceFileOfOwner(At("none"), "x")));
  EXPECT_FALSE(fs::exists(At("none")));
  fs::create_directory(At("folder"));
  EXPECT_NE(MessageOf(ReplaceFileOfOwner(At("folder"), "x"))
                .find("is no ordinary file"),
            std::string::npos);
  ASSERT_EQ(mkfifo(At("pipe").c_str(), 0600), 0);
  EXPECT_FALSE(ReplaceFileOfOwner(At("pipe"), "x").ok());
}

// A disk that is full: by the limit on the size of a file.
TEST_F(FilesTest, AFileOfAnOwnerIsWholeWhenTheDiskIsFull) {
  std::ofstream(At("own")) << "before";
  rlimit was{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &was), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{.rlim_cur = 3, .rlim_max = was.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = ReplaceFileOfOwner(At("own"), "after");
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &was), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(*ReadFile(At("own")), "before");
  EXPECT_EQ(Entries(), 1u) << "nothing is left beside it";
}

}  // namespace
}  // namespace lwt::host

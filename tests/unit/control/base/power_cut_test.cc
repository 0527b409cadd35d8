// A file that is replaced, and the power that goes between any two system calls
// of that, or one of them that fails.
#include <errno.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "control/base/file_calls.h"
#include "tests/unit/drivers/temp_tree.h"

namespace lwt::host {
namespace {

constexpr char kOld[] = "the key of before\n";
constexpr char kNew[] = "another key, which is longer\n";

// What was written and not synced is lost when the power goes, as on a file
// system that writes names before contents.
class Fragile final : public FileCalls {
 public:
  // Of `cut`: that call and all behind it do nothing; else it alone fails.
  Fragile(int at, bool cut) : at_(at), cut_(cut) {}

  int Open(const std::string& path, int flags, mode_t mode) override {
    return Run([&] { return FileCalls::Open(path, flags, mode); });
  }
  ssize_t Write(int fd, std::string_view bytes) override {
    // Of a write some may arrive.
    const std::string_view half = bytes.substr(0, (bytes.size() + 1) / 2);
    return Run([&] {
      unsynced_.insert(fd);
      return FileCalls::Write(fd, half);
    });
  }
  int Sync(int fd) override {
    return Run([&] {
      unsynced_.erase(fd);
      return FileCalls::Sync(fd);
    });
  }
  int ChangeOwner(int fd, uid_t owner, gid_t group) override {
    return Run([&] { return FileCalls::ChangeOwner(fd, owner, group); });
  }
  int ChangeMode(int fd, mode_t mode) override {
    return Run([&] { return FileCalls::ChangeMode(fd, mode); });
  }
  int Rename(const std::string& from, const std::string& to) override {
    return Run([&] { return FileCalls::Rename(from, to); });
  }
  int Unlink(const std::string& path) override {
    return Run([&] { return FileCalls::Unlink(path); });
  }
  int Close(int fd) override {
    return Run([&] {
      // A closed file is not a synced one: its content is lost all the same.
      if (unsynced_.contains(fd)) lost_ = true;
      return FileCalls::Close(fd);
    });
  }
  int calls() const { return calls_; }
  bool lost() const { return lost_; }

 private:
  template <typename Call>
  auto Run(const Call& call) -> decltype(call()) {
    const int number = calls_++;
    if (number == at_ && cut_) GoesOut();
    if (number == at_ || (cut_ && number > at_)) {
      errno = EIO;
      return -1;
    }
    return call();
  }
  void GoesOut() {
    for (const int fd : unsynced_) {
      EXPECT_EQ(ftruncate(fd, 0), 0);
      close(fd);
    }
  }

  const int at_;
  const bool cut_;
  int calls_ = 0;
  bool lost_ = false;
  std::set<int> unsynced_;
};

class PowerCutTest : public testing::TestWithParam<bool> {
 protected:
  static bool of_owner() { return GetParam(); }
  std::string path() const { return tree_.root() + "/key"; }
  std::string Content() const {
    std::ifstream file(path());
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  size_t Files() const {
    size_t count = 0;
    for (const auto& each : std::filesystem::directory_iterator(tree_.root())) {
      count += each.exists() ? 1 : 0;
    }
    return count;
  }
  absl::Status Replace(Fragile& calls) {
    tree_.Write("key", kOld);
    EXPECT_EQ(chmod(path().c_str(), 0640), 0);
    return of_owner() ? ReplaceFileOfOwner(path(), kNew, calls)
                      : ReplaceFile(path(), kNew, calls);
  }
  int CallsInAll() {
    Fragile calls(-1, false);
    EXPECT_TRUE(Replace(calls).ok());
    EXPECT_EQ(Content(), kNew);
    EXPECT_FALSE(calls.lost()) << "what is closed unsynced may be lost";
    return calls.calls();
  }

  TempTree tree_;
};

TEST_P(PowerCutTest, LeavesTheOldFileOrTheNewOne) {
  const int in_all = CallsInAll();
  ASSERT_GT(in_all, 6);
  bool was_old = false;
  bool was_new = false;
  for (int at = 0; at < in_all; ++at) {
    Fragile calls(at, /*cut=*/true);
    (void)Replace(calls);
    const std::string content = Content();
    EXPECT_TRUE(content == kOld || content == kNew) << at << ": " << content;
    was_old |= content == kOld;
    was_new |= content == kNew;
    // And what it left in its way keeps the next run from nothing.
    Fragile again(-1, false);
    EXPECT_TRUE(Replace(again).ok()) << at;
    EXPECT_EQ(Content(), kNew) << at;
    EXPECT_EQ(Files(), 1u) << at;
  }
  EXPECT_TRUE(was_old && was_new);
}

TEST_P(PowerCutTest, ACallThatFailsIsSaidAndLeavesTheOldFile) {
  const int in_all = CallsInAll();
  for (int at = 0; at < in_all; ++at) {
    Fragile calls(at, /*cut=*/false);
    const absl::Status status = Replace(calls);
    EXPECT_EQ(Content(), status.ok() ? kNew : kOld) << at << ": " << status;
    struct stat info;
    ASSERT_EQ(stat(path().c_str(), &info), 0);
    if (of_owner() || !status.ok()) {
      EXPECT_EQ(info.st_mode & 07777, 0640u);
    }
    EXPECT_EQ(Files(), 1u) << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PowerCutTest, testing::Bool(),
                         [](const auto& kind) {
                           return kind.param ? "OfOwner" : "Ours";
                         });

}  // namespace
}  // namespace lwt::host

#include "control/host/instance/state_writer.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include "control/base/files.h"
#include "tests/unit/control/host/scratch_dir.h"

namespace lwt::host {
namespace {

using std::chrono_literals::operator""ms;

// A log whose lines can be waited for.
class LoggedLines {
 public:
  LoggedLines() { EXPECT_EQ(pipe(ends_), 0); }
  ~LoggedLines() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int fd() const { return ends_[1]; }
  bool Waiting(int timeout_ms) const {
    pollfd wait{ends_[0], POLLIN, 0};
    return poll(&wait, 1, timeout_ms) == 1;
  }
  std::string Next() {
    std::string line;
    char c = 0;
    while (Waiting(10'000) && read(ends_[0], &c, 1) == 1 && c != '\n') {
      line += c;
    }
    return line;
  }

 private:
  int ends_[2] = {-1, -1};
};

TEST(StateWriterTest, TheLastContentIsThereAtTheEnd) {
  ScratchDir dir;
  LoggedLines lines;
  const loop::Log log(loop::LogLevel::kInfo, lines.fd());
  {
    StateWriter writer(log);
    for (int i = 0; i <= 100; ++i) {
      writer.Put(dir.path() + "/a", std::to_string(i));
      writer.Put(dir.path() + "/b", std::to_string(-i));
    }
  }
  EXPECT_EQ(*ReadFile(dir.path() + "/a"), "100");
  EXPECT_EQ(*ReadFile(dir.path() + "/b"), "-100");
  EXPECT_FALSE(lines.Waiting(0)) << "nothing to say";
}

TEST(StateWriterTest, WhatFailsIsSaidOnceAndTriedAgain) {
  ScratchDir dir;
  LoggedLines lines;
  const loop::Log log(loop::LogLevel::kInfo, lines.fd());
  const std::string path = dir.path() + "/later/file";
  StateWriter writer(log, 1ms);
  writer.Put(path, "old");
  EXPECT_NE(lines.Next().find("cannot create " + path), std::string::npos);
  writer.Put(path, "new");
  ASSERT_TRUE(MakeDirectory(dir.path() + "/later").ok());
  EXPECT_NE(lines.Next().find(path + " is written again"), std::string::npos);
  EXPECT_EQ(*ReadFile(path), "new");
}

TEST(StateWriterTest, AtTheEndItIsTriedOnceMoreAndNoMore) {
  ScratchDir dir;
  LoggedLines lines;
  const loop::Log log(loop::LogLevel::kInfo, lines.fd());
  const std::string path = dir.path() + "/later/file";
  {
    StateWriter writer(log);
    writer.Put(path, "content");
    EXPECT_NE(lines.Next().find("cannot create"), std::string::npos);
    ASSERT_TRUE(MakeDirectory(dir.path() + "/later").ok());
  }
  EXPECT_EQ(*ReadFile(path), "content") << "without waiting for its turn";
  {
    StateWriter writer(log);
    writer.Put(dir.path() + "/never/file", "content");
  }
}

}  // namespace
}  // namespace lwt::host

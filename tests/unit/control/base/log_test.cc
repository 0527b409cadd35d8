#include "control/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace lwt::loop {
namespace {

using testing::MatchesRegex;

class LogTest : public testing::Test {
 protected:
  LogTest() { EXPECT_EQ(pipe(ends_), 0); }
  ~LogTest() override {
    close(ends_[0]);
    close(ends_[1]);
  }
  std::string Line() {
    char text[256];
    const ssize_t size = read(ends_[0], text, sizeof(text));
    return size > 0 ? std::string(text, static_cast<size_t>(size)) : "";
  }

  int ends_[2];
};

TEST_F(LogTest, HasTimeAndLevelForPeople) {
  const Log log(LogLevel::kInfo, ends_[1]);
  log.Warn("slow by ", 7, " s");
  EXPECT_THAT(Line(),
              MatchesRegex("....-..-..T..:..:......Z warn  slow by 7 s\n"));
}

TEST_F(LogTest, HasThePriorityForTheJournal) {
  const Log log(LogLevel::kDebug, ends_[1], true);
  log.Error("a");
  EXPECT_EQ(Line(), "<3>a\n");
  log.Warn("b");
  EXPECT_EQ(Line(), "<4>b\n");
  log.Info("c");
  EXPECT_EQ(Line(), "<6>c\n");
  log.Debug("d");
  EXPECT_EQ(Line(), "<7>d\n");
}

// Else a peer's text could begin an entry of a priority of its choice.
TEST_F(LogTest, KeepsALineOne) {
  const Log log(LogLevel::kInfo, ends_[1], true);
  log.Info("peer says \"", "x\n<0>y\x7f", "\"");
  EXPECT_EQ(Line(), "<6>peer says \"x <0>y \"\n");
}

}  // namespace
}  // namespace lwt::loop

#include "control/base/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "tests/unit/control/base/log_lines.h"

namespace lwt::loop {
namespace {

// The text behind time and level.
std::string TextOf(const std::string& line) {
  constexpr size_t kPrefix = sizeof("2026-01-02T03:04:05.678Z error ") - 1;
  return line.size() < kPrefix ? "" : line.substr(kPrefix);
}

TEST(LogTest, ALineHasTimeLevelAndText) {
  LogLines lines;
  const time_t before = time(nullptr);
  lines.log().Warn("uplink ", std::string("eth0"), " has ", 3, " queues");
  const std::string line = lines.Take();
  const time_t after = time(nullptr);

  tm at{};
  int milliseconds = -1;
  char rest[64] = "";
  ASSERT_EQ(sscanf(line.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ warn  %63[^\n]",
                   &at.tm_year, &at.tm_mon, &at.tm_mday, &at.tm_hour,
                   &at.tm_min, &at.tm_sec, &milliseconds, rest),
            8)
      << line;
  EXPECT_EQ(std::string(rest), "uplink eth0 has 3 queues");
  EXPECT_EQ(line.back(), '\n');
  at.tm_year -= 1900;
  at.tm_mon -= 1;
  const time_t told = timegm(&at);  // the time is UTC
  EXPECT_GE(told, before);
  EXPECT_LE(told, after);
  EXPECT_GE(milliseconds, 0);
}

TEST(LogTest, ALevelShowsItselfAndWhatIsMoreUrgent) {
  const struct {
    LogLevel level;
    std::string shown;
  } rows[] = {
      {LogLevel::kError, "error e\n"},
      {LogLevel::kWarn, "error e\nwarn  w\n"},
      {LogLevel::kInfo, "error e\nwarn  w\ninfo  i\n"},
      {LogLevel::kDebug, "error e\nwarn  w\ninfo  i\ndebug d\n"},
  };
  for (const auto& row : rows) {
    LogLines lines(row.level);
    lines.log().Debug("d");
    EXPECT_EQ(lines.Take().empty(), row.level != LogLevel::kDebug);
    lines.log().Error("e");
    lines.log().Warn("w");
    lines.log().Info("i");
    lines.log().Debug("d");
    std::string shown;
    const std::string text = lines.Take();
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      const size_t level = text.find("Z ", at) + 2;
      shown += text.substr(level, text.find('\n', at) + 1 - level);
    }
    EXPECT_EQ(shown, row.shown);
  }
}

// syslog(3) has the numbers; the journal adds the time.
TEST(LogTest, TheJournalGetsPriorities) {
  LogLines lines(LogLevel::kDebug, /*journal=*/true);
  lines.log().Error("a");
  EXPECT_EQ(lines.Take(), "<3>a\n");
  lines.log().Warn("b");
  EXPECT_EQ(lines.Take(), "<4>b\n");
  lines.log().Info("c");
  EXPECT_EQ(lines.Take(), "<6>c\n");
  lines.log().Debug("d");
  EXPECT_EQ(lines.Take(), "<7>d\n");
  // A peer's text must not begin an entry of a priority of its choice.
  lines.log().Info("peer says \"", "x\n<0>y\x7f", "\"");
  EXPECT_EQ(lines.Take(), "<6>peer says \"x <0>y \"\n");
}

// A peer's words are part of lines: they must neither begin one nor move the
// cursor of who reads them.
TEST(LogTest, NobodyForgesALine) {
  LogLines lines;
  lines.log().Info("client says: a\n2026-01-01T00:00:00.000Z error all lost");
  EXPECT_EQ(lines.TakeCount(), 1u);
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) {
    every_byte += static_cast<char>(byte);
  }
  lines.log().Info(every_byte);
  const std::string text = TextOf(lines.Take());
  ASSERT_EQ(text.size(), 257u);
  for (int byte = 0; byte < 256; ++byte) {
    const bool control = byte < ' ' || byte == 0x7f;
    EXPECT_EQ(text[static_cast<size_t>(byte)],
              control ? ' ' : static_cast<char>(byte))
        << byte;
  }
  EXPECT_EQ(text.back(), '\n');
}

TEST(LogTest, ALineIsWrittenWhole) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const Log log(LogLevel::kInfo, ends[1]);
  log.Info(std::string(3000, 'a'));  // less than PIPE_BUF: in one piece
  std::string text(8192, '\0');
  const ssize_t size = read(ends[0], text.data(), text.size());
  ASSERT_GT(size, 3000);
  EXPECT_EQ(text[static_cast<size_t>(size) - 1], '\n');
  close(ends[0]);
  close(ends[1]);
}

// A log that goes nowhere must not stop a gateway.
TEST(LogTest, AClosedLogIsNoReasonToWait) {
  const Log log(LogLevel::kInfo, -1);
  log.Info("to nobody");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  const Log full(LogLevel::kInfo, ends[1]);
  for (int i = 0; i < 100; ++i) full.Info(std::string(4096, 'a'));
  std::string text(1 << 20, '\0');
  EXPECT_GT(read(ends[0], text.data(), text.size()), 4096);
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace lwt::loop

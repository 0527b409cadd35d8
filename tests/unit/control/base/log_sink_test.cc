// A log whose reader stopped: nothing waits for it, and what it missed is told.
#include "control/base/log_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/base/log.h"

namespace lwt::loop {
namespace {

enum class Kind { kPipe, kSocket, kTerminal };

std::string NameOf(const testing::TestParamInfo<Kind>& info) {
  switch (info.param) {
    case Kind::kPipe:
      return "Pipe";
    case Kind::kSocket:
      return "Socket";
    case Kind::kTerminal:
      return "Terminal";
  }
  return "";
}

// Both ends wait, as those do that a shell or a manager makes.
struct Ends {
  explicit Ends(Kind kind) {
    int two[2] = {-1, -1};
    switch (kind) {
      case Kind::kPipe:
        EXPECT_EQ(pipe2(two, O_CLOEXEC), 0);
        break;
      case Kind::kSocket:
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, two), 0);
        break;
      case Kind::kTerminal: {
        EXPECT_EQ(openpty(&two[0], &two[1], nullptr, nullptr, nullptr), 0);
        termios plain{};
        EXPECT_EQ(tcgetattr(two[1], &plain), 0);
        cfmakeraw(&plain);
        EXPECT_EQ(tcsetattr(two[1], TCSANOW, &plain), 0);
      }
    }
    reader.emplace(two[0]);
    writer.emplace(two[1]);
  }

  // All that is there.
  std::string Read() const {
    std::string text;
    char buffer[4096];
    for (pollfd ready{reader->get(), POLLIN, 0};
         poll(&ready, 1, 50) == 1 && (ready.revents & POLLIN) != 0;) {
      const ssize_t size = read(reader->get(), buffer, sizeof(buffer));
      if (size <= 0) break;
      text.append(buffer, static_cast<size_t>(size));
    }
    return text;
  }

  std::optional<ScopedFd> reader;
  std::optional<ScopedFd> writer;
};

size_t CountOf(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

// The sum of all numbers that tell of lost lines.
uint64_t LostIn(const std::string& text) {
  const std::string said = "did not take them: ";
  uint64_t lost = 0;
  for (size_t at = text.find(said); at != std::string::npos;
       at = text.find(said, at + 1)) {
    lost += strtoull(text.c_str() + at + said.size(), nullptr, 10);
  }
  return lost;
}

class StoppedReader : public testing::TestWithParam<Kind> {
 protected:
  // More than any of them holds.
  static constexpr int kLines = 5000;
  const std::string text_ = std::string(200, 'x');
};

INSTANTIATE_TEST_SUITE_P(Kinds, StoppedReader,
                         testing::Values(Kind::kPipe, Kind::kSocket,
                                         Kind::kTerminal),
                         NameOf);

// A writer that waits would never come back: nobody reads.
TEST_P(StoppedReader, StopsNobodyAndIsToldWhatItMissed) {
  const Ends ends(GetParam());
  const Log log(LogLevel::kInfo, ends.writer->get());
  for (int i = 0; i < kLines; ++i) log.Info(text_);
  // A short line may find room where a long one found none, so some of it is
  // told already.
  const std::string first = ends.Read();
  const size_t came = CountOf(first, text_ + "\n");
  EXPECT_GT(came, 0u);
  EXPECT_LT(came, size_t{kLines});
  log.Info("after");
  const std::string then = ends.Read();
  EXPECT_EQ(came + LostIn(first) + LostIn(then), uint64_t{kLines}) << then;
  EXPECT_GT(LostIn(then), 0u);
  EXPECT_LT(then.find("were lost"), then.find("after\n")) << then;
  log.Info("later");
  EXPECT_EQ(LostIn(ends.Read()), 0u) << "said once";
}

// A line is whole or it is not there: its end never begins another one's.
TEST_P(StoppedReader, SeesWholeLinesAlone) {
  const Ends ends(GetParam());
  const Log log(LogLevel::kInfo, ends.writer->get(), /*journal=*/true);
  const std::string line = "<6>" + text_ + text_;
  std::string seen;
  for (int i = 0; i < kLines; ++i) {
    log.Info(text_, text_);
    if (i % 1000 == 999) seen += ends.Read();
  }
  log.Info("end");
  seen += ends.Read();
  ASSERT_TRUE(seen.ends_with("end\n")) << seen.size();
  size_t cut = 0;
  uint64_t whole = 0;
  uint64_t lost = 0;
  size_t gaps = 0;
  for (size_t at = 0; at < seen.size();) {
    const size_t end = seen.find('\n', at);
    const std::string each = seen.substr(at, end - at);
    at = end + 1;
    if (each == line) {
      ++whole;
    } else if (const uint64_t more = LostIn(each)) {
      lost += more;
      ++gaps;
    } else if (each != "<6>end") {
      EXPECT_TRUE(line.starts_with(each)) << each;
      ++cut;
    }
  }
  EXPECT_EQ(whole + lost, uint64_t{kLines});
  if (GetParam() == Kind::kTerminal) {
    EXPECT_LE(cut, gaps) << "one for each time that it was full";
  } else {
    EXPECT_EQ(cut, 0u);
  }
}

// The flags of what is open are the shell's too, which would be surprised.
TEST_P(StoppedReader, TheCallersDescriptorStaysAsItWas) {
  const Ends ends(GetParam());
  const int before = fcntl(ends.writer->get(), F_GETFL);
  {
    const Log log(LogLevel::kInfo, ends.writer->get());
    for (int i = 0; i < kLines; ++i) log.Info(text_);
    EXPECT_EQ(fcntl(ends.writer->get(), F_GETFL), before);
  }
  EXPECT_EQ(fcntl(ends.writer->get(), F_GETFL), before);
  EXPECT_FALSE(ends.Read().empty());
  EXPECT_EQ(write(ends.writer->get(), "x", 1), 1) << "and is still open";
}

TEST_P(StoppedReader, OneThatIsGoneIsNoReasonToEnd) {
  signal(SIGPIPE, SIG_IGN);
  Ends ends(GetParam());
  const Log log(LogLevel::kInfo, ends.writer->get());
  ends.reader.reset();
  for (int i = 0; i < 10; ++i) log.Info(text_);
  signal(SIGPIPE, SIG_DFL);
}

TEST(LogSinkTest, ThreadsThatWriteAtOnceLoseNoCount) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  const Ends ends(Kind::kPipe);
  const Log log(LogLevel::kInfo, ends.writer->get(), /*journal=*/true);
  const std::string text(300, 'y');
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int line = 0; line < kEach; ++line) log.Info(text);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::string seen = ends.Read();
  log.Info("end");
  seen += ends.Read();
  EXPECT_EQ(CountOf(seen, "<6>" + text + "\n") + LostIn(seen),
            size_t{kThreads} * kEach);
}

// A file is the reader's whenever it likes: what stands in it stays.
TEST(LogSinkTest, AFileIsWrittenOnAtItsEnd) {
  char name[] = "/tmp/lwt-log-XXXXXX";
  const ScopedFd made(mkstemp(name));
  ASSERT_EQ(write(made.get(), "before\n", 7), 7);
  const ScopedFd appending(open(name, O_WRONLY | O_APPEND | O_CLOEXEC));
  const Log log(LogLevel::kInfo, appending.get(), /*journal=*/true);
  log.Info("one");
  log.Info("two");
  char text[64] = "";
  EXPECT_EQ(pread(made.get(), text, sizeof(text), 0), 21);
  EXPECT_EQ(std::string(text), "before\n<6>one\n<6>two\n");
  unlink(name);
}

}  // namespace
}  // namespace lwt::loop

#include "control/base/events.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "control/base/log.h"
#include "control/base/remote_log.h"

namespace lwt::loop {
namespace {

size_t LinesIn(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(EventsTest, ALineHasTimeKindAndText) {
  EXPECT_EQ(LineOf({.unix_ms = 1'796'099'454'123,
                    .kind = EventKind::kPeerUp,
                    .text = "client 10.0.0.2 up"}),
            "2026-12-01T04:30:54.123Z peer-up client 10.0.0.2 up\n");
}

TEST(EventsTest, EachKindHasANameOfItsOwn) {
  std::vector<std::string_view> names;
  for (const EventKind kind :
       {EventKind::kPeerUp, EventKind::kPeerDown, EventKind::kPeerRefused,
        EventKind::kPath, EventKind::kRotation, EventKind::kRoute,
        EventKind::kDrops}) {
    names.push_back(NameOf(kind));
    EXPECT_NE(names.back(), "?");
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
}

TEST(EventRingTest, KeepsTheLastOnesInOrder) {
  EventRing ring;
  EXPECT_EQ(ring.Text(), "");
  for (size_t i = 0; i < EventRing::kEvents + 3; ++i) {
    ring.Add({.text = "number " + std::to_string(i)});
  }
  const std::string text = ring.Text();
  EXPECT_EQ(LinesIn(text), EventRing::kEvents);
  EXPECT_NE(text.substr(0, text.find('\n')).find("number 3"),
            std::string::npos);
  EXPECT_TRUE(text.ends_with("number 1026\n"));
  EXPECT_EQ(ring.count(), EventRing::kEvents + 3);
}

TEST(EventRingTest, ATextStaysOneLineOfBoundedLength) {
  EventRing ring;
  EXPECT_EQ(ring.Add({.text = "evil\nup \x1b[31m\x7f"}).text, "evil up  [31m ");
  EXPECT_EQ(ring.Add({.text = std::string(5000, 'x')}).text.size(),
            EventRing::kMaxText);
  EXPECT_EQ(LinesIn(ring.Text()), 2u);
}

TEST(EventRingTest, WhoListensIsToldOfEach) {
  EventRing ring;
  std::string told;
  ring.SetListener([&](const Event& event) { told += event.text; });
  ring.Add({.text = "a"});
  ring.Add({.text = "b"});
  ring.SetListener({});
  ring.Add({.text = "c"});
  EXPECT_EQ(told, "ab");
}

class ToldLogTest : public testing::Test {
 protected:
  ToldLogTest() { EXPECT_EQ(pipe2(ends_, O_NONBLOCK | O_CLOEXEC), 0); }
  ~ToldLogTest() override {
    close(ends_[0]);
    close(ends_[1]);
  }
  std::string Printed() {
    std::string text(65536, '\0');
    const ssize_t n = read(ends_[0], text.data(), text.size());
    text.resize(n > 0 ? static_cast<size_t>(n) : 0);
    return text;
  }
  int ends_[2] = {-1, -1};
};

// The same time and text, since it is one struct.
TEST_F(ToldLogTest, TheLogsLineAndTheEventAreOfOneStruct) {
  const Log log(LogLevel::kInfo, ends_[1]);
  log.Tell(LogLevel::kWarn, EventKind::kDrops, 7, " frames\ndropped");
  const std::string printed = Printed();
  const std::string event = log.events().Text();
  EXPECT_EQ(event.substr(24), " drops 7 frames dropped\n");
  EXPECT_EQ(printed, event.substr(0, 24) + " warn  7 frames dropped\n");
}

TEST_F(ToldLogTest, AnEventIsKeptThoughTheLogDoesNotShowIt) {
  const Log log(LogLevel::kError, ends_[1]);
  log.Tell(LogLevel::kInfo, EventKind::kRoute, "a network");
  RemoteLog remote(log, [] { return uint64_t{0}; });
  remote.Tell(LogLevel::kInfo, Cause::Peer("a"), EventKind::kPath, "a path");
  remote.Info(Cause::Peer("a"), "no event");
  EXPECT_EQ(Printed(), "");
  EXPECT_EQ(LinesIn(log.events().Text()), 2u);
}

// Else strangers would fill the ring, and nothing of before would be found.
TEST_F(ToldLogTest, WhatOthersCauseIsBoundedAmongEventsToo) {
  const Log log(LogLevel::kError, ends_[1]);
  RemoteLog remote(log, [] { return uint64_t{0}; });
  for (int i = 0; i < 10'000; ++i) {
    const IpAddress from = *ParseIpAddress("192.0.2.1");
    remote.Tell(LogLevel::kInfo, Cause::Stranger(from), EventKind::kPeerRefused,
                "turned away");
  }
  EXPECT_EQ(log.events().count(), RemoteLog::kBurst);
}

}  // namespace
}  // namespace lwt::loop

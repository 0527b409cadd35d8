#include "control/base/remote_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace lwt::loop {
namespace {

constexpr uint64_t kSecond = 1'000'000;

class RemoteLogTest : public testing::Test {
 protected:
  static std::array<int, 2> Pipe() {
    std::array<int, 2> ends;
    EXPECT_EQ(pipe2(ends.data(), O_NONBLOCK), 0);
    fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
    return ends;
  }
  ~RemoteLogTest() override {
    for (const int end : ends_) close(end);
  }
  // What was logged since the last call.
  std::string Text() {
    std::array<char, 65536> bytes;
    ssize_t size;
    std::string text;
    while ((size = read(ends_[0], bytes.data(), bytes.size())) > 0) {
      text.append(bytes.data(), static_cast<size_t>(size));
    }
    return text;
  }
  size_t Lines() {
    const std::string text = Text();
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  static IpAddress Address(const std::string& text) {
    return ParseIpAddress(text).value();
  }
  void Bad(std::string_view name) {
    remote_.Warn(Cause::Peer(name), name, ": bad");
  }
  void Knock(const IpAddress& address) {
    remote_.Info(Cause::Stranger(address), ToString(address), " knocked");
  }

  const std::array<int, 2> ends_ = Pipe();
  uint64_t now_us_ = kSecond;
  Log log_{LogLevel::kInfo, ends_[1]};
  RemoteLog remote_{log_, [this] { return now_us_; }};
};

TEST_F(RemoteLogTest, OneSourceSaysAFewLinesThenOneInTenSeconds) {
  for (int i = 0; i < 100'000; ++i) Bad("client 10.0.0.2");
  EXPECT_EQ(Lines(), RemoteLog::kBurst);
  for (int i = 0; i < 1000; ++i) {
    now_us_ += kSecond / 10;
    Bad("client 10.0.0.2");
  }
  EXPECT_EQ(Lines(), 100 * kSecond / RemoteLog::kEveryUs);
}

TEST_F(RemoteLogTest, TheNextLineSaysHowManyWereLeftOut) {
  for (size_t i = 0; i < RemoteLog::kBurst + 77; ++i) Bad("x");
  EXPECT_EQ(Text().find("left out"), std::string::npos);
  now_us_ += RemoteLog::kEveryUs;
  Bad("x");
  EXPECT_NE(Text().find("x: bad (77 more of these were left out)\n"),
            std::string::npos);
}

TEST_F(RemoteLogTest, WhatWasLeftOutIsSaidWithoutAnotherLine) {
  for (size_t i = 0; i < RemoteLog::kBurst + 5; ++i) Bad("x");
  Text();
  remote_.Report();
  EXPECT_EQ(Text(), "");
  now_us_ += RemoteLog::kReportUs;
  remote_.Report();
  EXPECT_NE(Text().find(" warn  5 more of these were left out: x: bad\n"),
            std::string::npos);
  now_us_ += RemoteLog::kReportUs;
  remote_.Report();
  EXPECT_EQ(Text(), "");
}

TEST_F(RemoteLogTest, SourcesAndPlacesHaveLinesOfTheirOwn) {
  for (size_t i = 0; i < 100; ++i) Bad("x");
  EXPECT_EQ(Lines(), RemoteLog::kBurst);
  Bad("y");
  remote_.Warn(Cause::Peer("x"), "x: something else");
  EXPECT_EQ(Lines(), 2u);
}

TEST_F(RemoteLogTest, ANetworkOfStrangersIsOneSource) {
  for (int host = 1; host < 255; ++host) {
    Knock(Address("192.0.2." + std::to_string(host)));
  }
  EXPECT_EQ(Lines(), RemoteLog::kBurst);
  for (int host = 1; host < 255; ++host) {
    Knock(Address("2001:db8:0:1:" + std::to_string(host) + "::1"));
  }
  EXPECT_EQ(Lines(), RemoteLog::kBurst);
}

TEST_F(RemoteLogTest, ManyStrangersTogetherAreBoundedAndHideNoPeer) {
  for (int i = 0; i < 20'000; ++i) {
    Knock(Address("10." + std::to_string(i / 250) + "." +
                  std::to_string(i % 250) + ".1"));
  }
  EXPECT_EQ(Lines(), RemoteLog::kStrangersBurst);
  Bad("x");
  EXPECT_EQ(Lines(), 1u);
  now_us_ += RemoteLog::kReportUs;
  remote_.Report();
  EXPECT_NE(Text().find(" more lines about strangers were left out\n"),
            std::string::npos);
}

// More sources than there are entries: none is counted twice or forgotten.
TEST_F(RemoteLogTest, WhatIsLeftOutIsCountedWhenEntriesRunOut) {
  constexpr size_t kPeers = 3 * RemoteLog::kSources;
  size_t said = 0;
  for (size_t i = 0; i < kPeers; ++i) {
    now_us_ += kSecond;  // so that the budget of all lasts
    for (size_t line = 0; line < RemoteLog::kBurst + 3; ++line) {
      Bad("client " + std::to_string(i));
    }
    said += Lines();
  }
  now_us_ += RemoteLog::kReportUs;
  remote_.Report();
  const std::string report = Text();
  size_t left_out = 0;
  for (size_t at = 0; at < report.size(); at = report.find('\n', at) + 1) {
    const size_t text = report.find("Z ", at) + 8;
    left_out += std::stoul(report.substr(text));
  }
  EXPECT_EQ(said + left_out, kPeers * (RemoteLog::kBurst + 3));
}

TEST_F(RemoteLogTest, ALineIsNoLongerThanItMayBe) {
  remote_.Warn(Cause::Peer("x"), std::string(100'000, 'a'));
  EXPECT_LE(Text().size(), RemoteLog::kMaxText + 64);
}

TEST_F(RemoteLogTest, WhatIsNotShownTakesNobodysPlace) {
  for (int i = 0; i < 100; ++i) remote_.Debug(Cause::Peer("x"), "detail");
  Bad("x");
  EXPECT_EQ(Lines(), 1u);
}

}  // namespace
}  // namespace lwt::loop

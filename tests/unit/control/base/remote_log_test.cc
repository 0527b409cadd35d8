#include "control/base/remote_log.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/unit/control/base/log_lines.h"

namespace lwt::loop {
namespace {

constexpr uint64_t kSecond = 1'000'000;

class RemoteLogTest : public testing::Test {
 protected:
  std::string Text() { return lines_.Take(); }
  size_t Lines() { return lines_.TakeCount(); }
  static IpAddress Address(const std::string& text) {
    return ParseIpAddress(text).value();
  }
  void Bad(std::string_view name) {
    remote_.Warn(Cause::Peer(name), name, ": bad");
  }
  void Knock(const IpAddress& address) {
    remote_.Info(Cause::Stranger(address), ToString(address), " knocked");
  }

  LogLines lines_;
  uint64_t now_us_ = kSecond;
  RemoteLog remote_{lines_.log(), [this] { return now_us_; }};
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

TEST_F(RemoteLogTest, AllPeersTogetherAreBoundedToo) {
  for (int i = 0; i < 2000; ++i) Bad("client " + std::to_string(i));
  EXPECT_EQ(Lines(), RemoteLog::kPeersBurst);
  now_us_ += kSecond;
  for (int i = 0; i < 2000; ++i) Bad("client " + std::to_string(3000 + i));
  EXPECT_EQ(Lines(), kSecond / RemoteLog::kPeersEveryUs);
  now_us_ += RemoteLog::kReportUs;
  remote_.Report();
  EXPECT_NE(Text().find(" more lines about peers were left out\n"),
            std::string::npos);
}

// The sum that is reported is the one that is due, though the class has no line
// left for who caused it.
TEST_F(RemoteLogTest, AReportTakesNoMoreLinesThanThereAre) {
  constexpr size_t kPeers = 40;  // 8 lines of each are more than 256
  for (size_t i = 0; i < kPeers; ++i) {
    for (size_t line = 0; line < 2 * RemoteLog::kBurst; ++line) {
      Bad("client " + std::to_string(i));
    }
  }
  EXPECT_EQ(Lines(), RemoteLog::kPeersBurst);
  now_us_ += RemoteLog::kReportUs;
  remote_.Report();
  EXPECT_LE(Lines(), RemoteLog::kReportUs / RemoteLog::kPeersEveryUs + 1);
}

TEST_F(RemoteLogTest, TheReportKeepsTheLevelOfWhatItTells) {
  LogLines quiet(LogLevel::kError);
  RemoteLog remote(quiet.log(), [this] { return now_us_; });
  const Cause cause = Cause::Peer("x");
  for (size_t i = 0; i < RemoteLog::kBurst + 2; ++i) {
    remote.Error(cause, "x: broken");
    remote.Info(cause, "x: fine");
  }
  EXPECT_EQ(quiet.TakeCount(), RemoteLog::kBurst);
  now_us_ += RemoteLog::kReportUs;
  remote.Report();
  EXPECT_NE(quiet.Take().find(" error 2 more of these were left out: x: bro"),
            std::string::npos);
}

TEST_F(RemoteLogTest, AStrangerAndAPeerOfTheSameNameAreTwo) {
  const IpAddress address = Address("192.0.2.1");
  const std::string network(reinterpret_cast<const char*>(&address.bytes[0]),
                            3);
  const auto key = [&](const Cause& cause) { return cause.key(); };
  EXPECT_NE(key(Cause::Stranger(address, "f", 1)),
            key(Cause::Peer(network, "f", 1)));
  EXPECT_EQ(key(Cause::Stranger(address, "f", 1)),
            key(Cause::Stranger(Address("192.0.2.200"), "f", 1)));
  EXPECT_NE(key(Cause::Stranger(address, "f", 1)),
            key(Cause::Stranger(Address("192.0.3.1"), "f", 1)));
  EXPECT_NE(key(Cause::Stranger(address, "f", 1)),
            key(Cause::Stranger(address, "f", 2)));
}

TEST(LineBudgetTest, ABurstComesBackAsSlowlyAsItWasTaken) {
  LineBudget budget(3, 10 * kSecond);
  uint64_t now_us = 100 * kSecond;
  const auto take_all = [&] {
    int taken = 0;
    for (; budget.Has(now_us); ++taken) budget.Take(now_us);
    return taken;
  };
  EXPECT_EQ(take_all(), 3);
  now_us += 10 * kSecond - 1;
  EXPECT_EQ(take_all(), 0);
  now_us += 1;
  EXPECT_EQ(take_all(), 1);
  now_us += 20 * kSecond;
  EXPECT_EQ(take_all(), 2);
  now_us += 1000 * kSecond;
  EXPECT_EQ(take_all(), 3) << "what was not used is not saved up";
}

}  // namespace
}  // namespace lwt::loop

// What a hub spends on whom: strangers, those of a network where somebody
// failed, and those who proved the key.
#include "control/handshake/door_limits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace lwt::handshake {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

IpAddress Ip(const std::string& text) { return *ParseIpAddress(text); }

class DoorLimitsTest : public testing::Test {
 protected:
  bool MayTry(const IpAddress& source) {
    return DoorLimits::Visit(limits_, source, now_us_).MayTry();
  }
  bool MayEnter(const IpAddress& source) {
    return DoorLimits::Visit(limits_, source, now_us_).MayEnter(false);
  }
  // Until it is over: how often it was allowed, 10 000 times at most.
  template <typename Allowed>
  static uint32_t CountOf(Allowed allowed) {
    uint32_t count = 0;
    while (count < 10'000 && allowed()) ++count;
    return count;
  }
  void Fail(const IpAddress& source, uint32_t times) {
    for (uint32_t i = 0; i < times; ++i) limits_.Failed(source, now_us_);
  }

  // Sources share buckets by a hash that each run draws: of several that have
  // nothing to do with one another, one at least has a bucket of its own.
  template <typename Allowed>
  static bool OneOfSeveral(const std::string& network, Allowed allowed) {
    for (int i = 10; i < 18; ++i) {
      if (allowed(Ip(network + std::to_string(i) + ".1"))) return true;
    }
    return false;
  }

  DoorLimits limits_;
  uint64_t now_us_ = 100 * kSecondUs;
};

TEST_F(DoorLimitsTest, TriesAreBoundedInSumAndComeBackWithTime) {
  const IpAddress someone = Ip("192.0.2.1");
  EXPECT_EQ(CountOf([&] { return MayTry(someone); }), DoorLimits::kTries.burst);
  EXPECT_FALSE(MayTry(Ip("198.51.100.1"))) << "a sum of all";
  now_us_ += kSecondUs / 100;
  EXPECT_EQ(CountOf([&] { return MayTry(someone); }),
            DoorLimits::kTries.per_second / 100);
}

// Whoever floods takes from a sum of their own.
TEST_F(DoorLimitsTest, WhoFailedOftenTakesNothingFromOthers) {
  const IpAddress bad = Ip("192.0.2.1");
  Fail(bad, DoorLimits::kFailures.burst);
  EXPECT_EQ(CountOf([&] { return MayTry(bad); }),
            DoorLimits::kTriesOfFailed.burst);
  EXPECT_FALSE(MayTry(bad));
  EXPECT_TRUE(MayTry(Ip("198.51.100.1")));
  EXPECT_EQ(CountOf([&] { return MayTry(Ip("198.51.100.1")); }),
            DoorLimits::kTries.burst - 1);
}

TEST_F(DoorLimitsTest, AHostThatDidNotFailIsGoodInABadNetwork) {
  Fail(Ip("192.0.2.1"), DoorLimits::kFailures.burst);
  CountOf([&] { return MayTry(Ip("192.0.2.1")); });  // of the failed all
  EXPECT_FALSE(MayTry(Ip("192.0.2.1")));
  bool other = false;
  for (int host = 70; host < 78; ++host) {
    other = other || MayTry(Ip("192.0.2." + std::to_string(host)));
  }
  EXPECT_TRUE(other) << "another host behind that network";
}

TEST_F(DoorLimitsTest, FailuresAreForgotten) {
  const IpAddress host = Ip("2001:db8::1");
  Fail(host, DoorLimits::kFailures.burst);
  CountOf([&] { return MayTry(Ip("198.51.100.1")); });  // of the good all
  EXPECT_TRUE(MayTry(host)) << "from what is for those that failed";
  now_us_ += kSecondUs;
  CountOf([&] { return MayTry(Ip("198.51.100.1")); });
  EXPECT_FALSE(MayTry(host)) << "it is a good one again";
}

TEST_F(DoorLimitsTest, OfANetworkOnlySoManyMayWaitForTheirWords) {
  uint32_t host = 0;
  const auto next_of_network = [&] {
    return limits_.MayWait(Ip("192.0.2." + std::to_string(host++ % 250)),
                           now_us_);
  };
  EXPECT_EQ(CountOf(next_of_network), DoorLimits::kFailures.burst);
  EXPECT_TRUE(OneOfSeveral("198.51.", [&](const IpAddress& source) {
    return limits_.MayWait(source, now_us_);
  }));
  now_us_ += kSecondUs;
  EXPECT_EQ(CountOf(next_of_network), DoorLimits::kFailures.per_second);
}

TEST_F(DoorLimitsTest, WhoHasTheKeyIsBoundedByNetworkAndInSum) {
  EXPECT_EQ(CountOf([&] { return MayEnter(Ip("192.0.2.1")); }),
            DoorLimits::kProven.burst);
  uint32_t entered = DoorLimits::kProven.burst;
  // One site has a /48, however many networks it makes of it.
  uint32_t most = 0;
  for (const char* const site : {"2001:db8:7:", "2001:db8:8:"}) {
    uint32_t subnet = 0;
    const uint32_t count = CountOf([&] {
      return MayEnter(Ip(site + std::to_string(subnet++ % 1000) + "::1"));
    });
    EXPECT_LE(count, DoorLimits::kProven.burst);
    most = std::max(most, count);
    entered += count;
  }
  EXPECT_EQ(most, DoorLimits::kProven.burst);
  for (uint32_t network = 0; network < 4000; ++network) {
    entered += MayEnter(Ip("10." + std::to_string(network / 250) + "." +
                           std::to_string(network % 250) + ".1"));
  }
  EXPECT_EQ(entered, DoorLimits::kProvenInSum.burst);
}

TEST(TokenBucketTest, ItHoldsNoMoreThanItsBurst) {
  constexpr Rate kRate{10, 3};
  TokenBucket bucket(kRate);
  uint64_t now_us = 1;
  const auto take_all = [&] {
    int taken = 0;
    while (bucket.Take(kRate, now_us)) ++taken;
    return taken;
  };
  EXPECT_EQ(take_all(), 3);
  now_us += kSecondUs / 10 - 1;
  EXPECT_EQ(take_all(), 0);
  now_us += 1;
  EXPECT_TRUE(bucket.Has(kRate, now_us));
  EXPECT_EQ(take_all(), 1);
  now_us += 3600 * kSecondUs;
  EXPECT_EQ(take_all(), 3);
  now_us += UINT64_MAX / 4;  // far beyond what a product would hold
  EXPECT_EQ(take_all(), 3);
}

}  // namespace
}  // namespace lwt::handshake

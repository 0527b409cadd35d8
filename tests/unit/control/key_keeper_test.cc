// What becomes of a shared key that is changed while a gateway runs.
#include "control/key_keeper.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "tests/unit/control/base/log_lines.h"

namespace lwt {
namespace {

using handshake::KeyRing;

constexpr uint64_t kSecondUs = 1'000'000;

SecretKey KeyOf(uint8_t number) {
  SecretKey key;
  for (uint8_t& byte : key.bytes()) byte = number;
  return key;
}

class KeyKeeperTest : public testing::Test {
 protected:
  KeyKeeperTest() { config_.key.grace_s = 100; }

  void SetGrace(uint32_t seconds) {
    config_.key.grace_s = seconds;
    EXPECT_TRUE(keeper_.Apply(config_, 0).ok());
  }
  bool Takes(uint8_t number) const {
    return std::any_of(
        keys_.keys().begin(), keys_.keys().end(),
        [&](const KeyRing::Key& key) { return key.psk == KeyOf(number); });
  }

  loop::LogLines lines_;
  config::Config config_;
  KeyRing keys_{KeyOf(1)};
  KeyKeeper keeper_{keys_, config_, lines_.log()};
};

TEST_F(KeyKeeperTest, WithoutAChangeNothingIsEverDue) {
  EXPECT_EQ(keeper_.NextDeadline(), loop::Component::kNever);
  keeper_.OnTimer(1'000'000 * kSecondUs);
  EXPECT_TRUE(Takes(1));
  EXPECT_TRUE(keeper_.IsNewest(KeyOf(1)));
  EXPECT_EQ(lines_.TakeCount(), 0u);
}

TEST_F(KeyKeeperTest, TheKeyBeforeIsTakenForItsGraceAndNoLonger) {
  keeper_.Change(KeyOf(2), 10 * kSecondUs);
  EXPECT_TRUE(keeper_.IsNewest(KeyOf(2)));
  EXPECT_FALSE(keeper_.IsNewest(KeyOf(1)));
  EXPECT_TRUE(Takes(1));
  EXPECT_NE(lines_.Take().find("the shared key was changed; 1 before it taken "
                               "for at most 100 s more"),
            std::string::npos);
  EXPECT_EQ(keeper_.NextDeadline(), 110 * kSecondUs);
  keeper_.OnTimer(110 * kSecondUs - 1);
  EXPECT_TRUE(Takes(1));
  EXPECT_EQ(lines_.TakeCount(), 0u);
  keeper_.OnTimer(110 * kSecondUs);
  EXPECT_FALSE(Takes(1));
  EXPECT_NE(lines_.Take().find("of before is not taken any more"),
            std::string::npos);
  EXPECT_EQ(keeper_.NextDeadline(), loop::Component::kNever);
  keeper_.OnTimer(200 * kSecondUs);
  EXPECT_EQ(lines_.TakeCount(), 0u) << "said once";
}

TEST_F(KeyKeeperTest, WithoutGraceTheKeyBeforeGoesInTheSameMoment) {
  SetGrace(0);
  keeper_.Change(KeyOf(2), 10 * kSecondUs);
  EXPECT_FALSE(Takes(1));
  EXPECT_NE(lines_.Take().find("0 before it"), std::string::npos);
  EXPECT_EQ(keeper_.NextDeadline(), loop::Component::kNever);
}

// The one before went out of use at a moment that no later setting moves.
TEST_F(KeyKeeperTest, AnotherGraceCountsFromTheChange) {
  keeper_.Change(KeyOf(2), 10 * kSecondUs);
  SetGrace(300);
  EXPECT_EQ(keeper_.NextDeadline(), 310 * kSecondUs);
  keeper_.OnTimer(200 * kSecondUs);
  EXPECT_TRUE(Takes(1));
  SetGrace(50);
  EXPECT_EQ(keeper_.NextDeadline(), 60 * kSecondUs) << "over already";
  keeper_.OnTimer(200 * kSecondUs);
  EXPECT_FALSE(Takes(1));
}

TEST_F(KeyKeeperTest, WhoGoesBackToTheKeyBeforeHasBoth) {
  keeper_.Change(KeyOf(2), 10 * kSecondUs);
  keeper_.Change(KeyOf(1), 20 * kSecondUs);
  EXPECT_TRUE(keeper_.IsNewest(KeyOf(1)));
  EXPECT_TRUE(Takes(2));
  EXPECT_EQ(keys_.keys().size(), 2u);
  EXPECT_EQ(keeper_.NextDeadline(), 120 * kSecondUs);
  keeper_.OnTimer(120 * kSecondUs);
  EXPECT_TRUE(keeper_.IsNewest(KeyOf(1))) << "the one in use never expires";
  EXPECT_FALSE(Takes(2));
}

TEST_F(KeyKeeperTest, ALongGraceDoesNotRunOver) {
  SetGrace(UINT32_MAX);
  const uint64_t late_us = uint64_t{40} * 365 * 86'400 * kSecondUs;
  keeper_.Change(KeyOf(2), late_us);
  EXPECT_EQ(keeper_.NextDeadline(), late_us + uint64_t{UINT32_MAX} * kSecondUs);
  keeper_.OnTimer(late_us + 1);
  EXPECT_TRUE(Takes(1));
}

// Changes, other graces and time in any order, against a list by hand.
TEST_F(KeyKeeperTest, AgreesWithAListByHand) {
  struct Before {
    uint8_t key = 0;
    uint64_t since_us = 0;
  };
  for (uint32_t seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    KeyRing keys(KeyOf(1));
    KeyKeeper keeper(keys, config_, lines_.log());
    config_.key.grace_s = 100;
    uint8_t now = 1;
    uint64_t grace_s = 100;
    uint64_t now_us = 0;
    std::vector<Before> before;  // the newest first
    const auto expire = [&] {
      std::erase_if(before, [&](const Before& each) {
        return each.since_us + grace_s * kSecondUs <= now_us;
      });
    };
    for (int step = 0; step < 60; ++step) {
      now_us += random() % 60 * kSecondUs;
      switch (random() % 4) {
        case 0: {
          const auto key = static_cast<uint8_t>(1 + random() % 5);
          grace_s = config_.key.grace_s;
          keeper.Change(KeyOf(key), now_us);
          if (key == now) break;
          std::erase_if(before,
                        [&](const Before& each) { return each.key == key; });
          before.insert(before.begin(), {now, now_us});
          if (before.size() + 1 > KeyRing::kMaxKeys) before.pop_back();
          now = key;
          expire();
          break;
        }
        case 1:
          grace_s = 1 + random() % 200;
          config_.key.grace_s = static_cast<uint32_t>(grace_s);
          ASSERT_TRUE(keeper.Apply(config_, now_us).ok());
          break;
        default:
          keeper.OnTimer(now_us);
          expire();
      }
      ASSERT_TRUE(keeper.IsNewest(KeyOf(now))) << seed;
      ASSERT_EQ(keys.keys().size(), before.size() + 1) << seed;
      for (size_t i = 0; i < before.size(); ++i) {
        ASSERT_EQ(keys.keys()[i + 1].psk, KeyOf(before[i].key)) << seed;
      }
    }
  }
}

}  // namespace
}  // namespace lwt

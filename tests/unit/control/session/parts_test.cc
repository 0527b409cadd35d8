#include <gtest/gtest.h>

#include "control/hub/address_book.h"
#include "control/session/backoff.h"
#include "control/session/liveness.h"
#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

TEST(BackoffTest, DoublesToThirtyTwoSecondsAndNeverExceedsIt) {
  Backoff backoff(handshake::RandomBytes);
  for (uint64_t full : {1, 2, 4, 8, 16, 32, 32, 32}) {
    uint64_t wait = backoff.NextUs();
    EXPECT_GE(wait, full * kSecond * 3 / 4);
    EXPECT_LE(wait, full * kSecond);
  }
  backoff.Reset();
  EXPECT_LE(backoff.NextUs(), kSecond);
}

// Ticks from `now` on as the object asks for; `read` gives the reading of that
// time.
template <typename Read>
uint64_t TimeOf(Liveness& liveness, Liveness::State state, uint64_t now,
                Read read) {
  for (uint64_t t = now; t < now + 60 * kSecond; t = liveness.NextTick(t)) {
    liveness.Tick(read(t), t);
    if (liveness.state() == state) return t - now;
  }
  return UINT64_MAX;
}

TEST(LivenessTest, ADeadPathInUseIsFoundWithinTenSeconds) {
  for (int round = 0; round < 100; ++round) {
    uint64_t start = 5 * kSecond;
    auto busy = [&](uint64_t now) {
      return LaneReading{.last_rx_us = start, .last_data_tx_us = now};
    };
    Liveness liveness(handshake::RandomBytes, start);
    uint64_t suspect = TimeOf(liveness, Liveness::State::kSuspect, start, busy);
    EXPECT_LE(suspect, 4 * kSecond);
    Liveness other(handshake::RandomBytes, start);
    uint64_t dead = TimeOf(other, Liveness::State::kDead, start, busy);
    EXPECT_LE(dead, 10 * kSecond);
    EXPECT_GT(dead, suspect);
  }
}

// A round trip that somebody who held segments back made long does not keep a
// dead path.
TEST(LivenessTest, ALongRoundTripPutsItOffByLittle) {
  const uint64_t start = 5 * kSecond;
  const auto busy = [&](uint64_t now) {
    return LaneReading{.last_rx_us = start,
                       .last_data_tx_us = now,
                       .srtt_us = now == start ? 20'000 : 30 * kSecond};
  };
  Liveness liveness(handshake::RandomBytes, start);
  EXPECT_LE(TimeOf(liveness, Liveness::State::kSuspect, start, busy),
            9 * kSecond);
}

TEST(LivenessTest, AnAnswerEndsTheSuspicion) {
  uint64_t start = 5 * kSecond;
  Liveness liveness(handshake::RandomBytes, start);
  auto busy = [&](uint64_t now) {
    return LaneReading{.last_rx_us = start, .last_data_tx_us = now};
  };
  uint64_t at =
      start + TimeOf(liveness, Liveness::State::kSuspect, start, busy);
  liveness.Tick({.last_rx_us = at + 1, .last_data_tx_us = at}, at + 2);
  EXPECT_EQ(liveness.state(), Liveness::State::kAlive);
}

TEST(LivenessTest, AHintProbesThreeTimesWithinASecond) {
  uint64_t now = 5 * kSecond;
  Liveness liveness(handshake::RandomBytes, now);
  liveness.Tick({.last_rx_us = now}, now);
  liveness.Hint(now);
  int probes = 0;
  for (uint64_t t = now; t <= now + kSecond; t = liveness.NextTick(t)) {
    if (liveness.Tick({.last_rx_us = now}, t)) ++probes;
  }
  EXPECT_EQ(probes, 3);
}

// What comes does not show that what goes arrives.
TEST(LivenessTest, AfterAHintOnlyAnAnswerCounts) {
  const uint64_t now = 5 * kSecond;
  const auto coming = [](uint64_t t) {
    return LaneReading{.last_rx_us = t, .last_data_tx_us = t};
  };
  Liveness liveness(handshake::RandomBytes, now);
  EXPECT_EQ(TimeOf(liveness, Liveness::State::kSuspect, now, coming),
            UINT64_MAX);
  Liveness hinted(handshake::RandomBytes, now);
  hinted.Hint(now);
  const uint64_t suspect =
      TimeOf(hinted, Liveness::State::kSuspect, now, coming);
  EXPECT_LE(suspect, 2 * kSecond);
  hinted.OnAnswer();
  hinted.Tick(coming(now + suspect), now + suspect);
  EXPECT_EQ(hinted.state(), Liveness::State::kAlive);
}

TEST(LivenessTest, ALongRoundTripHasTimeToAnswer) {
  const uint64_t now = 5 * kSecond;
  const auto far = [](uint64_t t) {
    return LaneReading{.last_rx_us = t, .srtt_us = 800'000};
  };
  Liveness liveness(handshake::RandomBytes, now);
  liveness.Hint(now);
  // Three probes, each with a round trip and a half.
  EXPECT_GE(TimeOf(liveness, Liveness::State::kSuspect, now, far),
            3 * 1'200'000u);
}

// A line that was never shorter: each probe may be answered before the next.
TEST(LivenessTest, ALineOfFiveSecondsIsNoDeadOne) {
  constexpr uint64_t kRttUs = 5 * kSecond;
  const uint64_t start = 5 * kSecond;
  Liveness liveness(handshake::RandomBytes, start);
  liveness.Tick({.last_rx_us = start, .srtt_us = kRttUs}, start);
  liveness.Hint(start);
  uint64_t answer_us = UINT64_MAX;
  uint64_t heard_us = start;
  int answers = 0;
  for (uint64_t t = start; t < start + 120 * kSecond;
       t = std::min(answer_us, liveness.NextTick(t))) {
    if (t >= answer_us) {
      liveness.OnAnswer();
      heard_us = t;
      ++answers;
      answer_us = UINT64_MAX;
    }
    const bool probes = liveness.Tick(
        {.last_rx_us = heard_us, .last_data_tx_us = t, .srtt_us = kRttUs}, t);
    if (!probes) continue;
    EXPECT_EQ(answer_us, UINT64_MAX) << "before the one before is answered";
    answer_us = t + kRttUs;
    EXPECT_EQ(liveness.state(), Liveness::State::kAlive);
  }
  EXPECT_GE(answers, 1);
}

TEST(LivenessTest, AnIdleLaneIsProbedAfterTwentySeconds) {
  uint64_t now = 5 * kSecond;
  Liveness liveness(handshake::RandomBytes, now);
  for (uint64_t t = now; t < now + 20 * kSecond; t += kSecond / 4) {
    EXPECT_FALSE(liveness.Tick({}, t));
  }
  bool probed = false;
  for (uint64_t t = now + 20 * kSecond; t <= now + 27 * kSecond;
       t += kSecond / 4) {
    probed = probed || liveness.Tick({}, t);
  }
  EXPECT_TRUE(probed);
}

TEST(AddressBookTest, HoldsForADayAfterTheClientIsGone) {
  AddressBook book({Prefix("10.0.0.1/24"), Prefix("fd00::1/64")});
  handshake::PublicKey a{1};
  handshake::PublicKey b{2};
  std::vector<IpPrefix> wanted = {Prefix("10.0.0.2/24"), Prefix("fd00::2/64")};
  using handshake::VerdictCode;
  EXPECT_EQ(book.Check(a, wanted, 0).code, VerdictCode::kAccepted);
  book.Bind(a, wanted, At("192.0.2.1:1").address, 0);
  EXPECT_EQ(book.Check(a, wanted, 0).code, VerdictCode::kAccepted);
  EXPECT_EQ(book.Check(b, wanted, 0).code, VerdictCode::kAddressTaken);
  const uint64_t left = AddressBook::kEarnUs + 1000;
  book.Release(a, left);
  EXPECT_EQ(book.Check(b, wanted, left + AddressBook::kHoldUs - 1).code,
            VerdictCode::kAddressTaken);
  EXPECT_EQ(book.Check(b, wanted, left + AddressBook::kHoldUs).code,
            VerdictCode::kAccepted);
}

TEST(AddressBookTest, RefusesWhatIsNoHostOfTheNetwork) {
  AddressBook book({Prefix("10.0.0.1/24")});
  using handshake::VerdictCode;
  handshake::PublicKey key{1};
  for (const char* address :
       {"10.0.0.0", "10.0.0.255", "10.0.1.2", "fd00::2"}) {
    EXPECT_EQ(book.Check(key, {Prefix(address)}, 0).code,
              VerdictCode::kAddressOutsideNetwork)
        << address;
  }
  EXPECT_EQ(book.Check(key, {Prefix("10.0.0.1")}, 0).code,
            VerdictCode::kAddressTaken);
}

}  // namespace
}  // namespace lwt::peer

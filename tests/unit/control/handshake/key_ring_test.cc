// Shared keys over time, and the door that takes hellos by any of them.
#include "control/handshake/key_ring.h"

#include <gtest/gtest.h>

#include "tests/unit/control/handshake/exchange_fixture.h"

namespace lwt::handshake {
namespace {

constexpr uint64_t kHour = 3'600'000'000;

SecretKey RingPsk(uint8_t value) { return FixedSecret(value); }

// The first bytes of the keys, in their order.
std::vector<uint8_t> In(const KeyRing& ring) {
  std::vector<uint8_t> first;
  for (const KeyRing::Key& key : ring.keys()) first.push_back(*key.psk.data());
  return first;
}
uint8_t First(uint8_t value) { return *RingPsk(value).data(); }

TEST(KeyRingTest, TheOneBeforeIsGoodForItsTime) {
  KeyRing ring(RingPsk(1));
  EXPECT_EQ(ring.NextExpiry(), KeyRing::kNever);
  ring.SetNow(RingPsk(2), kHour, 2 * kHour);
  EXPECT_EQ(In(ring), (std::vector{First(2), First(1)}));
  EXPECT_TRUE(ring.IsNow(RingPsk(2)));
  EXPECT_EQ(ring.NextExpiry(), 3 * kHour);
  EXPECT_EQ(ring.Expire(3 * kHour - 1), 0u);
  EXPECT_EQ(ring.Expire(3 * kHour), 1u);
  EXPECT_EQ(In(ring), std::vector{First(2)});
}

TEST(KeyRingTest, WithoutGraceItGoesAtOnce) {
  KeyRing ring(RingPsk(1));
  ring.SetNow(RingPsk(2), kHour, 0);
  EXPECT_EQ(In(ring), std::vector{First(2)});
}

TEST(KeyRingTest, AnotherGraceCountsFromTheChange) {
  KeyRing ring(RingPsk(1));
  ring.SetNow(RingPsk(2), kHour, 2 * kHour);
  ring.SetGrace(kHour);
  EXPECT_EQ(ring.NextExpiry(), 2 * kHour);
  ring.SetGrace(9 * kHour);
  EXPECT_EQ(ring.NextExpiry(), 10 * kHour);
}

// The oldest goes where there is no room: what a hello costs is bounded.
TEST(KeyRingTest, HoldsThreeAtMost) {
  KeyRing ring(RingPsk(1));
  for (uint8_t i = 2; i < 6; ++i)
    ring.SetNow(RingPsk(i), i * kHour, 99 * kHour);
  EXPECT_EQ(In(ring), (std::vector{First(5), First(4), First(3)}));
  // Back again: it is none of those before any more.
  ring.SetNow(RingPsk(4), 7 * kHour, 99 * kHour);
  EXPECT_EQ(In(ring), (std::vector{First(4), First(5), First(3)}));
  ring.SetNow(RingPsk(4), 8 * kHour, 99 * kHour);
  EXPECT_EQ(ring.keys()[1].since_us, 7 * kHour);
}

TEST(KeyRingTest, OneThatIsToFollowIsTakenAndDoesNotExpire) {
  KeyRing ring(RingPsk(1));
  ring.SetNow(RingPsk(2), kHour, kHour);
  ring.SetNext(RingPsk(3));
  EXPECT_EQ(In(ring), (std::vector{First(2), First(3), First(1)}));
  ring.SetNext(RingPsk(4));
  EXPECT_EQ(In(ring), (std::vector{First(2), First(4), First(1)}));
  EXPECT_EQ(ring.Expire(9 * kHour), 1u);
  EXPECT_EQ(In(ring), (std::vector{First(2), First(4)}));
  ring.SetNow(RingPsk(4), 9 * kHour, kHour);
  EXPECT_EQ(In(ring), (std::vector{First(4), First(2)}));
  EXPECT_EQ(ring.keys()[1].place, KeyRing::Place::kBefore);
}

// Counts what the door asks for.
class CountingDoor : public OpenDoor {
 public:
  bool MayTry() override { return tries++ < most; }
  bool MayEnter(bool old_key) override {
    entered_old += old_key ? 1 : 0;
    return OpenDoor::MayEnter(old_key);
  }
  int tries = 0;
  int most = 100;
  int entered_old = 0;
};

TEST(HubDoorTest, AHelloByEachKeyOfTheRingIsAnsweredByIt) {
  Exchange x;
  const SecretKey next = FixedSecret(0x33);
  const SecretKey now = FixedSecret(0x11);
  x.keys.SetNow(now, kHour, kHour);
  x.keys.SetNext(next);
  const struct {
    const SecretKey& psk;
    int tries;
    bool old;
  } cases[] = {{now, 1, false}, {next, 2, false}, {x.psk, 3, true}};
  for (const auto& one : cases) {
    x.client_config.psk = &one.psk;
    x.Rebuild();
    CountingDoor keeper;
    FirstFlight flight = x.door->Inspect(x.client->Start(kNow), kNow, keeper);
    ASSERT_EQ(flight.kind, FirstFlightKind::kProven);
    EXPECT_EQ(flight.old_key, one.old);
    EXPECT_EQ(keeper.tries, one.tries);
    EXPECT_EQ(keeper.entered_old, one.old ? 1 : 0);
    EXPECT_EQ(flight.handshake->old_key(), one.old);
    // The ring may change: what began goes on.
    ByteVector answer;
    EXPECT_EQ(flight.handshake->Start(&answer), HubProgress::kReading);
    ByteVector third;
    EXPECT_EQ(x.client->Feed(answer, kNow, &third), ClientProgress::kReading);
    EXPECT_EQ(flight.handshake->Feed(third, &answer),
              HubProgress::kAwaitVerdict);
  }
}

TEST(HubDoorTest, EachKeyIsATry) {
  Exchange x;
  x.keys.SetNow(FixedSecret(0x11), kHour, kHour);
  CountingDoor keeper;
  keeper.most = 1;  // the first key's
  EXPECT_EQ(x.door->Inspect(x.client->Start(kNow), kNow, keeper).kind,
            FirstFlightKind::kUnproven);
  x.Rebuild();
  const SecretKey wrong = FixedSecret(0x55);
  x.client_config.psk = &wrong;
  x.Rebuild();
  CountingDoor open;
  EXPECT_EQ(x.door->Inspect(x.client->Start(kNow), kNow, open).kind,
            FirstFlightKind::kUnproven);
  EXPECT_EQ(open.tries, 2);
}

TEST(HubDoorTest, ARingWithoutKeysLetsNobodyIn) {
  Exchange x;
  x.keys = KeyRing();
  CountingDoor keeper;
  EXPECT_EQ(x.door->Inspect(x.client->Start(kNow), kNow, keeper).kind,
            FirstFlightKind::kUnproven);
  EXPECT_EQ(keeper.tries, 0);
}

}  // namespace
}  // namespace lwt::handshake

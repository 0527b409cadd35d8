// Rates that an operator set, in fake time: a transfer that offers ten times as
// much, with pings beside it.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::testing {
namespace {

constexpr uint64_t kRate = 1'250'000;       // 10 Mbit/s
constexpr size_t kWirePacket = 1400 + 105;  // all headers and the tag
constexpr size_t kOffered = 10;             // packets each millisecond

// For all peers, for the line, and for the one peer alone.
enum class Which { kPeer, kUplink, kTaken, kOwn, kOwnTaken };

class RateTest : public ::testing::TestWithParam<Which> {
 protected:
  void SetUp() override {
    pair_.Establish();
    if (IsOfPeer()) {
      pair_.client.mailbox().Send(TuneLaneCommand{{0}, Own()});
      pair_.hub.mailbox().Send(TuneLaneCommand{{0}, Own()});
    } else {
      Tune(kRate);
    }
    pair_.Settle();
  }

  bool IsOfPeer() const {
    return GetParam() == Which::kOwn || GetParam() == Which::kOwnTaken;
  }
  bool IsTaken() const {
    return GetParam() == Which::kTaken || GetParam() == Which::kOwnTaken;
  }
  static PeerTuning Own() {
    PeerTuning own;
    if (GetParam() == Which::kOwn) own.rate = kRate;
    if (GetParam() == Which::kOwnTaken) own.rate_in = kRate;
    return own;
  }
  // What is for all.
  void Tune(uint64_t rate) {
    Tuning client;
    Tuning hub;
    if (GetParam() == Which::kPeer) client.rate = rate;
    if (GetParam() == Which::kUplink) client.uplink_rate = rate;
    if (GetParam() == Which::kTaken) hub.rate_in = rate;
    pair_.client.mailbox().Send(TuneCommand{{0}, client});
    pair_.hub.mailbox().Send(TuneCommand{{0}, hub});
  }

  // A millisecond of it; a ping too, where none is under way and one is asked
  // for. Counts what arrives.
  void Step(bool ping) {
    pair_.Advance(1000);
    ++now_ms_;
    for (size_t i = 0; i < kOffered; ++i) pair_.client.GiveToTunnel(bulk_);
    if (ping && !asked_ms_) {
      asked_ms_ = now_ms_;
      pair_.client.GiveToTunnel(ping_);
    }
    pair_.Settle();
    for (const Bytes& packet : pair_.hub.TakeFromTunnel()) {
      if (packet != ping_) {
        ++arrived_;
      } else if (asked_ms_) {
        worst_ms_ = std::max(worst_ms_, now_ms_ - *asked_ms_);
        asked_ms_.reset();
        ++answered_;
      }
    }
  }

  // A millisecond in which nothing is offered; what waits leaves.
  void Rest() {
    pair_.Advance(1000);
    pair_.Settle();
    pair_.hub.TakeFromTunnel();
  }

  GatewayPair pair_;
  const Bytes bulk_ = InnerUdp4("10.0.0.2", "10.0.0.1", 1400, 1);
  const Bytes ping_ = InnerUdp4("10.0.0.2", "10.0.0.1", 84, 2);
  uint64_t now_ms_ = 0;
  std::optional<uint64_t> asked_ms_;
  uint64_t worst_ms_ = 0;
  size_t arrived_ = 0;
  size_t answered_ = 0;
};

TEST_P(RateTest, ATransferGetsTheRate) {
  for (int ms = 0; ms < 500; ++ms) Step(/*ping=*/false);
  arrived_ = 0;
  for (int ms = 0; ms < 2000; ++ms) Step(/*ping=*/false);
  EXPECT_EQ(pair_.hub.drops(DropReason::kOverRate) > 0, IsTaken());
  const size_t each = IsTaken() ? bulk_.size() : kWirePacket;
  EXPECT_NEAR(static_cast<double>(arrived_ * each), 2.0 * kRate,
              0.05 * 2 * kRate);
}

// Where data waits for the rate; what is taken of a peer has no queue.
class ShapedTest : public RateTest {};

TEST_P(ShapedTest, APingPassesIt) {
  for (int ms = 0; ms < 500; ++ms) Step(/*ping=*/false);
  for (int ms = 0; ms < 1000; ++ms) Step(/*ping=*/ms % 20 == 0);
  EXPECT_GT(answered_, 45u);
  EXPECT_LE(worst_ms_, 5u);
}

TEST_P(RateTest, WithoutItAllArrives) {
  pair_.client.mailbox().Send(TuneLaneCommand{{0}, {}});
  pair_.hub.mailbox().Send(TuneLaneCommand{{0}, {}});
  Tune(0);
  pair_.Settle();
  for (int ms = 0; ms < 100; ++ms) Step(/*ping=*/false);
  EXPECT_EQ(arrived_, 100 * kOffered);
}

// What left while there was none is not owed when there is one again.
TEST_P(RateTest, TheOneBeforeLeavesNothingOwed) {
  for (int ms = 0; ms < 20; ++ms) Step(/*ping=*/false);
  for (int ms = 0; ms < 500; ++ms) Rest();
  pair_.client.mailbox().Send(TuneLaneCommand{{0}, {}});
  pair_.hub.mailbox().Send(TuneLaneCommand{{0}, {}});
  Tune(0);
  for (int ms = 0; ms < 500; ++ms) Step(/*ping=*/false);
  if (IsOfPeer()) {
    pair_.client.mailbox().Send(TuneLaneCommand{{0}, Own()});
    pair_.hub.mailbox().Send(TuneLaneCommand{{0}, Own()});
  }
  Tune(kRate);
  arrived_ = 0;
  for (int ms = 0; ms < 100; ++ms) Step(/*ping=*/false);
  EXPECT_GT(static_cast<double>(arrived_ * bulk_.size()), 0.07 * kRate);
}

TEST_P(ShapedTest, ThePeersOwnComesFirst) {
  pair_.client.mailbox().Send(TuneLaneCommand{{0}, {.rate = 4 * kRate}});
  for (int ms = 0; ms < 500; ++ms) Step(/*ping=*/false);
  arrived_ = 0;
  for (int ms = 0; ms < 1000; ++ms) Step(/*ping=*/false);
  const double factor = GetParam() == Which::kUplink ? 1 : 4;
  EXPECT_NEAR(static_cast<double>(arrived_ * kWirePacket), factor * kRate,
              0.05 * factor * kRate);
  // A change of what is for all is none of its own.
  Tune(kRate / 2);
  for (int ms = 0; ms < 500; ++ms) Step(/*ping=*/false);
  arrived_ = 0;
  for (int ms = 0; ms < 1000; ++ms) Step(/*ping=*/false);
  const double then = GetParam() == Which::kUplink ? 0.5 : 4;
  EXPECT_NEAR(static_cast<double>(arrived_ * kWirePacket), then * kRate,
              0.05 * then * kRate);
}

TEST_P(ShapedTest, ThePeersOwnMayBeNoLimit) {
  if (GetParam() == Which::kUplink) Tune(0);
  pair_.client.mailbox().Send(TuneLaneCommand{{0}, {.rate = 0}});
  pair_.Settle();
  for (int ms = 0; ms < 100; ++ms) Step(/*ping=*/false);
  EXPECT_EQ(arrived_, 100 * kOffered);
}

INSTANTIATE_TEST_SUITE_P(Each, RateTest,
                         ::testing::Values(Which::kPeer, Which::kUplink,
                                           Which::kTaken, Which::kOwn,
                                           Which::kOwnTaken));

INSTANTIATE_TEST_SUITE_P(Each, ShapedTest,
                         ::testing::Values(Which::kPeer, Which::kUplink,
                                           Which::kOwn));

}  // namespace
}  // namespace lwt::testing

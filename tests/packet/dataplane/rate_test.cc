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

enum class Which { kPeer, kUplink, kTaken };

class RateTest : public ::testing::TestWithParam<Which> {
 protected:
  void SetUp() override {
    pair_.Establish();
    pair_.client.worker().tuning.rate = GetParam() == Which::kPeer ? kRate : 0;
    pair_.client.worker().tuning.uplink_rate =
        GetParam() == Which::kUplink ? kRate : 0;
    pair_.hub.worker().tuning.rate_in = GetParam() == Which::kTaken ? kRate : 0;
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
  EXPECT_EQ(pair_.hub.drops(DropReason::kOverRate) > 0,
            GetParam() == Which::kTaken);
  const size_t each = GetParam() == Which::kTaken ? bulk_.size() : kWirePacket;
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
  pair_.client.worker().tuning.rate = 0;
  pair_.client.worker().tuning.uplink_rate = 0;
  pair_.hub.worker().tuning.rate_in = 0;
  for (int ms = 0; ms < 100; ++ms) Step(/*ping=*/false);
  EXPECT_EQ(arrived_, 100 * kOffered);
}

INSTANTIATE_TEST_SUITE_P(Each, RateTest,
                         ::testing::Values(Which::kPeer, Which::kUplink,
                                           Which::kTaken));

INSTANTIATE_TEST_SUITE_P(Each, ShapedTest,
                         ::testing::Values(Which::kPeer, Which::kUplink));

}  // namespace
}  // namespace lwt::testing

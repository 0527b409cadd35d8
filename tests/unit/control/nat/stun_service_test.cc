// Sockets of the kernel on loopback.
#include "control/nat/stun_service.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "control/loop/event_loop.h"
#include "control/nat/nat_watch.h"
#include "dataplane/clock.h"
#include "tests/unit/control/base/log_lines.h"

namespace lwt::nat {
namespace {

Endpoint Local(const std::string& text) { return *ParseEndpoint(text); }

class StunServiceTest : public ::testing::Test {
 protected:
  StunServiceTest() {
    handshake::InitCrypto();
    keys_.SetNow(handshake::SecretKey(handshake::Sha256({})), 0, 0);
    // One that is free, with the one above.
    auto free = UdpSocket::Bind(Local("127.0.0.1:0"));
    EXPECT_TRUE(free.ok());
    port_ = static_cast<uint16_t>(free->local().port & 0xfffe);
  }

  Endpoint Hub(const std::string& address) const {
    return {ParseEndpoint(address + ":1")->address, port_};
  }
  // Turns of both until the verdict is there.
  NatVerdict Ask(StunService& service, const Endpoint& hub) {
    NatWatch watch(*loop_, keys_, log_.log());
    watch.SetWay(NatWatch::Way{hub, Local("127.0.0.1:1").address, ""},
                 MonotonicUs());
    const uint64_t end_us = MonotonicUs() + 20'000'000;
    while (!watch.verdict() && MonotonicUs() < end_us) {
      const uint64_t now_us = MonotonicUs();
      service.OnTimer(now_us);
      watch.OnTimer(now_us);
      loop_->Turn(10'000);
    }
    EXPECT_TRUE(watch.verdict());
    return watch.verdict().value_or(NatVerdict());
  }

  uint16_t port_ = 0;
  handshake::KeyRing keys_;
  std::unique_ptr<loop::EventLoop> loop_ = *loop::EventLoop::Create();
  loop::LogLines log_;
};

TEST_F(StunServiceTest, OneAddressAmongAllOfTheHost) {
  StunService service({Hub("0.0.0.0")}, {.keys = keys_}, *loop_, log_.log());
  ASSERT_EQ(service.sockets(), 2u);
  // From the address that was asked, not the one that the route would choose.
  const NatVerdict verdict = Ask(service, Hub("127.0.0.7"));
  EXPECT_EQ(ClassicName(verdict), "none");
  EXPECT_TRUE(verdict.by_one_address);
}

TEST_F(StunServiceTest, TwoAddresses) {
  StunService service({Hub("127.0.0.7"), Hub("127.0.0.8")}, {.keys = keys_},
                      *loop_, log_.log());
  ASSERT_EQ(service.sockets(), 4u);
  const NatVerdict verdict = Ask(service, Hub("127.0.0.7"));
  EXPECT_EQ(ClassicName(verdict), "none");
  EXPECT_FALSE(verdict.by_one_address);
  EXPECT_EQ(verdict.mapping, Dependence::kNothing);
  EXPECT_EQ(verdict.filtering, Dependence::kNothing);
}

TEST_F(StunServiceTest, APortThatIsTakenIsSaid) {
  auto taken = UdpSocket::Bind(Hub("127.0.0.7"));
  ASSERT_TRUE(taken.ok());
  StunService service({Hub("127.0.0.7")}, {.keys = keys_}, *loop_, log_.log());
  EXPECT_EQ(service.sockets(), 1u);
  EXPECT_EQ(log_.Count("cannot take UDP port 127.0.0.7:"), 1u);
}

// A flood is read at a bounded rate, and others' turns come.
TEST_F(StunServiceTest, AFloodIsReadByTurns) {
  StunService service({Hub("127.0.0.7")}, {.keys = keys_, .open = true}, *loop_,
                      log_.log());
  auto stranger = UdpSocket::Bind(Local("127.0.0.1:0"));
  ASSERT_TRUE(stranger.ok());
  const auto request = FormatStun({});
  for (uint32_t i = 0; i < 4 * StunService::kReadRate.burst; ++i) {
    stranger->Send(stranger->local().address, Hub("127.0.0.7"), request);
  }
  loop_->Turn(1'000'000);
  EXPECT_NE(service.NextDeadline(), loop::Component::kNever);
  EXPECT_EQ(loop_->Turn(0), 0);
  service.OnTimer(service.NextDeadline());
  EXPECT_GT(loop_->Turn(1'000'000), 0);
}

}  // namespace
}  // namespace lwt::nat

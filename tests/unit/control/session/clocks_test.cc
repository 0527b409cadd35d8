// Clocks that are set wrong while a session stands.
#include <gtest/gtest.h>

#include <string>

#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

constexpr int64_t kDayMs = 86'400'000;

class ClocksTest : public SessionsTest {
 protected:
  ClocksTest() : client_(AddClient("10.0.0.2/24")) {
    EXPECT_TRUE(Until(kSecond, [this] { return client_.up(); }));
    Run(kSecond);
    id_ = client_.session->session()->secrets().session_id;
  }
  // The client comes from elsewhere, and the session is the same.
  void RoamsTo(const char* address, uint64_t for_us) {
    const IpAddress fresh = *ParseIpAddress(address);
    client_.host.MoveTo(fresh);
    client_.session->OnSourceChanged(fresh, net_.now_us);
    EXPECT_TRUE(Until(for_us, [&] {
      return client_.up() && client_.session->session()->sending_lane() &&
             client_.session->session()->sending_lane()->local.address == fresh;
    })) << client_.session->reason();
    ASSERT_NE(client_.session->session(), nullptr);
    EXPECT_EQ(client_.session->session()->secrets().session_id, id_);
  }

  TestClient& client_;
  uint64_t id_ = 0;
};

TEST_F(ClocksTest, AHubWhoseClockIsWrongLocksNobodyOutWhoIsIn) {
  for (const int64_t off_ms : {kDayMs, -kDayMs}) {
    hub_.host.clock_off_ms = off_ms;
    RoamsTo(off_ms > 0 ? "192.0.2.66" : "192.0.2.67", 2 * kSecond);
  }
}

TEST_F(ClocksTest, AClientWhoseClockWasSetRightStaysIn) {
  // They met while both were wrong by the same; then both are set right.
  hub_.host.clock_off_ms = client_.host.clock_off_ms = kDayMs;
  RoamsTo("192.0.2.66", 2 * kSecond);
}

// Neither a join nor a handshake will do; the join is tried again, for it costs
// little, and does once the clock is right.
TEST_F(ClocksTest, AJoinIsTriedAgainWhileTheSessionMayStand) {
  client_.host.clock_off_ms = kDayMs;
  const IpAddress fresh = *ParseIpAddress("192.0.2.66");
  client_.host.MoveTo(fresh);
  client_.session->OnSourceChanged(fresh, net_.now_us);
  Run(5 * kSecond);
  EXPECT_NE(client_.session->state(), "up");
  client_.host.clock_off_ms = 0;
  EXPECT_TRUE(Until(10 * kSecond, [&] { return client_.up(); }));
  EXPECT_EQ(client_.session->session()->secrets().session_id, id_);
}

}  // namespace
}  // namespace lwt::peer

// A hundred clients behind one NAT: they come at once, and come back after the
// hub was away.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

constexpr uint32_t kCrowd = 100;

class CrowdTest : public testing::Test {
 protected:
  // All from one address; each has a port range of its own there.
  void Come() {
    for (uint32_t i = 0; i < kCrowd; ++i) {
      auto client = std::make_unique<TestClient>(net_, hub_.worker, log_,
                                                 "10.0.0.250/24");
      client->leases = true;
      client->host.next_port = static_cast<uint16_t>(10'000 + 300 * i);
      client->Make();
      all_.push_back(client.get());
      clients_.push_back(std::move(client));
    }
  }
  bool AllUpWithin(uint64_t for_us) {
    return RunWorld(net_, hub_, all_, for_us, [&] { return AllUp(); });
  }
  // At the hub, too: what a client believes of a dead one does not count.
  bool AllUp() {
    return std::all_of(all_.begin(), all_.end(), [&](TestClient* client) {
      return client->up() && hub_.sessions != nullptr &&
             hub_.sessions->SessionOf(client->identity.public_key) != nullptr;
    });
  }
  // Ten packets a second from each: who sends nothing misses nothing.
  void Talk(uint64_t until_us) {
    for (TestClient* client : all_) {
      if (client->up()) client->worker.SendData();
    }
    const uint64_t next = net_.now_us + kSecond / 10;
    if (next < until_us) net_.At(next, [this, until_us] { Talk(until_us); });
  }
  void LeaveFor(uint64_t outage_us) {
    hub_.Kill();
    Talk(net_.now_us + outage_us + 60 * kSecond);
    const uint64_t back_us = net_.now_us + outage_us;
    while (net_.now_us < back_us) {
      net_.RunDue();
      uint64_t next = std::min(net_.next_us(), back_us);
      for (TestClient* client : all_) {
        client->Pump();
        next = std::min(next, client->NextDeadline());
      }
      net_.now_us = std::max(std::min(next, back_us), net_.now_us + 1);
    }
    hub_.Make();
  }

  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_{net_, log_, true, 2 * kCrowd};
  std::vector<std::unique_ptr<TestClient>> clients_;
  std::vector<TestClient*> all_;
};

TEST_F(CrowdTest, AHundredBehindOneNatAreInWithin5Seconds) {
  Come();
  ASSERT_TRUE(AllUpWithin(5 * kSecond));
  std::set<std::string> addresses;
  for (TestClient* client : all_) {
    addresses.insert(ToString(client->session->tunnel_addresses()[0]));
  }
  EXPECT_EQ(addresses.size(), kCrowd) << "each has a lease of its own";
}

TEST_F(CrowdTest, AfterAShortOutageAllAreBackWithin5Seconds) {
  Come();
  ASSERT_TRUE(AllUpWithin(5 * kSecond));
  for (const uint64_t outage_us :
       {kSecond / 2, 3 * kSecond, 49 * kSecond / 10}) {
    LeaveFor(outage_us);
    EXPECT_TRUE(AllUpWithin(5 * kSecond)) << outage_us;
    RunFor(net_, hub_, all_, 30 * kSecond);  // a good service
  }
}

// Later they are back as soon as each one's pause is over, of 32 s at most.
TEST_F(CrowdTest, AfterALongOutageAllAreBackWithinOnePause) {
  Come();
  ASSERT_TRUE(AllUpWithin(5 * kSecond));
  LeaveFor(600 * kSecond);
  EXPECT_TRUE(AllUpWithin(33 * kSecond));
}

// Each turn a few are told again what they were told, and none is left out.
TEST_F(CrowdTest, ACrowdIsToldAgainInPortions) {
  hub_.tell_interval_us = 20 * kSecond;
  const uint64_t due_us = net_.now_us + hub_.tell_interval_us;
  hub_.Make();
  Come();
  ASSERT_TRUE(AllUpWithin(5 * kSecond));
  RunFor(net_, hub_, all_, 3 * kSecond);
  const auto told = [&] {
    return std::count_if(all_.begin(), all_.end(), [](TestClient* client) {
      return client->session->routes().exchange().lists() > 1;
    });
  };
  ASSERT_EQ(told(), 0);
  ASSERT_LT(net_.now_us, due_us);
  net_.now_us = due_us;
  hub_.sessions->OnTimer(net_.now_us);
  size_t due = 0;
  for (const auto& client : hub_.sessions->clients()) {
    if (client.session && client.routes.NextDeadline() <= net_.now_us) ++due;
  }
  EXPECT_EQ(due, HubSessions::kTellPortion);
  EXPECT_LE(hub_.sessions->NextDeadline(), net_.now_us) << "and goes on";
  RunFor(net_, hub_, all_, 3 * kSecond);
  EXPECT_EQ(told(), kCrowd);
}

}  // namespace
}  // namespace lwt::peer

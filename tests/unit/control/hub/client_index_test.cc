#include "control/hub/client_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

constexpr handshake::PublicKey kSomeKey{7};

TEST(ClientIndex, KnowsWhoHasASession) {
  ClientIndex index;
  index.NoteSession(99, kSomeKey, 3);
  EXPECT_EQ(index.OfSession(99), 3u);
  EXPECT_EQ(index.OfKey(kSomeKey), 3u);
  EXPECT_EQ(index.OfSession(98), std::nullopt);
  EXPECT_EQ(index.OfKey(handshake::PublicKey{8}), std::nullopt);
  index.ForgetSession(99, kSomeKey);
  EXPECT_EQ(index.OfSession(99), std::nullopt);
  EXPECT_EQ(index.OfKey(kSomeKey), std::nullopt);
}

// A hub with so many clients that are up.
class CrowdedHub {
 public:
  explicit CrowdedHub(uint32_t clients) : hub_(net_, log_, true, clients) {
    std::vector<TestClient*> all;
    for (uint32_t i = 0; i < clients; ++i) {
      const std::string address = "10.0.0." + std::to_string(2 + i) + "/24";
      clients_.push_back(std::make_unique<TestClient>(net_, hub_.worker, log_,
                                                      address.c_str()));
      all.push_back(clients_.back().get());
    }
    EXPECT_TRUE(RunWorld(net_, hub_, all, 20 * kSecond,
                         [&] { return hub_.count() == clients; }));
  }

  // Seconds that a thousand ends of flows take which are no client's.
  double ThousandStrays() {
    Event event;
    event.kind = EventKind::kFlowDown;
    event.flow = FlowId::Of(60'000, 9);
    const auto begun = std::chrono::steady_clock::now();
    for (int i = 0; i < 1000; ++i)
      hub_.road->owners.OnEvent({0}, event, net_.now_us);
    const std::chrono::duration<double> took =
        std::chrono::steady_clock::now() - begun;
    return took.count();
  }

 private:
  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_;
  std::vector<std::unique_ptr<TestClient>> clients_;
};

// By turns, and the best of many: what else the machine does only adds.
TEST(FlowOwners, AStrangersFlowCostsNoMoreWhereThereAreManyClients) {
  CrowdedHub few(2);
  CrowdedHub many(250);
  double of_few = 1e9;
  double of_many = 1e9;
  for (int i = 0; i < 50; ++i) {
    of_few = std::min(of_few, few.ThousandStrays());
    of_many = std::min(of_many, many.ThousandStrays());
  }
  // A walk over the clients would cost a hundred times as much.
  EXPECT_LT(of_many, 3 * of_few) << of_few << " " << of_many;
}

}  // namespace
}  // namespace lwt::peer

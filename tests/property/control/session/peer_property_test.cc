// Whatever happens to hub, path, flows and keys, in any order: when the trouble
// ends, the tunnel carries traffic again, nothing opens with wrong keys, and no
// frame is leaked. The seed is printed on failure.

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

class Trouble {
 public:
  explicit Trouble(uint32_t seed)
      : random_(seed), client_(net_, hub_.worker, log_, "10.0.0.2/24", 1, 50) {
    client_.worker.cut = 200 + random_() % 1500;
    hub_.worker.cut = 400 + random_() % 1500;
    client_.worker.reverse = random_() % 2 == 0;
    hub_.worker.reverse = random_() % 2 == 0;
  }

  void Step() {
    switch (random_() % 7) {
      case 0:
        if (hub_.sessions) {
          hub_.Kill();
        } else {
          hub_.Make();
        }
        break;
      case 1:
        net_.path_up = !net_.path_up;
        break;
      case 2:
        net_.dead_ports.insert(
            static_cast<uint16_t>(client_.host.next_port - 1));
        break;
      case 3:
        Hint(EventKind::kResetHint);
        break;
      case 4:
        Hint(EventKind::kEpochDue);
        break;
      case 5:
        client_.worker.SendData();
        break;
      case 6:
        client_.host.link_known = !client_.host.link_known;
        break;
    }
    Run(random_() % (4 * kSecond));
  }

  void End() {
    if (!hub_.sessions) hub_.Make();
    net_.path_up = true;
    net_.dead_ports.clear();
    client_.host.link_known = true;
    // The longest back-off, a look at the path and a second attempt.
    uint64_t before = hub_.worker.data_received;
    uint64_t next = net_.now_us;
    EXPECT_TRUE(RunWorld(net_, hub_, {&client_}, 90 * kSecond, [&] {
      if (net_.now_us >= next) {
        next = net_.now_us + kSecond / 10;
        client_.worker.SendData();
        net_.At(next, [] {});
      }
      return hub_.worker.data_received > before;
    }));
    Run(40 * kSecond);
    EXPECT_EQ(hub_.worker.bad_tags + client_.worker.bad_tags, 0u);
    EXPECT_EQ(client_.worker.lanes.size(), 1u);
    EXPECT_LE(client_.host.followed.size(), 1u);
    EXPECT_LE(client_.host.locals.size(), 1u);
  }

 private:
  void Run(uint64_t for_us) { RunFor(net_, hub_, {&client_}, for_us); }
  void Hint(EventKind kind) {
    if (client_.worker.lanes.empty()) return;
    Event event;
    event.kind = kind;
    event.flow = client_.worker.lanes.begin()->second.flow;
    client_.worker.events.push_back(
        {client_.worker.lanes.begin()->first, event});
  }

  std::mt19937 random_;
  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_{net_, log_};
  TestClient client_;
};

TEST(PeerProperty, AnyTroubleEndsInTraffic) {
  for (uint32_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Trouble trouble(seed);
    for (int step = 0; step < 30; ++step) trouble.Step();
    trouble.End();
    if (testing::Test::HasFailure()) return;
  }
}

// Bytes of a stranger never cost a session, a frame or a lane.
TEST(PeerProperty, HostileStreamsLeaveNothing) {
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    loop::Log log(loop::LogLevel::kError);
    FakeNet net;
    TestHub hub(net, log);
    Event up;
    up.kind = EventKind::kFlowUp;
    up.flow = FlowId::Of(seed, 5);
    up.local = At("192.0.2.1:9000");
    up.remote = At("198.51.100.9:5000");
    hub.worker.events.push_back(up);
    auto hello = handshake::BuildClientHello({}, "www.example.com");
    for (int i = 0; i < 12; ++i) {
      size_t from = random() % hello.size();
      std::vector<uint8_t> bytes(hello.begin() + static_cast<ptrdiff_t>(from),
                                 hello.end());
      if (random() % 3 != 0) bytes.resize(random() % (bytes.size() + 1));
      if (!bytes.empty() && random() % 4 == 0) bytes[0] ^= 0x80;
      hub.worker.Punt(up.flow, bytes, random() % 2 == 0 ? from : random() % 99);
    }
    RunFor(net, hub, {}, 15 * kSecond);
    EXPECT_EQ(hub.count(), 0u);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace lwt::peer

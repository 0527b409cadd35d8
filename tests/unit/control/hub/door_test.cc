// Strangers at a hub's door: who repeats what others said, and who fails time
// and again beside those who do not.

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>

#include "dataplane/wire/record.h"
#include "tests/unit/control/session/stranger.h"

namespace lwt::peer {
namespace {

using handshake::ByteVector;

// ServerHello and ChangeCipherSpec.
constexpr size_t kJoinAnswer = 127 + 6;

class DoorTest : public testing::Test {
 protected:
  DoorTest() {
    net_.tap = [this](const Endpoint& from, const Endpoint&,
                      const ByteVector& bytes) {
      if (from.port != 9000 && bytes[0] == 0x16) hellos_.push_back(bytes);
    };
  }
  TestClient& AddClient(const char* address, const char* outer) {
    clients_.push_back(
        std::make_unique<TestClient>(net_, hub_.worker, log_, address));
    clients_.back()->host.MoveTo(At(outer).address);
    return *clients_.back();
  }
  template <typename Done>
  bool Until(uint64_t for_us, Done done) {
    std::vector<TestClient*> all;
    for (auto& client : clients_) all.push_back(client.get());
    return RunWorld(net_, hub_, all, for_us, done);
  }
  void Run(uint64_t for_us) {
    Until(for_us, [] { return false; });
  }
  // Has a client that is up lose its path, and runs until its join is sent.
  void AwaitJoin(TestClient& client) {
    ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
    Run(kSecond);
    net_.dead_ports.insert(
        client.session->session()->lanes().front().local.port);
    hellos_.clear();
    client.session->OnSourceChanged(At("192.0.2.99:1").address, net_.now_us);
    ASSERT_TRUE(Until(5 * kSecond, [&] { return !hellos_.empty(); }));
  }
  // The hello of a join and what a client says behind the answer.
  FlowId Repeat(const Endpoint& from) {
    const FlowId flow = stranger_.Connect(from);
    stranger_.Say(flow, hellos_.front());
    const auto& ccs = handshake::kChangeCipherSpecRecord;
    stranger_.Say(flow, {ccs.begin(), ccs.end()});
    return flow;
  }
  const Session& hub_session() { return *hub_.sessions->clients()[0].session; }

  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_{net_, log_};
  Stranger stranger_{net_, hub_};
  std::vector<std::unique_ptr<TestClient>> clients_;
  std::vector<ByteVector> hellos_;  // as overheard
};

TEST_F(DoorTest, ARepeatedJoinGetsNoTrafficAndDoesNotBurnTheTrueOne) {
  TestClient& client = AddClient("10.0.0.2/24", "192.0.2.10:1");
  AwaitJoin(client);
  // It is at the hub before the true one.
  const FlowId flow = Repeat(At("198.51.100.9:5000"));
  hub_.Pump();
  EXPECT_EQ(hub_session().sending_lane()->remote.address,
            At("192.0.2.10:1").address);
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  const handshake::LaneId joined =
      client.session->session()->sending_lane()->id;
  EXPECT_EQ(joined, handshake::LaneId{1}) << "at the first attempt";
  Run(kSecond);
  ASSERT_EQ(hub_session().sending_lane()->id, joined);
  EXPECT_EQ(hub_session().sending_lane()->remote.address,
            At("192.0.2.10:1").address);
  EXPECT_EQ(hub_.sessions->clients()[0].remote.address,
            At("192.0.2.10:1").address);
  hub_.worker.SendData(0);
  Run(kSecond);
  EXPECT_EQ(client.worker.data_received, 1u);
  // The answer, then an alert when the true one had proven itself.
  EXPECT_EQ(stranger_.Heard(flow).size(),
            kJoinAnswer + handshake::kHandshakeFailureRecord.size());
  EXPECT_TRUE(stranger_.Closed(flow));
}

TEST_F(DoorTest, AFlowWithoutARecordTakesNoSlotAndNoId) {
  TestClient& client = AddClient("10.0.0.2/24", "192.0.2.10:1");
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  AwaitJoin(client);
  net_.path_up = false;  // what the client says is overheard and not heard
  const FlowId flow = Repeat(At("198.51.100.9:5000"));
  hub_.Pump();
  EXPECT_EQ(hub_session().lanes().size(), 1u);
  EXPECT_EQ(hub_session().newest_lane_ids()[0], handshake::LaneId::kFirst);
  // Nor does a record that is sealed by another key.
  ByteVector record(100);
  wire::WriteRecordFraming(record.size() - wire::kRecordOverhead,
                           record.data());
  stranger_.Say(flow, record);
  hub_.Pump();
  EXPECT_EQ(hub_session().lanes().size(), 1u);
  EXPECT_EQ(hub_session().newest_lane_ids()[0], handshake::LaneId::kFirst);
  EXPECT_TRUE(stranger_.Closed(flow));
  // Silence ends it too.
  const FlowId silent = Repeat(At("198.51.100.9:5001"));
  Run(HubFlow::kJoinUs - kSecond);
  EXPECT_FALSE(stranger_.Closed(silent));
  Run(2 * kSecond);
  EXPECT_TRUE(stranger_.Closed(silent));
}

TEST_F(DoorTest, ManyRepeatsFromOneHostDoNotKeepOutTheTrueOne) {
  TestClient& client = AddClient("10.0.0.2/24", "192.0.2.10:1");
  AwaitJoin(client);
  std::vector<FlowId> flows;
  for (uint16_t i = 0; i < 2 * JoinBudget::kAnswers; ++i) {
    flows.push_back(Repeat(
        {At("198.51.100.9:1").address, static_cast<uint16_t>(2000 + i)}));
  }
  hub_.Pump();
  EXPECT_EQ(std::count_if(flows.begin(), flows.end(),
                          [&](FlowId flow) { return !stranger_.Closed(flow); }),
            static_cast<ptrdiff_t>(HubSessions::kMaxJoins));
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  EXPECT_EQ(client.session->session()->sending_lane()->id.value, 1);
  Run(kSecond);
  EXPECT_EQ(hub_session().sending_lane()->id.value, 1);
  for (FlowId flow : flows) EXPECT_TRUE(stranger_.Closed(flow));
}

TEST_F(DoorTest, RepeatsFromItsOwnAddressDoNotPushOutTheTrueOne) {
  TestClient& client = AddClient("10.0.0.2/24", "192.0.2.10:1");
  AwaitJoin(client);
  Run(FakeNet::kDelayUs + 1);  // the true one is there and not answered yet
  for (uint16_t i = 0; i < 16; ++i) {
    Repeat(
        {client.host.locals.front().address, static_cast<uint16_t>(2000 + i)});
  }
  // Nor do those of another address, which has fewer.
  Repeat(At("198.51.100.9:2000"));
  Repeat(At("198.51.100.9:2001"));
  hub_.Pump();
  ASSERT_TRUE(Until(kSecond, [&] { return client.up(); }));
  Run(kSecond);
  EXPECT_EQ(hub_session().sending_lane()->id.value, 1);
  EXPECT_EQ(client.session->session()->sending_lane()->id.value, 1);
}

TEST_F(DoorTest, JoinsOfOneLaneAreAnsweredSoOftenAndNoMore) {
  TestClient& client = AddClient("10.0.0.2/24", "192.0.2.10:1");
  AwaitJoin(client);
  for (const Endpoint& local : client.host.locals) {
    net_.dead_ports.insert(local.port);
  }
  const auto away = std::move(clients_);
  clients_.clear();
  size_t answered = 0;
  for (uint16_t port = 2000; port < 2036; ++port) {
    const FlowId flow = Repeat({At("198.51.100.9:1").address, port});
    Run(HubFlow::kJoinUs / 3);  // there is always a place
    answered += stranger_.Heard(flow).size() >= kJoinAnswer;
  }
  EXPECT_EQ(answered, size_t{JoinBudget::kAnswers});
}

TEST_F(DoorTest, ARepeatAfterTheTrueJoinIsTurnedAway) {
  TestClient& client = AddClient("10.0.0.2/24", "192.0.2.10:1");
  AwaitJoin(client);
  ASSERT_TRUE(Until(kSecond, [&] {
    return client.up() && hub_session().newest_lane_ids()[0].value == 1;
  }));
  const FlowId flow = Repeat(At("198.51.100.9:5000"));
  Run(kSecond);
  EXPECT_EQ(stranger_.Heard(flow).size(),
            handshake::kHandshakeFailureRecord.size());
  EXPECT_TRUE(stranger_.Closed(flow));
}

// The limit was on whoever knocked, so that one in the same network who fails
// all the time kept out who has the key.
TEST_F(DoorTest, WhoFailsKeepsNobodyOutOfTheSameNetwork) {
  for (const char* outer : {"198.51.100.7:1", "198.51.100.9:1"}) {
    uint16_t port = 2000;
    for (int i = 0; i < 300; ++i) {
      const FlowId flow =
          stranger_.Connect({At("198.51.100.9:1").address, ++port});
      stranger_.Say(flow, {0x47});
    }
    const std::string address =
        outer[11] == '7' ? "10.0.0.7/24" : "10.0.0.9/24";
    TestClient& client = AddClient(address.c_str(), outer);
    const uint64_t begin = net_.now_us;
    ASSERT_TRUE(Until(2 * kSecond,
                      [&] {
                        const FlowId flow = stranger_.Connect(
                            {At("198.51.100.9:1").address, ++port});
                        stranger_.Say(flow, {0x47});
                        return client.up();
                      }))
        << outer << ": " << client.session->reason();
    EXPECT_LE(net_.now_us - begin, 2 * kSecond);
    Run(kSecond);
  }
}

TEST(DoorLimitsTest, FailuresDecideFromWhichSumIsTried) {
  using handshake::DoorLimits;
  DoorLimits limits;
  const IpAddress bad = At("198.51.100.9:1").address;
  const auto may_try = [&](const IpAddress& source) {
    return DoorLimits::Visit(limits, source, kSecond).MayTry();
  };
  for (uint32_t i = 0; i < DoorLimits::kFailures.burst; ++i) {
    limits.Failed(bad, kSecond);
  }
  for (uint32_t i = 0; i < DoorLimits::kTriesOfFailed.burst; ++i) {
    EXPECT_TRUE(may_try(bad));
  }
  EXPECT_FALSE(may_try(bad)) << "what is left over for such is used up";
  // One that has another bucket: they are chosen by a keyed hash.
  IpAddress neighbour = At("198.51.100.5:1").address;
  for (neighbour.bytes[3] = 5; neighbour.bytes[3] < 8; ++neighbour.bytes[3]) {
    if (may_try(neighbour)) break;
  }
  for (uint32_t i = 1; i < DoorLimits::kTries.burst; ++i) {
    EXPECT_TRUE(may_try(neighbour)) << "has not failed itself";
  }
  EXPECT_FALSE(may_try(neighbour)) << "in sum";
  EXPECT_TRUE(DoorLimits::Visit(limits, bad, 2 * kSecond).MayTry());
}

// Whoever has a leaked key takes nothing from those that have the new one.
TEST(DoorLimitsTest, HellosByAKeyBeforeHaveASmallSum) {
  using handshake::DoorLimits;
  DoorLimits limits;
  uint32_t entered = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    IpAddress source = *ParseIpAddress("198.51.0.9");
    source.bytes[2] = static_cast<uint8_t>(i);
    entered += DoorLimits::Visit(limits, source, kSecond).MayEnter(true);
  }
  EXPECT_EQ(entered, DoorLimits::kProvenByOld.burst);
  for (uint32_t i = 0; i < 500; ++i) {
    IpAddress source = *ParseIpAddress("198.51.0.9");
    source.bytes[2] = static_cast<uint8_t>(i);
    EXPECT_TRUE(DoorLimits::Visit(limits, source, kSecond).MayEnter(false));
  }
}

TEST(DoorLimitsTest, ProvenHellosHaveABucketOfTheirOwn) {
  using handshake::DoorLimits;
  DoorLimits limits;
  const IpAddress source = At("198.51.100.9:1").address;
  for (int i = 0; i < 1000; ++i) limits.Failed(source, kSecond);
  const auto may_enter = [&](const IpAddress& who) {
    return DoorLimits::Visit(limits, who, kSecond).MayEnter(false);
  };
  // One of three: one in 4096 shares the bucket of another network.
  const auto one_may_enter = [&](std::initializer_list<const char*> places) {
    return std::any_of(places.begin(), places.end(), [&](const char* who) {
      return may_enter(At(who).address);
    });
  };
  for (uint32_t i = 0; i < DoorLimits::kProven.burst; ++i) {
    EXPECT_TRUE(may_enter(source));
  }
  EXPECT_FALSE(may_enter(At("198.51.100.200:1").address)) << "the same /24";
  EXPECT_TRUE(
      one_may_enter({"203.0.113.1:1", "203.0.114.1:1", "203.0.115.1:1"}));
  // All of a site's /48 has one.
  IpAddress site = *ParseIpAddress("2001:db8:77::1");
  uint32_t entered = 0;
  for (uint32_t i = 0; i < 2 * DoorLimits::kProvenInSum.burst; ++i) {
    site.bytes[6] = static_cast<uint8_t>(i);
    entered += may_enter(site) ? 1 : 0;
  }
  EXPECT_LE(entered, DoorLimits::kProven.burst);
  EXPECT_TRUE(one_may_enter({"192.0.2.1:1", "192.0.3.1:1", "192.0.4.1:1"}))
      << "the sum is not used up";
}

}  // namespace
}  // namespace lwt::peer

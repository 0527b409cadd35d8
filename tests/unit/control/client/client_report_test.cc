// What status shows of a client's hub and of a hub's clients, while two
// gateways meet, lose each other and part.
#include "control/client/client_report.h"

#include <gtest/gtest.h>

#include <string>

#include "control/hub/hub_report.h"
#include "tests/unit/control/session/world.h"

namespace lwt::peer {
namespace {

class ReportTest : public testing::Test {
 protected:
  template <typename Done>
  bool Until(uint64_t for_us, Done done) {
    return RunWorld(net_, hub_, {&client_}, for_us, done);
  }
  bool ComesUp() {
    return Until(5 * kSecond,
                 [&] { return client_.up() && hub_.count() == 1; });
  }
  telemetry::PeerStatus OfHub() const {
    config::Config config;
    config.tunnel.addresses = {client_.address};
    telemetry::Status status;
    ReportHub(*client_.session, config, net_.now_us, status);
    EXPECT_EQ(status.peers.size(), 1u);
    return status.peers.front();
  }
  telemetry::Status OfClients() const {
    telemetry::Status status;
    ReportClients(*hub_.sessions, net_.now_us, status);
    return status;
  }

  loop::Log log_{loop::LogLevel::kError};
  FakeNet net_;
  TestHub hub_{net_, log_};
  TestClient client_{net_, hub_.worker, log_, "10.0.0.2/24"};
};

TEST_F(ReportTest, BeforeTheyMeetThereIsAReason) {
  const telemetry::PeerStatus peer = OfHub();
  EXPECT_EQ(peer.state, "down");
  EXPECT_EQ(peer.path, "hub");
  EXPECT_EQ(peer.reason, "starting");
  EXPECT_EQ(peer.endpoint, "");
  EXPECT_EQ(peer.hub, "hub.test:9000");
  EXPECT_EQ(peer.hub_reason, "");
  EXPECT_EQ(peer.public_key, "");
  EXPECT_EQ(peer.tunnel_addresses, std::vector<std::string>{"10.0.0.0/24"})
      << "all of the tunnel's network lies behind the hub";
  EXPECT_EQ(peer.reading.rtt_us, kNoValue);
  EXPECT_EQ(peer.reading.last_handshake_s, kNoValue);
  EXPECT_TRUE(OfClients().peers.empty());
}

TEST_F(ReportTest, OneOfSeveralHubsIsNamedAndWhyNoneBeforeIt) {
  client_.hub_names = {"a.test", "b.test"};
  client_.Make();
  client_.session->OnTimer(net_.now_us);
  ASSERT_EQ(OfHub().hub, "a.test:9000");
  client_.host.resolve_pending = false;
  client_.session->OnResolved(absl::NotFoundError("a.test: no such name"),
                              net_.now_us);
  EXPECT_EQ(OfHub().hub, "b.test:9000");
  EXPECT_EQ(OfHub().reason, "a.test:9000: a.test: no such name");
  ASSERT_TRUE(ComesUp());
  EXPECT_EQ(OfHub().hub, "b.test:9000");
  EXPECT_EQ(OfHub().reason, "");
  EXPECT_EQ(OfHub().hub_reason, "a.test:9000: a.test: no such name");
}

TEST_F(ReportTest, EachShowsTheOther) {
  ASSERT_TRUE(ComesUp());
  RunFor(net_, hub_, {&client_}, 3 * kSecond);
  const telemetry::PeerStatus hub = OfHub();
  EXPECT_EQ(hub.state, "up");
  EXPECT_EQ(hub.reason, "");
  EXPECT_EQ(hub.endpoint, "192.0.2.1:9000");
  EXPECT_EQ(hub.public_key,
            handshake::PublicKeyToText(hub_.identity.public_key));
  ASSERT_EQ(OfClients().peers.size(), 1u);
  const telemetry::PeerStatus client = OfClients().peers.front();
  EXPECT_EQ(client.state, "up");
  EXPECT_EQ(client.path, "client");
  EXPECT_EQ(client.hub, "") << "it is asked of a client alone";
  EXPECT_EQ(client.tunnel_addresses, std::vector<std::string>{"10.0.0.2"});
  EXPECT_EQ(client.public_key,
            handshake::PublicKeyToText(client_.identity.public_key));
  EXPECT_EQ(client.endpoint, ToString(client_.host.locals.front()));
  for (const telemetry::PeerStatus* peer : {&hub, &client}) {
    EXPECT_EQ(peer->reading.mtu, 1400u) << "the smaller of both";
    EXPECT_EQ(peer->reading.lanes, 1u);
    EXPECT_EQ(peer->reading.epoch, 0u);
    EXPECT_GE(peer->reading.last_handshake_s, 2u);
    EXPECT_LE(peer->reading.last_handshake_s, 3u);
    ASSERT_EQ(peer->lane_list.size(), 1u);
    EXPECT_EQ(peer->lane_list[0].slot, 0u);
    EXPECT_TRUE(peer->lane_list[0].sending);
  }
  EXPECT_EQ(hub.lane_list[0].local, client.lane_list[0].remote);
  EXPECT_EQ(hub.lane_list[0].remote, client.lane_list[0].local);
  EXPECT_EQ(hub.reading.rtt_us, 2 * FakeNet::kDelayUs) << "it was measured";
}

TEST_F(ReportTest, TotalsOutliveTheirLanes) {
  ASSERT_TRUE(ComesUp());
  for (int packet = 0; packet < 5; ++packet) client_.worker.SendData();
  RunFor(net_, hub_, {&client_}, kSecond);
  EXPECT_EQ(OfHub().totals.tx_packets, 5u);
  EXPECT_EQ(OfClients().peers.front().totals.rx_packets, 5u);
  const IpAddress other = At("192.0.2.66:1").address;
  client_.host.MoveTo(other);
  client_.session->OnSourceChanged(other, net_.now_us);
  EXPECT_EQ(OfHub().state, "suspect");
  EXPECT_EQ(OfHub().reason, "our address changed to 192.0.2.66");
  ASSERT_TRUE(ComesUp());
  RunFor(net_, hub_, {&client_}, ClientSession::kOldLaneUs + kSecond);
  ASSERT_EQ(OfHub().lane_list.size(), 1u);
  EXPECT_EQ(OfHub().lane_list[0].local.rfind("192.0.2.66:", 0), 0u);
  EXPECT_EQ(OfHub().totals.tx_packets, 5u) << "of the lane that is gone";
}

TEST_F(ReportTest, AReplacedLaneIsShownAndDoesNotSend) {
  ASSERT_TRUE(ComesUp());
  RunFor(net_, hub_, {&client_}, kSecond);
  client_.session->OnSourceChanged(At("192.0.2.66:1").address, net_.now_us);
  client_.host.MoveTo(At("192.0.2.66:1").address);
  ASSERT_TRUE(
      Until(2 * kSecond, [&] { return OfHub().lane_list.size() == 2; }));
  EXPECT_FALSE(OfHub().lane_list[0].sending);
  EXPECT_TRUE(OfHub().lane_list[1].sending);
}

TEST_F(ReportTest, AClientWhoseConnectionIsClosedMayComeBack) {
  ASSERT_TRUE(ComesUp());
  const uint64_t flow = hub_.worker.flows.begin()->first;
  Event down;
  down.kind = EventKind::kFlowDown;
  down.flow = FlowId{flow};
  down.detail = static_cast<uint8_t>(FlowDownReason::kClosedByPeer);
  hub_.road->owners.OnEvent({0}, down, net_.now_us);
  const auto status = OfClients();
  ASSERT_EQ(status.peers.size(), 1u);
  EXPECT_EQ(status.peers[0].state, "down");
  EXPECT_EQ(status.peers[0].reason,
            "its connection was closed; it may come back");
  EXPECT_TRUE(status.peers[0].lane_list.empty());
}

TEST_F(ReportTest, KeysThatAreBannedAreListed) {
  ASSERT_TRUE(ComesUp());
  ASSERT_TRUE(hub_.sessions->Ban(client_.identity.public_key, net_.now_us));
  const telemetry::Status status = OfClients();
  EXPECT_TRUE(status.peers.empty()) << "and its session is gone";
  EXPECT_EQ(status.banned, std::vector<std::string>{handshake::PublicKeyToText(
                               client_.identity.public_key)});
}

}  // namespace
}  // namespace lwt::peer

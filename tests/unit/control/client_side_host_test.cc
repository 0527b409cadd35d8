// A client by its settings: whose key it expects, what it says of itself, and
// how it takes what the host tells it.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "control/api/request.h"
#include "control/client_side.h"
#include "tests/unit/control/stand.h"

namespace lwt {
namespace {

class ClientSideTest : public OnStand {
 protected:
  void SetUp() override {
    OnStand::SetUp();
    config_.mode = config::Mode::kClient;
    config_.hub.local.clear();
    config_.client.remote = {{.host = "10.77.0.2", .port = 9000}};
    config_.tunnel.addresses = {ParseIpPrefix("10.0.0.2/24").value()};
  }
  void TearDown() override {
    client_.reset();
    OnStand::TearDown();
  }
  absl::Status Start() {
    auto client = ClientSide::Start(Parts(), NowUs());
    if (client.ok()) client_ = *std::move(client);
    return client.status();
  }
  telemetry::PeerStatus Report() {
    telemetry::Status status;
    client_->Report(status, NowUs());
    EXPECT_EQ(status.peers.size(), 1u);
    return status.peers.front();
  }
  void WritePin(std::string_view text) const {
    std::ofstream(state_dir() + "/server.pub") << text;
  }

  std::unique_ptr<ClientSide> client_;
};

TEST_F(ClientSideTest, ADamagedPinKeepsItFromCalling) {
  WritePin("no key\n");
  const absl::Status status = Start();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(state_dir() + "/server.pub"),
            absl::string_view::npos)
      << status;
  // The setting stands above the file.
  config_.client.server_public_key =
      handshake::PublicKeyToText(handshake::GenerateStaticKey().public_key);
  EXPECT_TRUE(Start().ok());
}

TEST_F(ClientSideTest, AHubThatRefusesIsToldByItsAddress) {
  ASSERT_TRUE(Start().ok());
  EXPECT_EQ(Report().state, "down");
  EXPECT_EQ(Report().reason, "starting");
  // Nobody listens there: the kernel answers with a RST.
  EXPECT_TRUE(
      Until([&] { return Report().reason != "starting"; }, client_.get()));
  const telemetry::PeerStatus peer = Report();
  EXPECT_EQ(peer.state, "down");
  EXPECT_EQ(peer.path, "hub");
  EXPECT_EQ(peer.endpoint, "10.77.0.2:9000");
  EXPECT_EQ(peer.tunnel_addresses, std::vector<std::string>{"10.0.0.0/24"});
  EXPECT_NE(peer.reason.find("10.77.0.2:9000 refuses the connection"),
            std::string::npos)
      << peer.reason;
  EXPECT_EQ(peer.public_key, "");
  EXPECT_TRUE(peer.lane_list.empty());
  EXPECT_NE(lines_.Take().find("; next attempt in "), std::string::npos);
  EXPECT_LE(client_->NextDeadline(), NowUs() + kSecond);
}

TEST_F(ClientSideTest, AHubBehindAnotherInterfaceIsExplained) {
  config_.client.remote->host = "10.78.0.7";
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(
      Until([&] { return Report().reason != "starting"; }, client_.get()));
  EXPECT_EQ(Report().reason,
            "no route to 10.78.0.7: the kernel says: No route to host");
}

TEST_F(ClientSideTest, ANameThatIsNotFoundIsItsReason) {
  config_.client.remote->host = "hub.test";
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(
      Until([&] { return Report().reason != "starting"; }, client_.get()));
  EXPECT_NE(Report().reason.find("hub.test"), std::string::npos);
  EXPECT_EQ(Report().endpoint, "");
}

// A file with entries alone, whose pins are its own: a damaged pin of
// remote_addr is nothing to them.
TEST_F(ClientSideTest, EntriesAreCalledInTheirOrderByTheirOwnKeys) {
  WritePin("no key\n");
  config_.client.remote.reset();
  const std::string key =
      handshake::PublicKeyToText(handshake::GenerateStaticKey().public_key);
  config_.client.hubs = {{{"hub.test", 9000}, key}, {{"10.77.0.2", 9000}, key}};
  ASSERT_TRUE(Start().ok());
  EXPECT_TRUE(Until(
      [&] { return Report().state == "down" && Report().reason != "starting"; },
      client_.get()));
  const std::string reason = Report().reason;
  EXPECT_EQ(reason.find("hub.test:9000: hub.test is no host; "
                        "10.77.0.2:9000: 10.77.0.2:9000 refuses the "
                        "connection"),
            0u)
      << reason;
  const std::string log = lines_.Take();
  EXPECT_NE(log.find("hub hub.test:9000: hub.test is no host; calling "
                     "10.77.0.2:9000"),
            std::string::npos)
      << log;
}

TEST_F(ClientSideTest, AnEntryWithItsOwnKeyKeepsItFromCalling) {
  const std::string own =
      handshake::PublicKeyToText(secrets_.identity.public_key);
  ASSERT_TRUE(Start().ok());
  config_.client.hubs = {{{"hub.test", 9000}, own}};
  // By a reload, and at the start.
  EXPECT_NE(client_->Check(config_).message().find("own public key"),
            absl::string_view::npos);
  EXPECT_FALSE(Start().ok());
}

TEST_F(ClientSideTest, OnlyAHubIsAskedOfPeers) {
  ASSERT_TRUE(Start().ok());
  using api::RequestKind;
  for (const RequestKind kind :
       {RequestKind::kPeerForget, RequestKind::kPeerForgetKey,
        RequestKind::kPeerBan, RequestKind::kPeerUnban,
        RequestKind::kPeerBanned}) {
    EXPECT_EQ(client_->Answer({kind}, NowUs()),
              api::ErrorResponse("this is a client: ask the hub, which has "
                                 "the clients and their addresses"));
  }
  for (const RequestKind kind : {RequestKind::kStatus, RequestKind::kStatusJson,
                                 RequestKind::kVersion}) {
    EXPECT_EQ(client_->Answer({kind}, NowUs()), std::nullopt);
  }
}

TEST_F(ClientSideTest, AfterItClosesNothingBegins) {
  ASSERT_TRUE(Start().ok());
  ASSERT_TRUE(
      Until([&] { return Report().reason != "starting"; }, client_.get()));
  EXPECT_EQ(client_->Close("the gateway stops", NowUs()), 0u);
  EXPECT_EQ(client_->NextDeadline(), loop::Component::kNever);
  client_->OnTimer(NowUs() + 100 * kSecond);
  client_->OnResumed(NowUs());
  client_->OnHostChanges({.everything = true}, NowUs());
  EXPECT_EQ(client_->NextDeadline(), loop::Component::kNever);
  EXPECT_EQ(road_->owners.tokens(), 0u);
  EXPECT_EQ(road_->owners.flows(), 0u);
}

// A name that is found after the client went must reach nobody.
TEST_F(ClientSideTest, AClientThatGoesHearsNoAnswer) {
  ASSERT_TRUE(Start().ok());
  client_->OnTimer(NowUs());  // asks; a literal address is ready at once
  client_.reset();
  names_->OnReady();
  EXPECT_EQ(road_->owners.tokens(), 0u);
}

}  // namespace
}  // namespace lwt

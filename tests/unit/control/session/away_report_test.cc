// What a hub says of clients that it knows and that are not there.
#include <algorithm>

#include "control/hub/hub_report.h"
#include "tests/unit/control/session/sessions_fixture.h"

namespace lwt::peer {
namespace {

class AwayReportTest : public SessionsTest {
 protected:
  telemetry::Status Report() const {
    telemetry::Status status;
    ReportAway(*hub_.sessions, net_.now_us, status);
    return status;
  }
  // Of whom is away, the one of that key; nothing where it is not.
  std::optional<telemetry::PeerStatus> Away(const TestClient& client) const {
    const std::string key =
        handshake::PublicKeyToText(client.identity.public_key);
    for (const telemetry::PeerStatus& peer : Report().away) {
      if (peer.public_key == key) return peer;
    }
    return std::nullopt;
  }
  bool Connect(const TestClient& client) {
    return Until(5 * kSecond, [&] { return client.up(); });
  }
};

TEST_F(AwayReportTest, AnEntryIsOfflineUntilItsClientComes) {
  TestClient& office = AddClient("10.0.0.2/24");
  hub_.rules =
      ClientRules({.peers = {{.public_key = handshake::PublicKeyToText(
                                  office.identity.public_key),
                              .name = "office",
                              .addresses = {Prefix("10.0.0.2/24").address}}}});
  hub_.networks = {{office.identity.public_key, {Prefix("10.20.0.0/16")}}};
  hub_.Make();
  const auto away = Away(office);
  ASSERT_TRUE(away);
  EXPECT_EQ(away->name, "office");
  EXPECT_EQ(away->state, "offline");
  EXPECT_EQ(away->tunnel_addresses, std::vector<std::string>{"10.0.0.2"});
  EXPECT_EQ(telemetry::NetworksBehind(*away),
            std::vector<std::string>{"10.20.0.0/16"});
  EXPECT_EQ(away->reading.last_heard_s, kNoValue);
  ASSERT_TRUE(Connect(office));
  EXPECT_FALSE(Away(office)) << "it is among those that are here";
}

TEST_F(AwayReportTest, WhoStayedLongEnoughHoldsItsAddressAndNetworks) {
  TestClient& client = AddClient("10.0.0.2/24");
  client.routing.own = {Prefix("192.168.2.0/24")};
  client.Make();
  ASSERT_TRUE(Connect(client));
  Run(2 * AddressBook::kEarnUs);
  client.session->Close("it goes");
  ASSERT_TRUE(Until(10 * kSecond, [&] { return hub_.count() == 0; }));
  const auto away = Away(client);
  ASSERT_TRUE(away);
  EXPECT_EQ(away->state, "held");
  EXPECT_EQ(away->name, "");
  EXPECT_EQ(away->tunnel_addresses, std::vector<std::string>{"10.0.0.2"});
  EXPECT_EQ(telemetry::NetworksBehind(*away),
            std::vector<std::string>{"192.168.2.0/24"});
}

TEST_F(AwayReportTest, OfVeryManyTheRestIsCounted) {
  for (uint32_t i = 0; i < telemetry::Status::kMaxAway + 5; ++i) {
    handshake::PublicKey key{};
    std::memcpy(key.data(), &i, sizeof(i));
    IpAddress address = Prefix("10.0.0.0/8").address;
    for (size_t byte = 1; byte < 4; ++byte) {
      address.bytes[byte] = static_cast<uint8_t>((i + 2) >> (24 - 8 * byte));
    }
    hub_.held.push_back({.address = address, .key = key});
  }
  hub_.own = {Prefix("10.255.255.1/8")};
  hub_.Make();
  const telemetry::Status status = Report();
  EXPECT_EQ(status.away.size(), telemetry::Status::kMaxAway);
  EXPECT_EQ(status.away_left_out, 5u);
}

}  // namespace
}  // namespace lwt::peer

// What `lwtctl peers` prints, and that the page has each member of its JSON.
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "control/telemetry/status.h"

namespace lwt::telemetry {
namespace {

Status WithPeersAway() {
  Status status;
  PeerStatus office;
  office.name = "office";
  office.public_key = "KEY=";
  office.tunnel_addresses = {"10.0.0.2", "fd00::2"};
  office.state = "up";
  office.path = "client";
  office.reading = {.rtt_us = 1234, .last_heard_s = 66};
  office.totals = {.rx_bytes = 3 << 20,
                   .records_opened = 300,
                   .records_lost = 100,
                   .fec_tx_data = 10,
                   .fec_tx_parity = 3};
  office.routes = {
      {.network = "10.20.0.0/16", .state = "accepted"},
      {.network = "10.8.0.0/16", .state = "refused"},
      {.network = "10.9.0.0/16", .ours = true, .state = "accepted"}};
  status.peers.push_back(office);
  PeerStatus away;
  away.public_key = "AWAY=";
  away.tunnel_addresses = {"10.0.0.9"};
  away.state = "held";
  away.path = "client";
  away.routes = {{.network = "10.30.0.0/16", .state = "held"}};
  status.away.push_back(away);
  return status;
}

TEST(PeersTable, HasALineForEachAlsoForThoseThatAreAway) {
  EXPECT_EQ(
      PeersToTable(WithPeersAway()),
      "  name    address            path    state  heard          round trip  "
      "loss     code  received  sent  networks\n"
      "  office  10.0.0.2, fd00::2  client  up     1 min 6 s ago  1.234 ms    "
      "25.00 %  10:3  3.0 MiB   0 B   10.20.0.0/16\n"
      "  AWAY=   10.0.0.9           client  held   -              -           "
      "-        -     0 B       0 B   10.30.0.0/16\n");
}

TEST(PeersTable, SaysThatThereAreNoneAndHowManyAreLeftOut) {
  EXPECT_EQ(PeersToTable({}), "no peers\n");
  Status status = WithPeersAway();
  status.away_left_out = 7;
  EXPECT_TRUE(PeersToTable(status).ends_with("  and 7 more that are away\n"));
}

TEST(PeersTable, AClientsHubGoesByWhereItIsAndAHostileNameStaysText) {
  Status status;
  status.peers.emplace_back().hub = "vpn.example:9000";
  status.peers[0].state = "do\x1b[31mwn";
  const std::string table = PeersToTable(status);
  EXPECT_NE(table.find("vpn.example:9000"), std::string::npos);
  EXPECT_EQ(table.find('\x1b'), std::string::npos);
}

TEST(PeersJson, IsOneListAndEachMemberIsOnThePage) {
  rapidjson::Document document;
  document.Parse(PeersToJson(WithPeersAway()).c_str());
  ASSERT_TRUE(document.IsObject());
  ASSERT_EQ(document.MemberCount(), 1u);
  const auto& peers = document["peers"];
  ASSERT_EQ(peers.Size(), 2u);
  EXPECT_STREQ(peers[0]["state"].GetString(), "up");
  EXPECT_EQ(peers[0]["records_lost"].GetUint64(), 100u);
  EXPECT_STREQ(peers[1]["networks"][0].GetString(), "10.30.0.0/16");
  EXPECT_TRUE(peers[1]["rtt_us"].IsNull());

  std::ifstream file(std::string(LWT_SOURCE_ROOT) + "/docs/observability.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  const size_t begin = page.find("| member of `lwtctl peers -json` |");
  ASSERT_NE(begin, std::string::npos);
  const std::string table =
      page.substr(begin, page.find("\n\n", begin) - begin);
  std::set<std::string> documented;
  for (size_t line = table.find("\n| `"); line != std::string::npos;
       line = table.find("\n| `", line + 1)) {
    const std::string cell =
        table.substr(line + 3, table.find(" | ", line + 3) - line - 3);
    for (size_t at = 0; (at = cell.find('`', at)) != std::string::npos;) {
      const size_t end = cell.find('`', at + 1);
      documented.insert(cell.substr(at + 1, end - at - 1));
      at = end + 1;
    }
  }
  std::set<std::string> members;
  for (const auto& member : peers[0].GetObject()) {
    members.insert(member.name.GetString());
  }
  EXPECT_EQ(members, documented);
}

}  // namespace
}  // namespace lwt::telemetry

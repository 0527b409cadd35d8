#include "control/telemetry/status.h"

#include <gtest/gtest.h>
#include <stdio.h>

#include <iterator>
#include <string>
#include <vector>

namespace lwt::telemetry {
namespace {

PeerStatus ExamplePeer() {
  PeerStatus peer;
  peer.tunnel_addresses = {"10.0.0.2"};
  peer.endpoint = "192.0.2.1:40000";
  peer.state = "up";
  peer.path = "client";
  peer.version = "0.2.0";
  peer.protocol = 1;
  peer.features = {"mtu"};
  peer.reading = {.rtt_us = 1234,
                  .last_handshake_s = 7,
                  .last_heard_s = 66,
                  .rate = 20'000'000,
                  .rate_in = 1'500'000,
                  .lanes = 1};
  peer.totals = {.rx_packets = 3, .rx_bytes = 3 << 20, .shards_repaired = 5};
  peer.lane_list = {{.slot = 2,
                     .worker = 3,
                     .local = "192.0.2.7:9000",
                     .remote = "192.0.2.1:40000",
                     .sending = true,
                     .reading = {.rx_packets = 5,
                                 .tx_packets = 6,
                                 .srtt_us = 90,
                                 .retransmitted_segments = 7,
                                 .fec_tx_data = 10,
                                 .fec_tx_parity = 3}}};
  peer.routes = {{.network = "10.20.0.0/16", .state = "accepted"},
                 {.network = "10.0.0.0/8",
                  .state = "refused",
                  .code = 4,
                  .reason = "it is here"},
                 {.network = "10.30.0.0/16", .ours = true, .state = "sent"}};
  return peer;
}

Status Example() {
  Status status;
  status.version = "0.1.0";
  status.protocol = 1;
  status.features = {"mtu", "about"};
  status.mode = "server";
  status.reading.uptime_s = 93784;
  status.pid = 42;
  status.encryption = "aes-256-gcm";
  status.public_key = "KEY=";
  status.uplink = {.driver = "af_packet",
                   .device = "eth0",
                   .reason = "af_xdp: no zero copy",
                   .up = true,
                   .super_frames = true,
                   .persona = "linux-6.18",
                   .reading = {.link_mtu = 1500}};
  status.tunnel = {.device = "lwt0",
                   .driver = "net_tap",
                   .reason = "net_tap, as asked",
                   .addresses = {"10.0.0.1/24", "fd00::1/64"},
                   .reading = {.mtu = 1409}};
  status.held_routes = {{"10.40.0.0/16", "AWAY="}};
  status.peers.push_back(ExamplePeer());
  PeerStatus silent;
  silent.state = "down";
  silent.reason = "evil \x1b[31m \xff text";
  status.peers.push_back(silent);
  status.banned = {"BAN="};
  status.workers.push_back({"1",
                            {.busy_cycles = 250,
                             .idle_cycles = 750,
                             .sleeps = 5,
                             .uplink_rx_frames = 10,
                             .uplink_tx_frames = 11,
                             .tunnel_rx_packets = 12,
                             .tunnel_tx_packets = 13}});
  status.drops = {kDropMetrics, std::vector<uint64_t>(std::size(kDropMetrics))};
  status.drops.values[static_cast<size_t>(DropReason::kBadTag)] = 9;
  status.counters = {{"", WorkerReading{.streams_punted = 4}.All()},
                     {"uplink", PortReading{.rx_missed = 2}.All()}};
  status.memory_mode = "no-huge";
  status.pools = {{"small", {.buffers = 4096, .in_use = 17}}};
  return status;
}

// All names, and where they are: what programs read stays. A number of the
// registry that is added comes by itself.
TEST(StatusJsonTest, HasEveryMember) {
  const std::string json = ToJson(Example());
  for (const char* part : {
           R"({"version":"0.1.0","protocol":1,"features":["mtu","about"],)"
           R"("mode":"server","uptime_s":93784,"pid":42,)"
           R"("encryption":"aes-256-gcm","public_key":"KEY=",)",
           R"("uplink":{"driver":"af_packet","device":"eth0",)"
           R"("reason":"af_xdp: no zero copy","link_mtu":1500,)"
           R"("up":true,"super_frames":true,"persona":"linux-6.18"})",
           R"("tunnel":{"device":"lwt0","driver":"net_tap",)"
           R"("reason":"net_tap, as asked",)"
           R"("mtu":1409,"addresses":["10.0.0.1/24","fd00::1/64"]})",
           R"({"tunnel_addresses":["10.0.0.2"],"public_key":"",)"
           R"("name":"","endpoint":"192.0.2.1:40000","state":"up",)"
           R"("path":"client","reason":"","version":"0.2.0",)"
           R"("protocol":1,"features":["mtu"],"rtt_us":1234,)"
           R"("last_handshake_s":7,"last_heard_s":66,)"
           R"("mtu":0,"rate":20000000,"rate_in":1500000,)"
           R"("lanes":1,"epoch":0,)"
           R"("rx_epochs":0,"tx_epochs":0,"route_lists":0,)"
           R"("route_lists_overtaken":0,"rx_packets":3,"rx_bytes":3145728,)"
           R"("tx_packets":0,"tx_bytes":0,"records_opened":0,)"
           R"("records_sealed":0,)",
           R"("retransmitted_segments":0,"segment_payload":0,)"
           R"("highest_receive_epoch":0,)"
           R"("records_lost":0,"fec":{"records_lost":0,)",
           R"("shards_repaired":5,)",
           R"("fec_rx_data":0,"fec_rx_parity":0},"lane_list":[)"
           R"({"slot":2,"worker":3,"local":"192.0.2.7:9000",)"
           R"("remote":"192.0.2.1:40000","sending":true,"rx_packets":5,)",
           R"("tx_packets":6,)",
           R"("srtt_us":90,"retransmitted_segments":7,)",
           R"("fec_tx_data":10,"fec_tx_parity":3,)",
           R"("routes":[{"network":"10.20.0.0/16","of":"peer",)"
           R"("state":"accepted","code":0,"reason":""},)"
           R"({"network":"10.0.0.0/8","of":"peer","state":"refused",)"
           R"("code":4,"reason":"it is here"},)"
           R"({"network":"10.30.0.0/16","of":"us","state":"sent",)"
           R"("code":0,"reason":""}]})",
           R"("rtt_us":null,"last_handshake_s":null,"last_heard_s":null,)",
           R"("banned":["BAN="],"held_routes":[)"
           R"({"network":"10.40.0.0/16","public_key":"AWAY="}])",
           R"("workers":[{"cpus":"1","busy_cycles":250,)"
           R"("idle_cycles":750,"sleeps":5,"uplink_rx_frames":10,)",
           R"("rx_frames":10,"tx_frames":11,"tun_rx_packets":12,)"
           R"("tun_tx_packets":13}])",
           R"("drops":{"truncated":0,)",
           R"("bad_tag":9,)",
           R"("counters":{"busy_cycles":0,)",
           R"("streams_punted":4,)",
           R"("uplink_rx_missed":2,)",
           R"("memory":{"mode":"no-huge","pools":[{"name":"small",)"
           R"("buffers":4096,"in_use":17}]})",
       }) {
    EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
  }
  EXPECT_EQ(json.back(), '\n');
  EXPECT_EQ(json.find('\x1b'), std::string::npos);
}

TEST(StatusJsonTest, AnotherParserTakesIt) {
  for (const Status& status : {Example(), Status{}}) {
    FILE* python = popen("/usr/bin/python3 -m json.tool >/dev/null 2>&1", "w");
    ASSERT_NE(python, nullptr);
    std::string json = ToJson(status);
    EXPECT_EQ(fwrite(json.data(), 1, json.size(), python), json.size());
    EXPECT_EQ(pclose(python), 0) << json;
  }
}

TEST(StatusTableTest, GoldenText) {
  EXPECT_EQ(ToTable(Example()),
            R"(lightweight-tunnel 0.1.0, server, pid 42, up 1 d 2 h
  encryption  aes-256-gcm
  public key  KEY=
  uplink      eth0, af_packet, MTU 1500, up, seen as linux-6.18
              af_xdp: no zero copy
  tunnel      lwt0, net_tap, MTU 1409, 10.0.0.1/24, fd00::1/64
              net_tap, as asked
  memory      no-huge
  banned      BAN=

peer 10.0.0.2: up
  public key      -
  endpoint        192.0.2.1:40000
  path            client, lanes 1, MTU 0
  at most         20 Mbit/s to it, 1500 kbit/s from it
  round trip      1.234 ms
  last handshake  7 s ago, key epoch 0
  last heard      1 min 6 s ago
  received        3 packets, 3.0 MiB
  sent            0 packets, 0 B
  records         0 opened, 0 lost, 0 sealed, 0 segments sent again
  behind it       10.20.0.0/16
  refused         10.0.0.0/8 here: it is here

peer -: down
  reason          evil ?[31m ? text
  public key      -
  endpoint        -
  path            , lanes 0, MTU 0
  round trip      -
  last handshake  -
  last heard      -
  received        0 packets, 0 B
  sent            0 packets, 0 B
  records         0 opened, 0 lost, 0 sealed, 0 segments sent again

workers
  cpus  busy    sleeps  uplink in  uplink out  tunnel in  tunnel out
  1     25.0 %  5       10         11          12         13

drops
  bad_tag  9  The record's tag does not verify.

counters
  streams_punted    4
  uplink_rx_missed  2

buffers
  small  17 of 4096 in use
)");
}

TEST(VersionsTest, GoldenText) {
  Status status = Example();
  PeerStatus old = status.peers[0];
  old.version = "";
  old.features = {};
  PeerStatus away = old;
  away.protocol = 0;
  away.state = "connecting";
  PeerStatus hostile = status.peers[0];
  hostile.version = "1\x1b[2J";
  status.peers = {status.peers[0], old, away, hostile};
  EXPECT_EQ(ToVersions(status),
            "0.1.0\n"
            "protocol 1, features: mtu, about\n"
            "peer 10.0.0.2: 0.2.0, protocol 1, features: mtu\n"
            "peer 10.0.0.2: does not say its version, protocol 1, features: -\n"
            "peer 10.0.0.2: connecting\n"
            "peer 10.0.0.2: 1?[2J, protocol 1, features: mtu\n");
}

TEST(StatusTest, AClientSaysWhichOfItsHubsItIsAt) {
  Status status;
  PeerStatus peer;
  peer.endpoint = "192.0.2.2:9000";
  peer.path = "hub";
  peer.hub = "b.example:9000";
  peer.hub_reason = "a.example:9000: no answer";
  status.peers = {peer};
  const std::string table = ToTable(status);
  EXPECT_NE(table.find("  endpoint        192.0.2.2:9000\n"
                       "  hub             b.example:9000\n"
                       "  not             a.example:9000: no answer\n"),
            std::string::npos)
      << table;
  EXPECT_NE(ToJson(status).find(R"("hub":"b.example:9000",)"
                                R"("hub_reason":"a.example:9000: no answer")"),
            std::string::npos)
      << ToJson(status);
}

TEST(RoutesTableTest, GoldenText) {
  EXPECT_EQ(RoutesToTable(Example()),
            R"(  network       behind    state             reason
  10.20.0.0/16  10.0.0.2  accepted          -
  10.0.0.0/8    10.0.0.2  refused           it is here
  10.30.0.0/16  us        no answer         -
  10.40.0.0/16  AWAY=     held, it is away  -
)");
  EXPECT_EQ(RoutesToTable(Status{}), "no networks behind peers or behind us\n");
}

TEST(RoutesJsonTest, HasTheRoutesOfEachPeer) {
  const std::string json = RoutesToJson(Example());
  EXPECT_TRUE(json.starts_with(R"({"peers":[{"tunnel_addresses":["10.0.0.2"])"))
      << json;
  EXPECT_NE(json.find(R"({"network":"10.30.0.0/16","of":"us","state":"sent")"),
            std::string::npos);
  EXPECT_NE(json.find(R"("held_routes":[{"network":"10.40.0.0/16")"),
            std::string::npos);
}

TEST(StatusTableTest, SaysWhenThereIsNoKeyAndNothingDropped) {
  Status status;
  status.encryption = "none";
  std::string table = ToTable(status);
  EXPECT_NE(table.find("NONE: anyone may join"), std::string::npos);
  EXPECT_NE(table.find("drops: none"), std::string::npos);
  EXPECT_NE(table.find("peers: none"), std::string::npos);
  EXPECT_NE(table.find("DOWN"), std::string::npos);
}

}  // namespace
}  // namespace lwt::telemetry

#include "control/api/status.h"

#include <gtest/gtest.h>
#include <stdio.h>

namespace lwt::api {
namespace {

Status Example() {
  Status status;
  status.version = "0.1.0";
  status.mode = "server";
  status.uptime_s = 93784;
  status.pid = 42;
  status.encryption = "aes-256-gcm";
  status.public_key = "KEY=";
  status.uplink = {"af_packet", "eth0",      "af_xdp: no zero copy", 1500, true,
                   true,        "linux-6.18"};
  status.tunnel = {"lwt0",
                   "net_tap",
                   "net_tap, as asked",
                   1409,
                   {"10.0.0.1/24", "fd00::1/64"}};
  PeerStatus peer;
  peer.tunnel_addresses = {"10.0.0.2"};
  peer.endpoint = "192.0.2.1:40000";
  peer.state = "up";
  peer.path = "client";
  peer.rtt_us = 1234;
  peer.last_handshake_s = 7;
  peer.rx_packets = 3;
  peer.rx_bytes = 3 << 20;
  peer.lanes = 1;
  peer.lane_list = {
      {2, 3, "192.0.2.7:9000", "192.0.2.1:40000", true, 90, 5, 6, 7, 10, 3}};
  peer.fec = {{"shards_repaired", 5}};
  status.peers.push_back(peer);
  PeerStatus silent;
  silent.state = "down";
  silent.reason = "evil \x1b[31m \xff text";
  status.peers.push_back(silent);
  status.banned = {"BAN="};
  status.workers.push_back({"1", 250, 750, 5, 10, 11, 12, 13});
  status.drops = {{"bad_tag", 9}, {"replayed", 0}};
  status.counters = {{"punts", 4}, {"unused", 0}};
  status.memory_mode = "no-huge";
  status.pools = {{"small", 4096, 17}};
  return status;
}

constexpr char kPeerRest[] =
    R"("tx_packets":0,"tx_bytes":0,"mtu":0,"lanes":1,"lane_list":[)"
    R"({"slot":2,"worker":3,"local":"192.0.2.7:9000",)"
    R"("remote":"192.0.2.1:40000","sending":true,"srtt_us":90,)"
    R"("rx_packets":5,"tx_packets":6,"retransmitted_segments":7,)"
    R"("fec_tx_data":10,"fec_tx_parity":3}],"epoch":0,)"
    R"("rx_epochs":0,"tx_epochs":0,"records_sealed":0,"records_opened":0,)"
    R"("records_lost":0,"retransmitted_segments":0,)"
    R"("fec":{"shards_repaired":5}})";

TEST(StatusJsonTest, HasEveryMember) {
  std::string json = ToJson(Example());
  for (std::string part : {
           std::string(R"({"version":"0.1.0","mode":"server",)"
                       R"("uptime_s":93784,"pid":42,)"
                       R"("encryption":"aes-256-gcm","public_key":"KEY=",)"),
           std::string(R"("uplink":{"driver":"af_packet","device":"eth0",)"
                       R"("reason":"af_xdp: no zero copy","link_mtu":1500,)"
                       R"("up":true,"super_frames":true,)"
                       R"("persona":"linux-6.18"})"),
           std::string(
               R"("tunnel":{"device":"lwt0","driver":"net_tap",)"
               R"("reason":"net_tap, as asked",)"
               R"("mtu":1409,"addresses":["10.0.0.1/24","fd00::1/64"]})"),
           std::string(R"({"tunnel_addresses":["10.0.0.2"],"public_key":"",)"
                       R"("endpoint":"192.0.2.1:40000","state":"up",)"
                       R"("path":"client","reason":"","rtt_us":1234,)"
                       R"("last_handshake_s":7,"rx_packets":3,)"
                       R"("rx_bytes":3145728,)") +
               kPeerRest,
           std::string(R"("rtt_us":null,"last_handshake_s":null)"),
           std::string(R"("banned":["BAN="])"),
           std::string(R"("workers":[{"cpus":"1","busy_cycles":250,)"
                       R"("idle_cycles":750,"sleeps":5,"rx_frames":10,)"
                       R"("tx_frames":11,"tun_rx_packets":12,)"
                       R"("tun_tx_packets":13}])"),
           std::string(R"("drops":{"bad_tag":9,"replayed":0})"),
           std::string(R"("counters":{"punts":4,"unused":0})"),
           std::string(R"("memory":{"mode":"no-huge","pools":[{"name":"small",)"
                       R"("buffers":4096,"in_use":17}]})"),
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
  round trip      1.234 ms
  last handshake  7 s ago, key epoch 0
  received        3 packets, 3.0 MiB
  sent            0 packets, 0 B
  records         0 opened, 0 lost, 0 sealed, 0 segments sent again

peer -: down
  reason          evil ?[31m ? text
  public key      -
  endpoint        -
  path            , lanes 0, MTU 0
  round trip      -
  last handshake  -
  received        0 packets, 0 B
  sent            0 packets, 0 B
  records         0 opened, 0 lost, 0 sealed, 0 segments sent again

workers
  cpus  busy    sleeps  uplink in  uplink out  tunnel in  tunnel out
  1     25.0 %  5       10         11          12         13

drops
  bad_tag  9  The record's tag does not verify.

counters
  punts  4

buffers
  small  17 of 4096 in use
)");
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
}  // namespace lwt::api

#include "tests/packet/dataplane/gateway_pair.h"

#include <rte_eal.h>

#include <algorithm>
#include <cstring>

#include "dataplane/loop.h"
#include "dataplane/wire/be.h"
#include "drivers/packet_pool.h"
#include "drivers/ports/ring.h"
#include "tests/support/wire_frames.h"

namespace lwt::testing {
namespace {

constexpr size_t kEthernet = 14;

constexpr uint16_t kFirstPort = 40000;

Endpoint ClientEndpoint(uint32_t lane) {
  Endpoint endpoint = *ParseEndpoint("192.0.2.1:0");
  endpoint.port = static_cast<uint16_t>(kFirstPort + lane);
  return endpoint;
}
Endpoint HubEndpoint() { return *ParseEndpoint("192.0.2.2:9000"); }

std::string UniqueName(const std::string& name) {
  static int count = 0;
  return name + std::to_string(count++);
}

std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>> Rings(
    const std::string& name, uint8_t link_header_size, bool segments,
    uint16_t mtu) {
  RingSpec spec;
  spec.name = UniqueName(name);
  spec.size = 256;
  spec.link_header_size = link_header_size;
  spec.mtu = mtu;
  spec.wait_fds = false;
  spec.segments = segments;
  auto pair = OpenRingPair(spec);
  EXPECT_TRUE(pair.ok()) << pair.status();
  return std::move(*pair);
}

std::vector<Bytes> TakeAll(Port& port) {
  std::vector<Bytes> all;
  std::array<rte_mbuf*, 64> mbufs;
  while (const uint16_t count = port.Receive(mbufs)) {
    for (uint16_t i = 0; i < count; ++i) {
      for (Bytes& bytes : test::WireFrames(*mbufs[i])) {
        all.push_back(std::move(bytes));
      }
      rte_pktmbuf_free(mbufs[i]);
    }
  }
  return all;
}

bool Give(Port& port, const Bytes& bytes, uint8_t link_size, bool merged) {
  rte_mbuf* mbuf =
      rte_pktmbuf_alloc(bytes.size() > 2000 ? TestJumboPool() : TestPool());
  if (mbuf == nullptr) return false;
  char* room = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(bytes.size()));
  std::copy(bytes.begin(), bytes.end(), room);
  mbuf->l2_len = link_size;
  if (merged) {
    mbuf->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  }
  std::array<rte_mbuf*, 1> one = {mbuf};
  if (port.Transmit(one) == 1) return true;
  rte_pktmbuf_free(mbuf);
  return false;
}

WorkerOptions Completed(WorkerOptions options, Port* uplink, Port* tunnel) {
  options.uplink = uplink;
  options.tunnel = tunnel;
  options.pool = TestPool();
  return options;
}

}  // namespace

void StartTestEal() {
  static const bool started = [] {
    const char* arguments[] = {
        "test", "--no-huge", "--no-shconf",    "-m",
        "256",  "--no-pci",  "--no-telemetry", "--log-level=error"};
    return rte_eal_init(std::size(arguments), const_cast<char**>(arguments)) >=
           0;
  }();
  ASSERT_TRUE(started);
}

rte_mempool* TestPool() {
  StartTestEal();
  static auto pool =
      PacketPool::Create("test", PacketPool::Kind::kSmall, test_pool_size);
  EXPECT_TRUE(pool.ok());
  return pool->get();
}

rte_mempool* TestJumboPool() {
  StartTestEal();
  static auto pool = PacketPool::Create("testj", PacketPool::Kind::kJumbo, 63);
  EXPECT_TRUE(pool.ok());
  return pool->get();
}

WorkerOptions SmallWorker() {
  WorkerOptions options;
  options.max_lanes = 4;
  options.arena_bytes = 1u << 20;
  options.send_queue = 1024;
  return options;
}

NodePorts RingPorts(bool segments, uint16_t uplink_mtu) {
  StartTestEal();
  NodePorts ports;
  std::tie(ports.uplink, ports.uplink_far) =
      Rings("u", kEthernet, segments, uplink_mtu);
  std::tie(ports.tunnel, ports.tunnel_far) = Rings("t", 0, false, 1500);
  return ports;
}

Node::Node(const std::string& name, const WorkerOptions& base, NodePorts ports,
           Aead::Code aead)
    : ports_(std::move(ports)) {
  worker_ = std::make_unique<Worker>(
      Completed(base, ports_.uplink.get(), ports_.tunnel.get()),
      *Aead::Create(aead), Mailbox::Create(UniqueName(name)));
  mailbox().AttachWorker(nullptr);
}

uint64_t Node::total_drops() const {
  uint64_t total = 0;
  for (const Counter& counter : counters().drops) total += counter.Get();
  return total;
}

void Node::RunAt(uint64_t now_us) {
  worker_->now_us = now_us;
  RunLoopOnce(*worker_);
  mailbox().Collect();
  Drain();
}

void Node::Drain() {
  Event event;
  while (mailbox().PollEvent(event)) events.push_back(event);
  PuntedStream stream;
  while (mailbox().PollStream(stream)) {
    streams.push_back(stream.bytes);
    punted.push_back(stream);
  }
  PuntedRecord record;
  while (mailbox().PollRecord(record)) {
    records.emplace_back(record.kind, record.bytes);
  }
}

std::vector<Bytes> Node::TakeFromUplink() {
  return ports_.uplink_far ? TakeAll(*ports_.uplink_far) : std::vector<Bytes>();
}
std::vector<Bytes> Node::TakeFromTunnel() {
  return TakeAll(*ports_.tunnel_far);
}

bool Node::GiveToUplink(const Bytes& frame, bool merged) {
  return Give(*ports_.uplink_far, frame, kEthernet, merged);
}

bool Node::GiveToTunnel(const Bytes& packet) {
  return Give(*ports_.tunnel_far, packet, 0, false);
}

GatewayPair::GatewayPair(const WorkerOptions& base)
    : GatewayPair(base, RingPorts(), RingPorts()) {}

GatewayPair::GatewayPair(const WorkerOptions& base, NodePorts client_ports,
                         NodePorts hub_ports)
    : GatewayPair(base, base, std::move(client_ports), std::move(hub_ports)) {}

GatewayPair::GatewayPair(const WorkerOptions& client_options,
                         const WorkerOptions& hub_options,
                         NodePorts client_ports, NodePorts hub_ports,
                         Aead::Code aead)
    : client("c", client_options, std::move(client_ports), aead),
      hub("h", hub_options, std::move(hub_ports), aead) {
  client.mailbox().Publish(OnePeer({"10.0.0.0/24", "fd00::/64"}));
  hub.mailbox().Publish(OnePeer({"10.0.0.2/32", "fd00::2/128"}));
}

void GatewayPair::Settle(const Change& change) {
  bool moved = true;
  while (moved) {
    moved = false;
    Node* nodes[2] = {&client, &hub};
    for (int direction = 0; direction < 2; ++direction) {
      nodes[direction]->RunAt(now_us);
      moved = moved || nodes[direction]->worker().worked;
      for (Bytes& frame : nodes[direction]->TakeFromUplink()) {
        moved = true;
        if (change && !change(direction, frame)) continue;
        ASSERT_TRUE(nodes[1 - direction]->GiveToUplink(frame));
      }
    }
  }
}

void GatewayPair::Listen() {
  hub.mailbox().Send(ListenCommand{{HubEndpoint()}});
}

void GatewayPair::Establish() {
  Listen();
  Join(0);
}

void GatewayPair::Join(uint32_t lane, const std::function<void()>& settle) {
  constexpr uint32_t kToken = 7;
  client.events.clear();
  hub.streams.clear();
  hub.punted.clear();
  client.mailbox().Send(
      ConnectCommand{kToken, ClientEndpoint(lane), HubEndpoint(), TestLink()});
  settle();
  ASSERT_EQ(client.events.size(), 1u);
  ASSERT_EQ(client.events[0].kind, EventKind::kFlowUp);
  EXPECT_EQ(client.events[0].token, kToken);
  client_flow = client.events[0].flow;
  client.mailbox().Send(SendStreamCommand{client_flow, {1, 2, 3}});
  settle();
  ASSERT_EQ(hub.streams.size(), 1u);
  EXPECT_EQ(hub.streams[0], (Bytes{1, 2, 3}));
  hub_flow = hub.punted[0].flow;
  InstallLaneCommand install{{lane},         {lane},         client_flow,
                             TestKeys(0, 0), TestKeys(1, 0), TestMask(0),
                             TestMask(1)};
  client.mailbox().Send(install);
  std::swap(install.send, install.receive);
  std::swap(install.send_mask, install.receive_mask);
  install.flow = hub_flow;
  hub.mailbox().Send(install);
  settle();
  client.events.clear();
  hub.events.clear();
}

std::string DropsOf(GatewayPair& pair) {
  std::string text;
  for (Node* node : {&pair.client, &pair.hub}) {
    text += node == &pair.client ? "client:" : " hub:";
    for (size_t i = 0; i < kDropReasonCount; ++i) {
      const auto reason = static_cast<DropReason>(i);
      if (node->drops(reason) == 0) continue;
      text += " " + std::string(NameOf(reason)) + " " +
              std::to_string(node->drops(reason));
    }
  }
  return text;
}

Bytes InnerUdp4(const std::string& source, const std::string& destination,
                size_t size, uint8_t fill) {
  Bytes packet(size, fill);
  packet[0] = 0x45;
  packet[1] = 0;
  wire::StoreBe16(&packet[2], static_cast<uint16_t>(size));
  packet[6] = 0;
  packet[7] = 0;
  packet[8] = 64;
  packet[9] = 17;
  const IpAddress from = *ParseIpAddress(source);
  const IpAddress to = *ParseIpAddress(destination);
  std::copy_n(from.bytes.begin(), 4, packet.begin() + 12);
  std::copy_n(to.bytes.begin(), 4, packet.begin() + 16);
  return packet;
}

Bytes InnerUdp6(const std::string& source, const std::string& destination,
                size_t size, uint8_t fill) {
  Bytes packet(size, fill);
  packet[0] = 0x60;
  wire::StoreBe16(&packet[4], static_cast<uint16_t>(size - 40));
  packet[6] = 17;
  packet[7] = 64;
  const IpAddress from = *ParseIpAddress(source);
  const IpAddress to = *ParseIpAddress(destination);
  std::copy_n(from.bytes.begin(), 16, packet.begin() + 8);
  std::copy_n(to.bytes.begin(), 16, packet.begin() + 24);
  return packet;
}

std::unique_ptr<Snapshot> OnePeer(const std::vector<std::string>& prefixes,
                                  uint16_t mtu) {
  auto snapshot = std::make_unique<Snapshot>();
  std::vector<RouteTable::Route> routes;
  for (const std::string& prefix : prefixes) {
    routes.push_back({*ParseIpPrefix(prefix), {0}});
  }
  snapshot->routes = RouteTable(routes);
  SnapshotPeer peer;
  peer.SetLane({0}, {0});
  peer.inner_mtu = mtu;
  snapshot->peers.push_back(peer);
  return snapshot;
}

wire::LinkHeader TestLink() {
  wire::LinkHeader link;
  link.size = kEthernet;
  link.bytes = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0};
  return link;
}

EpochKeys TestKeys(uint8_t direction, uint32_t epoch) {
  EpochKeys keys;
  keys.epoch = epoch;
  std::memset(keys.key.data(), static_cast<int>(17 * direction + epoch + 1),
              keys.key.size());
  std::memset(keys.iv.data(), static_cast<int>(direction + 3 * epoch),
              keys.iv.size());
  return keys;
}

MaskSecret TestMask(uint8_t direction) {
  MaskSecret mask;
  std::memset(mask.data(), 90 + direction, mask.size());
  return mask;
}

}  // namespace lwt::testing

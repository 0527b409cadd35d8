#include "tests/bench/gateway_rig.h"

#include <rte_memcpy.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "dataplane/loop.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"
#include "drivers/ports/memif.h"
#include "drivers/ports/ring.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::bench {
namespace {

using testing::Bytes;
using testing::NodePorts;
using PortPair = std::pair<std::unique_ptr<Port>, std::unique_ptr<Port>>;

constexpr uint64_t kStepUs = 20;
constexpr int kMostLoops = 16;
constexpr uint8_t kEthernet = 14;
// IPv4, and TCP with the timestamp option.
constexpr size_t kInnerHeaders = 52;
// A lane's inner client is 10.X.Y.Z, its peer inside is 172.X.Y.Z.
constexpr uint8_t kClientNet = 10;
constexpr uint8_t kHubNet = 172;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "bench: %s\n", what);
  std::abort();
}

template <typename T>
T Checked(absl::StatusOr<T> made) {
  if (!made.ok()) Fail(made.status().ToString().c_str());
  return *std::move(made);
}

PortPair Join(RigOptions::Ports kind, uint8_t link_header_size,
              bool segments = false, bool copies_kept = true) {
  static int count = 0;
  const std::string name = "bench" + std::to_string(count++);
  if (kind == RigOptions::Ports::kMemif) {
    MemifSpec spec;
    spec.name = "lwt-" + std::to_string(getpid()) + "-" + name;
    spec.link_header_size = link_header_size;
    spec.pool = testing::TestPool();
    return Checked(OpenMemifPair(spec));
  }
  RingSpec spec;
  spec.name = name;
  spec.link_header_size = link_header_size;
  spec.wait_fds = false;
  spec.segments = segments;
  spec.copies_kept = copies_kept;
  return Checked(OpenRingPair(spec));
}

std::string Address(uint8_t net, uint32_t lane) {
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%u.%u.%u.%u", net, lane >> 16 & 0xff,
                lane >> 8 & 0xff, lane & 0xff);
  return text.data();
}

void Fill(rte_mbuf* mbuf, std::span<const uint8_t> bytes) {
  char* room = rte_pktmbuf_append(mbuf, static_cast<uint16_t>(bytes.size()));
  rte_memcpy(room, bytes.data(), bytes.size());
}

// A super-frame as the tunnel device's port gives it (drivers/port.h): headers
// and the first payload in one mbuf, each other payload in one of its own.
rte_mbuf* TrainOf(const Bytes& super, size_t payload) {
  const size_t count = (super.size() - kInnerHeaders + payload - 1) / payload;
  std::vector<rte_mbuf*> parts(count);
  if (rte_pktmbuf_alloc_bulk(testing::TestPool(), parts.data(),
                             static_cast<unsigned>(count)) != 0) {
    Fail("the pool is empty");
  }
  size_t at = 0;
  for (size_t i = 0; i < count; ++i) {
    const size_t most = payload + (i == 0 ? kInnerHeaders : 0);
    const size_t size = std::min(most, super.size() - at);
    if (i > 0) {
      parts[i]->data_off += kInnerHeaders;
      parts[i - 1]->next = parts[i];
    }
    Fill(parts[i], {super.data() + at, size});
    at += size;
  }
  parts[0]->nb_segs = static_cast<uint16_t>(count);
  parts[0]->pkt_len = static_cast<uint32_t>(super.size());
  return parts[0];
}

// Packets that an mbuf stands for.
size_t PacketsIn(const rte_mbuf* mbuf) {
  if ((mbuf->ol_flags & RTE_MBUF_F_TX_TCP_SEG) == 0) return 1;
  return (mbuf->pkt_len - kInnerHeaders + mbuf->tso_segsz - 1) /
         mbuf->tso_segsz;
}

// Peers 0 … lanes - 1, each with its lane and the address in `net`, and
// routes to networks that no packet of ours goes to.
std::unique_ptr<Snapshot> ManyPeers(uint8_t net, uint32_t lanes,
                                    uint32_t foreign_routes) {
  auto snapshot = std::make_unique<Snapshot>();
  std::vector<RouteTable::Route> routes;
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    routes.push_back({*ParseIpPrefix(Address(net, lane) + "/32"), {lane}});
    SnapshotPeer peer;
    peer.SetLane({0}, {lane});
    peer.inner_mtu = testing::GatewayPair::kInnerMtu;
    snapshot->peers.push_back(peer);
  }
  IpPrefix foreign = *ParseIpPrefix("20.0.0.0/28");
  for (uint32_t i = 0; i < foreign_routes; ++i) {
    const uint32_t network = (20u << 24) + (i << 4);
    for (int byte = 0; byte < 4; ++byte) {
      foreign.address.bytes[static_cast<size_t>(byte)] =
          static_cast<uint8_t>(network >> (24 - 8 * byte));
    }
    routes.push_back({foreign, {i % lanes}});
  }
  snapshot->routes = RouteTable(routes);
  return snapshot;
}

// The TCP super-frame that stands for a lane's packets of one burst, between
// the addresses and of the size of `packet`.
Bytes SuperOf(const Bytes& packet, size_t packets) {
  testing::InnerSpec spec;
  spec.payload = packets * (packet.size() - kInnerHeaders);
  Bytes super = testing::MakeInner(spec);
  std::copy_n(packet.begin() + 12, 8, super.begin() + 12);
  super[10] = super[11] = 0;
  const uint16_t sum = wire::ChecksumFinish(
      wire::ChecksumAdd(super.data(), wire::kIpv4HeaderSize));
  std::memcpy(&super[10], &sum, sizeof(sum));
  testing::Unfinish(super, wire::kIpv4HeaderSize, /*udp=*/false);
  return super;
}

}  // namespace

std::pair<NodePorts, NodePorts> JoinedPorts(const RigOptions& options) {
  testing::StartTestEal();
  const RigOptions::Ports kind = options.ports;
  NodePorts client;
  NodePorts hub;
  if (options.has_carrier()) {
    std::tie(client.uplink, client.uplink_far) =
        Join(kind, kEthernet, options.offload, /*copies_kept=*/false);
    std::tie(hub.uplink, hub.uplink_far) =
        Join(kind, kEthernet, options.offload, /*copies_kept=*/false);
  } else {
    std::tie(client.uplink, hub.uplink) = Join(kind, kEthernet);
  }
  std::tie(client.tunnel, client.tunnel_far) =
      Join(kind, 0, options.super_inside);
  std::tie(hub.tunnel, hub.tunnel_far) = Join(kind, 0, options.super_inside);
  return {std::move(client), std::move(hub)};
}

GatewayRig::GatewayRig(const RigOptions& options)
    : options_(options),
      way_there_(options.loss),
      way_back_(0, options.round_trip) {
  auto [client, hub] = JoinedPorts(options);
  WorkerOptions worker;
  worker.max_lanes = std::max(options.lanes, options.places);
  if (options.code.on()) {
    worker.tuning.fec.mode = fec::Mode::kFixed;
    worker.tuning.fec.fixed = options.code;
  }
  worker.fec_code = options.fec_code;
  worker.retransmit = options.retransmit;
  pair_ = std::make_unique<testing::GatewayPair>(
      worker, worker, std::move(client), std::move(hub), options.crypto);
  pair_->client.mailbox().Publish(ManyPeers(kHubNet, options.lanes, 0));
  pair_->hub.mailbox().Publish(
      ManyPeers(kClientNet, options.lanes, options.foreign_routes));
  JoinAll();
  received_before_ = pair_->hub.counters().uplink_rx_frames.Get();
  sent_before_ = pair_->client.counters().uplink_tx_frames.Get();
}

// Every lane opens one record, so that its keys and window have been used.
void GatewayRig::JoinAll() {
  pair_->Establish();
  for (uint32_t lane = 1; lane < options_.lanes; ++lane) pair_->Join(lane);
  for (uint32_t lane = 0; lane < options_.lanes; ++lane) {
    const Bytes packet =
        testing::InnerUdp4(Address(kClientNet, lane), Address(kHubNet, lane),
                           options_.packet_size, static_cast<uint8_t>(lane));
    if (!pair_->client.GiveToTunnel(packet)) Fail("the tunnel ring is full");
    pair_->Settle();
    if (pair_->hub.TakeFromTunnel().size() != 1) Fail("a lane carries nothing");
    if (lane % (options_.lanes / options_.active) == 0 &&
        active_.size() < options_.active) {
      active_.push_back(lane);
      packets_.push_back(options_.super_inside
                             ? SuperOf(packet, kBurst / options_.active)
                             : packet);
    }
  }
}

void GatewayRig::Feed() {
  if (options_.super_inside) {
    FeedSupers();
  } else {
    FeedPackets();
  }
  if (pair_->client.tunnel_far().Transmit(fed_) != fed_.size()) {
    Fail("the client takes no packets");
  }
}

void GatewayRig::FeedPackets() {
  fed_.resize(kBurst);
  if (rte_pktmbuf_alloc_bulk(testing::TestPool(), fed_.data(), kBurst) != 0) {
    Fail("the pool is empty");
  }
  for (size_t i = 0; i < kBurst; ++i) {
    Fill(fed_[i], packets_[i % packets_.size()]);
  }
}

void GatewayRig::FeedSupers() {
  fed_.clear();
  for (const Bytes& super : packets_) {
    rte_mbuf* mbuf = TrainOf(super, options_.packet_size - kInnerHeaders);
    mbuf->ol_flags = RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
    mbuf->packet_type = RTE_PTYPE_L4_TCP;
    mbuf->l3_len = wire::kIpv4HeaderSize;
    mbuf->tso_segsz =
        static_cast<uint16_t>(options_.packet_size - kInnerHeaders);
    fed_.push_back(mbuf);
  }
}

void GatewayRig::RunClient() {
  Worker& worker = pair_->client.worker();
  worker.now_us = pair_->now_us;
  RunLoopOnce(worker);
}

void GatewayRig::Carry() {
  if (!options_.has_carrier()) return;
  way_there_.Carry(pair_->client.uplink_far(), pair_->hub.uplink_far());
}

// One loop, or as many as it takes to receive all that the client sent:
// parities make more frames of a burst than a loop takes.
void GatewayRig::RunHub() {
  Worker& worker = pair_->hub.worker();
  worker.now_us = pair_->now_us;
  for (int loop = 0; loop < kMostLoops; ++loop) {
    RunLoopOnce(worker);
    const uint64_t received = worker.counters.uplink_rx_frames.Get();
    if (worker.inbound.received.drained() &&
        received - received_before_ >= Carried()) {
      return;
    }
  }
  Fail("the hub does not receive all frames");
}

// Frames that went to the hub's uplink since all lanes stand.
uint64_t GatewayRig::Carried() const {
  return options_.has_carrier()
             ? way_there_.carried()
             : pair_->client.counters().uplink_tx_frames.Get() - sent_before_;
}

void GatewayRig::Drain() {
  std::array<rte_mbuf*, 4 * kBurst> mbufs;
  const uint16_t frames = pair_->hub.tunnel_far().Receive(mbufs);
  size_t count = 0;
  for (uint16_t i = 0; i < frames; ++i) count += PacketsIn(mbufs[i]);
  rte_pktmbuf_free_bulk(mbufs.data(), frames);
  delivered_ += count;
  const bool sure = options_.loss == 0 && options_.round_trip == 0;
  if (sure && count != kBurst) FailAt(count);
  if (options_.has_carrier()) {
    way_back_.Carry(pair_->hub.uplink_far(), pair_->client.uplink_far());
  }
  pair_->Advance(kStepUs);
}

void GatewayRig::FailAt(size_t arrived) {
  std::fprintf(stderr, "bench: %zu packets of %zu B arrived\n", arrived,
               options_.packet_size);
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    const auto reason = static_cast<DropReason>(i);
    std::fprintf(stderr, "bench: %s: client %lu, hub %lu\n",
                 NameOf(reason).data(), pair_->client.drops(reason),
                 pair_->hub.drops(reason));
  }
  Fail("packets are missing");
}

uint64_t GatewayRig::records_sealed() const {
  return pair_->client.counters().records_sealed.Get();
}

uint64_t GatewayRig::parities_sent() const {
  return pair_->client.worker().lane_counters[0].parities_sent.Get();
}

void GatewayRig::Step() {
  Feed();
  RunClient();
  Carry();
  RunHub();
  Drain();
}

}  // namespace lwt::bench

#include "tests/bench/two_peer_hub.h"

#include <rte_memcpy.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include "dataplane/loop.h"
#include "tests/bench/gateway_rig.h"
#include "tests/bench/quiet_gate.h"

namespace lwt::bench {
namespace {

using testing::Bytes;
using testing::GatewayPair;
using testing::Node;

constexpr uint64_t kStepUs = 20;
constexpr int kMostLoops = 8;
constexpr size_t kPacketSize = 1400;
// Of GatewayPair's hub; a peer's client has the port of its number.
constexpr char kHubEndpoint[] = "192.0.2.2:9000";
constexpr char kClientEndpoint[] = "192.0.2.1:";
constexpr uint16_t kFirstPort = 40000;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "bench: %s\n", what);
  std::abort();
}

std::string ClientAddress(uint32_t peer) {
  return "10.0.0." + std::to_string(2 + peer);
}
std::string HubAddress(uint32_t peer) {
  return "172.16.0." + std::to_string(2 + peer);
}

// Both peers; the lane of each has its number. `worker_of` says whose it is.
template <typename WorkerOf>
std::shared_ptr<Snapshot> TwoPeers(std::string (*address)(uint32_t),
                                   const WorkerOf& worker_of) {
  auto snapshot = std::make_shared<Snapshot>();
  std::vector<RouteTable::Route> routes;
  for (uint32_t peer = 0; peer < TwoPeerHub::kPeers; ++peer) {
    routes.push_back({*ParseIpPrefix(address(peer) + "/32"), {peer}});
    SnapshotPeer entry;
    entry.SetLane({worker_of(peer)}, {peer});
    entry.inner_mtu = GatewayPair::kInnerMtu;
    snapshot->peers.push_back(entry);
  }
  snapshot->routes = RouteTable(routes);
  return snapshot;
}

FlowDirectory Directory() {
  std::vector<FlowDirectory::Entry> entries;
  for (uint32_t peer = 0; peer < TwoPeerHub::kPeers; ++peer) {
    const std::string client =
        kClientEndpoint + std::to_string(kFirstPort + peer);
    entries.push_back(
        {FlowKey::Of(*ParseEndpoint(kHubEndpoint), *ParseEndpoint(client)),
         {peer}});
  }
  return FlowDirectory(std::move(entries));
}

// A burst, the packets of a peer one behind the other.
void Feed(Node& node, const std::vector<Bytes>& packets) {
  std::array<rte_mbuf*, TwoPeerHub::kBurst> mbufs;
  if (rte_pktmbuf_alloc_bulk(testing::TestPool(), mbufs.data(), mbufs.size()) !=
      0) {
    Fail("the pool is empty");
  }
  for (size_t i = 0; i < mbufs.size(); ++i) {
    const Bytes& packet = packets[i * packets.size() / mbufs.size()];
    rte_memcpy(rte_pktmbuf_append(mbufs[i], kPacketSize), packet.data(),
               kPacketSize);
  }
  if (node.tunnel_far().Transmit(mbufs) != mbufs.size()) {
    Fail("a gateway takes no packets");
  }
}

void Drain(Node& node, bool wanted) {
  std::array<rte_mbuf*, 2 * TwoPeerHub::kBurst> mbufs;
  const uint16_t count = node.tunnel_far().Receive(mbufs);
  rte_pktmbuf_free_bulk(mbufs.data(), count);
  if (count != (wanted ? TwoPeerHub::kBurst : 0)) Fail("packets are missing");
}

void RunOnce(Node& node, uint64_t now_us) {
  node.worker().now_us = now_us;
  RunLoopOnce(node.worker());
}

// A loop, and more where ACKs made the frames of a burst too many for one.
void RunAll(Node& node, const Node& other, uint64_t now_us) {
  for (int loop = 0; loop < kMostLoops; ++loop) {
    RunOnce(node, now_us);
    if (node.counters().uplink_rx_frames.Get() ==
        other.counters().uplink_tx_frames.Get()) {
      return;
    }
  }
  Fail("a gateway does not receive all frames");
}

}  // namespace

TwoPeerHub::TwoPeerHub(uint32_t workers) {
  testing::StartTestEal();
  if (workers > 1) {
    handoff_ = Handoff::Create("bw", workers);
    if (handoff_ == nullptr) Fail("no memory for the rings between workers");
  }
  for (uint32_t worker = 0; worker < workers; ++worker) {
    AddPart(worker, workers);
  }
  auto snapshot = TwoPeers(ClientAddress, [workers](uint32_t peer) {
    return workers > 1 ? peer : 0;
  });
  if (workers > 1) snapshot->flows = Directory();
  for (Part& part : parts_) part.pair->hub.mailbox().Publish(snapshot);
}

void TwoPeerHub::AddPart(uint32_t worker, uint32_t workers) {
  auto [client_ports, hub_ports] = JoinedPorts({.carried = false});
  WorkerOptions client;
  client.max_lanes = kPeers;
  WorkerOptions hub = client;
  hub.index = {worker};
  hub.handoff = handoff_.get();
  Part& part = parts_.emplace_back();
  part.pair = std::make_unique<GatewayPair>(
      client, hub, std::move(client_ports), std::move(hub_ports));
  GatewayPair& pair = *part.pair;
  if (handoff_ != nullptr) handoff_->Attach({worker}, &pair.hub.mailbox());
  pair.client.mailbox().Publish(
      TwoPeers(HubAddress, [](uint32_t) { return 0u; }));
  pair.hub.mailbox().Send(ListenCommand{{*ParseEndpoint(kHubEndpoint)}});
  for (uint32_t peer = 0; peer < kPeers; ++peer) {
    if (workers > 1 && peer != worker) continue;
    pair.Join(peer);
    part.to_hub.push_back(
        testing::InnerUdp4(ClientAddress(peer), HubAddress(peer), kPacketSize));
    part.to_client.push_back(
        testing::InnerUdp4(HubAddress(peer), ClientAddress(peer), kPacketSize));
  }
}

uint64_t TwoPeerHub::Step(uint32_t worker) {
  Part& part = parts_[worker];
  GatewayPair& pair = *part.pair;
  Feed(pair.client, part.to_hub);
  RunAll(pair.client, pair.hub, pair.now_us);
  // What the hub sent in the step before.
  Drain(pair.client, part.started);
  part.started = true;
  Feed(pair.hub, part.to_client);
  const uint64_t cycles =
      CyclesOf([&pair] { RunAll(pair.hub, pair.client, pair.now_us); });
  Drain(pair.hub, true);
  pair.Advance(kStepUs);
  return cycles;
}

}  // namespace lwt::bench

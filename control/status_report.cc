#include "control/status_report.h"

#include <unistd.h>

#include <algorithm>

#include "control/cli/version.h"
#include "dataplane/clock.h"

namespace lwt {
namespace {

using peer::LaneReading;
using peer::Session;

uint64_t SecondsSince(uint64_t then_us, uint64_t now_us) {
  return now_us > then_us ? (now_us - then_us) / 1'000'000 : 0;
}

api::LaneStatus LaneOf(const Session& session, const peer::SessionLane& lane) {
  const LaneReading reading = session.ReadingOf(lane);
  const auto sending = session.SendingLanes();
  api::LaneStatus status;
  status.slot = lane.slot;
  status.worker = lane.name.worker.value;
  status.local = ToString(lane.local);
  status.remote = ToString(lane.remote);
  status.sending =
      std::find(sending.begin(), sending.end(), &lane) != sending.end();
  status.srtt_us = reading.srtt_us;
  status.rx_packets = reading.rx_packets;
  status.tx_packets = reading.tx_packets;
  status.retransmitted_segments = reading.retransmitted_segments;
  status.fec_tx_data = reading.fec_tx_data;
  status.fec_tx_parity = reading.fec_tx_parity;
  return status;
}

void FillSession(const Session& session, uint64_t now_us,
                 api::PeerStatus& peer) {
  LaneReading totals = session.Totals();
  peer.public_key = handshake::PublicKeyToText(session.secrets().peer_key);
  peer.last_handshake_s = SecondsSince(session.created_us(), now_us);
  peer.rx_packets = totals.rx_packets;
  peer.rx_bytes = totals.rx_bytes;
  peer.tx_packets = totals.tx_packets;
  peer.tx_bytes = totals.tx_bytes;
  peer.mtu = session.secrets().mtu;
  peer.lanes = static_cast<uint32_t>(session.lanes().size());
  for (const peer::SessionLane& lane : session.lanes()) {
    peer.lane_list.push_back(LaneOf(session, lane));
  }
  peer.epoch = session.send_epoch();
  peer.rx_epochs = session.receive_epochs();
  peer.tx_epochs = session.send_epochs();
  peer.records_sealed = totals.records_sealed;
  peer.records_opened = totals.records_opened;
  peer.records_lost = totals.records_lost;
#define LWT_FEC_STATUS(member, name, sentence) \
  peer.fec.push_back({name, totals.member});
  LWT_FEC_COUNTERS(LWT_FEC_STATUS)
  LWT_FEC_GAUGES(LWT_FEC_STATUS)
#undef LWT_FEC_STATUS
  peer.retransmitted_segments = totals.retransmitted_segments;
  if (totals.srtt_us != 0) peer.rtt_us = totals.srtt_us;
}

api::PeerStatus ClientPeer(const peer::HubSessions::Client& client,
                           uint64_t now_us) {
  api::PeerStatus peer;
  for (const IpPrefix& prefix : client.addresses) {
    peer.tunnel_addresses.push_back(ToString(prefix.address));
  }
  peer.endpoint = ToString(client.remote);
  bool up = client.session->sending_lane() != nullptr;
  peer.state = up ? "up" : "down";
  peer.path = "client";
  if (!up) peer.reason = "its connection was closed; it may come back";
  FillSession(*client.session, now_us, peer);
  if (client.rtt_us != 0) peer.rtt_us = client.rtt_us;
  return peer;
}

void FillWorker(const WorkerThread& worker, api::Status& status) {
  const WorkerCounters& counters = worker.counters();
  api::WorkerStatus entry;
  entry.cpus = FormatCpuList(worker.cpus());
  entry.busy_cycles = counters.busy_cycles.Get();
  entry.idle_cycles = counters.idle_cycles.Get();
  entry.sleeps = counters.sleeps.Get();
  entry.rx_frames = counters.uplink_rx_frames.Get();
  entry.tx_frames = counters.uplink_tx_frames.Get();
  entry.tun_rx_packets = counters.tunnel_rx_packets.Get();
  entry.tun_tx_packets = counters.tunnel_tx_packets.Get();
  status.workers.push_back(entry);
}

// Sums over the workers.
void FillCounters(const Platform& platform, api::Status& status) {
  const auto sum = [&](auto read) {
    uint64_t total = 0;
    for (const auto& worker : platform.workers()) {
      total += read(worker->counters()).Get();
    }
    return total;
  };
  for (size_t i = 0; i < kDropReasonCount; ++i) {
    status.drops.push_back(
        {std::string(NameOf(static_cast<DropReason>(i))),
         sum([i](const WorkerCounters& counters) -> const Counter& {
           return counters.drops[i];
         })});
  }
#define LWT_COUNTER_STATUS(member, name, sentence)                      \
  status.counters.push_back(                                            \
      {name, sum([](const WorkerCounters& counters) -> const Counter& { \
         return counters.member;                                        \
       })});
  LWT_WORKER_COUNTERS(LWT_COUNTER_STATUS)
#undef LWT_COUNTER_STATUS
}

void AddCounters(const char* name, std::span<const Port* const> ports,
                 api::Status& status) {
  PortCounters sum;
  for (const Port* port : ports) {
    const PortCounters counters = port->ReadCounters();
#define LWT_COUNTER_SUM(member, member_name, sentence) \
  sum.member += counters.member;
    LWT_PORT_COUNTERS(LWT_COUNTER_SUM)
#undef LWT_COUNTER_SUM
  }
#define LWT_COUNTER_STATUS(member, member_name, sentence) \
  status.counters.push_back(                              \
      {config::Concat(name, "_", member_name), sum.member});
  LWT_PORT_COUNTERS(LWT_COUNTER_STATUS)
#undef LWT_COUNTER_STATUS
}

void FillPorts(const Platform& platform, api::Status& status) {
  std::vector<const Port*> uplink;
  std::vector<const Port*> tunnel;
  for (uint16_t i = 0; i < platform.uplink().port_count(); ++i) {
    uplink.push_back(&platform.uplink().port(i));
    tunnel.push_back(&platform.tunnel(i));
  }
  AddCounters("uplink", uplink, status);
  AddCounters("tunnel", tunnel, status);
  if (const LanSide* side = platform.lan()) {
    std::vector<const Port*> lan;
    for (uint16_t i = 0; i < side->port_count(); ++i) {
      lan.push_back(side->port(i));
    }
    AddCounters("lan_port", lan, status);
  }
}

api::LanStatus LanOf(const LanSide& lan) {
  api::LanStatus status;
  status.device = lan.link().name;
  status.driver = lan.info().driver;
  status.reason = lan.reason();
  status.up = lan.link().up;
  for (const IpPrefix& own : lan.table()->spec().addresses) {
    status.addresses.push_back(ToString(own));
  }
  status.neighbours = lan.table()->spec().neighbours.size();
  return status;
}

api::PoolStatus PoolOf(const char* name, const PacketPool& pool) {
  return {name, pool.count(), pool.count() - pool.free_count()};
}

}  // namespace

void ReportHub(const peer::ClientSession& client, const config::Config& config,
               uint64_t now_us, api::Status& status) {
  api::PeerStatus peer;
  for (const IpPrefix& prefix : config.tunnel.addresses) {
    peer.tunnel_addresses.push_back(
        ToString(IpPrefix{prefix.Network(), prefix.length}));
  }
  if (client.remote()) peer.endpoint = ToString(*client.remote());
  peer.state = client.state();
  peer.path = "hub";
  peer.reason = client.reason();
  if (client.session() != nullptr) {
    FillSession(*client.session(), now_us, peer);
    if (client.rtt_us() != 0) peer.rtt_us = client.rtt_us();
  }
  status.peers.push_back(std::move(peer));
}

void ReportClients(const peer::HubSessions& hub, uint64_t now_us,
                   api::Status& status) {
  for (const auto& client : hub.clients()) {
    if (client.session) status.peers.push_back(ClientPeer(client, now_us));
  }
  for (const handshake::PublicKey& key : hub.banned()) {
    status.banned.push_back(handshake::PublicKeyToText(key));
  }
}

api::Status MakeStatus(const StatusSources& sources) {
  const Platform& platform = sources.platform;
  const config::Config& config = sources.config;
  uint64_t now_us = MonotonicUs();
  api::Status status;
  status.version = cli::Version();
  status.mode = config::NameOf(config.mode);
  status.uptime_s = SecondsSince(sources.started_us, now_us);
  status.pid = static_cast<uint32_t>(getpid());
  status.encryption = config::NameOf(config.key.encryption);
  status.public_key = handshake::PublicKeyToText(sources.public_key);

  status.uplink.driver = platform.uplink().info().driver;
  status.uplink.device = platform.uplink().info().device;
  status.uplink.reason = platform.uplink().reason();
  status.uplink.link_mtu = platform.link().mtu;
  status.uplink.up = platform.link().up;
  status.uplink.super_frames = platform.uplink().info().segments;
  status.uplink.persona = host::NameOf(platform.persona());
  status.tunnel.device = platform.tunnel().info().device;
  status.tunnel.driver = platform.tunnel().info().driver;
  status.tunnel.reason = platform.tunnel_reason();
  status.tunnel.mtu = platform.tunnel_mtu().mtu();
  for (const IpPrefix& prefix : config.tunnel.addresses) {
    status.tunnel.addresses.push_back(ToString(prefix));
  }

  if (platform.lan() != nullptr) status.lan = LanOf(*platform.lan());
  for (const auto& worker : platform.workers()) FillWorker(*worker, status);
  FillCounters(platform, status);
  FillPorts(platform, status);
  status.memory_mode =
      platform.memory().use_hugepages ? "hugepages" : "no-huge";
  status.pools.push_back(PoolOf("small", platform.small_pool()));
  status.pools.push_back(PoolOf("jumbo", platform.jumbo_pool()));
  return status;
}

}  // namespace lwt

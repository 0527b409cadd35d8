#include "control/status_report.h"

#include <unistd.h>

#include <algorithm>

#include "control/cli/version.h"
#include "dataplane/clock.h"

namespace lwt {
namespace {

using peer::Session;

uint64_t SecondsSince(uint64_t then_us, uint64_t now_us) {
  return now_us > then_us ? (now_us - then_us) / 1'000'000 : 0;
}

telemetry::LaneStatus LaneOf(const Session& session,
                             const peer::SessionLane& lane) {
  const auto sending = session.SendingLanes();
  telemetry::LaneStatus status;
  status.slot = lane.slot;
  status.worker = lane.name.worker.value;
  status.local = ToString(lane.local);
  status.remote = ToString(lane.remote);
  status.sending =
      std::find(sending.begin(), sending.end(), &lane) != sending.end();
  status.reading = session.ReadingOf(lane);
  return status;
}

void FillSession(const Session& session, uint64_t now_us,
                 telemetry::PeerStatus& peer) {
  peer.public_key = handshake::PublicKeyToText(session.secrets().peer_key);
  peer.totals = session.Totals();
  peer.reading.last_handshake_s = SecondsSince(session.created_us(), now_us);
  peer.reading.mtu = session.secrets().mtu;
  peer.reading.lanes = session.lanes().size();
  peer.reading.epoch = session.send_epoch();
  peer.reading.rx_epochs = session.receive_epochs();
  peer.reading.tx_epochs = session.send_epochs();
  if (peer.totals.srtt_us != 0) peer.reading.rtt_us = peer.totals.srtt_us;
  for (const peer::SessionLane& lane : session.lanes()) {
    peer.lane_list.push_back(LaneOf(session, lane));
  }
}

telemetry::PeerStatus ClientPeer(const peer::HubSessions::Client& client,
                                 uint64_t now_us) {
  telemetry::PeerStatus peer;
  for (const IpPrefix& prefix : client.addresses) {
    peer.tunnel_addresses.push_back(ToString(prefix.address));
  }
  peer.endpoint = ToString(client.remote);
  bool up = client.session->sending_lane() != nullptr;
  peer.state = up ? "up" : "down";
  peer.path = "client";
  if (!up) peer.reason = "its connection was closed; it may come back";
  FillSession(*client.session, now_us, peer);
  if (client.rtt_us != 0) peer.reading.rtt_us = client.rtt_us;
  return peer;
}

// Each worker's, and their sums.
void FillWorkers(const Platform& platform, telemetry::Status& status) {
  WorkerReading sum;
  status.drops.metrics = kDropMetrics;
  status.drops.values.resize(kDropReasonCount);
  for (const auto& worker : platform.workers()) {
    const WorkerReading reading = worker->counters().Read();
    status.workers.push_back({FormatCpuList(worker->cpus()), reading});
    sum.Add(reading);
    for (size_t i = 0; i < kDropReasonCount; ++i) {
      status.drops.values[i] += worker->counters().drops[i].Get();
    }
  }
  status.counters.push_back({"", sum.All()});
}

void AddPorts(const char* source, std::span<const Port* const> ports,
              telemetry::Status& status) {
  PortReading sum;
  for (const Port* port : ports) sum.Add(port->ReadCounters());
  status.counters.push_back({source, sum.All()});
}

void FillPorts(const Platform& platform, telemetry::Status& status) {
  std::vector<const Port*> uplink;
  std::vector<const Port*> tunnel;
  for (uint16_t i = 0; i < platform.uplink().port_count(); ++i) {
    uplink.push_back(&platform.uplink().port(i));
    tunnel.push_back(&platform.tunnel(i));
  }
  AddPorts("uplink", uplink, status);
  AddPorts("tunnel", tunnel, status);
  if (const LanSide* side = platform.lan()) {
    std::vector<const Port*> lan;
    for (uint16_t i = 0; i < side->port_count(); ++i) {
      lan.push_back(side->port(i));
    }
    AddPorts("lan_port", lan, status);
  }
}

telemetry::LanStatus LanOf(const LanSide& lan) {
  telemetry::LanStatus status;
  status.device = lan.link().name;
  status.driver = lan.info().driver;
  status.reason = lan.reason();
  status.up = lan.link().up;
  for (const IpPrefix& own : lan.table()->spec().addresses) {
    status.addresses.push_back(ToString(own));
  }
  status.reading.neighbours = lan.table()->spec().neighbours.size();
  return status;
}

telemetry::PoolStatus PoolOf(const char* name, const PacketPool& pool) {
  return {
      name,
      {.buffers = pool.count(), .in_use = pool.count() - pool.free_count()}};
}

}  // namespace

void ReportHub(const peer::ClientSession& client, const config::Config& config,
               uint64_t now_us, telemetry::Status& status) {
  telemetry::PeerStatus peer;
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
    if (client.rtt_us() != 0) peer.reading.rtt_us = client.rtt_us();
  }
  status.peers.push_back(std::move(peer));
}

void ReportClients(const peer::HubSessions& hub, uint64_t now_us,
                   telemetry::Status& status) {
  for (const auto& client : hub.clients()) {
    if (client.session) status.peers.push_back(ClientPeer(client, now_us));
  }
  for (const handshake::PublicKey& key : hub.banned()) {
    status.banned.push_back(handshake::PublicKeyToText(key));
  }
}

telemetry::Status MakeStatus(const StatusSources& sources) {
  const Platform& platform = sources.platform;
  const config::Config& config = sources.config;
  uint64_t now_us = MonotonicUs();
  telemetry::Status status;
  status.version = cli::Version();
  status.mode = config::NameOf(config.mode);
  status.reading.uptime_s = SecondsSince(sources.started_us, now_us);
  status.pid = static_cast<uint32_t>(getpid());
  status.encryption = config::NameOf(config.key.encryption);
  status.public_key = handshake::PublicKeyToText(sources.public_key);

  status.uplink.driver = platform.uplink().info().driver;
  status.uplink.device = platform.uplink().info().device;
  status.uplink.reason = platform.uplink().reason();
  status.uplink.reading.link_mtu = platform.link().mtu;
  status.uplink.up = platform.link().up;
  status.uplink.super_frames = platform.uplink().info().segments;
  status.uplink.persona = host::NameOf(platform.persona());
  status.tunnel.device = platform.tunnel().info().device;
  status.tunnel.driver = platform.tunnel().info().driver;
  status.tunnel.reason = platform.tunnel_reason();
  status.tunnel.reading.mtu = platform.tunnel_mtu().mtu();
  for (const IpPrefix& prefix : config.tunnel.addresses) {
    status.tunnel.addresses.push_back(ToString(prefix));
  }

  if (platform.lan() != nullptr) status.lan = LanOf(*platform.lan());
  FillWorkers(platform, status);
  FillPorts(platform, status);
  status.memory_mode =
      platform.memory().use_hugepages ? "hugepages" : "no-huge";
  status.pools.push_back(PoolOf("small", platform.small_pool()));
  status.pools.push_back(PoolOf("jumbo", platform.jumbo_pool()));
  return status;
}

}  // namespace lwt

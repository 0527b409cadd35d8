#include "control/platform/platform_report.h"

#include <span>
#include <vector>

namespace lwt {
namespace {

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
  std::vector<const Port*> tunnel;
  for (uint16_t i = 0; i < platform.uplink().port_count(); ++i) {
    tunnel.push_back(&platform.tunnel(i));
  }
  status.counters.push_back({"uplink", platform.ReadUplinkCounters().All()});
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

void ReportPlatform(const Platform& platform, telemetry::Status& status) {
  status.uplink.driver = platform.uplink().info().driver;
  status.uplink.device = platform.uplink().info().device;
  status.uplink.reason = platform.uplink().reason();
  if (!platform.left_out().empty()) {
    status.uplink.reason += "; " + platform.left_out();
  }
  status.uplink.reading.link_mtu = platform.link().mtu;
  status.uplink.up = platform.link().up;
  status.uplink.super_frames = platform.uplink().info().segments;
  status.uplink.persona = host::NameOf(platform.persona());
  status.tunnel.device = platform.tunnel().info().device;
  status.tunnel.driver = platform.tunnel().info().driver;
  status.tunnel.reason = platform.tunnel_reason();
  status.tunnel.reading.mtu = platform.tunnel_mtu().mtu();

  if (platform.lan() != nullptr) status.lan = LanOf(*platform.lan());
  FillWorkers(platform, status);
  FillPorts(platform, status);
  status.memory_mode =
      platform.memory().use_hugepages ? "hugepages" : "no-huge";
  status.pools.push_back(PoolOf("small", platform.small_pool()));
  status.pools.push_back(PoolOf("jumbo", platform.jumbo_pool()));
}

}  // namespace lwt

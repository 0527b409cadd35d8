#include "control/platform/tunnel_device.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "drivers/tun/offload_port.h"
#include "drivers/tun/tap_port.h"

namespace lwt::platform {
namespace {

using PortsOr = absl::StatusOr<std::vector<std::unique_ptr<Port>>>;

PortsOr OpenWithOffload(const TunnelDevice::Spec& spec) {
  OffloadSpec offload;
  offload.name = spec.name;
  offload.mtu = spec.mtu().alone;
  offload.queues = spec.queues;
  offload.pool = spec.small_pool;
  offload.jumbo_pool = spec.jumbo_pool;
  return OpenOffloadPorts(offload);
}

PortsOr OpenTap(const TunnelDevice::Spec& spec) {
  TapSpec tap;
  tap.name = spec.name;
  tap.mtu = spec.mtu().alone;
  tap.queues = spec.queues;
  tap.pool = spec.small_pool;
  return OpenTapPorts(tap);
}

}  // namespace

absl::StatusOr<std::unique_ptr<TunnelDevice>> TunnelDevice::Open(
    const Spec& spec, host::Netlink& netlink) {
  std::unique_ptr<TunnelDevice> device(new TunnelDevice(netlink));
  absl::Status status = device->OpenPorts(spec);
  if (status.ok()) status = device->Configure(spec);
  if (!status.ok()) return status;
  return device;
}

absl::Status TunnelDevice::OpenPorts(const Spec& spec) {
  if (spec.driver == config::TunnelPort::kTap) {
    reason_ = "net_tap, as tunnel_port says";
  } else {
    PortsOr ports = OpenWithOffload(spec);
    if (ports.ok()) {
      ports_ = *std::move(ports);
      reason_ = ports_.front()->info().segments_udp
                    ? "tun with segmentation of TCP and UDP"
                    : "tun with segmentation of TCP";
      return absl::OkStatus();
    }
    if (spec.driver == config::TunnelPort::kOffload ||
        !absl::IsUnimplemented(ports.status())) {
      return ports.status();
    }
    reason_ = absl::StrCat("net_tap: ", ports.status().message());
  }
  PortsOr ports = OpenTap(spec);
  if (!ports.ok()) return ports.status();
  ports_ = *std::move(ports);
  return absl::OkStatus();
}

absl::Status TunnelDevice::Configure(const Spec& spec) {
  absl::StatusOr<host::Link> link = netlink_.LinkByName(spec.name);
  if (!link.ok()) return link.status();
  ifindex_ = link->index;
  mtu_.emplace(spec.mtu, [this](uint16_t mtu) {
    return netlink_.SetLinkMtu(ifindex_, mtu);
  });
  absl::Status status = mtu_->Restore();
  for (const IpPrefix& address : spec.addresses) {
    if (status.ok()) status = netlink_.AddAddress(ifindex_, address);
  }
  if (status.ok()) status = netlink_.SetLinkUp(ifindex_, true);
  if (status.ok()) status = ForgetRoutes();
  for (const IpPrefix& network : spec.networks) {
    if (status.ok()) status = netlink_.AddRoute(ifindex_, network);
  }
  return status;
}

// A device that somebody else made outlives us, and with it what a run before
// that was killed has left.
absl::Status TunnelDevice::ForgetRoutes() {
  const auto left = netlink_.OwnRoutes(ifindex_);
  if (!left.ok()) return left.status();
  for (const IpPrefix& network : *left) {
    const absl::Status status = netlink_.RemoveRoute(ifindex_, network);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace lwt::platform

#include "control/platform/uplink_attachment.h"

#include <utility>
#include <vector>

#include "control/host/guard/offload.h"
#include "control/host/instance/journal.h"
#include "control/host/instance/switch_off.h"
#include "drivers/ports/absent.h"

namespace lwt::platform {
namespace {

bool IsLoopback(const IpAddress& address) {
  if (address.family == Family::kIpv4) return address.bytes[0] == 127;
  IpAddress loopback = IpAddress::Any(Family::kIpv6);
  loopback.bytes[15] = 1;
  return address == loopback;
}

}  // namespace

UplinkAttachment::UplinkAttachment(host::UplinkChoice choice, HostPlace& place,
                                   const loop::Log& log)
    : choice_(std::move(choice)), place_(place), log_(log) {}

UplinkAttachment::~UplinkAttachment() {
  port_.reset();
  guard_.reset();
  if (choice_.link.index != 0) place_.UndoAt(choice_.link.index);
}

absl::StatusOr<std::unique_ptr<UplinkAttachment>> UplinkAttachment::Absent(
    uint16_t ports, HostPlace& place, const loop::Log& log) {
  absl::StatusOr<std::unique_ptr<AbsentUplink>> port =
      AbsentUplink::Open(ports);
  if (!port.ok()) return port.status();
  host::UplinkChoice none;
  none.link.type = ARPHRD_ETHER;
  none.link.mtu = (*port)->info().mtu;
  std::unique_ptr<UplinkAttachment> attachment(
      new UplinkAttachment(std::move(none), place, log));
  attachment->port_ = *std::move(port);
  return attachment;
}

absl::StatusOr<std::unique_ptr<UplinkAttachment>> UplinkAttachment::Open(
    host::UplinkChoice choice, UplinkSpec spec, bool may_use_xdp,
    HostPlace& place, const loop::Log& log) {
  std::unique_ptr<UplinkAttachment> attachment(
      new UplinkAttachment(std::move(choice), place, log));
  if (may_use_xdp) {
    const absl::Status prepared = attachment->PrepareXdp();
    if (!prepared.ok()) return prepared;
  }
  spec.interface = attachment->choice_.link.name;
  attachment->leg_ = spec.leg;
  absl::StatusOr<std::unique_ptr<Uplink>> port = OpenUplink(spec);
  if (!port.ok()) return port.status();
  attachment->port_ = *std::move(port);
  log.Info("uplink: ", attachment->choice_.reason);
  log.Info("uplink: ", attachment->port_->reason());

  absl::Status status;
  if (attachment->port_->info().kernel_sees_frames) {
    // No program is attached, and the port splits merged frames.
    place.UndoAt(attachment->choice_.link.index);
    status = attachment->Guard();
  } else {
    status = attachment->JournalXdp(attachment->port_->xdp_program_id());
  }
  if (!status.ok()) return status;
  return attachment;
}

absl::Status UplinkAttachment::PrepareXdp() {
  absl::StatusOr<std::vector<std::string>> off =
      host::SwitchOff(choice_.link.name, choice_.link.index,
                      host::kHardwareMerging, place_.journal());
  if (!off.ok()) return off.status();
  for (const std::string& name : *off) {
    log_.Info("switched ", name, " off on ", choice_.link.name,
              " until exit: AF_XDP cannot split merged frames");
  }
  return JournalXdp(0);
}

absl::Status UplinkAttachment::JournalXdp(uint32_t program_id) {
  host::HostChange change;
  change.kind = host::HostChange::Kind::kXdp;
  change.netns = host::CurrentNetns();
  change.ifindex = choice_.link.index;
  change.interface = choice_.link.name;
  change.program_id = program_id;
  return place_.journal().Record(change);
}

absl::Status UplinkAttachment::Guard() {
  absl::StatusOr<std::unique_ptr<host::IngressGuard>> guard =
      host::IngressGuard::Open(choice_.link.name);
  if (!guard.ok()) return guard.status();
  guard_ = *std::move(guard);
  return absl::OkStatus();
}

absl::Status UplinkAttachment::SetEndpoints(std::span<const Endpoint> all) {
  std::vector<Endpoint> endpoints(all.begin(), all.end());
  if (!choice_.link.loopback) {
    std::erase_if(endpoints, [](const Endpoint& endpoint) {
      return IsLoopback(endpoint.address);
    });
  }
  if (guard_ != nullptr) {
    const absl::Status guarded = guard_->SetEndpoints(endpoints);
    if (!guarded.ok()) return guarded;
  }
  return port_ == nullptr ? absl::OkStatus() : port_->SetEndpoints(endpoints);
}

void UplinkAttachment::RefreshLink(host::Netlink& netlink, bool gone) {
  if (choice_.link.index == 0 || gone_) return;
  absl::StatusOr<host::Link> link = netlink.LinkByIndex(choice_.link.index);
  if (gone || !link.ok()) {
    gone_ = gone || absl::IsNotFound(link.status());
    if (gone_) log_.Warn("uplink ", choice_.link.name, " is gone");
    choice_.link.up = false;
    return;
  }
  if (link->name != choice_.link.name) {
    log_.Info("uplink ", choice_.link.name, " is ", link->name, " now");
  }
  if (link->up != choice_.link.up) {
    log_.Warn("uplink ", choice_.link.name, " is ", link->up ? "up" : "down");
  }
  choice_.link = *std::move(link);
}

}  // namespace lwt::platform

#include "drivers/ports/uplink.h"

#include <absl/strings/str_cat.h>
#include <rte_eal.h>

#include "drivers/ports/af_packet.h"
#include "drivers/ports/af_xdp.h"
#include "drivers/ports/interface.h"
#include "drivers/ports/zero_copy.h"

namespace lwt {
namespace {

using UplinkOr = absl::StatusOr<std::unique_ptr<Uplink>>;

// Zero-copy needs packet memory that does not change page within a frame.
absl::Status CanZeroCopy(const Interface& interface) {
  if (rte_eal_has_hugepages() == 0) {
    return absl::FailedPreconditionError(
        "zero-copy AF_XDP needs hugepages, which are not in use");
  }
  return TryZeroCopy(interface);
}

UplinkOr OpenAfPacket(const UplinkSpec& spec, const Interface& interface,
                      absl::string_view why) {
  absl::StatusOr<std::unique_ptr<AfPacketUplink>> uplink =
      AfPacketUplink::Open(interface, spec);
  if (!uplink.ok()) return uplink.status();
  (*uplink)->set_reason(
      absl::StrCat("af_packet ", spec.super_frames ? "with" : "without",
                   " super-frames on ", interface.name, ": ", why));
  return UplinkOr(*std::move(uplink));
}

UplinkOr OpenAfXdp(const UplinkSpec& spec, const Interface& interface,
                   const absl::Status& zero_copy, absl::string_view why) {
  absl::StatusOr<std::unique_ptr<AfXdpUplink>> uplink =
      AfXdpUplink::Open(interface, zero_copy.ok(), spec.ports);
  if (!uplink.ok()) return uplink.status();
  std::string reason = absl::StrCat("af_xdp on ", interface.name, ": ", why);
  if (!zero_copy.ok()) {
    absl::StrAppend(&reason, ", copy mode: ", zero_copy.message());
  }
  (*uplink)->set_reason(std::move(reason));
  return UplinkOr(*std::move(uplink));
}

UplinkOr OpenBest(const UplinkSpec& spec, const Interface& interface) {
  if (!spec.no_xdp.empty()) return OpenAfPacket(spec, interface, spec.no_xdp);
  if (interface.link_header_size == 0) {
    return OpenAfPacket(spec, interface, "no Ethernet, which AF_XDP needs");
  }
  const absl::Status zero_copy = CanZeroCopy(interface);
  if (!zero_copy.ok()) {
    return OpenAfPacket(spec, interface, zero_copy.message());
  }
  UplinkOr uplink = OpenAfXdp(
      spec, interface, zero_copy,
      absl::StrCat("driver ", interface.driver, " receives without a copy"));
  if (uplink.ok()) return uplink;
  return OpenAfPacket(spec, interface, uplink.status().message());
}

}  // namespace

std::string_view ToString(UplinkDriver driver) {
  switch (driver) {
    case UplinkDriver::kAuto:
      return "auto";
    case UplinkDriver::kAfPacket:
      return "af_packet";
    case UplinkDriver::kAfXdp:
      return "af_xdp";
  }
  return "unknown";
}

UplinkOr OpenUplink(const UplinkSpec& spec) {
  const absl::StatusOr<Interface> interface = ReadInterface(spec.interface);
  if (!interface.ok()) return interface.status();
  switch (spec.driver) {
    case UplinkDriver::kAfPacket:
      return OpenAfPacket(spec, *interface, "as configured");
    case UplinkDriver::kAfXdp:
      return OpenAfXdp(spec, *interface, CanZeroCopy(*interface),
                       "as configured");
    case UplinkDriver::kAuto:
      break;
  }
  return OpenBest(spec, *interface);
}

}  // namespace lwt

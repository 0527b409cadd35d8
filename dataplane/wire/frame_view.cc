#include "dataplane/wire/frame_view.h"

#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ip.h"
#include "drivers/headers.h"

namespace lwt::wire {
namespace {

// The EtherType has to agree with the version in the IP header.
bool LinkCarries(std::span<const uint8_t> link, Family family) {
  if (link.size() < kEthernetSize) return true;
  return EtherTypeOf(link) ==
         (family == Family::kIpv4 ? kEtherTypeIpv4 : kEtherTypeIpv6);
}

bool CarriesIp(std::span<const uint8_t> link) {
  if (link.size() < kEthernetSize) return true;
  const uint16_t type = EtherTypeOf(link);
  return type == kEtherTypeIpv4 || type == kEtherTypeIpv6;
}

}  // namespace

bool ParseFrame(std::span<const uint8_t> frame, uint8_t link_size,
                bool checksum_good, FrameView& out, DropReason& why) {
  if (frame.size() <= link_size) return Fail(DropReason::kTruncated, why);
  out.link = frame.first(link_size);
  if (!CarriesIp(out.link)) return Fail(DropReason::kNotTcp, why);
  IpView ip;
  if (!ParseIp(frame.subspan(link_size), ip, why)) return false;
  if (!LinkCarries(out.link, ip.family)) {
    return Fail(DropReason::kMalformed, why);
  }
  if (!ParseTcp(ip.payload, out.tcp, why)) return false;
  if (!checksum_good) {
    const uint64_t sum =
        PseudoHeaderSum(ip.source, ip.destination, ip.payload.size()) +
        ChecksumAdd(ip.payload.data(), ip.payload.size());
    if (ChecksumFold(sum) != 0xffff) {
      return Fail(DropReason::kBadChecksum, why);
    }
  }
  out.source = {ip.source, out.tcp.source_port};
  out.destination = {ip.destination, out.tcp.destination_port};
  out.traffic_class = ip.traffic_class;
  return true;
}

bool IsChecksumUnfinished(std::span<const uint8_t> frame, uint8_t link_size) {
  DropReason why{};
  IpView ip;
  TcpView tcp;
  if (frame.size() <= link_size ||
      !ParseIp(frame.subspan(link_size), ip, why) ||
      !ParseTcp(ip.payload, tcp, why)) {
    return false;
  }
  const uint16_t sum = ChecksumFold(
      PseudoHeaderSum(ip.source, ip.destination, ip.payload.size()));
  return LoadChecksum(ip.payload.data() + kTcpChecksumAt) == sum;
}

}  // namespace lwt::wire

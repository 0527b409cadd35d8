#include "dataplane/wire/ip.h"

#include <cstring>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"

namespace lwt::wire {
namespace {

constexpr uint8_t kHopByHop = 0;
constexpr uint8_t kRouting = 43;
constexpr uint8_t kFragment = 44;
constexpr uint8_t kDestinationOptions = 60;
// A packet with more extension headers than this has no business here.
constexpr int kMaxExtensionHeaders = 4;

bool ParseIpv4(std::span<const uint8_t> packet, IpView& out, DropReason& why) {
  if (packet.size() < kIpv4HeaderSize) return Fail(DropReason::kTruncated, why);
  const uint8_t* header = packet.data();
  const size_t header_size = (header[0] & 0xf) * 4u;
  const size_t total = LoadBe16(header + 2);
  if (header_size < kIpv4HeaderSize || total < header_size) {
    return Fail(DropReason::kMalformed, why);
  }
  if (total > packet.size()) return Fail(DropReason::kTruncated, why);
  if (ChecksumFold(ChecksumAdd(header, header_size)) != 0xffff) {
    return Fail(DropReason::kBadChecksum, why);
  }
  if ((LoadBe16(header + 6) & kFragmentBits) != 0) {
    return Fail(DropReason::kFragment, why);
  }
  if (header[9] != kProtocolTcp) return Fail(DropReason::kNotTcp, why);
  out.family = Family::kIpv4;
  out.traffic_class = header[1];
  out.source = IpAddress::FromBytes(Family::kIpv4, header + 12);
  out.destination = IpAddress::FromBytes(Family::kIpv4, header + 16);
  out.payload = packet.subspan(header_size, total - header_size);
  return true;
}

// Skips extension headers in front of TCP.
bool SkipExtensions(uint8_t next, std::span<const uint8_t>& payload,
                    DropReason& why) {
  for (int i = 0; i <= kMaxExtensionHeaders; ++i) {
    if (next == kProtocolTcp) return true;
    if (next == kFragment) return Fail(DropReason::kFragment, why);
    if (next != kHopByHop && next != kRouting && next != kDestinationOptions) {
      return Fail(DropReason::kNotTcp, why);
    }
    if (payload.size() < 8) return Fail(DropReason::kTruncated, why);
    const size_t size = (payload[1] + 1u) * 8u;
    if (size > payload.size()) return Fail(DropReason::kTruncated, why);
    next = payload[0];
    payload = payload.subspan(size);
  }
  return Fail(DropReason::kMalformed, why);
}

bool ParseIpv6(std::span<const uint8_t> packet, IpView& out, DropReason& why) {
  if (packet.size() < kIpv6HeaderSize) return Fail(DropReason::kTruncated, why);
  const uint8_t* header = packet.data();
  const size_t length = LoadBe16(header + 4);
  if (length > packet.size() - kIpv6HeaderSize) {
    return Fail(DropReason::kTruncated, why);
  }
  out.family = Family::kIpv6;
  out.traffic_class = static_cast<uint8_t>(LoadBe16(header) >> 4);
  out.source = IpAddress::FromBytes(Family::kIpv6, header + 8);
  out.destination = IpAddress::FromBytes(Family::kIpv6, header + 24);
  out.payload = packet.subspan(kIpv6HeaderSize, length);
  return SkipExtensions(header[6], out.payload, why);
}

}  // namespace

bool ParseIp(std::span<const uint8_t> packet, IpView& out, DropReason& why) {
  if (packet.empty()) return Fail(DropReason::kTruncated, why);
  const uint8_t version = packet[0] >> 4;
  if (version == 4) return ParseIpv4(packet, out, why);
  if (version == 6) return ParseIpv6(packet, out, why);
  return Fail(DropReason::kMalformed, why);
}

uint64_t PseudoHeaderSum(const IpAddress& source, const IpAddress& destination,
                         size_t tcp_size) {
  return ChecksumAdd(source.bytes.data(), source.size()) +
         ChecksumAdd(destination.bytes.data(), destination.size()) +
         be32(static_cast<uint32_t>(tcp_size)).raw() +
         be32(uint32_t{kProtocolTcp}).raw();
}

void WriteIpv4(uint8_t* to, const IpAddress& source,
               const IpAddress& destination, uint16_t id, size_t tcp_size,
               uint8_t traffic_class) {
  to[0] = 0x45;
  to[1] = traffic_class;
  StoreBe16(to + 2, static_cast<uint16_t>(kIpv4HeaderSize + tcp_size));
  StoreBe16(to + 4, id);
  StoreBe16(to + 6, kDontFragment);
  to[8] = kDefaultTtl;
  to[9] = kProtocolTcp;
  to[10] = 0;
  to[11] = 0;
  std::memcpy(to + 12, source.bytes.data(), 4);
  std::memcpy(to + 16, destination.bytes.data(), 4);
  const uint16_t checksum = ChecksumFinish(ChecksumAdd(to, kIpv4HeaderSize));
  std::memcpy(to + 10, &checksum, 2);
}

void WriteIpv6(uint8_t* to, const IpAddress& source,
               const IpAddress& destination, uint32_t flow_label,
               size_t tcp_size, uint8_t traffic_class) {
  StoreBe32(
      to, 0x60000000u | uint32_t{traffic_class} << 20 | (flow_label & 0xfffff));
  StoreBe16(to + 4, static_cast<uint16_t>(tcp_size));
  to[6] = kProtocolTcp;
  to[7] = kDefaultTtl;
  std::memcpy(to + 8, source.bytes.data(), 16);
  std::memcpy(to + 24, destination.bytes.data(), 16);
}

}  // namespace lwt::wire

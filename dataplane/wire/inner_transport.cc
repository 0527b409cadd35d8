#include "dataplane/wire/inner_transport.h"

#include <cstring>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/ip.h"

namespace lwt::wire {
namespace {

bool FindTransport(const uint8_t* ip, InnerTransport& transport) {
  uint8_t protocol = 0;
  if (transport.family == Family::kIpv4) {
    if ((LoadBe16(ip + 6) & kFragmentBits) != 0) return false;
    transport.ip_size = static_cast<uint16_t>((ip[0] & 0x0f) * 4);
    protocol = ip[9];
  } else {
    transport.ip_size = kIpv6HeaderSize;
    protocol = ip[6];
  }
  transport.udp = protocol == kProtocolUdp;
  return transport.udp || protocol == kProtocolTcp;
}

}  // namespace

std::optional<InnerTransport> ParseInnerTransport(
    std::span<const uint8_t> packet) {
  const auto inner = ParseInner(packet);
  if (!inner) return std::nullopt;
  InnerTransport transport;
  transport.family = inner->family;
  if (!FindTransport(packet.data(), transport)) return std::nullopt;
  const std::span<const uint8_t> l4 = packet.subspan(transport.ip_size);
  size_t header = kUdpHeaderSize;
  if (transport.udp) {
    if (l4.size() < header || LoadBe16(&l4[4]) != l4.size()) {
      return std::nullopt;
    }
  } else {
    if (l4.size() < kTcpHeaderSize) return std::nullopt;
    header = (l4[12] >> 4) * 4u;
    if (header < kTcpHeaderSize || header > l4.size()) return std::nullopt;
  }
  transport.header_size = static_cast<uint16_t>(transport.ip_size + header);
  return transport;
}

uint64_t InnerPseudoSum(const uint8_t* packet, const InnerTransport& transport,
                        size_t l4_size) {
  const bool ipv4 = transport.family == Family::kIpv4;
  const uint16_t protocol = transport.udp ? kProtocolUdp : kProtocolTcp;
  return ChecksumAdd(packet + (ipv4 ? 12 : 8), ipv4 ? 8 : 32) +
         be16(static_cast<uint16_t>(l4_size)).raw() + be16(protocol).raw();
}

bool HasRightChecksum(std::span<const uint8_t> packet,
                      const InnerTransport& transport) {
  if (transport.udp && LoadBe16(&packet[transport.checksum_at()]) == 0) {
    return false;
  }
  const std::span<const uint8_t> l4 = packet.subspan(transport.ip_size);
  const uint64_t sum = InnerPseudoSum(packet.data(), transport, l4.size()) +
                       ChecksumAdd(l4.data(), l4.size());
  return ChecksumFold(sum) == 0xffff;
}

void FinishChecksum(std::span<uint8_t> packet,
                    const InnerTransport& transport) {
  const std::span<const uint8_t> l4 = packet.subspan(transport.ip_size);
  uint16_t checksum = ChecksumFinish(ChecksumAdd(l4.data(), l4.size()));
  // 0 says that there is none (RFC 768); for TCP it is as good as 0xffff.
  if (transport.udp && checksum == 0) checksum = 0xffff;
  std::memcpy(&packet[transport.checksum_at()], &checksum, sizeof(checksum));
}

}  // namespace lwt::wire

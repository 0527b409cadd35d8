#include "dataplane/wire/super_frame.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/ip.h"

namespace lwt::wire {
namespace {

// Whether the packet has its TCP or UDP header where the port says.
bool IpHeadersMatch(const SuperFrame& super) {
  const uint8_t* ip = super.packet.data();
  const uint8_t protocol = super.udp ? kProtocolUdp : kProtocolTcp;
  if (super.ipv4) {
    return super.ip_size == (ip[0] & 0x0f) * 4 && ip[9] == protocol &&
           (LoadBe16(ip + 6) & kFragmentBits) == 0;
  }
  if (super.ip_size == kIpv6HeaderSize) return ip[6] == protocol;
  return super.ip_size > kIpv6HeaderSize;
}

// Size of the TCP or UDP header, or 0.
size_t L4HeaderSize(std::span<const uint8_t> l4, bool udp) {
  if (udp) return l4.size() > kUdpHeaderSize ? kUdpHeaderSize : 0;
  if (l4.size() < kTcpHeaderSize) return 0;
  const size_t size = (l4[12] >> 4) * 4u;
  return size >= kTcpHeaderSize && size < l4.size() ? size : 0;
}

}  // namespace

std::optional<SuperFrame> ParseSuperFrame(std::span<const uint8_t> packet,
                                          size_t ip_size, bool udp,
                                          uint16_t segment_size) {
  const auto inner = ParseInner(packet);
  if (!inner || segment_size == 0 || ip_size >= packet.size()) {
    return std::nullopt;
  }
  SuperFrame super;
  super.packet = packet;
  super.ipv4 = inner->family == Family::kIpv4;
  super.udp = udp;
  super.plain = super.ipv4 || ip_size == kIpv6HeaderSize;
  super.ip_size = static_cast<uint16_t>(ip_size);
  super.segment_size = segment_size;
  if (!IpHeadersMatch(super)) return std::nullopt;
  const size_t l4_header = L4HeaderSize(packet.subspan(ip_size), udp);
  if (l4_header == 0) return std::nullopt;
  super.header_size = static_cast<uint16_t>(ip_size + l4_header);
  const size_t payload = packet.size() - super.header_size;
  super.segments =
      static_cast<uint16_t>((payload + segment_size - 1) / segment_size);
  return super;
}

SegmentWriter::SegmentWriter(const SuperFrame& super) : super_(super) {
  const uint8_t* ip = super.packet.data();
  if (super.ipv4) {
    ip_sum_ = ChecksumAdd(ip, 2) + ChecksumAdd(ip + 6, 4) +
              ChecksumAdd(ip + 12, super.ip_size - 12u);
  }
  const uint8_t* l4 = ip + super.ip_size;
  const auto l4_size =
      static_cast<uint16_t>(super.packet.size() - super.ip_size);
  // The field holds the sum with the length of the whole.
  pseudo_sum_ = uint64_t{LoadChecksum(
                    l4 + (super.udp ? kUdpChecksumAt : kTcpChecksumAt))} +
                static_cast<uint16_t>(~be16(l4_size).raw());
}

void SegmentWriter::WriteIp(size_t index, uint16_t l4_size,
                            uint8_t* out) const {
  if (!super_.ipv4) {
    return StoreBe16(out + 4, static_cast<uint16_t>(super_.ip_size -
                                                    kIpv6HeaderSize + l4_size));
  }
  const be16 length(static_cast<uint16_t>(super_.ip_size + l4_size));
  const be16 id(static_cast<uint16_t>(LoadBe16(out + 4) + index));
  length.Store(out + 2);
  id.Store(out + 4);
  StoreChecksum(out + 10, ChecksumFinish(ip_sum_ + length.raw() + id.raw()));
}

void SegmentWriter::WriteTcp(size_t index, uint8_t* l4) const {
  StoreBe32(l4 + 4, LoadBe32(l4 + 4) +
                        static_cast<uint32_t>(index * super_.segment_size));
  if (index > 0) l4[kTcpFlagsAt] &= static_cast<uint8_t>(~kCwr);
  if (index + 1 < super_.segments) {
    l4[kTcpFlagsAt] &= static_cast<uint8_t>(~(kFin | kPsh));
  }
}

size_t SegmentWriter::Write(size_t index, uint8_t* out) const {
  const size_t size = WriteHeaders(index, out);
  std::memcpy(out + super_.header_size,
              &super_.packet[super_.header_size + index * super_.segment_size],
              size - super_.header_size);
  return size;
}

size_t SegmentWriter::WriteHeaders(size_t index, uint8_t* out) const {
  const size_t at = super_.header_size + index * super_.segment_size;
  const size_t size =
      std::min<size_t>(super_.segment_size, super_.packet.size() - at);
  std::memcpy(out, super_.packet.data(), super_.header_size);
  const auto l4_size =
      static_cast<uint16_t>(super_.header_size - super_.ip_size + size);
  WriteIp(index, l4_size, out);
  uint8_t* const l4 = out + super_.ip_size;
  const be16 length(l4_size);
  const uint16_t unfinished = ChecksumFold(pseudo_sum_ + length.raw());
  if (super_.udp) {
    length.Store(l4 + 4);
    StoreChecksum(l4 + kUdpChecksumAt, unfinished);
  } else {
    WriteTcp(index, l4);
    StoreChecksum(l4 + kTcpChecksumAt, unfinished);
  }
  return super_.header_size + size;
}

}  // namespace lwt::wire

#include "dataplane/wire/forwarding.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/ip.h"

namespace lwt::wire {
namespace {

constexpr size_t kLargestIcmp = 576;
constexpr size_t kFragmentUnit = 8;
// RFC 1812 section 4.3.2.5: precedence internetwork control.
constexpr uint8_t kErrorTos = 0xc0;

// Types of ICMP that tell of an error: unreachable, quench, redirect, time
// exceeded, parameter problem.
bool IsIcmpErrorType(uint8_t type) {
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

bool MayAnswerIpv4(std::span<const uint8_t> packet) {
  if ((LoadBe16(&packet[6]) & kFragmentOffset) != 0) return false;
  const size_t header = size_t{packet[0] & 0x0fu} * 4;
  if (packet[9] != kProtocolIcmp) return true;
  return packet.size() > header && !IsIcmpErrorType(packet[header]);
}

bool MayAnswerIpv6(std::span<const uint8_t> packet) {
  if (packet[6] != kProtocolIcmpv6) return true;
  // RFC 4443 section 2.1: errors are below 128.
  return packet.size() > kIpv6HeaderSize && packet[kIpv6HeaderSize] >= 128;
}

void WriteIcmp(Obstacle obstacle, uint16_t mtu, bool ipv4, uint8_t* icmp) {
  std::memset(icmp, 0, kIcmpHeaderSize);
  if (obstacle == Obstacle::kTimeExceeded) {
    icmp[0] = ipv4 ? 11 : 3;
    return;
  }
  if (obstacle == Obstacle::kHostUnreachable) {
    icmp[0] = ipv4 ? 3 : 1;
    icmp[1] = ipv4 ? 1 : 3;
    return;
  }
  if (obstacle == Obstacle::kProhibited) {
    icmp[0] = ipv4 ? 3 : 1;
    icmp[1] = ipv4 ? 13 : 1;
    return;
  }
  icmp[0] = ipv4 ? 3 : 2;
  icmp[1] = ipv4 ? 4 : 0;
  StoreBe16(icmp + 6, mtu);
}

void WriteIpv4Error(const IpAddress& source, const uint8_t* to, size_t size,
                    uint8_t* out) {
  std::memset(out, 0, kIpv4HeaderSize);
  out[0] = 0x45;
  out[1] = kErrorTos;
  StoreBe16(out + 2, static_cast<uint16_t>(size));
  StoreBe16(out + 6, kDontFragment);
  out[8] = kDefaultTtl;
  out[9] = kProtocolIcmp;
  std::memcpy(out + 12, source.bytes.data(), 4);
  std::memcpy(out + 16, to, 4);
  StoreChecksum(out + 10, ChecksumFinish(ChecksumAdd(out, kIpv4HeaderSize)));
  uint8_t* icmp = out + kIpv4HeaderSize;
  StoreChecksum(icmp + 2,
                ChecksumFinish(ChecksumAdd(icmp, size - kIpv4HeaderSize)));
}

void WriteIpv6Error(const IpAddress& source, const uint8_t* to, size_t size,
                    uint8_t* out) {
  std::memset(out, 0, kIpv6HeaderSize);
  out[0] = 0x60;
  const auto icmp_size = static_cast<uint16_t>(size - kIpv6HeaderSize);
  StoreBe16(out + 4, icmp_size);
  out[6] = kProtocolIcmpv6;
  out[7] = kDefaultTtl;
  std::memcpy(out + 8, source.bytes.data(), 16);
  std::memcpy(out + 24, to, 16);
  uint8_t* icmp = out + kIpv6HeaderSize;
  // The pseudo header (RFC 8200 section 8.1).
  const uint64_t sum = ChecksumAdd(out + 8, 32) + be16(icmp_size).raw() +
                       be16(kProtocolIcmpv6).raw() +
                       ChecksumAdd(icmp, icmp_size);
  StoreChecksum(icmp + 2, ChecksumFinish(sum));
}

}  // namespace

void TakeHop(uint8_t* packet) {
  if (!IsIpv4(packet)) {
    --packet[7];
    return;
  }
  --packet[8];
  // The sum over the header has 0x0100 less, so its complement that much more;
  // 0xffff, which a right header never has, becomes 0.
  const uint32_t checksum = LoadBe16(packet + 10) + 0x0100u;
  StoreBe16(packet + 10,
            static_cast<uint16_t>(checksum + (checksum >= 0xffff ? 1 : 0)));
}

bool MarkCongestion(uint8_t* packet) {
  constexpr uint8_t kCe = 3;
  // IPv6 has the bits across two bytes' halves: these two lie in the second.
  const bool ipv4 = IsIpv4(packet);
  const int shift = ipv4 ? 0 : 4;
  const uint8_t bits = packet[1] >> shift & kCe;
  if (bits == 0) return false;
  packet[1] = static_cast<uint8_t>(packet[1] | kCe << shift);
  if (!ipv4) return true;
  // RFC 1624: HC' = ~(~HC + ~m + m').
  const uint32_t sum = (~uint32_t{LoadBe16(packet + 10)} & 0xffff) +
                       static_cast<uint32_t>(kCe - bits);
  StoreBe16(packet + 10, static_cast<uint16_t>(~(sum + (sum >> 16))));
  return true;
}

bool MustNotFragment(const uint8_t* packet) {
  return !IsIpv4(packet) || (LoadBe16(packet + 6) & kDontFragment) != 0;
}

Fragments::Fragments(std::span<const uint8_t> packet, uint16_t mtu)
    : packet_(packet) {
  if (!IsIpv4(packet.data()) || packet[0] != 0x45 ||
      mtu < kIpv4HeaderSize + kFragmentUnit || packet.size() <= mtu) {
    return;
  }
  step_ = (mtu - kIpv4HeaderSize) / kFragmentUnit * kFragmentUnit;
  count_ = (packet.size() - kIpv4HeaderSize + step_ - 1) / step_;
}

size_t Fragments::Write(size_t index, uint8_t* out) const {
  const size_t at = kIpv4HeaderSize + index * step_;
  const size_t payload = std::min(step_, packet_.size() - at);
  const bool last = index + 1 == count_;
  std::memcpy(out, packet_.data(), kIpv4HeaderSize);
  std::memcpy(out + kIpv4HeaderSize, &packet_[at], payload);
  StoreBe16(out + 2, static_cast<uint16_t>(kIpv4HeaderSize + payload));
  // The packet may be a fragment itself.
  const uint16_t place = LoadBe16(out + 6);
  const auto offset = static_cast<uint16_t>((place & kFragmentOffset) +
                                            index * step_ / kFragmentUnit);
  const auto flags = static_cast<uint16_t>((place & ~kFragmentOffset) |
                                           (last ? 0 : kMoreFragments));
  StoreBe16(out + 6, static_cast<uint16_t>(flags | (offset & kFragmentOffset)));
  StoreChecksum(out + 10, 0);
  StoreChecksum(out + 10, ChecksumFinish(ChecksumAdd(out, kIpv4HeaderSize)));
  return kIpv4HeaderSize + payload;
}

std::optional<size_t> WriteObstacle(Obstacle obstacle, uint16_t mtu,
                                    const IpAddress& source,
                                    std::span<const uint8_t> packet,
                                    std::span<uint8_t, kLargestObstacle> out) {
  const bool ipv4 = IsIpv4(packet.data());
  const uint8_t* to = packet.data() + (ipv4 ? 12 : 8);
  if (!IsRoutable(source.family, to) ||
      !(ipv4 ? MayAnswerIpv4(packet) : MayAnswerIpv6(packet))) {
    return std::nullopt;
  }
  const size_t ip_size = ipv4 ? kIpv4HeaderSize : kIpv6HeaderSize;
  const size_t most = (ipv4 ? kLargestIcmp : kLargestObstacle);
  const size_t quoted =
      std::min(packet.size(), most - ip_size - kIcmpHeaderSize);
  const size_t size = ip_size + kIcmpHeaderSize + quoted;
  WriteIcmp(obstacle, mtu, ipv4, &out[ip_size]);
  std::memcpy(&out[ip_size + kIcmpHeaderSize], packet.data(), quoted);
  if (ipv4) {
    WriteIpv4Error(source, to, size, out.data());
  } else {
    WriteIpv6Error(source, to, size, out.data());
  }
  return size;
}

}  // namespace lwt::wire

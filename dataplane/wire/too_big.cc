#include "dataplane/wire/too_big.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "drivers/headers.h"

namespace lwt::wire {
namespace {

constexpr uint8_t kUnreachable = 3;
constexpr uint8_t kFragmentationNeeded = 4;
constexpr uint8_t kPacketTooBig = 2;
// Of the segment's TCP header: ports and sequence number.
constexpr size_t kQuotedTcp = 8;

void ReadTcp(const uint8_t* tcp, TooBig& told) {
  told.local.port = LoadBe16(tcp);
  told.remote.port = LoadBe16(tcp + 2);
  told.sequence = LoadBe32(tcp + 4);
}

// `quote` is the segment from its IP header on, as far as it was quoted.
bool ReadIpv4Quote(std::span<const uint8_t> quote, TooBig& told) {
  if (quote.size() < kIpv4HeaderSize || !IsIpv4(quote.data())) return false;
  const size_t header = size_t{quote[0] & 0x0fu} * 4;
  if (header < kIpv4HeaderSize || quote.size() < header + kQuotedTcp ||
      quote[9] != kProtocolTcp ||
      (LoadBe16(&quote[6]) & kFragmentOffset) != 0) {
    return false;
  }
  told.length = LoadBe16(&quote[2]);
  told.local.address = IpAddress::FromBytes(Family::kIpv4, &quote[12]);
  told.remote.address = IpAddress::FromBytes(Family::kIpv4, &quote[16]);
  ReadTcp(&quote[header], told);
  return true;
}

bool ReadIpv6Quote(std::span<const uint8_t> quote, TooBig& told) {
  if (quote.size() < kIpv6HeaderSize + kQuotedTcp || !IsIpv6(quote.data()) ||
      quote[6] != kProtocolTcp) {
    return false;
  }
  told.length = static_cast<uint32_t>(kIpv6HeaderSize) + LoadBe16(&quote[4]);
  told.local.address = IpAddress::FromBytes(Family::kIpv6, &quote[8]);
  told.remote.address = IpAddress::FromBytes(Family::kIpv6, &quote[24]);
  ReadTcp(&quote[kIpv6HeaderSize], told);
  return true;
}

bool ReadIpv4(std::span<const uint8_t> packet, TooBig& told) {
  if (packet.size() < kIpv4HeaderSize) return false;
  const size_t header = size_t{packet[0] & 0x0fu} * 4;
  const size_t size = LoadBe16(&packet[2]);
  if (header < kIpv4HeaderSize || size > packet.size() ||
      size < header + kIcmpHeaderSize || packet[9] != kProtocolIcmp ||
      (LoadBe16(&packet[6]) & kFragmentBits) != 0) {
    return false;
  }
  const std::span<const uint8_t> icmp = packet.subspan(header, size - header);
  if (icmp[0] != kUnreachable || icmp[1] != kFragmentationNeeded ||
      ChecksumFold(ChecksumAdd(icmp.data(), icmp.size())) != 0xffff) {
    return false;
  }
  told.mtu = LoadBe16(&icmp[6]);
  return ReadIpv4Quote(icmp.subspan(kIcmpHeaderSize), told) &&
         std::memcmp(&packet[16], told.local.address.bytes.data(), 4) == 0;
}

bool ReadIpv6(std::span<const uint8_t> packet, TooBig& told) {
  if (packet.size() < kIpv6HeaderSize + kIcmpHeaderSize ||
      packet[6] != kProtocolIcmpv6) {
    return false;
  }
  const uint16_t size = LoadBe16(&packet[4]);
  if (size < kIcmpHeaderSize || size > packet.size() - kIpv6HeaderSize) {
    return false;
  }
  const std::span<const uint8_t> icmp = packet.subspan(kIpv6HeaderSize, size);
  // With the pseudo header (RFC 8200 §8.1).
  const uint64_t sum = ChecksumAdd(&packet[8], 32) + be16(size).raw() +
                       be16(kProtocolIcmpv6).raw() +
                       ChecksumAdd(icmp.data(), icmp.size());
  if (icmp[0] != kPacketTooBig || ChecksumFold(sum) != 0xffff) return false;
  told.mtu =
      static_cast<uint16_t>(std::min<uint32_t>(LoadBe32(&icmp[4]), UINT16_MAX));
  return ReadIpv6Quote(icmp.subspan(kIcmpHeaderSize), told) &&
         std::memcmp(&packet[24], told.local.address.bytes.data(), 16) == 0;
}

}  // namespace

std::optional<TooBig> ParseTooBig(std::span<const uint8_t> packet) {
  TooBig told;
  if (packet.empty()) return std::nullopt;
  const bool read = IsIpv4(packet.data())   ? ReadIpv4(packet, told)
                    : IsIpv6(packet.data()) ? ReadIpv6(packet, told)
                                            : false;
  if (!read || told.mtu == 0 || told.length <= told.mtu) return std::nullopt;
  return told;
}

}  // namespace lwt::wire

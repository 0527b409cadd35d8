#include "tests/support/attacker/forged.h"

#include <algorithm>

namespace lwt::attacker {
namespace {

constexpr size_t kVirtioHeader = 10;
constexpr size_t kEthernet = 14;
constexpr size_t kIp = 20;
constexpr size_t kTcp = 20;
constexpr size_t kMssOption = 4;
constexpr uint16_t kMss = 1460;
constexpr uint8_t kTcpProtocol = 6;

void Put16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

void Put32(uint8_t* at, uint32_t value) {
  Put16(at, value >> 16);
  Put16(at + 2, value);
}

uint32_t Load16(const uint8_t* at) { return uint32_t{at[0]} << 8 | at[1]; }
uint32_t Load32(const uint8_t* at) { return Load16(at) << 16 | Load16(at + 2); }

// RFC 1071, over what `start` already sums up.
uint16_t Checksum(std::span<const uint8_t> bytes, uint32_t start) {
  uint32_t sum = start;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) sum += Load16(&bytes[i]);
  if (bytes.size() % 2 != 0) sum += uint32_t{bytes.back()} << 8;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

void PutIp(uint8_t* ip, const Segment& segment, size_t size) {
  ip[0] = 0x45;
  Put16(ip + 2, static_cast<uint32_t>(size));
  ip[6] = 0x40;  // don't fragment
  ip[8] = 64;
  ip[9] = kTcpProtocol;
  Put32(ip + 12, segment.from.address);
  Put32(ip + 16, segment.to.address);
  Put16(ip + 10, Checksum({ip, kIp}, 0));
}

void PutTcp(uint8_t* tcp, const Segment& segment, size_t header, size_t size) {
  Put16(tcp, segment.from.port);
  Put16(tcp + 2, segment.to.port);
  Put32(tcp + 4, segment.seq);
  Put32(tcp + 8, segment.ack);
  tcp[12] = static_cast<uint8_t>(header / 4 << 4);
  tcp[13] = segment.flags;
  Put16(tcp + 14, 64240);
  if (header > kTcp) {
    tcp[20] = 2;
    tcp[21] = kMssOption;
    Put16(tcp + 22, kMss);
  }
  std::copy(segment.payload.begin(), segment.payload.end(), tcp + header);
  uint32_t pseudo = kTcpProtocol + static_cast<uint32_t>(size);
  for (const End& end : {segment.from, segment.to}) {
    pseudo += (end.address >> 16) + (end.address & 0xffff);
  }
  Put16(tcp + 16, Checksum({tcp, size}, pseudo));
}

}  // namespace

bad_link::Frame MakeFrame(const Mac& own, const Mac& next_hop,
                          const Segment& segment) {
  const size_t header = kTcp + ((segment.flags & kSyn) != 0 ? kMssOption : 0);
  const size_t tcp_size = header + segment.payload.size();
  bad_link::Frame frame(kVirtioHeader + kEthernet + kIp + tcp_size);
  uint8_t* const link = frame.data() + kVirtioHeader;
  std::copy(next_hop.begin(), next_hop.end(), link);
  std::copy(own.begin(), own.end(), link + next_hop.size());
  Put16(link + 12, 0x0800);
  PutIp(link + kEthernet, segment, kIp + tcp_size);
  PutTcp(link + kEthernet + kIp, segment, header, tcp_size);
  return frame;
}

std::optional<Segment> ParseFrame(std::span<const uint8_t> frame) {
  if (frame.size() < kVirtioHeader + kEthernet + kIp + kTcp) return {};
  const uint8_t* const link = frame.data() + kVirtioHeader;
  const uint8_t* const ip = link + kEthernet;
  if (Load16(link + 12) != 0x0800 || ip[0] != 0x45 || ip[9] != kTcpProtocol) {
    return {};
  }
  const uint8_t* const tcp = ip + kIp;
  Segment segment;
  segment.from = {Load32(ip + 12), static_cast<uint16_t>(Load16(tcp))};
  segment.to = {Load32(ip + 16), static_cast<uint16_t>(Load16(tcp + 2))};
  segment.seq = Load32(tcp + 4);
  segment.ack = Load32(tcp + 8);
  segment.flags = tcp[13];
  return segment;
}

}  // namespace lwt::attacker

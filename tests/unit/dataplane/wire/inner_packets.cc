#include "tests/unit/dataplane/wire/inner_packets.h"

#include <algorithm>

namespace lwt::testing {
namespace {

void Put16(Bytes& bytes, size_t at, size_t value) {
  bytes[at] = static_cast<uint8_t>(value >> 8);
  bytes[at + 1] = static_cast<uint8_t>(value);
}

size_t Get16(const Bytes& bytes, size_t at) {
  return static_cast<size_t>(bytes[at] << 8 | bytes[at + 1]);
}

void Put32(Bytes& bytes, size_t at, uint32_t value) {
  Put16(bytes, at, value >> 16);
  Put16(bytes, at + 2, value & 0xffff);
}

uint32_t Get32(const Bytes& bytes, size_t at) {
  return static_cast<uint32_t>(Get16(bytes, at) << 16 | Get16(bytes, at + 2));
}

bool IsIpv4(const Bytes& packet) { return packet[0] >> 4 == 4; }

// RFC 1071 in the plainest way, a byte at a time.
uint16_t Sum(const Bytes& bytes, size_t from, size_t to, uint32_t sum) {
  for (size_t i = from; i < to; ++i) {
    sum +=
        static_cast<uint32_t>((i - from) % 2 == 0 ? bytes[i] << 8 : bytes[i]);
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(sum);
}

uint16_t PseudoSum(const Bytes& packet, size_t l4, bool udp) {
  const size_t from = IsIpv4(packet) ? 12 : 8;
  const size_t to = IsIpv4(packet) ? 20 : 40;
  const uint32_t rest =
      static_cast<uint32_t>(packet.size() - l4) + (udp ? 17 : 6);
  return Sum(packet, from, to, rest);
}

size_t ChecksumAt(size_t l4, bool udp) { return l4 + (udp ? 6 : 16); }

void FinishIp(Bytes& packet) {
  if (!IsIpv4(packet)) return Put16(packet, 4, packet.size() - 40);
  Put16(packet, 2, packet.size());
  Put16(packet, 10, 0);
  const auto header = static_cast<size_t>(packet[0] & 0xf) * 4;
  Put16(packet, 10, static_cast<uint16_t>(~Sum(packet, 0, header, 0)));
}

void AppendIpv4(const InnerSpec& spec, Bytes& packet) {
  packet.assign(IpSize(spec), 1);  // options: NOP
  packet[0] = static_cast<uint8_t>(0x40 + IpSize(spec) / 4);
  packet[1] = 0;
  Put16(packet, 4, spec.id);
  Put16(packet, 6, spec.dont_fragment ? 0x4000 : 0);
  packet[8] = 64;
  packet[9] = spec.udp ? 17 : 6;
  const uint8_t addresses[] = {10, 0, 0, spec.host, 10, 0, 0, 1};
  std::copy(std::begin(addresses), std::end(addresses), packet.begin() + 12);
}

void AppendIpv6(const InnerSpec& spec, Bytes& packet) {
  const uint8_t protocol = spec.udp ? 17 : 6;
  packet.assign(IpSize(spec), 0);
  packet[0] = 0x60;
  packet[6] = spec.extension == 0 ? protocol : 60;
  packet[7] = 64;
  packet[8] = packet[24] = 0xfd;
  packet[23] = spec.host;
  packet[39] = 1;
  if (spec.extension != 0) {
    packet[40] = protocol;
    packet[41] = static_cast<uint8_t>(spec.extension / 8 - 1);
    packet[42] = 1;  // PadN
    packet[43] = static_cast<uint8_t>(spec.extension - 4);
  }
}

}  // namespace

size_t IpSize(const InnerSpec& spec) {
  return spec.family == Family::kIpv4 ? 20u + spec.ip_options
                                      : 40u + spec.extension;
}

size_t HeaderSize(const InnerSpec& spec) {
  return IpSize(spec) + (spec.udp ? 8u : 20u + spec.tcp_options);
}

Bytes MakeInner(const InnerSpec& spec) {
  Bytes packet;
  if (spec.family == Family::kIpv4) {
    AppendIpv4(spec, packet);
  } else {
    AppendIpv6(spec, packet);
  }
  const size_t l4 = IpSize(spec);
  packet.resize(HeaderSize(spec), 1);  // options: NOP
  Put16(packet, l4, spec.port);
  Put16(packet, l4 + 2, 80);
  if (!spec.udp) {
    Put32(packet, l4 + 4, spec.seq);
    Put32(packet, l4 + 8, spec.ack);
    packet[l4 + 12] = static_cast<uint8_t>((20 + spec.tcp_options) / 4 << 4);
    packet[l4 + 13] = spec.flags;
    Put16(packet, l4 + 14, 501);
    Put16(packet, l4 + 18, 0);
  }
  for (size_t i = 0; i < spec.payload; ++i) {
    packet.push_back(static_cast<uint8_t>(spec.fill + i + i / 256));
  }
  if (spec.udp) Put16(packet, l4 + 4, packet.size() - l4);
  FinishIp(packet);
  Unfinish(packet, l4, spec.udp);
  Finish(packet, l4, spec.udp);
  return packet;
}

void Unfinish(Bytes& packet, size_t l4, bool udp) {
  Put16(packet, ChecksumAt(l4, udp), PseudoSum(packet, l4, udp));
}

void Finish(Bytes& packet, size_t l4, bool udp) {
  auto checksum = static_cast<uint16_t>(~Sum(packet, l4, packet.size(), 0));
  if (udp && checksum == 0) checksum = 0xffff;
  Put16(packet, ChecksumAt(l4, udp), checksum);
}

bool HasRightChecksums(const Bytes& packet, size_t l4, bool udp) {
  const auto header = static_cast<size_t>(packet[0] & 0xf) * 4;
  if (IsIpv4(packet) && Sum(packet, 0, header, 0) != 0xffff) return false;
  return Sum(packet, l4, packet.size(), PseudoSum(packet, l4, udp)) == 0xffff;
}

std::vector<Bytes> SlowSegments(const Bytes& super, size_t l4, bool udp,
                                size_t segment_size) {
  const size_t header =
      udp ? l4 + 8 : l4 + static_cast<size_t>(super[l4 + 12] >> 4) * 4;
  std::vector<Bytes> all;
  for (size_t at = header; at < super.size(); at += segment_size) {
    const size_t end = std::min(super.size(), at + segment_size);
    const bool last = end == super.size();
    Bytes one(super.begin(), super.begin() + static_cast<long>(header));
    one.insert(one.end(), super.begin() + static_cast<long>(at),
               super.begin() + static_cast<long>(end));
    if (IsIpv4(one)) Put16(one, 4, Get16(one, 4) + all.size());
    if (udp) {
      Put16(one, l4 + 4, one.size() - l4);
    } else {
      Put32(one, l4 + 4,
            Get32(one, l4 + 4) + static_cast<uint32_t>(at - header));
      if (!last) one[l4 + 13] &= 0xf6;         // FIN, PSH
      if (!all.empty()) one[l4 + 13] &= 0x7f;  // CWR
    }
    FinishIp(one);
    Unfinish(one, l4, udp);
    Finish(one, l4, udp);
    all.push_back(one);
  }
  return all;
}

}  // namespace lwt::testing

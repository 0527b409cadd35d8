#include "dataplane/wire/inner_packet.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "dataplane/wire/be.h"

namespace lwt::wire {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes Ipv4(size_t size, uint8_t protocol = 17, size_t header = 20) {
  Bytes packet(size);
  packet[0] = uint8_t(0x40 | header / 4);
  StoreBe16(&packet[2], uint16_t(size));
  packet[9] = protocol;
  for (size_t i = 12; i < 20; ++i) packet[i] = uint8_t(i);
  for (size_t i = header; i < size; ++i) packet[i] = uint8_t(100 + i - header);
  return packet;
}

Bytes Ipv6(size_t size, uint8_t next = 17) {
  Bytes packet(40);
  packet[0] = 0x60;
  StoreBe16(&packet[4], uint16_t(size - 40));
  packet[6] = next;
  for (size_t i = 8; i < 40; ++i) packet[i] = uint8_t(i);
  for (size_t i = 40; i < size; ++i) packet.push_back(uint8_t(60 + i));
  return packet;
}

uint32_t HashOf(const Bytes& packet) {
  return FlowHash(*ParseInner(packet), packet);
}

TEST(ParseInner, FindsIpv4Addresses) {
  const Bytes packet = Ipv4(28);
  const auto inner = ParseInner(packet);
  ASSERT_TRUE(inner);
  EXPECT_EQ(inner->family, Family::kIpv4);
  EXPECT_EQ(inner->source, &packet[12]);
  EXPECT_EQ(inner->destination, &packet[16]);
}

TEST(ParseInner, FindsIpv6Addresses) {
  const Bytes packet = Ipv6(48);
  const auto inner = ParseInner(packet);
  ASSERT_TRUE(inner);
  EXPECT_EQ(inner->family, Family::kIpv6);
  EXPECT_EQ(inner->source, &packet[8]);
  EXPECT_EQ(inner->destination, &packet[24]);
}

TEST(ParseInner, TakesBareHeaders) {
  EXPECT_TRUE(ParseInner(Ipv4(20)));
  EXPECT_TRUE(ParseInner(Ipv4(60, 17, 60)));
  EXPECT_TRUE(ParseInner(Ipv6(40)));
}

TEST(ParseInner, RefusesWhatIsCutAnywhere) {
  for (const Bytes& packet : {Ipv4(60), Ipv6(60)}) {
    for (size_t size = 0; size < packet.size(); ++size) {
      EXPECT_FALSE(ParseInner(std::span(packet).first(size))) << size;
    }
  }
}

TEST(ParseInner, RefusesBytesBehindThePacket) {
  for (Bytes packet : {Ipv4(60), Ipv6(60)}) {
    packet.push_back(0);
    EXPECT_FALSE(ParseInner(packet));
  }
}

TEST(ParseInner, RefusesEveryOtherVersion) {
  for (int version = 0; version < 16; ++version) {
    if (version == 4 || version == 6) continue;
    for (Bytes packet : {Ipv4(60), Ipv6(60)}) {
      packet[0] = uint8_t(version << 4 | 5);
      EXPECT_FALSE(ParseInner(packet)) << version;
    }
  }
}

TEST(ParseInner, RefusesImpossibleIpv4HeaderLengths) {
  for (int words = 0; words < 16; ++words) {
    Bytes packet = Ipv4(40);
    packet[0] = uint8_t(0x40 | words);
    EXPECT_EQ(ParseInner(packet).has_value(), words >= 5 && words <= 10)
        << words;
  }
}

bool Routable(const std::string& text) {
  const auto address = ParseIpAddress(text);
  EXPECT_TRUE(address) << text;
  return IsRoutable(address->family, address->bytes.data());
}

TEST(IsRoutable, TakesUnicast) {
  for (const char* text :
       {"1.0.0.0", "10.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.0.1",
        "169.255.0.1", "192.168.0.255", "223.255.255.255", "::2", "::1:0",
        "2001:db8::1", "fc00::1", "fd00::1", "fe7f::1", "fec0::1"}) {
    EXPECT_TRUE(Routable(text)) << text;
  }
}

TEST(IsRoutable, RefusesWhatIsNeverBehindAPeer) {
  for (const char* text :
       {"0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.255", "169.254.0.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "febf::1", "ff00::", "ff02::1"}) {
    EXPECT_FALSE(Routable(text)) << text;
  }
}

TEST(FlowHash, TellsFlowsApart) {
  for (const Bytes& base : {Ipv4(40), Ipv6(60), Ipv4(40, 6), Ipv6(60, 6)}) {
    const bool ipv4 = base[0] >> 4 == 4;
    const size_t first = ipv4 ? 12 : 8;
    const size_t end = (ipv4 ? 20 : 40) + 4;
    for (size_t at = first; at < end; ++at) {
      Bytes other = base;
      other[at] ^= 0x10;
      EXPECT_NE(HashOf(other), HashOf(base)) << at;
    }
  }
}

TEST(FlowHash, IsTheSameThroughoutAFlow) {
  for (const Bytes& base : {Ipv4(40), Ipv6(60), Ipv4(40, 6), Ipv6(60, 6)}) {
    const bool ipv4 = base[0] >> 4 == 4;
    Bytes other = base;
    other.back() ^= 0xff;         // payload
    other[ipv4 ? 8 : 7] ^= 0xff;  // TTL, hop limit
    other[1] ^= 0x0c;             // traffic class
    if (ipv4) other[5] ^= 0xff;   // identification
    EXPECT_EQ(HashOf(other), HashOf(base));
  }
}

TEST(FlowHash, DiffersByProtocol) {
  EXPECT_NE(HashOf(Ipv4(40, 6)), HashOf(Ipv4(40, 17)));
  EXPECT_NE(HashOf(Ipv6(60, 6)), HashOf(Ipv6(60, 17)));
}

TEST(FlowHash, LeavesPortsOutOfAllFragments) {
  Bytes first = Ipv4(40);
  first[6] = 0x20;  // more fragments, offset 0: ports are there
  Bytes last = Ipv4(40);
  last[7] = 3;  // offset 24: payload where ports would be
  last[20] ^= 0x55;
  EXPECT_EQ(HashOf(first), HashOf(last));
}

TEST(FlowHash, DontFragmentIsNoFragment) {
  Bytes packet = Ipv4(40);
  packet[6] = 0x40;
  EXPECT_EQ(HashOf(packet), HashOf(Ipv4(40)));
}

TEST(FlowHash, ReadsPortsBehindIpv4Options) {
  const Bytes base = Ipv4(60, 17, 40);
  Bytes options = base;
  options[20] ^= 0xff;
  EXPECT_EQ(HashOf(options), HashOf(base));
  Bytes ports = base;
  ports[40] ^= 0xff;
  EXPECT_NE(HashOf(ports), HashOf(base));
}

TEST(FlowHash, NeedsNoPayload) {
  for (size_t payload = 0; payload < 4; ++payload) {
    EXPECT_EQ(HashOf(Ipv4(20 + payload)), HashOf(Ipv4(20)));
    EXPECT_EQ(HashOf(Ipv6(40 + payload)), HashOf(Ipv6(40)));
  }
}

TEST(FlowHash, IgnoresPayloadOfProtocolsWithoutPorts) {
  Bytes icmp = Ipv4(40, 1);
  const uint32_t hash = HashOf(icmp);
  icmp[20] ^= 0xff;
  EXPECT_EQ(HashOf(icmp), hash);
}

}  // namespace
}  // namespace lwt::wire

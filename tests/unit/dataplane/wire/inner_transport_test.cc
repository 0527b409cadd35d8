#include "dataplane/wire/inner_transport.h"

#include <gtest/gtest.h>

#include <cstring>

#include "dataplane/wire/checksum.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::wire {
namespace {

using lwt::testing::Bytes;
using lwt::testing::HeaderSize;
using lwt::testing::InnerSpec;
using lwt::testing::IpSize;
using lwt::testing::MakeInner;
using lwt::testing::Unfinish;

std::vector<InnerSpec> AllKinds() {
  std::vector<InnerSpec> all;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    for (const bool udp : {false, true}) {
      for (const size_t payload : {0, 1, 2, 99, 1348}) {
        InnerSpec spec;
        spec.family = family;
        spec.udp = udp;
        spec.payload = payload;
        all.push_back(spec);
      }
    }
  }
  return all;
}

TEST(InnerTransportTest, FindsTheHeaders) {
  for (const InnerSpec& spec : AllKinds()) {
    const Bytes packet = MakeInner(spec);
    const auto transport = ParseInnerTransport(packet);
    ASSERT_TRUE(transport);
    EXPECT_EQ(transport->family, spec.family);
    EXPECT_EQ(transport->udp, spec.udp);
    EXPECT_EQ(transport->ip_size, IpSize(spec));
    EXPECT_EQ(transport->header_size, HeaderSize(spec));
  }
}

TEST(InnerTransportTest, TellsRightChecksumsFromWrong) {
  for (const InnerSpec& spec : AllKinds()) {
    Bytes packet = MakeInner(spec);
    const auto transport = *ParseInnerTransport(packet);
    EXPECT_TRUE(HasRightChecksum(packet, transport));
    packet.back() ^= 0x10;
    EXPECT_FALSE(HasRightChecksum(packet, transport));
  }
}

TEST(InnerTransportTest, FinishesWhatWasUnfinished) {
  for (const InnerSpec& spec : AllKinds()) {
    const Bytes whole = MakeInner(spec);
    Bytes packet = whole;
    Unfinish(packet, IpSize(spec), spec.udp);
    ASSERT_NE(packet, whole);
    FinishChecksum(packet, *ParseInnerTransport(packet));
    EXPECT_EQ(packet, whole);
  }
}

TEST(InnerTransportTest, PseudoHeaderSumIsWhatAnUnfinishedFieldHolds) {
  for (const InnerSpec& spec : AllKinds()) {
    Bytes packet = MakeInner(spec);
    Unfinish(packet, IpSize(spec), spec.udp);
    const auto transport = *ParseInnerTransport(packet);
    const uint16_t sum = ChecksumFold(InnerPseudoSum(
        packet.data(), transport, packet.size() - transport.ip_size));
    uint16_t field;
    std::memcpy(&field, &packet[transport.checksum_at()], sizeof(field));
    EXPECT_EQ(sum, field);
  }
}

// A UDP checksum that comes out as 0 is written as 0xffff (RFC 768).
TEST(InnerTransportTest, NeverWritesAnAbsentUdpChecksum) {
  InnerSpec spec;
  spec.udp = true;
  spec.payload = 2;
  Bytes packet = MakeInner(spec);
  // What the payload has to be for a sum of 0xffff.
  const auto sum = static_cast<uint16_t>(packet[26] << 8 | packet[27]);
  const auto payload = static_cast<uint16_t>(packet[28] << 8 | packet[29]);
  uint32_t wanted = uint32_t{payload} + sum;
  wanted = (wanted & 0xffff) + (wanted >> 16);
  packet[28] = static_cast<uint8_t>(wanted >> 8);
  packet[29] = static_cast<uint8_t>(wanted);
  Unfinish(packet, 20, true);
  const auto transport = *ParseInnerTransport(packet);
  FinishChecksum(packet, transport);
  EXPECT_EQ(packet[26], 0xff);
  EXPECT_EQ(packet[27], 0xff);
  EXPECT_TRUE(HasRightChecksum(packet, transport));
}

TEST(InnerTransportTest, AnAbsentUdpChecksumIsNotRight) {
  InnerSpec spec;
  spec.udp = true;
  Bytes packet = MakeInner(spec);
  packet[26] = packet[27] = 0;
  EXPECT_FALSE(HasRightChecksum(packet, *ParseInnerTransport(packet)));
}

TEST(InnerTransportTest, RefusesAllElse) {
  InnerSpec spec;
  const Bytes good = MakeInner(spec);
  Bytes bad = good;
  bad[9] = 1;  // ICMP
  EXPECT_FALSE(ParseInnerTransport(bad));
  bad = good;
  bad[7] = 8;  // a later fragment
  EXPECT_FALSE(ParseInnerTransport(bad));
  bad = good;
  bad[32] = 0x40;  // a TCP header of 16 bytes
  EXPECT_FALSE(ParseInnerTransport(bad));
  bad = good;
  bad.push_back(0);  // longer than its header says
  EXPECT_FALSE(ParseInnerTransport(bad));
  spec.udp = true;
  bad = MakeInner(spec);
  bad[25] ^= 1;  // UDP length
  EXPECT_FALSE(ParseInnerTransport(bad));
  spec.family = Family::kIpv6;
  spec.extension = 8;
  EXPECT_FALSE(ParseInnerTransport(MakeInner(spec)));
  for (size_t size = 0; size < good.size(); ++size) {
    Bytes cut(good.begin(), good.begin() + static_cast<long>(size));
    if (size >= 20) {
      cut[2] = 0;
      cut[3] = static_cast<uint8_t>(size);
    }
    EXPECT_EQ(ParseInnerTransport(cut).has_value(), size >= 52) << size;
  }
}

}  // namespace
}  // namespace lwt::wire

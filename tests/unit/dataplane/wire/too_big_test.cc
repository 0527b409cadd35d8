#include "dataplane/wire/too_big.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/forwarding.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::wire {
namespace {

using testing::Bytes;

// What a router at 203.0.113.1, or 2001:db8::1, says of a segment of ours.
Bytes RouterSays(const Bytes& segment, uint16_t mtu) {
  const bool ipv4 = segment[0] >> 4 == 4;
  std::array<uint8_t, kLargestObstacle> out;
  const auto size = WriteObstacle(
      Obstacle::kTooBig, mtu,
      *ParseIpAddress(ipv4 ? "203.0.113.1" : "2001:db8::1"), segment, out);
  return {out.begin(), out.begin() + static_cast<ptrdiff_t>(size.value_or(0))};
}

void FixIcmpChecksum(Bytes& packet) {
  StoreChecksum(&packet[22], 0);
  StoreChecksum(&packet[22],
                ChecksumFinish(ChecksumAdd(&packet[20], packet.size() - 20)));
}

TEST(TooBig, IsReadOfBothFamilies) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const Bytes segment = testing::MakeInner(
        {.family = family, .port = 4000, .seq = 123456, .payload = 1400});
    const auto told = ParseTooBig(RouterSays(segment, 1300));
    ASSERT_TRUE(told);
    EXPECT_EQ(told->mtu, 1300);
    EXPECT_EQ(told->length, segment.size());
    EXPECT_EQ(told->sequence, 123456u);
    EXPECT_EQ(told->local.port, 4000);
    EXPECT_EQ(ToString(told->local.address),
              family == Family::kIpv4 ? "10.0.0.2" : "fd00::2");
    EXPECT_EQ(ToString(told->remote.address),
              family == Family::kIpv4 ? "10.0.0.1" : "fd00::1");
  }
}

// RFC 792 asks for no more than the IP header and 8 bytes.
TEST(TooBig, AShortQuoteIsEnough) {
  const Bytes segment = testing::MakeInner({.payload = 1400});
  Bytes says = RouterSays(segment, 1300);
  says.resize(20 + 8 + 20 + 8);
  StoreBe16(&says[2], static_cast<uint16_t>(says.size()));
  FixIcmpChecksum(says);
  ASSERT_TRUE(ParseTooBig(says));
  EXPECT_EQ(ParseTooBig(says)->length, segment.size());
  for (size_t size = 0; size < says.size(); ++size) {
    EXPECT_FALSE(ParseTooBig(std::span(says).first(size))) << size;
  }
  says.push_back(0);  // padding of a short frame
  EXPECT_TRUE(ParseTooBig(says));
}

TEST(TooBig, WhatIsNoneIsPassedOver) {
  const Bytes segment = testing::MakeInner({.payload = 1400});
  const Bytes good = RouterSays(segment, 1300);
  const auto with = [&](size_t at, uint8_t value, bool fix = true) {
    Bytes packet = good;
    packet[at] = value;
    if (fix) FixIcmpChecksum(packet);
    return ParseTooBig(packet).has_value();
  };
  ASSERT_TRUE(with(1, 0));
  EXPECT_FALSE(with(9, 17)) << "no ICMP";
  EXPECT_FALSE(with(6, 0x20)) << "a fragment";
  EXPECT_FALSE(with(19, 9)) << "for somebody else than who sent the segment";
  EXPECT_FALSE(with(20, 11)) << "another type";
  EXPECT_FALSE(with(21, 3)) << "another code";
  EXPECT_FALSE(with(40, 0, /*fix=*/false)) << "a wrong checksum";
  EXPECT_FALSE(with(28, 0x65)) << "it quotes no IPv4";
  EXPECT_FALSE(with(28 + 9, 17)) << "no TCP";
  EXPECT_FALSE(with(28 + 7, 1)) << "a later fragment";
  EXPECT_FALSE(ParseTooBig(RouterSays(segment, 0))) << "no MTU";
  EXPECT_FALSE(
      ParseTooBig(RouterSays(segment, static_cast<uint16_t>(segment.size()))))
      << "it was not larger";
  EXPECT_FALSE(ParseTooBig({}));
}

}  // namespace
}  // namespace lwt::wire

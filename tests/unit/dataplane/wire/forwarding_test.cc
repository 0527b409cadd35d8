// Hops, fragments, and what a router says when a packet goes no further.
#include "dataplane/wire/forwarding.h"

#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/inner_packet.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::wire {
namespace {

using lwt::testing::Bytes;
using lwt::testing::MakeInner;

const IpAddress kOwn4 = *ParseIpAddress("10.7.0.1");
const IpAddress kOwn6 = *ParseIpAddress("fd07::1");

bool HasRightHeader(const Bytes& packet) {
  return ChecksumFold(ChecksumAdd(packet.data(), 20)) == 0xffff;
}

Bytes Obstruct(Obstacle obstacle, uint16_t mtu, const IpAddress& own,
               const Bytes& packet) {
  std::array<uint8_t, kLargestObstacle> out;
  const auto size = WriteObstacle(obstacle, mtu, own, packet, out);
  return size ? Bytes(out.begin(), out.begin() + *size) : Bytes();
}

TEST(TakeHopTest, KeepsTheChecksumRightForEveryTtl) {
  for (int id = 0; id < 70'000; id += 7) {
    Bytes packet = MakeInner({.id = static_cast<uint16_t>(id)});
    packet[8] = static_cast<uint8_t>(1 + id % 255);
    StoreBe16(&packet[10], 0);
    const uint16_t sum = ChecksumFinish(ChecksumAdd(packet.data(), 20));
    std::memcpy(&packet[10], &sum, 2);
    const uint8_t before = packet[8];
    TakeHop(packet.data());
    EXPECT_EQ(packet[8], before - 1);
    ASSERT_TRUE(HasRightHeader(packet)) << "ID " << id;
    EXPECT_NE(LoadBe16(&packet[10]), 0xffff);
  }
}

TEST(MarkCongestionTest, KeepsTheChecksumRight) {
  for (int id = 0; id < 70'000; id += 7) {
    for (const uint8_t bits : {0, 1, 2, 3}) {
      Bytes packet = MakeInner({.id = static_cast<uint16_t>(id)});
      packet[1] = static_cast<uint8_t>(0xb8 | bits);
      StoreBe16(&packet[10], 0);
      const uint16_t sum = ChecksumFinish(ChecksumAdd(packet.data(), 20));
      std::memcpy(&packet[10], &sum, 2);
      EXPECT_EQ(MarkCongestion(packet.data()), bits != 0);
      EXPECT_EQ(packet[1], bits == 0 ? 0xb8 : 0xbb);
      ASSERT_TRUE(HasRightHeader(packet)) << "ID " << id;
    }
  }
}

TEST(MarkCongestionTest, OfIpv6) {
  Bytes packet(40);
  packet[0] = 0x6b;
  packet[1] = 0x85;  // class 0xb8, not capable; flow label 5…
  EXPECT_FALSE(MarkCongestion(packet.data()));
  EXPECT_EQ(packet[1], 0x85);
  packet[1] = 0xa5;
  EXPECT_TRUE(MarkCongestion(packet.data()));
  EXPECT_EQ(packet[0], 0x6b);
  EXPECT_EQ(packet[1], 0xb5);
}

TEST(TakeHopTest, LeavesAWrongChecksumWrong) {
  Bytes packet = MakeInner({});
  packet[10] ^= 0x41;
  TakeHop(packet.data());
  EXPECT_FALSE(HasRightHeader(packet));
}

TEST(TakeHopTest, CountsIpv6DownAndNothingElse) {
  Bytes packet = MakeInner({.family = Family::kIpv6});
  Bytes expected = packet;
  expected[7]--;
  EXPECT_EQ(HopsLeft(packet.data()), packet[7]);
  TakeHop(packet.data());
  EXPECT_EQ(packet, expected);
}

TEST(ObstacleTest, TimeExceededByteForByte) {
  Bytes packet = MakeInner({.payload = 4});
  const Bytes error = Obstruct(Obstacle::kTimeExceeded, 0, kOwn4, packet);
  ASSERT_EQ(error.size(), 28 + packet.size());
  const Bytes head(error.begin(), error.begin() + 28);
  Bytes expected = {0x45, 0xc0, 0,        static_cast<uint8_t>(error.size()),
                    0,    0,    0x40,     0,
                    64,   1,    head[10], head[11],
                    10,   7,    0,        1,
                    10,   0,    0,        2,
                    11,   0,    head[22], head[23],
                    0,    0,    0,        0};
  EXPECT_EQ(head, expected);
  EXPECT_TRUE(HasRightHeader(error));
  EXPECT_EQ(ChecksumFold(ChecksumAdd(&error[20], error.size() - 20)), 0xffff);
  EXPECT_TRUE(std::equal(packet.begin(), packet.end(), error.begin() + 28));
}

TEST(ObstacleTest, TooBigNamesTheMtuAndQuotesWhatFits) {
  const Bytes packet = MakeInner({.payload = 1400});
  const Bytes error = Obstruct(Obstacle::kTooBig, 1301, kOwn4, packet);
  ASSERT_EQ(error.size(), 576u);
  EXPECT_EQ(error[20], 3);
  EXPECT_EQ(error[21], 4);
  EXPECT_EQ(LoadBe16(&error[26]), 1301);
  EXPECT_EQ(ChecksumFold(ChecksumAdd(&error[20], error.size() - 20)), 0xffff);
}

TEST(ObstacleTest, Ipv6HasItsOwnTypesAndAPseudoHeader) {
  const Bytes packet = MakeInner({.family = Family::kIpv6, .payload = 1400});
  const Bytes error = Obstruct(Obstacle::kTooBig, 1389, kOwn6, packet);
  ASSERT_EQ(error.size(), 1280u);
  EXPECT_EQ(error[6], 58);
  EXPECT_EQ(error[40], 2);
  EXPECT_EQ(LoadBe32(&error[44]), 1389u);
  EXPECT_TRUE(std::equal(kOwn6.bytes.begin(), kOwn6.bytes.end(), &error[8]));
  EXPECT_TRUE(std::equal(&error[24], &error[40], &packet[8]));
  const uint16_t size = error.size() - 40;
  const uint64_t sum = ChecksumAdd(&error[8], 32) + be16(size).raw() +
                       be16(58).raw() + ChecksumAdd(&error[40], size);
  EXPECT_EQ(ChecksumFold(sum), 0xffff);
  const Bytes expired = Obstruct(Obstacle::kTimeExceeded, 0, kOwn6, packet);
  EXPECT_EQ(expired[40], 3);
  EXPECT_EQ(expired[41], 0);
}

TEST(ObstacleTest, SaysNothingWhereNothingMayBeSaid) {
  const Bytes good = MakeInner({});
  ASSERT_FALSE(Obstruct(Obstacle::kTimeExceeded, 0, kOwn4, good).empty());
  Bytes fragment = good;
  StoreBe16(&fragment[6], 1);  // its offset
  EXPECT_TRUE(Obstruct(Obstacle::kTimeExceeded, 0, kOwn4, fragment).empty());
  Bytes first = good;
  StoreBe16(&first[6], 0x2000);
  EXPECT_FALSE(Obstruct(Obstacle::kTimeExceeded, 0, kOwn4, first).empty());
  Bytes multicast = good;
  multicast[12] = 224;
  EXPECT_TRUE(Obstruct(Obstacle::kTimeExceeded, 0, kOwn4, multicast).empty());
  for (const uint8_t type : {3, 4, 5, 11, 12}) {
    Bytes error = good;
    error[9] = 1;
    error[20] = type;
    EXPECT_TRUE(Obstruct(Obstacle::kTimeExceeded, 0, kOwn4, error).empty());
  }
  Bytes echo = good;
  echo[9] = 1;
  echo[20] = 8;
  EXPECT_FALSE(Obstruct(Obstacle::kTimeExceeded, 0, kOwn4, echo).empty());
  Bytes error6 = MakeInner({.family = Family::kIpv6});
  error6[6] = 58;
  error6[40] = 1;
  EXPECT_TRUE(Obstruct(Obstacle::kTooBig, 1300, kOwn6, error6).empty());
  error6[40] = 128;
  EXPECT_FALSE(Obstruct(Obstacle::kTooBig, 1300, kOwn6, error6).empty());
}

Bytes Joined(const Bytes& packet, uint16_t mtu) {
  const Fragments fragments(packet, mtu);
  Bytes joined(packet.begin(), packet.begin() + 20);
  for (size_t i = 0; i < fragments.count(); ++i) {
    Bytes piece(mtu);
    piece.resize(fragments.Write(i, piece.data()));
    EXPECT_LE(piece.size(), mtu);
    EXPECT_TRUE(ParseInner(piece).has_value());
    EXPECT_TRUE(HasRightHeader(piece));
    const uint16_t place = LoadBe16(&piece[6]);
    const size_t first = LoadBe16(&packet[6]) & 0x1fff;
    EXPECT_EQ((place & 0x1fff) * 8u, first * 8 + joined.size() - 20);
    EXPECT_EQ((place & 0x2000) != 0,
              i + 1 < fragments.count() || (packet[6] & 0x20) != 0);
    joined.insert(joined.end(), piece.begin() + 20, piece.end());
  }
  return joined;
}

TEST(FragmentsTest, JoinToTheWholeAgain) {
  for (const size_t payload : {600u, 1365u, 1366u, 1400u, 1460u}) {
    const Bytes packet =
        MakeInner({.dont_fragment = false, .payload = payload});
    for (const uint16_t mtu : {uint16_t{68}, uint16_t{576}, uint16_t{601}}) {
      EXPECT_EQ(Joined(packet, mtu), packet);
    }
  }
}

TEST(FragmentsTest, AFragmentIsCutFurther) {
  Bytes packet = MakeInner({.dont_fragment = false, .payload = 1428});
  StoreBe16(&packet[6], 0x2000 | 185);
  const Fragments fragments(packet, 1409);
  ASSERT_EQ(fragments.count(), 2u);
  Joined(packet, 1409);
}

TEST(FragmentsTest, NothingToCut) {
  const Bytes packet = MakeInner({.dont_fragment = false});
  EXPECT_EQ(Fragments(packet, 1400).count(), 0u);
  EXPECT_EQ(Fragments(packet, 27).count(), 0u);
  const Bytes options =
      MakeInner({.dont_fragment = false, .ip_options = 4, .payload = 1400});
  EXPECT_EQ(Fragments(options, 1300).count(), 0u);
  const Bytes ipv6 = MakeInner({.family = Family::kIpv6, .payload = 1400});
  EXPECT_EQ(Fragments(ipv6, 1300).count(), 0u);
}

}  // namespace
}  // namespace lwt::wire

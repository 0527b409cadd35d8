#include "dataplane/wire/super_frame.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::wire {
namespace {

using lwt::testing::Bytes;
using lwt::testing::Finish;
using lwt::testing::HeaderSize;
using lwt::testing::InnerSpec;
using lwt::testing::IpSize;
using lwt::testing::MakeInner;
using lwt::testing::SlowSegments;
using lwt::testing::Unfinish;

Bytes MakeSuper(const InnerSpec& spec) {
  Bytes super = MakeInner(spec);
  Unfinish(super, IpSize(spec), spec.udp);
  return super;
}

std::vector<Bytes> Split(const SuperFrame& super) {
  const SegmentWriter writer(super);
  std::vector<Bytes> all;
  for (size_t i = 0; i < super.segments; ++i) {
    Bytes one(super.header_size + size_t{super.segment_size}, 0xee);
    one.resize(writer.Write(i, one.data()));
    all.push_back(one);
  }
  return all;
}

TEST(SuperFrameTest, SaysWhereHeadersEnd) {
  InnerSpec spec;
  spec.payload = 3001;
  const Bytes bytes = MakeSuper(spec);
  const auto super = ParseSuperFrame(bytes, 20, false, 1000);
  ASSERT_TRUE(super);
  EXPECT_TRUE(super->ipv4);
  EXPECT_TRUE(super->plain);
  EXPECT_EQ(super->header_size, 52);
  EXPECT_EQ(super->segments, 4);
}

// Headers of the second of two segments, byte by byte.
TEST(SuperFrameTest, GoldenSegment) {
  InnerSpec spec;
  spec.payload = 6;
  spec.tcp_options = 0;
  spec.flags = 0x99;  // CWR, ACK, PSH, FIN
  const Bytes bytes = MakeSuper(spec);
  const auto super = ParseSuperFrame(bytes, 20, false, 4);
  ASSERT_TRUE(super);
  const std::vector<Bytes> all = Split(*super);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0][33], 0x90);  // CWR, ACK
  const Bytes second = {
      0x45, 0,    0, 42, 0,    101,  0x40, 0,    64, 6, 0x26, 0x67,  // ID + 1
      10,   0,    0, 2,  10,   0,    0,    1,                        //
      0x0f, 0xa0, 0, 80, 0,    0,    3,    0xec,                     // seq + 4
      0,    0,    0, 77, 0x50, 0x19, 1,    0xf5,                     // FIN, PSH
      0x14, 0x1f, 0, 0,  4,    5};  // 0a00+0002+0a00+0001+6+22
  EXPECT_EQ(all[1], second);
}

TEST(SuperFrameTest, EqualsTheSlowWayInEachKind) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    for (const bool udp : {false, true}) {
      for (const uint8_t more : {0, 8}) {
        InnerSpec spec;
        spec.family = family;
        spec.udp = udp;
        spec.ip_options = spec.extension = more;
        spec.payload = 4000;
        spec.id = 0xfffe;
        spec.seq = 0xfffffff0;
        spec.flags = 0x18;
        const Bytes bytes = MakeSuper(spec);
        const auto super = ParseSuperFrame(bytes, IpSize(spec), udp, 1348);
        ASSERT_TRUE(super);
        EXPECT_EQ(super->plain, family == Family::kIpv4 || more == 0);
        EXPECT_EQ(super->header_size, HeaderSize(spec));
        std::vector<Bytes> fast = Split(*super);
        for (Bytes& one : fast) Finish(one, IpSize(spec), udp);
        EXPECT_EQ(fast, SlowSegments(bytes, IpSize(spec), udp, 1348));
      }
    }
  }
}

TEST(SuperFrameTest, RefusesWhatItCannotCut) {
  InnerSpec spec;
  spec.payload = 3000;
  const Bytes good = MakeSuper(spec);
  ASSERT_TRUE(ParseSuperFrame(good, 20, false, 1000));
  EXPECT_FALSE(ParseSuperFrame(good, 20, false, 0));
  EXPECT_FALSE(ParseSuperFrame(good, 0, false, 1000));
  EXPECT_FALSE(ParseSuperFrame(good, 24, false, 1000));
  EXPECT_FALSE(ParseSuperFrame(good, good.size(), false, 1000));
  EXPECT_FALSE(ParseSuperFrame(good, 20, true, 1000)) << "not UDP";
  Bytes bad = good;
  bad[6] |= 0x20;  // more fragments
  EXPECT_FALSE(ParseSuperFrame(bad, 20, false, 1000));
  for (const uint8_t words : {0, 4, 0xf}) {
    Bytes header_only = good;
    header_only[32] = static_cast<uint8_t>(words << 4);
    header_only.resize(52);
    header_only[2] = 0;
    header_only[3] = 52;
    EXPECT_FALSE(ParseSuperFrame(header_only, 20, false, 1000)) << words;
  }
  spec.family = Family::kIpv6;
  const Bytes ipv6 = MakeSuper(spec);
  ASSERT_TRUE(ParseSuperFrame(ipv6, 40, false, 1000));
  EXPECT_FALSE(ParseSuperFrame(ipv6, 39, false, 1000));
  EXPECT_FALSE(ParseSuperFrame(ipv6, 40, true, 1000));
}

TEST(SuperFrameTest, RefusesEveryTruncation) {
  InnerSpec spec;
  spec.payload = 100;
  const Bytes good = MakeSuper(spec);
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseSuperFrame(std::span(good).first(size), 20, false, 10));
  }
}

}  // namespace
}  // namespace lwt::wire

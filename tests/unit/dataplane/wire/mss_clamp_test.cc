#include "dataplane/wire/mss_clamp.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "dataplane/wire/be.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::wire {
namespace {

using testing::Bytes;
using testing::InnerSpec;

constexpr uint8_t kSynFlag = 0x02;
constexpr uint8_t kSynAck = 0x12;

// A SYN with these bytes at the front of its options.
Bytes SynWith(const InnerSpec& spec, const std::vector<uint8_t>& options) {
  Bytes packet = testing::MakeInner(spec);
  const size_t l4 = testing::IpSize(spec);
  testing::Unfinish(packet, l4, /*udp=*/false);
  std::fill_n(&packet[l4 + 20], spec.tcp_options, uint8_t{1});
  std::copy(options.begin(), options.end(), &packet[l4 + 20]);
  testing::Finish(packet, l4, /*udp=*/false);
  return packet;
}

// At any place among the options, and with any of IP before it.
TEST(MssClamp, LowersTheOptionAndKeepsTheChecksumRight) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    for (const uint8_t flags : {kSynFlag, kSynAck}) {
      for (size_t before = 0; before < 8; ++before) {
        InnerSpec spec{.family = family, .flags = flags, .payload = 3};
        if (family == Family::kIpv4) spec.ip_options = 8;
        std::vector<uint8_t> options(before, 1);
        for (const uint8_t byte : {2, 4, 0x05, 0xb4}) options.push_back(byte);
        Bytes packet = SynWith(spec, options);
        const size_t l4 = testing::IpSize(spec);
        ASSERT_TRUE(MayBeSyn(packet.data(), packet.size()));
        ASSERT_TRUE(ClampMss(packet, 1200, /*unfinished=*/false));
        EXPECT_EQ(LoadBe16(&packet[l4 + 22 + before]),
                  family == Family::kIpv4 ? 1160 : 1140);
        EXPECT_TRUE(testing::HasRightChecksums(packet, l4, false)) << before;
      }
    }
  }
}

TEST(MssClamp, AnUnfinishedChecksumHasNoPayloadInIt) {
  const InnerSpec spec{.flags = kSynFlag, .payload = 0};
  Bytes packet = SynWith(spec, {2, 4, 0x05, 0xb4});
  testing::Unfinish(packet, 20, false);
  const Bytes before = packet;
  ASSERT_TRUE(ClampMss(packet, 1200, /*unfinished=*/true));
  EXPECT_TRUE(std::equal(&before[36], &before[38], &packet[36]));
  testing::Finish(packet, 20, false);
  EXPECT_TRUE(testing::HasRightChecksums(packet, 20, false));
}

TEST(MssClamp, LeavesAloneWhatNeedsNoChange) {
  const auto unchanged = [](Bytes packet) {
    const Bytes before = packet;
    return !ClampMss(packet, 1200, false) && packet == before;
  };
  const InnerSpec syn{.flags = kSynFlag, .payload = 0};
  EXPECT_TRUE(unchanged(SynWith(syn, {2, 4, 0x04, 0x88}))) << "1160";
  EXPECT_TRUE(unchanged(SynWith(syn, {})));
  EXPECT_TRUE(unchanged(SynWith(syn, {0, 2, 4, 0x05, 0xb4}))) << "behind all";
  EXPECT_TRUE(unchanged(SynWith(syn, {2, 3, 0x05, 0xb4})));
  EXPECT_TRUE(unchanged(SynWith(syn, {2, 0, 0x05, 0xb4})));
  EXPECT_TRUE(unchanged(SynWith(syn, {8, 13, 2, 4, 0x05, 0xb4})));
  Bytes cut = SynWith(syn, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2});
  EXPECT_TRUE(unchanged(cut));
  Bytes fragment = SynWith(syn, {2, 4, 0x05, 0xb4});
  fragment[7] = 1;
  EXPECT_TRUE(unchanged(fragment)) << "ports lie elsewhere";
}

TEST(MssClamp, OnlyASynMayBeOne) {
  EXPECT_FALSE([] {
    const Bytes ack = testing::MakeInner({});
    return MayBeSyn(ack.data(), ack.size());
  }());
  const Bytes udp = testing::MakeInner({.udp = true, .fill = 0xff});
  EXPECT_FALSE(MayBeSyn(udp.data(), udp.size()));
  const Bytes syn = testing::MakeInner({.flags = kSynFlag});
  for (size_t size = 20; size < 34; ++size) {
    EXPECT_FALSE(MayBeSyn(syn.data(), size));
  }
}

}  // namespace
}  // namespace lwt::wire

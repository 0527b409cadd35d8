#include "dataplane/wire/frame_view.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"
#include "dataplane/wire/tcp_seq.h"

namespace lwt::wire {
namespace {

using Bytes = std::vector<uint8_t>;

// RFC 1071, word by word.
uint16_t SlowChecksum(const Bytes& bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<uint16_t>(~sum);
}

// A SYN in the shape that Linux gives it, from 10.9.0.1:46170 to 10.9.0.2:9000.
Bytes GoldenSyn() {
  Bytes frame = {
      0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00,
      0x00, 0x01, 0x08, 0x00,                                      // link
      0x45, 0x00, 0x00, 0x3c, 0x1c, 0x46, 0x40, 0x00, 0x40, 0x06,  // IP
      0x0a, 0x62, 0x0a, 0x09, 0x00, 0x01, 0x0a, 0x09, 0x00, 0x02,
      0xb4, 0x5a, 0x23, 0x28, 0x11, 0x22, 0x33, 0x44, 0x00, 0x00,  // TCP
      0x00, 0x00, 0xa0, 0x02, 0xfa, 0xf0, 0x19, 0x09, 0x00, 0x00,
      0x02, 0x04, 0x05, 0xb4, 0x04, 0x02, 0x08, 0x0a, 0x01, 0x02,  // options
      0x03, 0x04, 0x00, 0x00, 0x00, 0x00, 0x01, 0x03, 0x03, 0x0a};
  return frame;
}

DropReason WhyNot(const Bytes& frame, uint8_t link_size = 14,
                  bool checksum_good = false) {
  FrameView view;
  DropReason why = DropReason::kTunnelFull;
  EXPECT_FALSE(ParseFrame(frame, link_size, checksum_good, view, why));
  return why;
}

void FixIpChecksum(Bytes& frame) {
  frame[24] = frame[25] = 0;
  const Bytes header(frame.begin() + 14, frame.begin() + 34);
  StoreBe16(&frame[24], SlowChecksum(header));
}

TEST(Checksum, EqualsTheDefinitionAtEverySize) {
  std::mt19937 random(1);
  for (size_t size = 0; size < 700; ++size) {
    Bytes bytes(size);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    const uint16_t want = SwapBytes(SlowChecksum(bytes));
    ASSERT_EQ(ChecksumFinish(ChecksumAdd(bytes.data(), size)), want) << size;
    Bytes copy(size + 1, 0xee);
    ASSERT_EQ(ChecksumFinish(CopyAndChecksum(copy.data(), bytes.data(), size)),
              want);
    ASSERT_EQ(copy[size], 0xee);
    copy.pop_back();
    ASSERT_EQ(copy, bytes);
  }
}

TEST(Checksum, HoldsForTheLargestMergedFrame) {
  const Bytes bytes(65535, 0xff);
  EXPECT_EQ(ChecksumFinish(ChecksumAdd(bytes.data(), bytes.size())),
            SwapBytes(SlowChecksum(bytes)));
}

TEST(TcpSeq, OrdersAcrossTheWrap) {
  const TcpSeq before(0xfffffff0);
  const TcpSeq after = before + 0x20;
  EXPECT_EQ(after.value(), 0x10u);
  EXPECT_LT(before, after);
  EXPECT_EQ(after - before, 0x20);
  EXPECT_EQ(before - after, -0x20);
}

TEST(ParseFrame, ReadsASyn) {
  FrameView view;
  DropReason why;
  ASSERT_TRUE(ParseFrame(GoldenSyn(), 14, false, view, why)) << NameOf(why);
  EXPECT_EQ(ToString(view.source), "10.9.0.1:46170");
  EXPECT_EQ(ToString(view.destination), "10.9.0.2:9000");
  EXPECT_EQ(view.tcp.flags, kSyn);
  EXPECT_EQ(view.tcp.seq, TcpSeq(0x11223344));
  EXPECT_EQ(view.tcp.window, 64240);
  EXPECT_EQ(view.tcp.options.mss, 1460);
  EXPECT_EQ(view.tcp.options.window_scale, 10);
  EXPECT_TRUE(view.tcp.options.sack_permitted);
  EXPECT_EQ(view.tcp.options.timestamps, (TcpTimestamps{0x01020304, 0}));
  EXPECT_TRUE(view.payload().empty());
}

TEST(ParseFrame, KnowsAChecksumThatIsLeftForLater) {
  Bytes frame = GoldenSyn();
  EXPECT_FALSE(IsChecksumUnfinished(frame, 14)) << "it is whole";
  // What a kernel leaves: addresses, protocol and length of the segment.
  Bytes pseudo(frame.begin() + 26, frame.begin() + 34);
  pseudo.insert(pseudo.end(), {0, 6, 0, 40});
  StoreBe16(&frame[50], static_cast<uint16_t>(~SlowChecksum(pseudo)));
  EXPECT_EQ(WhyNot(frame), DropReason::kBadChecksum);
  EXPECT_TRUE(IsChecksumUnfinished(frame, 14));
  frame[51] ^= 1;
  EXPECT_FALSE(IsChecksumUnfinished(frame, 14));
  for (size_t size = 0; size < frame.size(); ++size) {
    const std::span<const uint8_t> cut = frame;
    EXPECT_FALSE(IsChecksumUnfinished(cut.first(size), 14));
  }
}

TEST(ParseFrame, CutsEthernetPadding) {
  Bytes frame = GoldenSyn();
  frame.resize(frame.size() + 6);
  FrameView view;
  DropReason why;
  ASSERT_TRUE(ParseFrame(frame, 14, false, view, why));
  EXPECT_TRUE(view.payload().empty());
}

TEST(ParseFrame, TakesNoLinkHeaderAndAVlanTag) {
  const Bytes golden = GoldenSyn();
  const Bytes bare(golden.begin() + 14, golden.end());
  Bytes tagged(golden.begin(), golden.begin() + 12);
  tagged.insert(tagged.end(), {0x81, 0x00, 0x00, 0x05, 0x08, 0x00});
  tagged.insert(tagged.end(), bare.begin(), bare.end());
  FrameView view;
  DropReason why;
  EXPECT_TRUE(ParseFrame(bare, 0, false, view, why));
  EXPECT_TRUE(view.link.empty());
  EXPECT_TRUE(ParseFrame(tagged, 18, false, view, why));
  EXPECT_EQ(view.link.size(), 18u);
}

TEST(ParseFrame, RefusesEveryTruncation) {
  const Bytes golden = GoldenSyn();
  for (size_t size = 0; size < golden.size(); ++size) {
    EXPECT_EQ(WhyNot(Bytes(golden.begin(), golden.begin() + size)),
              DropReason::kTruncated)
        << size;
  }
}

TEST(ParseFrame, SeesEveryFlippedBit) {
  const Bytes golden = GoldenSyn();
  FrameView view;
  DropReason why;
  for (size_t bit = 14 * 8; bit < golden.size() * 8; ++bit) {
    Bytes frame = golden;
    frame[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
    EXPECT_FALSE(ParseFrame(frame, 14, false, view, why)) << bit;
  }
}

TEST(ParseFrame, NamesWhatIsWrong) {
  Bytes frame = GoldenSyn();
  frame[73] ^= 1;
  EXPECT_EQ(WhyNot(frame), DropReason::kBadChecksum);

  frame = GoldenSyn();
  frame[12] = 0x08;
  frame[13] = 0x06;  // ARP
  EXPECT_EQ(WhyNot(frame), DropReason::kNotTcp);

  frame = GoldenSyn();
  frame[12] = 0x86;
  frame[13] = 0xdd;  // says IPv6
  EXPECT_EQ(WhyNot(frame), DropReason::kMalformed);

  frame = GoldenSyn();
  frame[23] = 17;  // UDP
  FixIpChecksum(frame);
  EXPECT_EQ(WhyNot(frame), DropReason::kNotTcp);

  frame = GoldenSyn();
  frame[20] = 0x20;  // more fragments
  FixIpChecksum(frame);
  EXPECT_EQ(WhyNot(frame), DropReason::kFragment);

  frame = GoldenSyn();
  frame[46] = 0x40;  // a TCP header of 16 bytes
  EXPECT_EQ(WhyNot(frame, 14, true), DropReason::kMalformed);

  frame = GoldenSyn();
  frame[55] = 0;  // an option of no length
  EXPECT_EQ(WhyNot(frame, 14, true), DropReason::kMalformed);
}

TEST(WriteTcp, WritesTheGoldenSynAgain) {
  const Bytes golden = GoldenSyn();
  TcpHeader header{.source_port = 46170,
                   .destination_port = 9000,
                   .seq = TcpSeq(0x11223344),
                   .flags = kSyn,
                   .window = 64240};
  header.options.mss = 1460;
  header.options.sack_permitted = true;
  header.options.timestamps = TcpTimestamps{0x01020304, 0};
  header.options.window_scale = 10;
  Bytes made(20 + kMaxTcpHeaderSize);
  const IpAddress from = ParseIpAddress("10.9.0.1").value();
  const IpAddress to = ParseIpAddress("10.9.0.2").value();
  const size_t size = WriteTcp(&made[20], header);
  WriteIpv4(made.data(), from, to, 0x1c46, size);
  made.resize(20 + size);
  const uint16_t checksum = ChecksumFinish(PseudoHeaderSum(from, to, size) +
                                           ChecksumAdd(&made[20], size));
  std::memcpy(&made[36], &checksum, 2);
  EXPECT_EQ(made, Bytes(golden.begin() + 14, golden.end()));
}

TEST(ParseFrame, SkipsIpv6ExtensionsAndBoundsThem) {
  const IpAddress from = ParseIpAddress("2001:db8::1").value();
  const IpAddress to = ParseIpAddress("2001:db8::2").value();
  for (const size_t extensions : {0u, 1u, 4u, 5u}) {
    Bytes frame(40 + 8 * extensions + 20);
    WriteIpv6(frame.data(), from, to, 0x12345, frame.size() - 40);
    uint8_t* next = &frame[6];
    for (size_t i = 0; i < extensions; ++i) {
      *next = 60;  // destination options
      next = &frame[40 + 8 * i];
    }
    *next = kProtocolTcp;
    const TcpHeader header{.source_port = 1, .destination_port = 2};
    WriteTcp(&frame[40 + 8 * extensions], header);
    FrameView view;
    DropReason why;
    EXPECT_EQ(ParseFrame(frame, 0, true, view, why), extensions <= 4);
    if (extensions > 4) {
      EXPECT_EQ(why, DropReason::kMalformed);
    }
  }
}

}  // namespace
}  // namespace lwt::wire

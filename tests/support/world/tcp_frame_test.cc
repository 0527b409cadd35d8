#include "tests/support/world/tcp_frame.h"

#include <gtest/gtest.h>

#include <vector>

#include "dataplane/wire/be.h"

namespace lwt::world {
namespace {

constexpr size_t kPayload = 33;

TcpSegment SegmentBetween(const char* from, const char* to) {
  TcpSegment segment;
  segment.source = *ParseEndpoint(from);
  segment.destination = *ParseEndpoint(to);
  segment.seq = 0x01020304;
  segment.ack = 0xfffffff0;
  segment.flags = wire::kAck | wire::kPsh;
  segment.payload_size = kPayload;
  return segment;
}

struct Ends {
  const char* from;
  const char* to;
  const char* other_from;
  const char* other_to;
};

class TcpFrame : public testing::TestWithParam<Ends> {
 protected:
  const std::vector<uint8_t> payload_ = std::vector<uint8_t>(kPayload, 0xe7);
};

INSTANTIATE_TEST_SUITE_P(
    Families, TcpFrame,
    testing::Values(Ends{"10.0.0.2:5000", "192.0.2.1:443",
                         "198.51.100.255:65535", "203.0.113.9:1"},
                    Ends{"[2001:db8::1]:5000", "[2001:db8:1::1]:443",
                         "[2001:db8:ffff::ffff]:65535", "[::9]:1"}));

TEST_P(TcpFrame, IsReadAsItWasWritten) {
  const TcpSegment written = SegmentBetween(GetParam().from, GetParam().to);
  const auto read = SegmentOf(FrameOf(written, 64, payload_));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->source, written.source);
  EXPECT_EQ(read->destination, written.destination);
  EXPECT_EQ(read->seq, written.seq);
  EXPECT_EQ(read->ack, written.ack);
  EXPECT_EQ(read->flags, written.flags);
  EXPECT_EQ(read->payload_size, kPayload);
}

// The frame with other ends is the one that would have been written with them,
// to the last checksum.
TEST_P(TcpFrame, OtherEndsAreAsIfWrittenSo) {
  Bytes frame =
      FrameOf(SegmentBetween(GetParam().from, GetParam().to), 64, payload_);
  SetSource(frame, *ParseEndpoint(GetParam().other_from));
  SetDestination(frame, *ParseEndpoint(GetParam().other_to));
  EXPECT_EQ(frame,
            FrameOf(SegmentBetween(GetParam().other_from, GetParam().other_to),
                    64, payload_));
}

TEST_P(TcpFrame, HopsAreTakenUntilItDies) {
  const TcpSegment segment = SegmentBetween(GetParam().from, GetParam().to);
  Bytes frame = FrameOf(segment, 3, payload_);
  ASSERT_TRUE(TakeHops(frame, 1));
  EXPECT_EQ(frame, FrameOf(segment, 2, payload_));
  EXPECT_FALSE(TakeHops(frame, 2));
  EXPECT_TRUE(TakeHops(frame, 1));
  EXPECT_FALSE(TakeHops(frame, 1));
}

TEST_P(TcpFrame, AWrongChecksumStaysWrong) {
  const TcpSegment segment = SegmentBetween(GetParam().from, GetParam().to);
  Bytes right = FrameOf(segment, 64, payload_);
  Bytes wrong = right;
  wrong.back() ^= 1;
  for (Bytes* frame : {&right, &wrong}) {
    SetSource(*frame, *ParseEndpoint(GetParam().other_from));
  }
  wrong.back() ^= 1;
  EXPECT_EQ(wrong, right);
}

TEST(TcpFrameOf, OtherFramesAreNone) {
  Bytes frame =
      FrameOf(SegmentBetween("10.0.0.2:5000", "192.0.2.1:443"), 64, {});
  ASSERT_TRUE(SegmentOf(frame));
  Bytes udp = frame;
  udp[wire::kEthernetSize + 9] = wire::kProtocolUdp;
  EXPECT_FALSE(SegmentOf(udp));
  Bytes arp = frame;
  wire::StoreBe16(&arp[wire::kEtherTypeAt], 0x0806);
  EXPECT_FALSE(SegmentOf(arp));
  for (size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(SegmentOf(Bytes(frame.begin(), frame.begin() + size)));
  }
}

TEST(TcpSegmentLength, CountsSynAndFin) {
  TcpSegment segment;
  segment.payload_size = 7;
  segment.flags = wire::kSyn | wire::kFin;
  EXPECT_EQ(segment.length(), 9u);
}

}  // namespace
}  // namespace lwt::world

// Super-frames through the packet socket, as the other end of a wire sees them:
// passed whole, cut by the kernel, cut by us.
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "drivers/ports/uplink.h"
#include "drivers/vnet_header.h"
#include "tests/support/wire_frames.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {
namespace {

using test::WireFrames;

constexpr size_t kTcpHeader = 20;
constexpr size_t kUdpHeader = 8;

struct Shape {
  bool ipv6 = false;
  bool udp = false;
  uint16_t segment = 1400;
  size_t payload = 0;
  uint8_t link = 14;
};

uint32_t SumOf(std::span<const uint8_t> bytes) {
  return static_cast<uint16_t>(~InternetChecksum(bytes, 0));
}

// An IP packet with the pseudo-header's sum in its checksum field.
Bytes PartialPacket(const Shape& shape) {
  const size_t ip = shape.ipv6 ? 40 : 20;
  Bytes packet =
      shape.ipv6 ? TcpIpv6(9000, shape.payload) : TcpIpv4(9000, shape.payload);
  if (shape.udp) {
    const auto length = static_cast<uint16_t>(kUdpHeader + shape.payload);
    packet.erase(packet.begin() + static_cast<int>(ip + kUdpHeader),
                 packet.begin() + static_cast<int>(ip + kTcpHeader));
    packet[shape.ipv6 ? 6 : 9] = 17;
    packet[ip + 4] = static_cast<uint8_t>(length >> 8);
    packet[ip + 5] = static_cast<uint8_t>(length);
    uint8_t* total = &packet[shape.ipv6 ? 4 : 2];
    const size_t counted = shape.ipv6 ? length : ip + length;
    total[0] = static_cast<uint8_t>(counted >> 8);
    total[1] = static_cast<uint8_t>(counted);
    if (!shape.ipv6) {
      packet[10] = packet[11] = 0;
      const uint16_t sum = InternetChecksum({packet.data(), ip}, 0);
      packet[10] = static_cast<uint8_t>(sum >> 8);
      packet[11] = static_cast<uint8_t>(sum);
    }
  }
  const size_t l4 = packet.size() - ip;
  const auto addresses = std::span<const uint8_t>(packet).subspan(
      shape.ipv6 ? 8 : 12, shape.ipv6 ? 32 : 8);
  uint32_t sum =
      SumOf(addresses) + (shape.udp ? 17 : 6) + static_cast<uint32_t>(l4);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  const size_t field = ip + (shape.udp ? 6 : 16);
  packet[field] = static_cast<uint8_t>(sum >> 8);
  packet[field + 1] = static_cast<uint8_t>(sum);
  return packet;
}

class SuperFrameTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    jumbo_ = MakePool("sf-jumbo", 127, kJumboDataRoom);
    small_ = MakePool("sf-small", 1023, 2048 + RTE_PKTMBUF_HEADROOM);
  }
  void SetUp() override {
    // Nothing but what a test sends crosses the wire.
    ASSERT_TRUE(lab_.There("ip addr flush dev peer0"));
    ASSERT_TRUE(lab_.Here("echo 1 > /proc/sys/net/ipv6/conf/up0/disable_ipv6"));
    UplinkSpec spec;
    spec.interface = "up0";
    spec.driver = UplinkDriver::kAfPacket;
    spec.jumbo_pool = jumbo_;
    spec.small_pool = small_;
    Open(spec);
  }
  void Open(const UplinkSpec& spec) {
    auto uplink = OpenUplink(spec);
    ASSERT_TRUE(uplink.ok()) << uplink.status();
    uplink_ = *std::move(uplink);
  }
  void TearDown() override {
    uplink_.reset();
    EXPECT_EQ(rte_mempool_in_use_count(jumbo_), 0u);
    EXPECT_EQ(rte_mempool_in_use_count(small_), 0u);
  }

  // One mbuf for the headers and the first segment, one for each other.
  rte_mbuf* Make(const Shape& shape) {
    Bytes bytes = PartialPacket(shape);
    if (shape.link != 0) {
      bytes = lab_.Ethernet(shape.ipv6 ? ETH_P_IPV6 : ETH_P_IP, bytes);
    }
    const size_t ip = shape.ipv6 ? 40 : 20;
    const size_t l4 = shape.udp ? kUdpHeader : kTcpHeader;
    const std::span<const uint8_t> all = bytes;
    const size_t first =
        std::min(all.size(), shape.link + ip + l4 + shape.segment);
    rte_mbuf* frame = MakeFrame(small_, all.first(first));
    if (first < all.size()) {
      rte_pktmbuf_chain(frame,
                        MakeFrame(small_, all.subspan(first), shape.segment));
    }
    frame->l2_len = shape.link;
    frame->l3_len = ip;
    frame->l4_len = l4;
    frame->ol_flags = shape.ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
    frame->ol_flags |=
        shape.udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM;
    if (shape.payload > shape.segment) {
      frame->tso_segsz = shape.segment;
      frame->ol_flags |=
          shape.udp ? RTE_MBUF_F_TX_UDP_SEG : RTE_MBUF_F_TX_TCP_SEG;
    }
    return frame;
  }

  static std::vector<Bytes> Read(int fd, size_t count) {
    std::vector<Bytes> all;
    while (all.size() < count && BecomesReadable(fd)) {
      Bytes buffer(70'000);
      const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
      if (size <= 0) break;
      buffer.resize(static_cast<size_t>(size));
      all.push_back(std::move(buffer));
    }
    return all;
  }

  // Sends the shapes as one burst and compares what a wire would carry.
  void ExpectOnTheWire(const std::vector<Shape>& shapes) {
    const int raw = lab_.RawSocketThere();
    std::vector<rte_mbuf*> frames;
    std::vector<Bytes> expected;
    for (const Shape& shape : shapes) {
      frames.push_back(Make(shape));
      for (Bytes& bytes : WireFrames(*frames.back())) {
        expected.push_back(std::move(bytes));
      }
    }
    ASSERT_EQ(uplink_->Transmit(frames), frames.size());
    const std::vector<Bytes> got = Read(raw, expected.size());
    ASSERT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i], expected[i]) << "frame " << i;
    }
    EXPECT_EQ(uplink_->ReadCounters().tx_refused, 0u);
    close(raw);
  }

  static inline rte_mempool* jumbo_ = nullptr;
  static inline rte_mempool* small_ = nullptr;
  NetLab lab_;
  std::unique_ptr<Uplink> uplink_;
};

// The device has no segmentation and no checksums: the kernel does both, and
// our own cutting comes to the same bytes.
TEST_F(SuperFrameTest, KernelCutsAsWeDo) {
  ExpectOnTheWire({{.payload = 45 * 1400}});
  ExpectOnTheWire({{.payload = 1400 * 3 + 1}});
  ExpectOnTheWire({{.ipv6 = true, .segment = 1388, .payload = 1388 * 20 + 7}});
  ExpectOnTheWire({{.segment = 333, .payload = 1000}});
  ExpectOnTheWire({{.udp = true, .segment = 1201, .payload = 1201 * 9 + 500}});
  ExpectOnTheWire({{.ipv6 = true, .udp = true, .payload = 1400 * 2}});
  EXPECT_EQ(uplink_->ReadCounters().tx_cut, 0u);
}

TEST_F(SuperFrameTest, BurstKeepsItsOrder) {
  std::vector<Shape> burst;
  for (uint16_t i = 0; i < 40; ++i) {
    const size_t segments = i % 3 == 0 ? 5u : 1u;
    burst.push_back({.segment = static_cast<uint16_t>(200 + i),
                     .payload = segments * (200u + i) - i});
  }
  ExpectOnTheWire(burst);
}

TEST_F(SuperFrameTest, ChecksumOfASingleFrameIsCompleted) {
  ExpectOnTheWire({{.payload = 700}});
  ExpectOnTheWire({{.ipv6 = true, .payload = 701}});
  ExpectOnTheWire({{.udp = true, .payload = 64}});
}

TEST_F(SuperFrameTest, PassesWholeWhereTheDeviceSegments) {
  ASSERT_TRUE(lab_.Here("ethtool -K up0 tx on sg on tso on gso on >/dev/null"));
  const int raw = lab_.RawSocketThere(true);
  rte_mbuf* frame = Make({.payload = 45 * 1400});
  const Bytes bytes = BytesOf(frame);
  ASSERT_EQ(uplink_->Transmit(std::span(&frame, 1)), 1);
  const std::vector<Bytes> got = Read(raw, 1);
  ASSERT_EQ(got.size(), 1u);
  VnetHeader header;
  std::memcpy(&header, got[0].data(), sizeof(header));
  EXPECT_EQ(header.gso_type, kVnetGsoTcp4);
  EXPECT_EQ(header.gso_size, 1400);
  EXPECT_EQ(Bytes(got[0].begin() + sizeof(header), got[0].end()), bytes);
  close(raw);
}

// A device that lets nothing pass that is longer than `bytes`.
constexpr char kLimit[] =
    "nft 'add table netdev t; add chain netdev t e "
    "{ type filter hook egress device up0 priority 0; }; "
    "add rule netdev t e meta length > ";

TEST_F(SuperFrameTest, CutsWhatTheDeviceRefuses) {
  ASSERT_TRUE(lab_.Here(kLimit + std::string("1600 drop'")));
  ExpectOnTheWire({{.payload = 100},
                   {.segment = 1446, .payload = 40 * 1446 - 9},
                   {.payload = 200},
                   {.ipv6 = true, .segment = 1300, .payload = 4000}});
  EXPECT_EQ(uplink_->ReadCounters().tx_cut, 2u);
}

TEST_F(SuperFrameTest, AFullQueueLeavesItToTheCaller) {
  ASSERT_TRUE(lab_.Here(kLimit + std::string("0 drop'")));
  rte_mbuf* frame = Make({.payload = 3 * 1400});
  EXPECT_EQ(uplink_->Transmit(std::span(&frame, 1)), 0);
  rte_pktmbuf_free(frame);
  EXPECT_EQ(uplink_->ReadCounters().tx_cut, 0u);
  EXPECT_EQ(uplink_->ReadCounters().tx_refused, 0u);
}

TEST_F(SuperFrameTest, RefusesWhatContradictsItself) {
  rte_mbuf* frame = Make({.payload = 3 * 1400});
  frame->tso_segsz = 0;
  EXPECT_EQ(uplink_->Transmit(std::span(&frame, 1)), 1);
  EXPECT_EQ(uplink_->ReadCounters().tx_refused, 1u);
  EXPECT_EQ(uplink_->ReadCounters().tx_cut, 0u);
}

TEST_F(SuperFrameTest, CanBeSwitchedOff) {
  EXPECT_TRUE(uplink_->info().segments);
  UplinkSpec spec;
  spec.interface = "up0";
  spec.jumbo_pool = jumbo_;
  spec.small_pool = small_;
  spec.super_frames = false;
  spec.no_xdp = "the test says so";
  Open(spec);
  EXPECT_FALSE(uplink_->info().segments);
  EXPECT_EQ(uplink_->reason(),
            "af_packet without super-frames on up0: the test says so");
}

TEST_F(SuperFrameTest, LeavesALinkWithoutHeaderToo) {
  const int tun = lab_.MakePlainLink();
  UplinkSpec spec;
  spec.interface = "plain0";
  spec.jumbo_pool = jumbo_;
  spec.small_pool = small_;
  Open(spec);
  for (const bool ipv6 : {false, true}) {
    rte_mbuf* frame = Make({.ipv6 = ipv6, .payload = 5000, .link = 0});
    const std::vector<Bytes> expected = WireFrames(*frame);
    ASSERT_EQ(uplink_->Transmit(std::span(&frame, 1)), 1);
    for (const Bytes& packet : expected) EXPECT_EQ(ReadPacket(tun), packet);
  }
  close(tun);
}

// A small frame that somebody keeps does not keep 64 KiB.
TEST_F(SuperFrameTest, SmallFramesAreReceivedInSmallBuffers) {
  const Endpoint end = *ParseEndpoint("10.1.0.1:9000");
  ASSERT_TRUE(uplink_->SetEndpoints({{end}}).ok());
  const int raw = lab_.RawSocketThere();
  std::vector<rte_mbuf*> kept;
  for (size_t i = 0; i < 300; ++i) {
    const Bytes frame = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 10 + i));
    ASSERT_EQ(send(raw, frame.data(), frame.size(), 0),
              static_cast<ssize_t>(frame.size()));
    const std::vector<rte_mbuf*> got = ReceiveFrames(*uplink_, 1);
    ASSERT_EQ(got.size(), 1u);
    EXPECT_EQ(BytesOf(got[0]), frame);
    EXPECT_EQ(got[0]->l2_len, 14);
    kept.push_back(got[0]);
  }
  EXPECT_LE(rte_mempool_in_use_count(jumbo_), kAfPacketFrames);
  for (rte_mbuf* frame : kept) rte_pktmbuf_free(frame);
  close(raw);
}

}  // namespace
}  // namespace lwt

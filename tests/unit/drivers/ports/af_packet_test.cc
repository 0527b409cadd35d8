#include "drivers/ports/af_packet.h"

#include <absl/strings/str_cat.h>
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "drivers/ports/lan_filter.h"
#include "drivers/ports/uplink.h"
#include "drivers/rx_wait.h"
#include "tests/unit/drivers/net_lab.h"
#include "tests/unit/drivers/ports/uplink_lab.h"

namespace lwt {
namespace {

class AfPacketTest : public UplinkTest {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    jumbo_ = MakePool("jumbo", 511, kJumboDataRoom);
    small_ = MakePool("small", 1023, 2048 + RTE_PKTMBUF_HEADROOM);
  }
  void TearDown() override {
    UplinkTest::TearDown();
    EXPECT_EQ(rte_mempool_in_use_count(jumbo_), 0u);
    EXPECT_EQ(rte_mempool_in_use_count(small_), 0u);
  }
  static UplinkSpec Spec(const std::string& interface = "up0") {
    UplinkSpec spec;
    spec.interface = interface;
    spec.driver = UplinkDriver::kAfPacket;
    spec.jumbo_pool = jumbo_;
    spec.small_pool = small_;
    return spec;
  }
  void Open(const std::string& interface = "up0", bool super_frames = true) {
    UplinkSpec spec = Spec(interface);
    spec.super_frames = super_frames;
    Keep(OpenUplink(spec));
  }
  void OpenWith(const std::vector<Endpoint>& endpoints) {
    Open();
    Hear(endpoints);
  }

  static inline rte_mempool* jumbo_ = nullptr;
  static inline rte_mempool* small_ = nullptr;
};

// As Debian 12's kernel has it: two filters of so many addresses are too much
// for a socket's memory.
TEST_F(AfPacketTest, ALongFilterTakesTheOthersPlaceWhereMemoryIsShort) {
  std::ofstream("/proc/sys/net/core/optmem_max") << "20480\n";
  Open();
  std::vector<Endpoint> endpoints;
  for (uint32_t i = 0; i < 1500; ++i) {
    endpoints.push_back(*ParseEndpoint(
        absl::StrCat("10.", i >> 7 & 255, ".", (i << 1) & 255, ".7:9000")));
  }
  for (int turn = 0; turn < 3; ++turn) {
    const absl::Status set = uplink_->SetEndpoints(endpoints);
    EXPECT_TRUE(set.ok()) << set;
    endpoints.resize(endpoints.size() - 100);
  }
}

TEST_F(AfPacketTest, SaysWhatItIs) {
  Open();
  EXPECT_EQ(uplink_->reason(),
            "af_packet with super-frames on up0: as configured");
  EXPECT_EQ(uplink_->info().driver, "af_packet");
  EXPECT_EQ(uplink_->info().device, "up0");
  EXPECT_EQ(uplink_->info().link_header_size, 14);
  EXPECT_EQ(uplink_->info().mtu, 1500);
  EXPECT_TRUE(uplink_->info().segments);
  EXPECT_EQ(uplink_->xdp_program_id(), 0u);
  EXPECT_EQ(uplink_->ifindex(), static_cast<int>(if_nametoindex("up0")));
}

TEST_F(AfPacketTest, RefusesUnknownInterfacesAndSmallBuffers) {
  EXPECT_EQ(OpenUplink(Spec("none0")).status().code(),
            absl::StatusCode::kNotFound);
  UplinkSpec spec = Spec();
  spec.jumbo_pool = small_;
  EXPECT_EQ(OpenUplink(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
  spec = Spec();
  spec.small_pool = nullptr;
  EXPECT_EQ(OpenUplink(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(AfPacketTest, GivesOurFramesAndNoOthers) {
  OpenWith({kIpv4End, kIpv6End});
  const Bytes ipv4 = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 1000));
  const Bytes ipv6 = lab_.Ethernet(ETH_P_IPV6, TcpIpv6(9000, 700));
  Send(lab_.Ethernet(ETH_P_IP, TcpIpv4(9001, 1000)));
  Send(ipv4);
  Send(lab_.Ethernet(ETH_P_IPV6, TcpIpv6(22, 1000)));
  Send(ipv6);
  EXPECT_EQ(UpToMarker(), (std::vector<Bytes>{ipv4, ipv6}));
}

// As a router makes them that clears DF: the kernel puts them together for us.
TEST_F(AfPacketTest, FragmentsComePutTogether) {
  OpenWith({kIpv4End});
  const Bytes whole = TcpIpv4(9000, 1400);
  const size_t cut = 20 + 800;  // a multiple of 8 behind the header
  Bytes first(whole.begin(), whole.begin() + cut);
  Bytes second(whole.begin(), whole.begin() + 20);
  second.insert(second.end(), whole.begin() + cut, whole.end());
  const auto finish = [](Bytes& piece, uint16_t place) {
    piece[2] = static_cast<uint8_t>(piece.size() >> 8);
    piece[3] = static_cast<uint8_t>(piece.size());
    piece[6] = static_cast<uint8_t>(place >> 8);
    piece[7] = static_cast<uint8_t>(place);
    piece[10] = piece[11] = 0;
    const uint16_t sum = InternetChecksum(std::span(piece).first(20), 0);
    piece[10] = static_cast<uint8_t>(sum >> 8);
    piece[11] = static_cast<uint8_t>(sum);
  };
  finish(first, 0x2000);
  finish(second, 800 / 8);
  for (const bool late : {false, true}) {
    Send(lab_.Ethernet(ETH_P_IP, late ? second : first));
    EXPECT_EQ(UpToMarker(), std::vector<Bytes>{});
    Send(lab_.Ethernet(ETH_P_IP, late ? first : second));
    const std::vector<Bytes> came = UpToMarker();
    ASSERT_EQ(came.size(), 1u) << late;
    // Below the IP header all is as it was sent.
    EXPECT_TRUE(std::equal(whole.begin() + 20, whole.end(),
                           came[0].begin() + 14 + 20, came[0].end()));
  }
}

TEST_F(AfPacketTest, StartsDeafAndQueuesNothing) {
  Open();
  Send(lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 500)));
  ASSERT_TRUE(lab_.There("ping -c1 -W2 10.1.0.1 >/dev/null"));
  ASSERT_TRUE(uplink_->SetEndpoints({{kIpv4End}}).ok());
  EXPECT_EQ(UpToMarker(), std::vector<Bytes>{});
}

TEST_F(AfPacketTest, ChangesEndpointsWhileItRuns) {
  OpenWith({kIpv4End});
  EndpointsChangeWhileItRuns();
}

TEST_F(AfPacketTest, NoFrameOfAnEndpointThatStaysIsLost) {
  OpenWith({kIpv4End});
  const Bytes frame = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 100));
  size_t received = 0;
  for (int i = 0; i < 500; ++i) {
    Send(frame);
    const Endpoint set[] = {kOtherEnd, kIpv4End};
    ASSERT_TRUE(
        uplink_->SetEndpoints(std::span(set).subspan(i % 2 == 0 ? 0 : 1)).ok());
    Send(frame);
    received += ReceiveBytes(*uplink_, 2).size();
  }
  EXPECT_EQ(received, 1000u);
}

TEST_F(AfPacketTest, FlagsTheChecksumsOfThisHost) {
  OpenWith({kIpv4End});
  Send(lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 100)));
  std::vector<rte_mbuf*> frames = ReceiveFrames(*uplink_, 1);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0u);
  EXPECT_EQ(frames[0]->l2_len, 14);
  rte_pktmbuf_free(frames[0]);
  // The kernel's own SYN leaves the checksum to the device, which a veth is
  // never going to do.
  ASSERT_TRUE(lab_.There("ethtool -K peer0 tx on >/dev/null"));
  const int client = lab_.SocketThere(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9000);
  to.sin_addr.s_addr = htonl(0x0a010001);
  connect(client, reinterpret_cast<sockaddr*>(&to), sizeof(to));
  frames = ReceiveFrames(*uplink_, 1);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_NE(frames[0]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0u);
  EXPECT_EQ(frames[0]->ol_flags & RTE_MBUF_F_RX_LRO, 0u);
  rte_pktmbuf_free(frames[0]);
  close(client);
}

TEST_F(AfPacketTest, MergedFrameComesWhole) {
  OpenWith({kIpv4End});
  lab_.EnableSegmentationThere();
  const int gso = lab_.RawSocketThere(true);
  const Bytes packet = TcpIpv4(9000, 60'000);
  const Bytes frame = lab_.Ethernet(ETH_P_IP, packet);
  Bytes message = {1 /* needs checksum */,
                   1 /* TCPv4 */,
                   54,
                   0,
                   0xe8,
                   3,
                   34 /* checksum start */,
                   0,
                   16 /* and offset */,
                   0};
  message.insert(message.end(), frame.begin(), frame.end());
  ASSERT_EQ(send(gso, message.data(), message.size(), 0),
            static_cast<ssize_t>(message.size()));
  const std::vector<rte_mbuf*> frames = ReceiveFrames(*uplink_, 1);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(BytesOf(frames[0]), frame);
  EXPECT_EQ(frames[0]->nb_segs, 1);
  EXPECT_NE(frames[0]->ol_flags & RTE_MBUF_F_RX_LRO, 0u);
  EXPECT_NE(frames[0]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_GOOD, 0u);
  EXPECT_EQ(frames[0]->tso_segsz, 1000);
  rte_pktmbuf_free(frames[0]);
  close(gso);
}

TEST_F(AfPacketTest, TransmitsBurstsAndSegments) {
  Open();
  ASSERT_TRUE(lab_.There("ip addr flush dev peer0"));
  std::vector<rte_mbuf*> frames;
  std::vector<Bytes> sent;
  for (size_t i = 0; i < 200; ++i) {
    // Reserved for local experiments: nothing else on the link has this type.
    sent.push_back(lab_.Ethernet(0x88b5, Bytes(i + 46, 7)));
    std::fill_n(sent.back().begin(), 6, 0xff);
    frames.push_back(MakeFrame(small_, sent.back(), i % 3 == 0 ? 40 : 2000));
  }
  ASSERT_EQ(uplink_->Transmit(frames), frames.size());
  std::vector<Bytes> got;
  while (got.size() < sent.size() && BecomesReadable(raw_)) {
    Bytes buffer(2000);
    const ssize_t size = recv(raw_, buffer.data(), buffer.size(), 0);
    ASSERT_GT(size, 0);
    buffer.resize(static_cast<size_t>(size));
    if (buffer[12] == 0x88 && buffer[13] == 0xb5) got.push_back(buffer);
  }
  EXPECT_EQ(got, sent);
  EXPECT_EQ(uplink_->ReadCounters().tx_refused, 0u);
}

TEST_F(AfPacketTest, FrameTooLongForTheLinkIsRefusedAlone) {
  Open();
  rte_mbuf* frames[] = {
      MakeFrame(small_, lab_.Ethernet(0x88b5, Bytes(100, 1))),
      MakeFrame(small_, lab_.Ethernet(0x88b5, Bytes(1900, 1))),
      MakeFrame(small_, lab_.Ethernet(0x88b5, Bytes(100, 2)))};
  EXPECT_EQ(uplink_->Transmit(frames), 3);
  EXPECT_EQ(uplink_->ReadCounters().tx_refused, 1u);
}

TEST_F(AfPacketTest, WaitDescriptorWakes) {
  OpenWith({kIpv4End});
  Port* ports[] = {uplink_.get()};
  auto wait = RxWait::Create(ports);
  ASSERT_TRUE(wait.ok());
  Send(lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 10)));
  (*wait)->Wait(2'000'000);
  EXPECT_TRUE(BecomesReadable(uplink_->wait_fd()));
  EXPECT_EQ(ReceiveBytes(*uplink_, 1).size(), 1u);
}

TEST_F(AfPacketTest, SurvivesTheInterfaceGoingDown) {
  OpenWith({kIpv4End});
  SurvivesItsInterfaceGoingDown(small_);
  EXPECT_EQ(uplink_->ReadCounters().tx_refused, 1u);
}

// Somebody holds all large buffers. What the port keeps for itself is enough to
// read on: small frames come, a large one is dropped and counted, and the
// socket does not stay readable, which would make its worker turn for nothing.
TEST_F(AfPacketTest, AnEmptyPoolDropsWhatIsLargeAndNoMore) {
  OpenWith({kIpv4End});
  ASSERT_TRUE(lab_.Here("ip link set up0 mtu 9000"));
  ASSERT_TRUE(lab_.There("ip link set peer0 mtu 9000"));
  const Bytes small = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 10));
  const Bytes large = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 8000));
  std::vector<rte_mbuf*> hoard;
  while (rte_mbuf* frame = rte_pktmbuf_alloc(jumbo_)) hoard.push_back(frame);
  std::vector<rte_mbuf*> kept;
  uint32_t sent = 0;
  std::array<rte_mbuf*, 32> in{};
  while (uplink_->ReadCounters().rx_no_buffer == 0) {
    ASSERT_LT(sent++, 100u);
    Send(large);
    ASSERT_TRUE(BecomesReadable(uplink_->wait_fd()));
    const uint16_t count = uplink_->Receive(in);
    kept.insert(kept.end(), in.begin(), in.begin() + count);
  }
  EXPECT_EQ(kept.size(), sent - 1);
  for (int i = 0; i < 3; ++i) {
    Send(large);
    Send(small);
  }
  EXPECT_EQ(ReceiveBytes(*uplink_, 3), (std::vector<Bytes>(3, small)));
  EXPECT_EQ(uplink_->ReadCounters().rx_no_buffer, 4u);
  EXPECT_EQ(uplink_->Receive(in), 0);
  EXPECT_EQ(uplink_->ReadCounters().rx_no_buffer, 4u) << "nothing was left";
  for (rte_mbuf* hoarded : hoard) rte_pktmbuf_free(hoarded);
  for (rte_mbuf* frame : kept) rte_pktmbuf_free(frame);
  // It is back as soon as the buffers are.
  Send(large);
  EXPECT_EQ(ReceiveBytes(*uplink_, 1), std::vector<Bytes>{large});
  EXPECT_EQ(uplink_->ReadCounters().rx_no_buffer, 4u);
}

TEST_F(AfPacketTest, WorksWithoutLinkHeader) {
  const int tun = lab_.MakePlainLink();
  Open("plain0");
  EXPECT_EQ(uplink_->info().link_header_size, 0);
  ASSERT_TRUE(uplink_->SetEndpoints({{kIpv4End, kIpv6End}}).ok());
  for (const Bytes& packet : {TcpIpv4(9000, 100), TcpIpv6(9000, 100)}) {
    ASSERT_EQ(write(tun, packet.data(), packet.size()),
              static_cast<ssize_t>(packet.size()));
    std::vector<rte_mbuf*> frames = ReceiveFrames(*uplink_, 1);
    ASSERT_EQ(frames.size(), 1u);
    EXPECT_EQ(BytesOf(frames[0]), packet);
    EXPECT_EQ(frames[0]->l2_len, 0);
    ASSERT_EQ(uplink_->Transmit(frames), 1);
    EXPECT_EQ(ReadPacket(tun), packet);
  }
  close(tun);
}

// A port of the inside tells of checksums and super-frames as those are told
// there: by where the L4 header lies behind the IP header.
TEST_F(AfPacketTest, InsideTellsOfSuperFramesAsThePortsThere) {
  RoutedSet routed;
  routed.networks = {*ParseIpPrefix("10.1.0.0/24")};
  const auto filter = BuildLanFilter(routed);
  ASSERT_TRUE(filter.ok());
  const auto interface = ReadInterface("up0");
  ASSERT_TRUE(interface.ok());
  auto inside = AfPacketUplink::OpenInside(*interface, Spec(), *filter);
  ASSERT_TRUE(inside.ok()) << inside.status();
  const int raw = lab_.RawSocketThere(/*vnet_header=*/true);
  lab_.EnableSegmentationThere();
  // 10 segments of 1000 bytes behind 14 + 20 + 20 bytes of headers.
  Bytes frame = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 10'000));
  VnetHeader header;
  header.flags = kVnetNeedsChecksum;
  header.gso_type = kVnetGsoTcp4;
  header.header_size = 54;
  header.gso_size = 1000;
  header.checksum_start = 34;
  header.checksum_offset = 16;
  Bytes message(sizeof(header));
  std::memcpy(message.data(), &header, sizeof(header));
  message.insert(message.end(), frame.begin(), frame.end());
  ASSERT_EQ(send(raw, message.data(), message.size(), 0),
            static_cast<ssize_t>(message.size()));
  const std::vector<rte_mbuf*> got = ReceiveFrames(**inside, 1);
  ASSERT_EQ(got.size(), 1u);
  EXPECT_NE(got[0]->ol_flags & RTE_MBUF_F_RX_LRO, 0u);
  EXPECT_EQ(got[0]->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK,
            RTE_MBUF_F_RX_L4_CKSUM_NONE);
  EXPECT_EQ(got[0]->packet_type, static_cast<uint32_t>(RTE_PTYPE_L4_TCP));
  EXPECT_EQ(got[0]->l2_len, 14);
  EXPECT_EQ(got[0]->l3_len, 20);
  EXPECT_EQ(got[0]->tso_segsz, 1000);
  EXPECT_EQ(got[0]->pkt_len, frame.size());
  rte_pktmbuf_free(got[0]);
  // A single packet, whose checksum is right as it came off a wire.
  Send(lab_.Ethernet(ETH_P_IP, TcpIpv4(22, 100)));
  const std::vector<rte_mbuf*> single = ReceiveFrames(**inside, 1);
  ASSERT_EQ(single.size(), 1u);
  EXPECT_EQ(single[0]->ol_flags & RTE_MBUF_F_RX_LRO, 0u);
  EXPECT_EQ(single[0]->pool, small_);
  rte_pktmbuf_free(single[0]);
  close(raw);
}

}  // namespace
}  // namespace lwt

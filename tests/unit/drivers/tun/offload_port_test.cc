#include "drivers/tun/offload_port.h"

#include <net/if.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <sys/socket.h>

#include <algorithm>

#include "drivers/packet_pool.h"
#include "tests/unit/drivers/tun/tun_lab.h"

namespace lwt {
namespace {

// What a port at the far end has to ask for, for a packet received like that.
void Reflect(rte_mbuf* frame) {
  const bool udp = (frame->packet_type & RTE_PTYPE_L4_MASK) == RTE_PTYPE_L4_UDP;
  const auto* ip = rte_pktmbuf_mtod(frame, const uint8_t*);
  const bool ipv4 = ip[0] >> 4 == 4;
  if ((frame->ol_flags & RTE_MBUF_F_RX_LRO) != 0) {
    frame->l4_len =
        udp ? 8 : static_cast<uint8_t>((ip[frame->l3_len + 12] >> 4) * 4);
    frame->ol_flags = udp ? RTE_MBUF_F_TX_UDP_SEG : RTE_MBUF_F_TX_TCP_SEG;
  } else if ((frame->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) ==
             RTE_MBUF_F_RX_L4_CKSUM_NONE) {
    frame->l3_len = ipv4 ? 20 : 40;
    frame->ol_flags = (ipv4 ? ip[9] : ip[6]) == 17 ? RTE_MBUF_F_TX_UDP_CKSUM
                                                   : RTE_MBUF_F_TX_TCP_CKSUM;
  } else {
    frame->ol_flags = 0;
  }
}

// Changes the checksum of a UDP packet.
rte_mbuf* Spoil(rte_mbuf* frame) {
  auto* ip = rte_pktmbuf_mtod(frame, uint8_t*);
  ip[ip[0] >> 4 == 4 ? 26 : 46] ^= 0x55;
  return frame;
}

class OffloadPortTest : public TunTest {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    pool_ = MakePool("offload", 2047, 2048 + RTE_PKTMBUF_HEADROOM);
    jumbo_ = MakePool("offloadj", 255, PacketPool::kJumboRoom);
  }
  static OffloadSpec Spec(const char* name = "lwt7") {
    OffloadSpec spec;
    spec.name = name;
    spec.pool = pool_;
    spec.jumbo_pool = jumbo_;
    return spec;
  }
  void SetUp() override {
    auto ports = OpenOffloadPorts(Spec());
    ASSERT_TRUE(ports.ok()) << ports.status();
    ASSERT_EQ(ports->size(), 1u);
    Configure(std::move(ports->front()));
  }
  void TearDown() override {
    Close(pool_);
    EXPECT_EQ(rte_mempool_in_use_count(jumbo_), 0u);
  }

  // The next frame of `size` bytes, past what the kernel says on its own.
  rte_mbuf* Wanted(size_t size) {
    rte_mbuf* wanted = nullptr;
    while (wanted == nullptr) {
      const std::vector<rte_mbuf*> some = ReceiveFrames(*port_, 1);
      if (some.empty()) break;
      for (rte_mbuf* frame : some) {
        if (wanted == nullptr && frame->pkt_len == size) {
          wanted = frame;
        } else {
          rte_pktmbuf_free(frame);
        }
      }
    }
    return wanted;
  }

  static inline rte_mempool* pool_ = nullptr;
  static inline rte_mempool* jumbo_ = nullptr;
};

TEST_F(OffloadPortTest, SaysWhatItIs) {
  EXPECT_EQ(port_->info().driver, "tun");
  EXPECT_EQ(port_->info().device, "lwt7");
  EXPECT_EQ(port_->info().link_header_size, 0);
  EXPECT_TRUE(port_->info().segments);
}

TEST_F(OffloadPortTest, RefusesNamesAndBuffersThatCannotBe) {
  EXPECT_EQ(OpenOffloadPorts(Spec("lwt7")).status().code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(OpenOffloadPorts(Spec("a/b")).status().code(),
            absl::StatusCode::kInvalidArgument);
  OffloadSpec spec = Spec("lwt8");
  spec.jumbo_pool = pool_;
  EXPECT_EQ(OpenOffloadPorts(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(if_nametoindex("lwt8"), 0u);
}

// A single packet leaves its checksum open; its buffer is a small one.
TEST_F(OffloadPortTest, GivesWhatTheKernelSends) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    SendOut(family, Bytes(1000, 5));
    const size_t header = family == Family::kIpv4 ? 28 : 48;
    rte_mbuf* frame = Wanted(header + 1000);
    ASSERT_NE(frame, nullptr);
    EXPECT_GE(rte_pktmbuf_headroom(frame), kHeadroom);
    EXPECT_EQ(frame->pool, pool_);
    EXPECT_EQ(frame->packet_type, 0u);
    EXPECT_EQ(frame->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK,
              RTE_MBUF_F_RX_L4_CKSUM_NONE);
    EXPECT_EQ(BytesOf(frame).back(), 5);
    rte_pktmbuf_free(frame);
  }
}

TEST_F(OffloadPortTest, DeliversWithAndWithoutAChecksum) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    for (const size_t segment_size : {2000, 64}) {
      for (const bool whole : {true, false}) {
        const Bytes payload(900, static_cast<uint8_t>(segment_size));
        rte_mbuf* frame =
            MakeFrame(pool_, TunnelUdp(family, payload), segment_size);
        if (!whole) {
          // A receiver on this host takes the port's word and does not look.
          frame = Spoil(frame);
          frame->l3_len = family == Family::kIpv4 ? 20 : 40;
          frame->ol_flags = RTE_MBUF_F_TX_UDP_CKSUM;
        }
        ASSERT_EQ(port_->Transmit(std::span(&frame, 1)), 1);
        EXPECT_EQ(Delivered(family), payload);
      }
    }
  }
  EXPECT_EQ(port_->ReadCounters().tx_refused, 0u);
}

// A train of UDP packets that a socket sends in one call comes out whole, and
// goes back in whole.
TEST_F(OffloadPortTest, CarriesUdpTrains) {
  const int size = 1000;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    const int fd = family == Family::kIpv4 ? ipv4_ : ipv6_;
    ASSERT_EQ(
        setsockopt(fd, IPPROTO_UDP, 103 /* UDP_SEGMENT */, &size, sizeof(size)),
        0);
    Bytes payload(5500);
    for (size_t i = 0; i < payload.size(); ++i) {
      payload[i] = static_cast<uint8_t>(i / 1000);
    }
    SendOut(family, payload);
    const size_t header = family == Family::kIpv4 ? 28 : 48;
    // Before 6.2 the kernel cuts the train itself.
    if (!port_->info().segments_udp) {
      for (const size_t piece : {1000, 1000, 1000, 1000, 1000, 500}) {
        rte_mbuf* single = Wanted(header + piece);
        ASSERT_NE(single, nullptr);
        rte_pktmbuf_free(single);
      }
      continue;
    }
    rte_mbuf* frame = Wanted(header + payload.size());
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(frame->tso_segsz, size);
    EXPECT_EQ(frame->l3_len, header - 8);
    EXPECT_EQ(frame->packet_type & RTE_PTYPE_L4_MASK, RTE_PTYPE_L4_UDP);
    // Back to where it came from: swap the addresses.
    auto* ip = rte_pktmbuf_mtod(frame, uint8_t*);
    const size_t at = family == Family::kIpv4 ? 12 : 8;
    const size_t width = family == Family::kIpv4 ? 4 : 16;
    std::swap_ranges(ip + at, ip + at + width, ip + at + width);
    Reflect(frame);
    ASSERT_EQ(port_->Transmit(std::span(&frame, 1)), 1);
    for (size_t i = 0; i < 6; ++i) {
      EXPECT_EQ(Delivered(family),
                Bytes(i < 5 ? 1000 : 500, static_cast<uint8_t>(i)));
    }
  }
}

TEST_F(OffloadPortTest, WaitDescriptorWakesEveryTime) {
  ExpectWakesEveryTime();
}

TEST_F(OffloadPortTest, GoesOnAfterDownAndUp) {
  ExpectGoesOnAfterDownAndUp(pool_);
}

TEST_F(OffloadPortTest, RefusesAChainThatIsTooLong) {
  const Bytes good = TunnelUdp(Family::kIpv4, Bytes(10, 9));
  rte_mbuf* frames[] = {MakeFrame(pool_, Bytes(kMaxChain + 1, 0), 1),
                        MakeFrame(pool_, good)};
  EXPECT_EQ(port_->Transmit(frames), 2);
  EXPECT_EQ(port_->ReadCounters().tx_refused, 1u);
  EXPECT_EQ(Delivered(Family::kIpv4), Bytes(10, 9));
}

TEST_F(OffloadPortTest, CountsWhatItCouldNotReadForLackOfBuffers) {
  std::vector<rte_mbuf*> hoard;
  while (rte_mbuf* mbuf = rte_pktmbuf_alloc(jumbo_)) hoard.push_back(mbuf);
  SendOut(Family::kIpv4, Bytes(10, 1));
  std::array<rte_mbuf*, 4> none{};
  EXPECT_EQ(port_->Receive(none), 0);
  EXPECT_EQ(port_->ReadCounters().rx_no_buffer, 1u);
  rte_pktmbuf_free_bulk(hoard.data(), static_cast<unsigned>(hoard.size()));
  EXPECT_EQ(Ours(1).size(), 1u);
}

TEST_F(OffloadPortTest, QueuesShareADevice) {
  OffloadSpec spec = Spec("lwt8");
  spec.queues = 3;
  auto ports = OpenOffloadPorts(spec);
  ASSERT_TRUE(ports.ok()) << ports.status();
  ASSERT_EQ(ports->size(), 3u);
  EXPECT_EQ(ports->front()->info().queue_count, 3);
  ports->pop_back();
  EXPECT_NE(if_nametoindex("lwt8"), 0u);
  ports->clear();
  EXPECT_EQ(if_nametoindex("lwt8"), 0u);
}

// A kernel TCP flow between two devices of one process, as fast as the ports
// carry it: whole super-frames cross, and the bytes arrive.
TEST_F(OffloadPortTest, RelaysTcpInSuperFrames) {
  auto opened = OpenOffloadPorts(Spec("lwt8"));
  ASSERT_TRUE(opened.ok()) << opened.status();
  Port& far = *opened->front();
  ASSERT_TRUE(lab_.MoveThere("lwt8"));
  ASSERT_TRUE(lab_.There(
      "ip addr add 10.9.0.2/24 dev lwt8 && ip link set lwt8 mtu 1400 up && "
      "ip addr add fd09::2/64 dev lwt8 nodad"));
  for (const char* address : {"10.9.0.1", "fd09::1"}) {
    TcpTransfer transfer(lab_, address, 7001, 16 << 20);
    uint64_t super = 0;
    const auto carry = [&](Port& from, Port& to) {
      std::array<rte_mbuf*, 16> frames{};
      const uint16_t count = from.Receive(frames);
      for (uint16_t i = 0; i < count; ++i) {
        super += (frames[i]->ol_flags & RTE_MBUF_F_RX_LRO) != 0 ? 1 : 0;
        Reflect(frames[i]);
      }
      EXPECT_EQ(to.Transmit(std::span(frames).first(count)), count);
    };
    while (!transfer.done()) {
      carry(*port_, far);
      carry(far, *port_);
    }
    EXPECT_EQ(transfer.Complaint(), "") << address;
    EXPECT_GT(super, 100u) << address;
  }
  EXPECT_EQ(far.ReadCounters().tx_refused, 0u);
}

// The twin of a memif: whole frames, and nothing left open in them.
TEST_F(OffloadPortTest, AnEthernetDeviceCarriesFramesAsTheyAre) {
  OffloadSpec spec = Spec("lwt9");
  spec.ethernet = true;
  auto ports = OpenOffloadPorts(spec);
  ASSERT_TRUE(ports.ok()) << ports.status();
  Port& twin = *ports->front();
  EXPECT_FALSE(twin.info().segments);
  EXPECT_EQ(twin.info().link_header_size, 14);
  ASSERT_TRUE(
      lab_.Here("sysctl -qw net.ipv6.conf.lwt9.disable_ipv6=1 && "
                "ip address add 10.19.0.1/24 dev lwt9 && "
                "ip link set lwt9 address 02:00:00:00:00:01 up && "
                "ip neigh add 10.19.0.2 lladdr 02:00:00:00:00:02 "
                "dev lwt9 && "
                "{ ping -c1 -W1 10.19.0.2 >/dev/null || true; }"));
  const std::vector<Bytes> got = ReceiveBytes(twin, 1);
  ASSERT_EQ(got.size(), 1u);
  const Bytes head = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45};
  ASSERT_GT(got[0].size(), head.size());
  EXPECT_TRUE(std::equal(head.begin(), head.end(), got[0].begin()));
  EXPECT_EQ(InternetChecksum(std::span(got[0]).subspan(34), 0), 0);
  // An ARP request for its address is answered.
  Bytes ask = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0,  2,  8, 6,
               0,    1,    8,    0,    6,    4,    0, 1, 2, 0, 0,  0,  0, 2,
               10,   19,   0,    2,    0,    0,    0, 0, 0, 0, 10, 19, 0, 1};
  rte_mbuf* frame = MakeFrame(pool_, ask);
  ASSERT_EQ(twin.Transmit({&frame, 1}), 1);
  const std::vector<Bytes> answer = ReceiveBytes(twin, 1);
  ASSERT_EQ(answer.size(), 1u);
  EXPECT_EQ(answer[0][21], 2);  // a reply
}

}  // namespace
}  // namespace lwt

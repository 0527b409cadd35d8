#include "drivers/tun/tap_port.h"

#include <net/if.h>
#include <rte_mbuf.h>

#include "tests/unit/drivers/tun/tun_lab.h"

namespace lwt {
namespace {

class TapPortTest : public TunTest {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    pool_ = MakePool("tap", 2047, 2048 + RTE_PKTMBUF_HEADROOM);
  }
  void SetUp() override {
    TapSpec spec;
    spec.name = "lwt7";
    spec.pool = pool_;
    auto ports = OpenTapPorts(spec);
    ASSERT_TRUE(ports.ok()) << ports.status();
    Configure(std::move(ports->front()));
  }
  void TearDown() override { Close(pool_); }

  static inline rte_mempool* pool_ = nullptr;
};

TEST_F(TapPortTest, SaysWhatItIs) {
  EXPECT_EQ(port_->info().driver, "net_tap");
  EXPECT_EQ(port_->info().device, "lwt7");
  EXPECT_EQ(port_->info().link_header_size, 0);
  EXPECT_EQ(port_->info().mtu, 1400);
}

TEST_F(TapPortTest, RefusesNamesInUseOrOfAWrongForm) {
  TapSpec spec;
  spec.pool = pool_;
  spec.name = "lwt7";
  EXPECT_EQ(OpenTapPorts(spec).status().code(),
            absl::StatusCode::kAlreadyExists);
  spec.name = "up0";
  EXPECT_EQ(OpenTapPorts(spec).status().code(),
            absl::StatusCode::kAlreadyExists);
  for (const char* name :
       {"", "a,b", "lwt%d", "a/b", ".", "sixteen-letters-"}) {
    spec.name = name;
    EXPECT_EQ(OpenTapPorts(spec).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
  spec.name = "lwt8";
  spec.mtu = 1505;
  EXPECT_EQ(OpenTapPorts(spec).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(TapPortTest, GivesWhatTheKernelSends) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    SendOut(family, Bytes(1000, 5));
    const std::vector<Bytes> got = Ours(1);
    ASSERT_EQ(got.size(), 1u);
    const size_t header = family == Family::kIpv4 ? 28 : 48;
    ASSERT_EQ(got[0].size(), header + 1000);
    EXPECT_EQ(Bytes(got[0].begin() + static_cast<long>(header), got[0].end()),
              Bytes(1000, 5));
  }
}

TEST_F(TapPortTest, LeavesHeadroomAndNoLinkHeader) {
  SendOut(Family::kIpv4, Bytes(10, 5));
  for (rte_mbuf* frame : ReceiveFrames(*port_, 1)) {
    EXPECT_GE(rte_pktmbuf_headroom(frame), kHeadroom);
    EXPECT_EQ(frame->l2_len, 0);
    EXPECT_EQ(frame->packet_type, 0u);
    rte_pktmbuf_free(frame);
  }
}

TEST_F(TapPortTest, DeliversToTheKernelInOneOrMoreSegments) {
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    for (const size_t segment_size : {2000, 64}) {
      const Bytes payload(900, static_cast<uint8_t>(segment_size));
      rte_mbuf* frame =
          MakeFrame(pool_, TunnelUdp(family, payload), segment_size);
      ASSERT_EQ(port_->Transmit(std::span(&frame, 1)), 1);
      EXPECT_EQ(Delivered(family), payload);
    }
  }
}

TEST_F(TapPortTest, CarriesTenThousandPacketsWithoutAStall) {
  constexpr size_t kPackets = 10'000;
  constexpr size_t kChunk = 100;  // below the device's queue of 500
  size_t received = 0;
  for (size_t sent = 0; sent < kPackets; sent += kChunk) {
    for (size_t i = 0; i < kChunk; ++i) SendOut(Family::kIpv4, Bytes(100, 1));
    received += Ours(kChunk).size();
  }
  EXPECT_EQ(received, kPackets);
}

TEST_F(TapPortTest, WaitDescriptorWakesEveryTime) { ExpectWakesEveryTime(); }

TEST_F(TapPortTest, GoesOnAfterDownAndUp) { ExpectGoesOnAfterDownAndUp(pool_); }

TEST_F(TapPortTest, PacketThatIsTooLongDoesNotHoldUpTheRest) {
  const Bytes good = TunnelUdp(Family::kIpv4, Bytes(10, 9));
  rte_mbuf* frames[] = {MakeFrame(pool_, Bytes(1600, 0)),
                        MakeFrame(pool_, good)};
  EXPECT_EQ(port_->Transmit(frames), 2);
  EXPECT_EQ(port_->ReadCounters().tx_refused, 1u);
  EXPECT_EQ(Delivered(Family::kIpv4), Bytes(10, 9));
}

TEST_F(TapPortTest, TwoDevicesLiveSideBySide) {
  TapSpec spec;
  spec.name = "lwt8";
  spec.pool = pool_;
  auto other = OpenTapPorts(spec);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE(other->front()->wait_fd(), port_->wait_fd());
  other->clear();
  EXPECT_EQ(if_nametoindex("lwt8"), 0u);
  SendOut(Family::kIpv4, Bytes(10, 1));
  EXPECT_EQ(Ours(1).size(), 1u);
}

}  // namespace
}  // namespace lwt

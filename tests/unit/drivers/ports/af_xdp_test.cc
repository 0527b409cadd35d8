#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <rte_mbuf.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/ports/steering.h"
#include "drivers/ports/uplink.h"
#include "drivers/rx_wait.h"
#include "tests/unit/drivers/net_lab.h"
#include "tests/unit/drivers/ports/uplink_lab.h"

// The driver never frees the BPF object and the memory area of its sockets.
extern "C" const char* __lsan_default_suppressions() {
  return "leak:libbpf.so\nleak:libxdp.so\n";
}

namespace lwt {
namespace {

constexpr char kPing[] = "ping -c1 -W2 10.1.0.1 >/dev/null";

// Loads the steering program and attaches it, as a stranger or a killed
// gateway would have.
class AttachedProgram {
 public:
  explicit AttachedProgram(int ifindex) {
    auto object = SteeringObject::Create();
    EXPECT_TRUE(object.ok());
    object_ = bpf_object__open_file((*object)->path().c_str(), nullptr);
    EXPECT_EQ(bpf_object__load(object_), 0);
    const int fd = bpf_program__fd(bpf_object__next_program(object_, nullptr));
    EXPECT_EQ(bpf_xdp_attach(ifindex, fd, 0, nullptr), 0);
    id_ = *AttachedXdpProgramId(ifindex);
  }
  ~AttachedProgram() { bpf_object__close(object_); }
  uint32_t id() const { return id_; }

 private:
  bpf_object* object_ = nullptr;
  uint32_t id_ = 0;
};

class AfXdpTest : public UplinkTest {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    pool_ = MakePool("foreign", 1023, 2048 + RTE_PKTMBUF_HEADROOM);
  }
  void SetUp() override {
    UplinkTest::SetUp();
    ifindex_ = static_cast<int>(if_nametoindex("up0"));
  }
  void TearDown() override {
    UplinkTest::TearDown();
    EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u);
  }
  absl::StatusOr<std::unique_ptr<Uplink>> Try() {
    UplinkSpec spec;
    spec.interface = "up0";
    spec.driver = UplinkDriver::kAfXdp;
    return OpenUplink(spec);
  }
  void OpenWith(const std::vector<Endpoint>& endpoints) {
    Keep(Try());
    Hear(endpoints);
  }
  // Frames of the experimental type that arrive there.
  std::vector<Bytes> Arrivals(size_t count) {
    std::vector<Bytes> got;
    while (got.size() < count && BecomesReadable(raw_)) {
      Bytes buffer(2000);
      const ssize_t size = recv(raw_, buffer.data(), buffer.size(), 0);
      buffer.resize(size < 0 ? 0 : static_cast<size_t>(size));
      if (buffer.size() > 14 && buffer[12] == 0x88 && buffer[13] == 0xb5) {
        got.push_back(buffer);
      }
    }
    return got;
  }

  static inline rte_mempool* pool_ = nullptr;
  int ifindex_ = 0;
};

TEST_F(AfXdpTest, SaysWhatItIsAndLeavesNothingBehind) {
  OpenWith({kIpv4End});
  EXPECT_EQ(uplink_->info().driver, "af_xdp");
  EXPECT_EQ(uplink_->info().link_header_size, 14);
  EXPECT_EQ(uplink_->reason(),
            "af_xdp on up0: as configured, copy mode: zero-copy AF_XDP needs "
            "hugepages, which are not in use");
  EXPECT_NE(uplink_->xdp_program_id(), 0u);
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), uplink_->xdp_program_id());
  uplink_.reset();
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), 0u);
  OpenWith({kIpv4End});
  EXPECT_EQ(UpToMarker(), std::vector<Bytes>{});
}

TEST_F(AfXdpTest, AutoTakesAfPacketOnVeth) {
  UplinkSpec spec;
  spec.interface = "up0";
  spec.jumbo_pool = MakePool("jumbo-auto", 127, kJumboDataRoom);
  spec.small_pool = MakePool("small-auto", 127, 2048 + RTE_PKTMBUF_HEADROOM);
  auto uplink = OpenUplink(spec);
  ASSERT_TRUE(uplink.ok()) << uplink.status();
  EXPECT_EQ((*uplink)->info().driver, "af_packet");
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), 0u);
}

TEST_F(AfXdpTest, TakesOurFlowsAndLeavesTheRestToTheKernel) {
  OpenWith({kIpv4End, kIpv6End});
  const Bytes ipv4 = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 1400));
  const Bytes ipv6 = lab_.Ethernet(ETH_P_IPV6, TcpIpv6(9000, 700));
  Bytes fragment = TcpIpv4(9000, 100);
  fragment[6] = 0x20;
  Bytes later = fragment;
  later[7] = 100;  // what looks like ports is payload
  Send(lab_.Ethernet(ETH_P_IP, TcpIpv4(9001, 1000)));
  Send(ipv4);
  Send(lab_.Ethernet(ETH_P_IP, later));
  Send(lab_.Ethernet(ETH_P_IP, fragment));
  Send(lab_.Ethernet(ETH_P_IPV6, TcpIpv6(22, 1000)));
  Send(ipv6);
  // A first fragment comes to be counted.
  EXPECT_EQ(UpToMarker(), (std::vector<Bytes>{
                              ipv4, lab_.Ethernet(ETH_P_IP, fragment), ipv6}));
  EXPECT_TRUE(lab_.There(kPing));
  EXPECT_TRUE(lab_.There("ping -c1 -W2 fd01::1 >/dev/null"));
  EXPECT_EQ(UpToMarker(), std::vector<Bytes>{});
}

TEST_F(AfXdpTest, LooksThroughAVlanTag) {
  OpenWith({kIpv4End});
  Bytes tagged = {0, 5, 8, 0};
  const Bytes packet = TcpIpv4(9000, 100);
  tagged.insert(tagged.end(), packet.begin(), packet.end());
  const Bytes frame = lab_.Ethernet(ETH_P_8021Q, tagged);
  Send(frame);
  const std::vector<rte_mbuf*> frames = ReceiveFrames(*uplink_, 1);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(BytesOf(frames[0]), frame);
  EXPECT_EQ(frames[0]->l2_len, 18);
  rte_pktmbuf_free(frames[0]);
}

TEST_F(AfXdpTest, ChangesEndpointsWhileItRuns) {
  OpenWith({kIpv4End});
  EndpointsChangeWhileItRuns();
}

TEST_F(AfXdpTest, CarriesFarMoreFramesThanItsRingsHold) {
  constexpr size_t kFrames = 40'000;
  OpenWith({kIpv4End});
  const Bytes frame = lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 1000));
  size_t received = 0;
  for (size_t sent = 0; sent < kFrames; sent += 100) {
    for (size_t i = 0; i < 100; ++i) Send(frame);
    received += ReceiveBytes(*uplink_, 100).size();
  }
  EXPECT_EQ(received, kFrames);
  EXPECT_EQ(uplink_->ReadCounters().rx_missed, 0u);
}

TEST_F(AfXdpTest, TransmitsFramesOfEveryKind) {
  OpenWith({kIpv4End});
  Bytes bytes = lab_.Ethernet(0x88b5, Bytes(600, 3));
  std::fill_n(bytes.begin(), 6, 0xff);
  // Of the port's own pool.
  Send(lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 10)));
  std::vector<rte_mbuf*> own = ReceiveFrames(*uplink_, 1);
  ASSERT_EQ(own.size(), 1u);
  rte_mempool* own_pool = own[0]->pool;
  rte_pktmbuf_free(own[0]);
  rte_mbuf* indirect = rte_pktmbuf_alloc(own_pool);
  rte_mbuf* target = MakeFrame(pool_, bytes);
  rte_pktmbuf_attach(indirect, target);
  rte_pktmbuf_free(target);
  rte_mbuf* frames[] = {MakeFrame(own_pool, bytes), MakeFrame(pool_, bytes),
                        MakeFrame(pool_, bytes, 100),
                        MakeFrame(own_pool, bytes, 100), indirect};
  ASSERT_EQ(uplink_->Transmit(frames), 5);
  EXPECT_EQ(Arrivals(5), std::vector<Bytes>(5, bytes));
}

TEST_F(AfXdpTest, TransmitsFarMoreFramesThanItsRingsHold) {
  constexpr size_t kFrames = 20'000;
  OpenWith({kIpv4End});
  Bytes bytes = lab_.Ethernet(0x88b5, Bytes(1000, 3));
  std::fill_n(bytes.begin(), 6, 0xff);
  size_t arrived = 0;
  for (size_t sent = 0; sent < kFrames; sent += 64) {
    std::vector<rte_mbuf*> frames;
    for (size_t i = 0; i < 64; ++i) frames.push_back(MakeFrame(pool_, bytes));
    std::span<rte_mbuf*> rest(frames);
    while (!rest.empty()) rest = rest.subspan(uplink_->Transmit(rest));
    arrived += Arrivals(64).size();
  }
  EXPECT_GE(arrived, kFrames);
}

TEST_F(AfXdpTest, RefusesFramesThatTheLinkCannotCarry) {
  OpenWith({kIpv4End});
  const Bytes good = lab_.Ethernet(0x88b5, Bytes(60, 1));
  rte_mbuf* frames[] = {MakeFrame(pool_, good),
                        MakeFrame(pool_, lab_.Ethernet(0x88b5, Bytes(1600, 1))),
                        MakeFrame(pool_, good)};
  EXPECT_EQ(uplink_->Transmit(frames), 3);
  EXPECT_EQ(uplink_->ReadCounters().tx_refused, 1u);
}

TEST_F(AfXdpTest, WaitDescriptorWakes) {
  OpenWith({kIpv4End});
  Send(lab_.Ethernet(ETH_P_IP, TcpIpv4(9000, 10)));
  EXPECT_TRUE(BecomesReadable(uplink_->wait_fd()));
  EXPECT_EQ(ReceiveBytes(*uplink_, 1).size(), 1u);
}

TEST_F(AfXdpTest, SurvivesTheInterfaceGoingDown) {
  OpenWith({kIpv4End});
  SurvivesItsInterfaceGoingDown(pool_);
}

TEST_F(AfXdpTest, LeavesAnotherProgramAlone) {
  const AttachedProgram stranger(ifindex_);
  const auto refused = Try();
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.status().message().find("is attached to up0 already"),
            absl::string_view::npos);
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), stranger.id());
}

TEST_F(AfXdpTest, PutsBackAProgramThatReplacedIts) {
  OpenWith({kIpv4End});
  const AttachedProgram stranger(ifindex_);
  ASSERT_NE(stranger.id(), uplink_->xdp_program_id());
  uplink_.reset();
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), stranger.id());
}

TEST_F(AfXdpTest, ProgramLeftBehindIsHarmlessAndCanBeDetachedByItsId) {
  const AttachedProgram left_behind(ifindex_);
  EXPECT_TRUE(lab_.There(kPing));
  EXPECT_TRUE(DetachXdpProgram(ifindex_, left_behind.id() + 1000).ok());
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), left_behind.id());
  EXPECT_TRUE(DetachXdpProgram(ifindex_, left_behind.id()).ok());
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), 0u);
  EXPECT_TRUE(DetachXdpProgram(ifindex_, left_behind.id()).ok());
  EXPECT_TRUE(DetachXdpProgram(1'000'000, left_behind.id()).ok());
  OpenWith({kIpv4End});
  EXPECT_EQ(UpToMarker(), std::vector<Bytes>{});
}

TEST_F(AfXdpTest, AnotherInterfacesProgramIsNotDetached) {
  ASSERT_TRUE(lab_.Here("ip link add more0 type veth peer name more1"));
  const int more = static_cast<int>(if_nametoindex("more0"));
  const AttachedProgram here(ifindex_);
  const AttachedProgram other(more);
  EXPECT_TRUE(DetachXdpProgram(ifindex_, other.id()).ok());
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), here.id());
}

TEST_F(AfXdpTest, RefusesQueuesThatItWouldNotSee) {
  ASSERT_TRUE(
      lab_.Here("ip link add many0 numrxqueues 2 numtxqueues 2 type "
                "veth peer name many1 && ip link set many0 up && "
                "ethtool -L many0 rx 2 tx 2"));
  UplinkSpec spec;
  spec.interface = "many0";
  spec.driver = UplinkDriver::kAfXdp;
  EXPECT_EQ(OpenUplink(spec).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(AfXdpTest, RefusesAnMtuThatDoesNotFit) {
  ASSERT_TRUE(lab_.Here("ip link set up0 mtu 9000"));
  EXPECT_EQ(Try().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(*AttachedXdpProgramId(ifindex_), 0u);
}

}  // namespace
}  // namespace lwt

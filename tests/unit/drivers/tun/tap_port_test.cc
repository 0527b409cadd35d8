#include "drivers/tun/tap_port.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <rte_mbuf.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "drivers/ip_endpoint.h"
#include "drivers/rx_wait.h"
#include "tests/unit/drivers/net_lab.h"

namespace lwt {
namespace {

constexpr uint16_t kPort = 7000;
constexpr size_t kHeadroom = RTE_PKTMBUF_HEADROOM;

// From 10.9.0.2 or fd09::2, beyond the tunnel, to 10.9.0.1 or fd09::1 here.
Bytes Udp(Family family, const Bytes& payload) {
  const bool v4 = family == Family::kIpv4;
  const auto udp_size = static_cast<uint16_t>(8 + payload.size());
  Bytes source = v4 ? Bytes{10, 9, 0, 2} : Bytes(16, 0);
  Bytes target = v4 ? Bytes{10, 9, 0, 1} : Bytes(16, 0);
  if (!v4) {
    source[0] = target[0] = 0xfd;
    source[1] = target[1] = 9;
    source[15] = 2;
    target[15] = 1;
  }
  Bytes udp = {0x1b,
               0x59,
               kPort >> 8,
               kPort & 0xff,
               static_cast<uint8_t>(udp_size >> 8),
               static_cast<uint8_t>(udp_size),
               0,
               0};
  udp.insert(udp.end(), payload.begin(), payload.end());
  Bytes pseudo = source;
  pseudo.insert(pseudo.end(), target.begin(), target.end());
  pseudo.insert(pseudo.end(), udp.begin(), udp.end());
  const uint16_t checksum = InternetChecksum(pseudo, 17u + udp_size);
  udp[6] = static_cast<uint8_t>(checksum >> 8);
  udp[7] = static_cast<uint8_t>(checksum);
  const auto total = static_cast<uint16_t>(udp_size + 20);
  Bytes ip = v4 ? Bytes{0x45,
                        0,
                        static_cast<uint8_t>(total >> 8),
                        static_cast<uint8_t>(total),
                        0,
                        1,
                        0x40,
                        0,
                        64,
                        17,
                        0,
                        0}
                : Bytes{0x60,
                        0,
                        0,
                        0,
                        static_cast<uint8_t>(udp_size >> 8),
                        static_cast<uint8_t>(udp_size),
                        17,
                        64};
  ip.insert(ip.end(), source.begin(), source.end());
  ip.insert(ip.end(), target.begin(), target.end());
  if (v4) {
    const uint16_t header = InternetChecksum(ip, 0);
    ip[10] = static_cast<uint8_t>(header >> 8);
    ip[11] = static_cast<uint8_t>(header);
  }
  ip.insert(ip.end(), udp.begin(), udp.end());
  return ip;
}

class TapPortTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    pool_ = MakePool("tap", 2047, 2048 + RTE_PKTMBUF_HEADROOM);
  }
  void SetUp() override {
    TapSpec spec;
    spec.name = "lwt7";
    spec.pool = pool_;
    auto port = OpenTapPort(spec);
    ASSERT_TRUE(port.ok()) << port.status();
    port_ = *std::move(port);
    ASSERT_TRUE(lab_.Here(
        "ip addr add 10.9.0.1/24 dev lwt7 && ip link set lwt7 mtu 1400 up && "
        "ip addr add fd09::1/64 dev lwt7 nodad"));
    ipv4_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in local{};
    local.sin_family = AF_INET;
    local.sin_port = htons(kPort);
    ASSERT_EQ(bind(ipv4_, reinterpret_cast<sockaddr*>(&local), sizeof(local)),
              0);
    ipv6_ = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const int one = 1;
    setsockopt(ipv6_, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
    sockaddr_in6 local6{};
    local6.sin6_family = AF_INET6;
    local6.sin6_port = htons(kPort);
    ASSERT_EQ(bind(ipv6_, reinterpret_cast<sockaddr*>(&local6), sizeof(local6)),
              0);
  }
  void TearDown() override {
    close(ipv4_);
    close(ipv6_);
    port_.reset();
    EXPECT_EQ(if_nametoindex("lwt7"), 0u);
    EXPECT_EQ(rte_mempool_in_use_count(pool_), 0u);
  }
  void SendOut(Family family, const Bytes& payload) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(kPort);
    inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    sockaddr_in6 to6{};
    to6.sin6_family = AF_INET6;
    to6.sin6_port = htons(kPort);
    inet_pton(AF_INET6, "fd09::2", &to6.sin6_addr);
    const bool v4 = family == Family::kIpv4;
    ASSERT_EQ(sendto(v4 ? ipv4_ : ipv6_, payload.data(), payload.size(), 0,
                     v4 ? reinterpret_cast<sockaddr*>(&to)
                        : reinterpret_cast<sockaddr*>(&to6),
                     v4 ? sizeof(to) : sizeof(to6)),
              static_cast<ssize_t>(payload.size()));
  }
  static bool IsOurs(const Bytes& packet) {
    if (packet.size() > 28 && packet[0] == 0x45) return packet[9] == 17;
    return packet.size() > 48 && packet[0] >> 4 == 6 && packet[6] == 17;
  }
  // UDP packets, leaving out what the kernel says on its own (ND, MLD).
  std::vector<Bytes> Ours(size_t count) {
    std::vector<Bytes> ours;
    while (ours.size() < count) {
      const std::vector<Bytes> some = ReceiveBytes(*port_, 1);
      if (some.empty()) break;
      for (const Bytes& packet : some) {
        if (IsOurs(packet)) ours.push_back(packet);
      }
    }
    return ours;
  }
  Bytes Delivered(Family family) {
    const int fd = family == Family::kIpv4 ? ipv4_ : ipv6_;
    if (!BecomesReadable(fd)) return {};
    Bytes buffer(2000);
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
    buffer.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return buffer;
  }

  static inline rte_mempool* pool_ = nullptr;
  NetLab lab_;
  std::unique_ptr<Port> port_;
  int ipv4_ = -1;
  int ipv6_ = -1;
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
  EXPECT_EQ(OpenTapPort(spec).status().code(),
            absl::StatusCode::kAlreadyExists);
  spec.name = "up0";
  EXPECT_EQ(OpenTapPort(spec).status().code(),
            absl::StatusCode::kAlreadyExists);
  for (const char* name :
       {"", "a,b", "lwt%d", "a/b", ".", "sixteen-letters-"}) {
    spec.name = name;
    EXPECT_EQ(OpenTapPort(spec).status().code(),
              absl::StatusCode::kInvalidArgument)
        << name;
  }
  spec.name = "lwt8";
  spec.mtu = 1505;
  EXPECT_EQ(OpenTapPort(spec).status().code(),
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
      rte_mbuf* frame = MakeFrame(pool_, Udp(family, payload), segment_size);
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

TEST_F(TapPortTest, WaitDescriptorWakesEveryTime) {
  Port* ports[] = {port_.get()};
  auto wait = RxWait::Create(ports);
  ASSERT_TRUE(wait.ok());
  for (int i = 0; i < 50; ++i) {
    std::array<rte_mbuf*, 64> idle{};
    while (const uint16_t n = port_->Receive(idle)) {
      rte_pktmbuf_free_bulk(idle.data(), n);
    }
    SendOut(Family::kIpv4, Bytes(10, 1));
    ASSERT_TRUE(BecomesReadable(port_->wait_fd()));
    (*wait)->Wait(5'000'000);
    ASSERT_EQ(Ours(1).size(), 1u);
  }
}

TEST_F(TapPortTest, GoesOnAfterDownAndUp) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(lab_.Here("ip link set lwt7 down"));
    rte_mbuf* frame = MakeFrame(pool_, Udp(Family::kIpv4, Bytes(10, 1)));
    EXPECT_EQ(port_->Transmit(std::span(&frame, 1)), 1);
    EXPECT_EQ(port_->ReadCounters().tx_refused, static_cast<uint64_t>(i) + 1);
    ASSERT_TRUE(lab_.Here("ip link set lwt7 up"));
    SendOut(Family::kIpv4, Bytes(10, 1));
    EXPECT_EQ(Ours(1).size(), 1u);
  }
}

TEST_F(TapPortTest, PacketThatIsTooLongDoesNotHoldUpTheRest) {
  const Bytes good = Udp(Family::kIpv4, Bytes(10, 9));
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
  auto other = OpenTapPort(spec);
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_NE((*other)->wait_fd(), port_->wait_fd());
  other->reset();
  EXPECT_EQ(if_nametoindex("lwt8"), 0u);
  SendOut(Family::kIpv4, Bytes(10, 1));
  EXPECT_EQ(Ours(1).size(), 1u);
}

}  // namespace
}  // namespace lwt

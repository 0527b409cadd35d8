// Uplinks with several ports: which port a flow comes in by.
#include "drivers/ports/fanout.h"

#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <set>

#include "drivers/ports/uplink.h"
#include "tests/unit/drivers/net_lab.h"
#include "tests/unit/drivers/ports/uplink_lab.h"

namespace lwt {
namespace {

constexpr uint16_t kPort = 9000;
constexpr uint16_t kPorts = 3;
constexpr size_t kEthernetHeader = 14;

class FanoutTest : public UplinkTest {
 protected:
  static void SetUpTestSuite() {
    InitEal();
    jumbo_ = MakePool("fan-jumbo", 511, kJumboDataRoom);
    small_ = MakePool("fan-small", 1023, 2048 + RTE_PKTMBUF_HEADROOM);
  }
  void Open(UplinkDriver driver, uint16_t ports) {
    UplinkSpec spec;
    spec.interface = "up0";
    spec.driver = driver;
    spec.ports = ports;
    spec.jumbo_pool = jumbo_;
    spec.small_pool = small_;
    Keep(OpenUplink(spec));
    Hear({kIpv4End, kIpv6End});
  }
  // A segment from the given port; its checksum is of no interest here.
  Bytes Frame(uint16_t type, uint16_t source_port) {
    const bool ipv4 = type == ETH_P_IP;
    Bytes frame =
        lab_.Ethernet(type, ipv4 ? TcpIpv4(kPort, 100) : TcpIpv6(kPort, 100));
    const size_t at = kEthernetHeader + (ipv4 ? 20 : 40);
    frame[at] = static_cast<uint8_t>(source_port >> 8);
    frame[at + 1] = static_cast<uint8_t>(source_port);
    return frame;
  }

  static inline rte_mempool* jumbo_ = nullptr;
  static inline rte_mempool* small_ = nullptr;
};

TEST_F(FanoutTest, TheSumOfThePortsTellsTheSocket) {
  Open(UplinkDriver::kAfPacket, kPorts);
  ASSERT_EQ(uplink_->port_count(), kPorts);
  std::map<uint16_t, std::vector<Bytes>> expected;
  for (uint16_t source = 40000; source < 40030; ++source) {
    for (const uint16_t type : {ETH_P_IP, ETH_P_IPV6}) {
      const Bytes frame = Frame(type, source);
      expected[static_cast<uint16_t>((source + kPort) % kPorts)].push_back(
          frame);
      Send(frame);
    }
  }
  for (uint16_t port = 0; port < kPorts; ++port) {
    EXPECT_EQ(ReceiveBytes(uplink_->port(port), expected[port].size()),
              expected[port])
        << port;
  }
  for (uint16_t port = 0; port < kPorts; ++port) {
    std::array<rte_mbuf*, 4> more;
    EXPECT_EQ(uplink_->port(port).Receive(more), 0);
  }
}

// Options make the IPv4 header longer: the ports lie behind them.
TEST_F(FanoutTest, Ipv4OptionsAreSteppedOver) {
  Open(UplinkDriver::kAfPacket, kPorts);
  Bytes frame = Frame(ETH_P_IP, 40001);
  frame[kEthernetHeader] = 0x46;
  frame.insert(frame.begin() + kEthernetHeader + 20, 4, 1);  // no-operations
  frame[kEthernetHeader + 3] =
      static_cast<uint8_t>(frame.size() - kEthernetHeader);
  Send(frame);
  EXPECT_EQ(ReceiveBytes(uplink_->port((40001 + kPort) % kPorts), 1),
            std::vector<Bytes>{frame});
}

TEST_F(FanoutTest, AfterAnInterfaceWasDownTheSocketsAreTheSame) {
  Open(UplinkDriver::kAfPacket, kPorts);
  ASSERT_TRUE(lab_.Here("ip link set up0 down && ip link set up0 up"));
  lab_.AwaitCarrier();
  for (uint16_t source = 40000; source < 40003; ++source) {
    const Bytes frame = Frame(ETH_P_IP, source);
    Port& port =
        uplink_->port(static_cast<uint16_t>((source + kPort) % kPorts));
    // What the socket says first is that the network was down.
    std::array<rte_mbuf*, 1> none;
    port.Receive(none);
    Send(frame);
    EXPECT_EQ(ReceiveBytes(port, 1), std::vector<Bytes>{frame}) << source;
  }
}

TEST_F(FanoutTest, EachSocketSends) {
  Open(UplinkDriver::kAfPacket, kPorts);
  for (uint16_t port = 0; port < kPorts; ++port) {
    const Bytes frame = Frame(ETH_P_IP, static_cast<uint16_t>(1 + port));
    std::array<rte_mbuf*, 1> one = {MakeFrame(small_, frame)};
    EXPECT_EQ(uplink_->port(port).Transmit(one), 1);
  }
}

// veth here has one queue; tests/e2e has more.
TEST_F(FanoutTest, AfXdpHasNoMorePortsThanQueues) {
  Open(UplinkDriver::kAfXdp, kPorts);
  EXPECT_EQ(uplink_->port_count(), uplink_->info().queue_count);
  std::set<int> descriptors;
  for (uint16_t port = 0; port < uplink_->port_count(); ++port) {
    descriptors.insert(uplink_->port(port).wait_fd());
  }
  EXPECT_EQ(descriptors.size(), uplink_->port_count());
}

}  // namespace
}  // namespace lwt

// Kernel TCP through two real tunnel devices and, between them, the splitting
// and merging stages of two workers: the bytes arrive, and in few calls.
#include "dataplane/stages/stages.h"
#include "drivers/tun/offload_port.h"
#include "drivers/tun/tap_port.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/unit/drivers/tun/tun_lab.h"

namespace lwt::testing {
namespace {

NodePorts With(std::unique_ptr<Port> tunnel) {
  NodePorts ports = RingPorts();
  ports.tunnel = std::move(tunnel);
  return ports;
}

std::unique_ptr<Port> Offload(const char* name) {
  OffloadSpec spec;
  spec.name = name;
  spec.pool = TestPool();
  spec.jumbo_pool = TestJumboPool();
  auto ports = OpenOffloadPorts(spec);
  EXPECT_TRUE(ports.ok()) << ports.status();
  return std::move(ports->front());
}

std::unique_ptr<Port> Tap(const char* name) {
  TapSpec spec;
  spec.name = name;
  spec.pool = TestPool();
  auto ports = OpenTapPorts(spec);
  EXPECT_TRUE(ports.ok()) << ports.status();
  return std::move(ports->front());
}

// What one worker takes from its device the other gives to its own.
void Carry(Node& from, Node& to) {
  Collect(from.worker(), from.worker().outbound.packets);
  Split(from.worker(), from.worker().outbound.packets,
        to.worker().inbound.packets);
  Deliver(to.worker(), to.worker().inbound.packets);
}

class TunnelRelayTest : public ::testing::Test {
 protected:
  // Joins a device here, the receiver's, and one there, the sender's.
  void Transfer(Node& here, Node& there) {
    ASSERT_TRUE(lab_.MoveThere("lwt9"));
    ASSERT_TRUE(lab_.Here(
        "ip addr add 10.9.0.1/24 dev lwt8 && ip link set lwt8 mtu 1400 up && "
        "ip addr add fd09::1/64 dev lwt8 nodad"));
    ASSERT_TRUE(lab_.There(
        "ip addr add 10.9.0.2/24 dev lwt9 && ip link set lwt9 mtu 1400 up && "
        "ip addr add fd09::2/64 dev lwt9 nodad"));
    for (const char* address : {"10.9.0.1", "fd09::1"}) {
      TcpTransfer transfer(lab_, address, 7002, 8 << 20);
      while (!transfer.done()) {
        Carry(here, there);
        Carry(there, here);
      }
      EXPECT_EQ(transfer.Complaint(), "") << address;
    }
    EXPECT_EQ(here.total_drops() + there.total_drops(), 0u);
  }

  NetLab lab_;
};

TEST_F(TunnelRelayTest, SplitsAndMergesBetweenOffloadingDevices) {
  StartTestEal();
  Node here("h", SmallWorker(), With(Offload("lwt8")));
  Node there("t", SmallWorker(), With(Offload("lwt9")));
  Transfer(here, there);
  EXPECT_GT(there.counters().tunnel_rx_super.Get(), 100u);
  EXPECT_GT(here.counters().tunnel_tx_super.Get(), 100u);
  const Port& port = *here.worker().options.tunnel;
  EXPECT_EQ(port.ReadCounters().tx_refused, 0u);
}

TEST_F(TunnelRelayTest, CompletesChecksumsForAPlainDevice) {
  StartTestEal();
  Node here("h", SmallWorker(), With(Tap("lwt8")));
  Node there("t", SmallWorker(), With(Offload("lwt9")));
  Transfer(here, there);
  EXPECT_GT(there.counters().tunnel_rx_super.Get(), 100u);
  EXPECT_EQ(here.counters().tunnel_tx_super.Get(), 0u);
}

}  // namespace
}  // namespace lwt::testing

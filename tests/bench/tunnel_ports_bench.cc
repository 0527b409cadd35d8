// What a worker spends on a packet at the tunnel device, plain TAP beside the
// offloading port, in one process and in turns. Needs root; the devices live in
// a network namespace of the process's own. Prints one JSON object for each
// block of repetitions.
//
// out: a socket has sent trains of UDP packets of 1400 bytes in one call each;
// timed is Collect and Split until the device is empty. in: a burst of TCP
// packets of 1400 bytes of one flow, checksums vouched for; timed is Deliver.
// Their destination is nowhere, so the kernel drops them at its routing table:
// what a TCP behind would spend is left out of both.
//
// usage: bench-tunnel-ports [BLOCKS]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/stages/stages.h"
#include "drivers/tun/offload_port.h"
#include "drivers/tun/tap_port.h"
#include "tests/bench/quiet_gate.h"
#include "tests/packet/dataplane/gateway_pair.h"
#include "tests/unit/dataplane/wire/inner_packets.h"

namespace lwt::bench {
namespace {

constexpr int kSegment = 1372;    // UDP payload of a packet of 1400 bytes
constexpr size_t kTrain = 44;     // packets of a call
constexpr size_t kTrains = 8;     // below the 500 that a device queues
constexpr size_t kArrivals = 88;  // packets of a burst inward
constexpr int kUdpSegment = 103;  // UDP_SEGMENT of linux/udp.h

void Require(bool holds, const char* what) {
  if (holds) return;
  std::perror(what);
  std::exit(1);
}

class Device {
 public:
  Device(const char* label, const std::string& name, const std::string& network,
         std::unique_ptr<Port> port)
      : label_(label) {
    testing::NodePorts ports = testing::RingPorts();
    ports.tunnel = std::move(port);
    node_ = std::make_unique<testing::Node>("b", testing::SmallWorker(),
                                            std::move(ports));
    const std::string up = "ip addr add " + network + ".1/24 dev " + name +
                           " && ip link set " + name + " mtu 1400 up";
    Require(std::system(up.c_str()) == 0, "configure a device");
    socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    Require(setsockopt(socket_, IPPROTO_UDP, kUdpSegment, &kSegment,
                       sizeof(kSegment)) == 0,
            "UDP_SEGMENT");
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(9);
    inet_pton(AF_INET, (network + ".2").c_str(), &to.sin_addr);
    Require(connect(socket_, reinterpret_cast<const sockaddr*>(&to),
                    sizeof(to)) == 0,
            "connect");
  }

  // Cycles a packet, outward and inward.
  std::vector<double> Measure() {
    const std::vector<uint8_t> train(kTrain * kSegment, 1);
    for (size_t i = 0; i < kTrains; ++i) {
      Require(send(socket_, train.data(), train.size(), 0) ==
                  static_cast<ssize_t>(train.size()),
              "send a train");
    }
    size_t packets = 0;
    uint64_t out = 0;
    for (size_t last = 1; last > 0; packets += last) last = TakeBurst(out);
    Require(packets >= kTrains * kTrain, "packets are missing");
    FillInner();
    Worker& worker = node_->worker();
    const uint64_t in =
        CyclesOf([&] { Deliver(worker, worker.inbound.packets); });
    return {static_cast<double>(out) / static_cast<double>(packets),
            static_cast<double>(in) / kArrivals};
  }

  void PrintBlock(QuietGate& gate) {
    const Block block = RunBlock(gate, [this] { return Measure(); });
    std::printf("{\"port\": \"%s\", \"kept\": %zu, \"total\": %zu", label_,
                block.kept, block.total);
    if (!block.figures.empty()) {
      std::printf(", \"out\": %.1f, \"in\": %.1f", block.figures[0],
                  block.figures[1]);
    }
    std::printf("}\n");
  }

 private:
  size_t TakeBurst(uint64_t& cycles) {
    Worker& worker = node_->worker();
    cycles += CyclesOf([&] {
      Collect(worker, worker.outbound.packets);
      Split(worker, worker.outbound.packets, worker.outbound.split);
    });
    for (const Frame& frame : worker.outbound.split.frames()) {
      rte_pktmbuf_free(frame.mbuf);
    }
    return worker.outbound.split.size();
  }

  void FillInner() {
    testing::InnerSpec spec;
    spec.payload = 1348;
    for (size_t i = 0; i < kArrivals; ++i) {
      const testing::Bytes bytes = testing::MakeInner(spec);
      Frame frame;
      frame.mbuf = rte_pktmbuf_alloc(testing::TestPool());
      frame.data = reinterpret_cast<uint8_t*>(
          rte_pktmbuf_append(frame.mbuf, static_cast<uint16_t>(bytes.size())));
      std::copy(bytes.begin(), bytes.end(), frame.data);
      frame.length = static_cast<uint32_t>(bytes.size());
      frame.checksum = InnerChecksum::kGood;
      node_->worker().inbound.packets.Push(frame);
      spec.seq += 1348;
      ++spec.id;
    }
  }

  const char* const label_;
  std::unique_ptr<testing::Node> node_;
  int socket_ = -1;
};

void Run(int blocks) {
  Require(unshare(CLONE_NEWNET) == 0, "a network namespace");
  TapSpec tap;
  tap.name = "lwtb0";
  tap.pool = testing::TestPool();
  auto plain = OpenTapPorts(tap);
  OffloadSpec spec;
  spec.name = "lwtb1";
  spec.pool = testing::TestPool();
  spec.jumbo_pool = testing::TestJumboPool();
  auto offload = OpenOffloadPorts(spec);
  Require(plain.ok() && offload.ok(), "the tunnel devices");
  Device devices[] = {
      {"tap", "lwtb0", "10.9.0", std::move(plain->front())},
      {"offload", "lwtb1", "10.8.0", std::move(offload->front())}};
  QuietGate gate;
  for (int block = 0; block < blocks; ++block) {
    for (Device& device : devices) device.PrintBlock(gate);
  }
}

}  // namespace
}  // namespace lwt::bench

int main(int argc, char** argv) {
  lwt::bench::Run(argc > 1 ? std::atoi(argv[1]) : 15);
  return 0;
}

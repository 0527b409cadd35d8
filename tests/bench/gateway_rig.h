// Two gateways of one process, joined port to port, and packets that go from
// the client's inside to the hub's: each step can be timed alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "tests/bench/carrier.h"
#include "tests/packet/dataplane/gateway_pair.h"

namespace lwt::bench {

struct RigOptions {
  enum class Ports { kRing, kMemif };
  Ports ports = Ports::kRing;
  // Rings only: between the steps frames are carried from one uplink to the
  // other, in buffers of their own, as by a wire; nobody pays for that here.
  bool carried = true;
  // With `carried`: the uplink takes super-frames and partial checksums, and
  // they are handed on merged and verified, as a kernel does.
  bool offload = false;
  // With `offload`: the inside too gives and takes super-frames, TCP.
  bool super_inside = false;
  size_t packet_size = 1400;  // inner packets, IP header included
  uint32_t lanes = 1;         // peers of the hub, each with a lane
  uint32_t places = 0;        // lanes that there is room for; 0: as many
  uint32_t active = 1;        // lanes that carry traffic, evenly spread
  uint32_t foreign_routes = 0;
  fec::Parameters code;  // fixed; off: as by default, no parities here
  // With `offload`: share of the client's frames that is lost under way. Then
  // packets may be missing.
  double loss = 0;
  // With `offload`: steps of 20 µs until the hub's frames are at the client,
  // the whole round trip.
  uint64_t round_trip = 0;
  bool retransmit = true;
  Aead::Code crypto = Aead::Code::kBest;
  ReedSolomon::Code fec_code = ReedSolomon::Code::kAvx2;

  bool has_carrier() const { return ports == Ports::kRing && carried; }
};

// The ports of a client and a hub, uplink joined to uplink.
std::pair<testing::NodePorts, testing::NodePorts> JoinedPorts(
    const RigOptions& options);

class GatewayRig {
 public:
  // Packets of one step. The hub takes as many frames from its uplink at once.
  static constexpr size_t kBurst = 32;

  explicit GatewayRig(const RigOptions& options);

  // One burst goes through: fed to the client, sealed and sent by one loop of
  // it, carried over, received by the hub, taken from the hub.
  // Aborts the process when a packet is missing, since figures would be of
  // nothing.
  void Feed();
  void RunClient();
  void Carry();
  void RunHub();
  void Drain();
  void Step();

  // By the client, parities among them; and these on the first lane.
  uint64_t records_sealed() const;
  uint64_t parities_sent() const;
  // Packets that Drain has seen.
  uint64_t delivered() const { return delivered_; }
  const RigOptions& options() const { return options_; }

 private:
  void JoinAll();
  void FeedPackets();
  void FeedSupers();
  uint64_t Carried() const;
  [[noreturn]] void FailAt(size_t arrived);

  const RigOptions options_;
  Carrier way_there_;
  Carrier way_back_;
  std::unique_ptr<testing::GatewayPair> pair_;
  std::vector<uint32_t> active_;         // lanes that carry traffic
  std::vector<testing::Bytes> packets_;  // one for each of these
  std::vector<rte_mbuf*> fed_;
  uint64_t delivered_ = 0;
  uint64_t received_before_ = 0;  // by the hub, until all lanes stood
  uint64_t sent_before_ = 0;
};

}  // namespace lwt::bench

// Two workers without threads, joined by rings: real mbufs, real TCP, real
// keys, and a test that carries the frames between them and may change them.
#pragma once

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/worker_state.h"
#include "drivers/port.h"

namespace lwt::testing {

using Bytes = std::vector<uint8_t>;

// The two inside the tunnel.
inline constexpr char kHub[] = "10.0.0.1";
inline constexpr char kClient[] = "10.0.0.2";
// Ethernet, IPv4, and TCP with the timestamp option.
inline constexpr size_t kOuterHeaders = 14 + 20 + 32;

// Starts EAL without hugepages and files, once per process.
void StartTestEal();
// The pool all packet tests take their mbufs from.
// Buffers of TestPool; set before its first use, if at all.
inline uint32_t test_pool_size = 16383;
rte_mempool* TestPool();
rte_mempool* TestJumboPool();

// Four lanes and an arena of 1 MiB.
WorkerOptions SmallWorker();

// The ports of a worker and their far ends. An end that leads straight to the
// other worker has no far end here.
struct NodePorts {
  std::unique_ptr<Port> uplink;
  std::unique_ptr<Port> uplink_far;
  std::unique_ptr<Port> tunnel;
  std::unique_ptr<Port> tunnel_far;
};

// All four ends on rings; `segments`: the uplink takes super-frames.
NodePorts RingPorts(bool segments = false, uint16_t uplink_mtu = 1500);

// One worker with the far ends of its ports.
class Node {
 public:
  Node(const std::string& name, const WorkerOptions& base, NodePorts ports,
       Aead::Code aead = Aead::Code::kBest);

  Worker& worker() { return *worker_; }
  Mailbox& mailbox() { return *worker_->mailbox; }
  const WorkerCounters& counters() const { return worker_->counters; }
  uint64_t drops(DropReason reason) const {
    return worker_->counters.drops[static_cast<size_t>(reason)].Get();
  }
  uint64_t total_drops() const;
  void RunAt(uint64_t now_us);
  Port& uplink_far() { return *ports_.uplink_far; }
  Port& tunnel_far() { return *ports_.tunnel_far; }

  // Frames that the worker sent, super-frames cut as on a wire, and packets it
  // gave to the tunnel device.
  std::vector<Bytes> TakeFromUplink();
  std::vector<Bytes> TakeFromTunnel();
  // False when the ring is full.
  bool GiveToUplink(const Bytes& frame, bool merged = false);
  bool GiveToTunnel(const Bytes& packet);

  std::vector<Event> events;  // taken from the mailbox after each run
  std::vector<Bytes> streams;
  std::vector<PuntedStream> punted;
  std::vector<std::pair<uint8_t, Bytes>> records;

 private:
  void Drain();

  NodePorts ports_;
  std::unique_ptr<Worker> worker_;
};

// A client and a hub with lane 0 of peer 0 between them, and further ones.
class GatewayPair {
 public:
  static constexpr uint16_t kInnerMtu = 1409;

  explicit GatewayPair(const WorkerOptions& base = SmallWorker());
  GatewayPair(const WorkerOptions& base, NodePorts client_ports,
              NodePorts hub_ports);
  GatewayPair(const WorkerOptions& client_options,
              const WorkerOptions& hub_options, NodePorts client_ports,
              NodePorts hub_ports, Aead::Code aead = Aead::Code::kBest);

  void Listen();
  // Lets the hub listen and joins lane 0.
  void Establish();
  // Opens an outer flow, punts a few stream bytes, installs the lane for the
  // peer of the same number on both sides.
  void Join(uint32_t lane) {
    Join(lane, [this] { Settle(); });
  }
  // The same where `settle` lets all arrive that is under way.
  void Join(uint32_t lane, const std::function<void()>& settle);

  // Runs both workers and carries frames until nothing moves. `change` may
  // alter a frame (true: pass it on), direction 0 is client → hub.
  using Change = std::function<bool(int direction, Bytes& frame)>;
  void Settle(const Change& change = {});
  void Advance(uint64_t us) { now_us += us; }

  Node client;
  Node hub;
  uint64_t now_us = 1'000'000;
  FlowId client_flow;  // of the lane that joined last
  FlowId hub_flow;
};

// What both sides dropped, for a trace: "client: bad_tag 3 hub:".
std::string DropsOf(GatewayPair& pair);

// Inner packets for tests: IPv4 UDP of `size` bytes in all, checksums absent.
Bytes InnerUdp4(const std::string& source, const std::string& destination,
                size_t size, uint8_t fill = 0);
Bytes InnerUdp6(const std::string& source, const std::string& destination,
                size_t size, uint8_t fill = 0);

// Snapshot with one peer on lane 0 that owns `prefixes`.
std::unique_ptr<Snapshot> OnePeer(const std::vector<std::string>& prefixes,
                                  uint16_t mtu = GatewayPair::kInnerMtu);

// Of the client's frames to the hub.
wire::LinkHeader TestLink();

// Keys that differ by direction and epoch, the same at both ends.
EpochKeys TestKeys(uint8_t direction, uint32_t epoch);
MaskSecret TestMask(uint8_t direction);

}  // namespace lwt::testing

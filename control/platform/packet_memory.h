// The packet memory of a gateway: how much its parts need, and EAL with the
// pools that hold it.
//
// Owned by Platform. Control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "control/base/log.h"
#include "drivers/memory_mode.h"
#include "drivers/packet_pool.h"

namespace lwt::platform {

// Large buffers of a worker's port at an interface that is not the first.
inline constexpr uint16_t kOtherUplinkFrames = 16;

// What the memory has to serve.
struct MemoryUse {
  uint32_t workers = 1;
  uint32_t xdp_queues = 0;  // of an AF_XDP uplink, which has pools of its own
  uint32_t other_uplinks = 0;  // interfaces besides the first
  uint64_t arena_bytes = 0;    // of sent records, for each worker
  uint32_t send_queue = 5000;  // packets, for each worker
  bool lan_port = false;
};

// The frames and bytes that these take from DPDK's heap.
MemoryRequest RequestFor(const MemoryUse& use);

class PacketMemory {
 public:
  // Starts EAL as `plan` says, which happens once in a process, and makes the
  // pools. EAL's threads go to `control_cpu`; its log to `log`, which outlives
  // this; what files it makes to `run_dir`.
  static absl::StatusOr<std::unique_ptr<PacketMemory>> Start(
      const MemoryPlan& plan, const MemoryUse& use, int control_cpu,
      const std::string& run_dir, const loop::Log& log);
  PacketMemory(const PacketMemory&) = delete;
  PacketMemory& operator=(const PacketMemory&) = delete;
  ~PacketMemory();  // all ports are closed before

  const MemoryPlan& plan() const { return plan_; }
  const PacketPool& small() const { return *small_; }
  const PacketPool& jumbo() const { return *jumbo_; }

 private:
  explicit PacketMemory(const MemoryPlan& plan) : plan_(plan) {}

  const MemoryPlan plan_;
  std::optional<PacketPool> small_;
  std::optional<PacketPool> jumbo_;
};

}  // namespace lwt::platform

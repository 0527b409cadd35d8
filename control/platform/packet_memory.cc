#include "control/platform/packet_memory.h"

#include <utility>

#include "dataplane/exchange/handoff.h"
#include "dataplane/fec/group_store.h"
#include "dataplane/flow/sent_arena.h"
#include "dataplane/worker_state.h"
#include "drivers/eal.h"
#include "drivers/ports/uplink.h"

namespace lwt::platform {
namespace {

// Of each worker.
// Frames on their way through the pipeline and its queues, and what the tunnel
// device's port holds. What waits to be sealed, and records that may have to be
// sent again, come on top.
constexpr uint32_t kSmallFrames = 8192;
constexpr uint32_t kJumboFrames =
    kAfPacketFrames + 192 + DeviceQueue::kMostLarge;
// All who may keep a large one beyond a burst, so that nobody finds none:
// docs/security.md#what-holds-a-buffer.
constexpr uint32_t kJumboHeld =
    kAfPacketFrames + ReceivedFrames::kCapacity + 1 +
    fec::GroupStore::Config{}.max_big + 2 * Handoff::kMaxLarge +
    CollectedPackets::kCapacity + 1 + DeviceQueue::kMostLarge;
static_assert(kJumboHeld <= kJumboFrames);
// Rings between control and the worker, and what ethdev keeps per port.
constexpr uint64_t kOtherBytes = 8 << 20;

}  // namespace

MemoryRequest RequestFor(const MemoryUse& use) {
  const auto kept =
      static_cast<uint32_t>(use.arena_bytes / SentArena::kSegmentBytes);
  // A LAN port is a second packet socket, or holds a buffer or two.
  const uint32_t lan = use.lan_port ? kAfPacketFrames : 0;
  MemoryRequest request;
  const uint32_t waiting = use.send_queue + DeviceQueue::kMostBuffers;
  request.small_frames = use.workers * (kSmallFrames + waiting + kept);
  request.jumbo_frames = use.workers * (kJumboFrames + lan +
                                        use.other_uplinks * kOtherUplinkFrames);
  request.other_bytes =
      use.workers * kOtherBytes + use.xdp_queues * kXdpBytesPerQueue;
  return request;
}

absl::StatusOr<std::unique_ptr<PacketMemory>> PacketMemory::Start(
    const MemoryPlan& plan, const MemoryUse& use, int control_cpu,
    const std::string& run_dir, const loop::Log& log) {
  EalOptions options;
  options.memory = plan;
  options.control_cpu = control_cpu;
  options.runtime_folder = run_dir;
  options.log_sink = [&log](std::string_view line) {
    log.Debug("DPDK: ", line);
  };
  const absl::Status started = StartEal(options);
  if (!started.ok()) return started;
  std::unique_ptr<PacketMemory> memory(new PacketMemory(plan));

  const MemoryRequest request = RequestFor(use);
  absl::StatusOr<PacketPool> small = PacketPool::Create(
      "small", PacketPool::Kind::kSmall, request.small_frames);
  if (!small.ok()) return small.status();
  memory->small_.emplace(*std::move(small));
  absl::StatusOr<PacketPool> jumbo = PacketPool::Create(
      "jumbo", PacketPool::Kind::kJumbo, request.jumbo_frames);
  if (!jumbo.ok()) return jumbo.status();
  memory->jumbo_.emplace(*std::move(jumbo));
  return memory;
}

PacketMemory::~PacketMemory() {
  jumbo_.reset();
  small_.reset();
  StopEal();
}

}  // namespace lwt::platform

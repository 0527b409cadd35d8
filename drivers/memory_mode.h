// Where the packet memory comes from: hugepages when enough are free, ordinary
// pages otherwise. Decided from the configuration before EAL starts.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lwt {

// The setting `memory`.
enum class MemoryMode { kAuto, kHugepages, kNoHuge };

std::string_view ToString(MemoryMode mode);
// "auto", "hugepages", "no-huge".
std::optional<MemoryMode> ParseMemoryMode(std::string_view text);

// What the gateway is going to take from DPDK's heap.
struct MemoryRequest {
  uint32_t small_frames = 0;  // of PacketPool::Kind::kSmall
  uint32_t jumbo_frames = 0;  // of PacketPool::Kind::kJumbo
  uint32_t pool_count = 2;
  // Everything else: rings, arenas, what ethdev keeps per port.
  uint64_t other_bytes = 4 << 20;
};

// Bytes that satisfy `request`, alignment and EAL's own use included.
uint64_t ComputeMemoryNeed(const MemoryRequest& request);

// Free hugepages of one size.
struct HugepagePool {
  uint64_t page_bytes = 0;
  uint64_t total_pages = 0;
  uint64_t free_pages = 0;
};

// Hugepages of each size, smallest first, on one NUMA node, or on the whole
// host when `numa_node` is -1 or the host names no such node. `sys_root` is
// "/sys" but in tests.
std::vector<HugepagePool> ReadHugepagePools(const std::string& sys_root,
                                            int numa_node);

// The NUMA node of a CPU, -1 when the host names none.
int NumaNodeOfCpu(const std::string& sys_root, int cpu);

struct MemoryPlan {
  bool use_hugepages = false;
  uint32_t megabytes = 0;  // for EAL, whole pages
  // One sentence for the operator: what was chosen and why.
  std::string reason;
};

// Fails with ResourceExhausted, numbers and the fix in the message, when
// hugepages are demanded and too few are free.
absl::StatusOr<MemoryPlan> PlanMemory(MemoryMode mode, uint64_t need_bytes,
                                      std::span<const HugepagePool> pools);

}  // namespace lwt

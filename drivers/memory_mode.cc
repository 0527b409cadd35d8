#include "drivers/memory_mode.h"

#include <absl/strings/str_cat.h>
#include <dirent.h>

#include <algorithm>
#include <memory>

#include "drivers/packet_pool.h"
#include "drivers/text_file.h"

namespace lwt {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;
// What EAL, the vdev bus and two ethdevs take before the first pool is made.
constexpr uint64_t kEalBytes = 2 * kMebibyte;
// The heap's own headers, and the hole that alignment may leave.
constexpr uint64_t kBytesPerPool = kMebibyte / 4;

struct CloseDirectory {
  void operator()(DIR* directory) const { closedir(directory); }
};

uint64_t RoundUp(uint64_t value, uint64_t unit) {
  return (value + unit - 1) / unit * unit;
}

std::vector<std::string> ListDirectory(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, CloseDirectory> directory(opendir(path.c_str()));
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory.get())) {
    names.emplace_back(entry->d_name);
  }
  return names;
}

// The number in "<prefix>123<suffix>".
std::optional<uint64_t> NumberInName(std::string_view name,
                                     std::string_view prefix,
                                     std::string_view suffix) {
  if (!name.starts_with(prefix) || !name.ends_with(suffix) ||
      name.size() < prefix.size() + suffix.size()) {
    return std::nullopt;
  }
  name.remove_prefix(prefix.size());
  name.remove_suffix(suffix.size());
  return ParseNumber(name);
}

std::vector<HugepagePool> ReadPoolsIn(const std::string& folder) {
  std::vector<HugepagePool> pools;
  for (const std::string& name : ListDirectory(folder)) {
    const auto kilobytes = NumberInName(name, "hugepages-", "kB");
    // x86 has 2 MiB and 1 GiB.
    if (!kilobytes || *kilobytes < 1024 || *kilobytes > kMebibyte) continue;
    const std::string path = folder + "/" + name;
    const auto total = ParseNumber(ReadTextFile(path + "/nr_hugepages"));
    const auto free = ParseNumber(ReadTextFile(path + "/free_hugepages"));
    if (!total || !free) continue;
    pools.push_back({.page_bytes = *kilobytes * 1024,
                     .total_pages = *total,
                     .free_pages = std::min(*free, *total)});
  }
  std::sort(pools.begin(), pools.end(),
            [](const HugepagePool& a, const HugepagePool& b) {
              return a.page_bytes < b.page_bytes;
            });
  return pools;
}

std::string Describe(std::span<const HugepagePool> pools) {
  std::string text;
  for (const HugepagePool& pool : pools) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", pool.free_pages, " of ",
                    pool.page_bytes / kMebibyte, " MiB");
  }
  return text.empty() ? "none" : text;
}

}  // namespace

std::string_view ToString(MemoryMode mode) {
  switch (mode) {
    case MemoryMode::kAuto:
      return "auto";
    case MemoryMode::kHugepages:
      return "hugepages";
    case MemoryMode::kNoHuge:
      return "no-huge";
  }
  return "";
}

std::optional<MemoryMode> ParseMemoryMode(std::string_view text) {
  for (const MemoryMode mode :
       {MemoryMode::kAuto, MemoryMode::kHugepages, MemoryMode::kNoHuge}) {
    if (text == ToString(mode)) return mode;
  }
  return std::nullopt;
}

uint64_t ComputeMemoryNeed(const MemoryRequest& request) {
  return PacketPool::BytesFor(PacketPool::Kind::kSmall, request.small_frames) +
         PacketPool::BytesFor(PacketPool::Kind::kJumbo, request.jumbo_frames) +
         request.pool_count * kBytesPerPool + request.other_bytes + kEalBytes;
}

std::vector<HugepagePool> ReadHugepagePools(const std::string& sys_root,
                                            int numa_node) {
  if (numa_node >= 0) {
    std::vector<HugepagePool> pools = ReadPoolsIn(absl::StrCat(
        sys_root, "/devices/system/node/node", numa_node, "/hugepages"));
    if (!pools.empty()) return pools;
  }
  return ReadPoolsIn(sys_root + "/kernel/mm/hugepages");
}

int NumaNodeOfCpu(const std::string& sys_root, int cpu) {
  const std::string folder =
      absl::StrCat(sys_root, "/devices/system/cpu/cpu", cpu);
  for (const std::string& name : ListDirectory(folder)) {
    const auto node = NumberInName(name, "node", "");
    if (node && *node < 1024) return static_cast<int>(*node);
  }
  return -1;
}

absl::StatusOr<MemoryPlan> PlanMemory(MemoryMode mode, uint64_t need_bytes,
                                      std::span<const HugepagePool> pools) {
  const uint64_t need_mb = RoundUp(need_bytes, kMebibyte) / kMebibyte;
  if (mode != MemoryMode::kNoHuge) {
    for (const HugepagePool& pool : pools) {
      const uint64_t pages =
          RoundUp(need_bytes, pool.page_bytes) / pool.page_bytes;
      if (pool.free_pages < pages) continue;
      const uint64_t page_mb = pool.page_bytes / kMebibyte;
      return MemoryPlan{
          .use_hugepages = true,
          .megabytes = static_cast<uint32_t>(pages * page_mb),
          .reason = absl::StrCat("hugepages: ", pages, " of ", page_mb,
                                 " MiB (", pool.free_pages, " are free)")};
    }
  }
  const uint64_t pages = (need_mb + 1) / 2;
  if (mode == MemoryMode::kHugepages) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "memory = \"hugepages\" needs ", pages, " free hugepages of 2 MiB (",
        need_mb, " MiB); free: ", Describe(pools),
        ". Fix: sysctl -w vm.nr_hugepages=", pages));
  }
  MemoryPlan plan{.megabytes = static_cast<uint32_t>(need_mb)};
  plan.reason = absl::StrCat("ordinary pages: ", need_mb, " MiB");
  if (mode == MemoryMode::kNoHuge) {
    plan.reason += ", as memory = \"no-huge\" says";
  } else {
    absl::StrAppend(&plan.reason, "; hugepages would take ", pages,
                    " of 2 MiB, free: ", Describe(pools));
  }
  return plan;
}

}  // namespace lwt

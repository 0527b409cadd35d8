#include "drivers/packet_pool.h"

#include <absl/strings/str_cat.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>
#include <rte_memzone.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <memory>

namespace lwt {
namespace {

constexpr uint32_t kMaxCache = 256;
constexpr uint32_t kMaxJumboCache = 32;

uint32_t RoomOf(PacketPool::Kind kind) {
  return kind == PacketPool::Kind::kSmall ? PacketPool::kSmallRoom
                                          : PacketPool::kJumboRoom;
}

uint32_t ElementBytes(PacketPool::Kind kind) {
  return sizeof(rte_mbuf) + RoomOf(kind);
}

// From one mbuf to the next. DPDK pads it to an odd number of cache lines.
uint64_t StrideOf(PacketPool::Kind kind) {
  return rte_mempool_calc_obj_size(ElementBytes(kind), 0, nullptr);
}

std::string UniqueName(std::string_view label) {
  static std::atomic<uint32_t> next{0};
  return absl::StrCat(absl::string_view(label.data(), label.size()), "-",
                      next.fetch_add(1, std::memory_order_relaxed));
}

void FreeZone(rte_mempool_memhdr*, void* zone) {
  rte_memzone_free(static_cast<const rte_memzone*>(zone));
}

// Memory of our own, mapped until the pool goes.
struct Mapping {
  void* address;
  size_t size;
};

void Unmap(rte_mempool_memhdr*, void* opaque) {
  auto* mapping = static_cast<Mapping*>(opaque);
  munmap(mapping->address, mapping->size);
  delete mapping;
}

// Without hugepages DPDK's heap is shared memory in pages of 4 KiB, of which a
// pool has more than the TLB knows. Private memory can have transparent
// hugepages instead, where the host lets it ask for them. Returns the number of
// elements, 0 when there is no memory.
int PopulateMapped(rte_mempool* pool, uint64_t stride) {
  constexpr size_t kHugepage = 2 << 20;
  const size_t size =
      RTE_ALIGN_CEIL((pool->size + 1) * stride, kHugepage) + kHugepage;
  void* const address = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return 0;
  auto* const aligned = static_cast<char*>(RTE_PTR_ALIGN(address, kHugepage));
  madvise(aligned, size - kHugepage, MADV_HUGEPAGE);
  auto mapping = std::make_unique<Mapping>(Mapping{address, size});
  const int populated = rte_mempool_populate_iova(
      pool, aligned, reinterpret_cast<uintptr_t>(aligned),
      (pool->size + 1) * stride, &Unmap, mapping.get());
  if (populated <= 0) {
    munmap(address, size);
    return 0;
  }
  // The pool's from now on: see Unmap.
  static_cast<void>(mapping.release());
  return populated;
}

// Lays the elements out back to back in one zone. Where device addresses are
// virtual, a zone is contiguous for the device too. Returns the number of
// elements or a negative errno.
int PopulatePacked(rte_mempool* pool, const std::string& name,
                   uint64_t stride) {
  if (!rte_eal_has_hugepages()) {
    const int mapped = PopulateMapped(pool, stride);
    if (mapped > 0) return mapped;
  }
  const rte_memzone* zone =
      rte_memzone_reserve_aligned(name.c_str(), (pool->size + 1) * stride,
                                  SOCKET_ID_ANY, 0, RTE_CACHE_LINE_SIZE);
  if (zone == nullptr) return -rte_errno;
  const int populated = rte_mempool_populate_iova(
      pool, static_cast<char*>(zone->addr), zone->iova, zone->len, &FreeZone,
      const_cast<rte_memzone*>(zone));
  if (populated < 0) rte_memzone_free(zone);
  return populated;
}

// 0 or a negative errno.
int Fill(rte_mempool* pool, PacketPool::Kind kind, const std::string& name,
         bool is_packed) {
  rte_pktmbuf_pool_private sizes{};
  sizes.mbuf_data_room_size = static_cast<uint16_t>(RoomOf(kind));
  // The mbuf freed last is taken first, while the caches know it, and without
  // a lock. A ring, which is what there is else, walks through all of them.
  rte_mempool_set_ops_byname(pool, "lf_stack", nullptr);
  rte_pktmbuf_pool_init(pool, &sizes);
  const int populated = is_packed ? PopulatePacked(pool, name, StrideOf(kind))
                                  : rte_mempool_populate_default(pool);
  if (populated < 0) return populated;
  if (static_cast<uint32_t>(populated) < pool->size) return -ENOMEM;
  rte_mempool_obj_iter(pool, rte_pktmbuf_init, nullptr);
  return 0;
}

absl::Status Failure(std::string_view label, PacketPool::Kind kind,
                     uint32_t count, int error) {
  return absl::ResourceExhaustedError(absl::StrCat(
      "packet pool ", absl::string_view(label.data(), label.size()), ": ",
      count, " buffers of ", RoomOf(kind), " bytes need ",
      (PacketPool::BytesFor(kind, count) >> 10),
      " KiB, which DPDK's heap "
      "does not have: ",
      rte_strerror(error)));
}

}  // namespace

absl::StatusOr<PacketPool> PacketPool::Create(std::string_view label, Kind kind,
                                              uint32_t count) {
  if (label.empty() || label.size() > 12 || count == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "packet pool ", absl::string_view(label.data(), label.size()), ": ",
        count, " buffers"));
  }
  const bool is_packed = rte_eal_iova_mode() == RTE_IOVA_VA;
  const std::string name = UniqueName(label);
  rte_mempool* const raw = rte_mempool_create_empty(
      name.c_str(), count, ElementBytes(kind), CacheSizeFor(kind, count),
      sizeof(rte_pktmbuf_pool_private), SOCKET_ID_ANY,
      is_packed ? RTE_MEMPOOL_F_NO_IOVA_CONTIG : 0);
  if (raw == nullptr) return Failure(label, kind, count, rte_errno);
  PacketPool pool(raw);
  const int error = Fill(raw, kind, name, is_packed);
  if (error < 0) return Failure(label, kind, count, -error);
  return pool;
}

uint64_t PacketPool::BytesFor(Kind kind, uint32_t count) {
  if (count == 0) return 0;
  const uint64_t header = RTE_MEMPOOL_HEADER_SIZE(
      static_cast<const rte_mempool*>(nullptr), CacheSizeFor(kind, count));
  uint64_t ring_slots = 1;
  while (ring_slots <= count) ring_slots *= 2;
  return header + ring_slots * 2 * sizeof(void*) +
         (uint64_t{count} + 1) * StrideOf(kind);
}

uint32_t PacketPool::CacheSizeFor(Kind kind, uint32_t count) {
  // A cache spills at one and a half times its size.
  return std::min(kind == Kind::kSmall ? kMaxCache : kMaxJumboCache,
                  count / 12);
}

PacketPool::~PacketPool() { rte_mempool_free(pool_); }

uint32_t PacketPool::free_count() const {
  return rte_mempool_avail_count(pool_);
}

}  // namespace lwt

// Mbufs of one size, owned.
//
// Made by control at start-up; allocation and release by any thread that is
// known to EAL, without a lock. A pool outlives its mbufs and the ports on it.
#pragma once

#include <absl/status/statusor.h>
#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace lwt {

class PacketPool {
 public:
  enum class Kind {
    kSmall,  // one frame of an ordinary link
    kJumbo,  // a merged frame (GRO, TSO), contiguous
  };

  // Bytes of an mbuf's buffer, headroom (RTE_PKTMBUF_HEADROOM, 128) included.
  static constexpr uint32_t kSmallRoom = 2048 + RTE_PKTMBUF_HEADROOM;
  // An mbuf counts its buffer in 16 bits. Behind the full headroom 65 407
  // bytes fit, more than 45 merged segments of 1448 bytes with all headers.
  static constexpr uint32_t kJumboRoom = UINT16_MAX;

  // `count` is at least 1. The name given to DPDK is unique in the process;
  // `label` is its beginning, at most 12 characters. Fails with
  // ResourceExhausted and the numbers when memory does not suffice. EAL is up.
  //
  // Without PCI devices the mbufs are packed at an odd number of cache lines,
  // wherever pages end. AF_XDP in zero-copy mode takes such buffers from
  // hugepages only.
  static absl::StatusOr<PacketPool> Create(std::string_view label, Kind kind,
                                           uint32_t count);

  // What a pool takes from the heap, in bytes, bookkeeping included.
  static uint64_t BytesFor(Kind kind, uint32_t count);

  // The per-thread cache of a pool of `count`: at most an eighth of it, so
  // that a few threads never hold a large part back; of the few large mbufs no
  // more than a burst takes.
  static uint32_t CacheSizeFor(Kind kind, uint32_t count);

  PacketPool(PacketPool&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)) {}
  PacketPool& operator=(PacketPool&& other) noexcept {
    std::swap(pool_, other.pool_);
    return *this;
  }
  ~PacketPool();

  rte_mempool* get() const { return pool_; }
  // Mbufs not in use, caches included. Walks all caches: for control.
  uint32_t free_count() const;
  uint32_t count() const { return pool_->size; }

 private:
  explicit PacketPool(rte_mempool* pool) : pool_(pool) {}

  rte_mempool* pool_;
};

}  // namespace lwt

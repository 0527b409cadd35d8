// Buffers that the next packet of the tunnel device is read into.
//
// The kernel copies a super-frame once, into whatever the system call names. So
// it is told to put each segment's payload where the segment will be sealed: in
// an mbuf of its own, behind room for the headers. Where the payloads begin and
// end follows from the super-frame before, since those of a flow are alike; one
// that is different costs one more copy, into a contiguous buffer.
//
// Owned by one port; used by its worker.
#pragma once

#include <rte_mbuf.h>
#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "drivers/port.h"
#include "drivers/vnet_header.h"

namespace lwt {

class TrainBuffers {
 public:
  // Mbufs of `small` are used behind RTE_PKTMBUF_HEADROOM, those of `jumbo`
  // without headroom; it has buffers of PacketPool::kJumboRoom.
  TrainBuffers(rte_mempool* small, rte_mempool* jumbo)
      : small_(small), jumbo_pool_(jumbo) {}
  TrainBuffers(const TrainBuffers&) = delete;
  TrainBuffers& operator=(const TrainBuffers&) = delete;
  ~TrainBuffers();

  // Where to read the next packet, its VnetHeader first. Empty when a pool is.
  // Valid until the next call of Take.
  std::span<const iovec> Arm();

  // The packet of `size` bytes behind the header that was read into what Arm
  // gave: one mbuf, or a chain by port.h. Its data, lengths and nb_segs are
  // set. Null when it is not to be had.
  rte_mbuf* Take(size_t size);

  const VnetHeader& header() const { return header_; }

 private:
  // The headers and the payload of each segment; nothing before the first.
  struct Cut {
    uint16_t headers = 0;
    uint16_t payload = 0;
  };
  // The first buffer, the payloads of a chain behind it, and the jumbo one.
  static constexpr size_t kMostVectors = 2 + kMaxChain;

  rte_mbuf*& Slot(size_t index) { return slots_[count_ - 1 - index]; }
  bool Fill(size_t wanted);
  size_t SlotsWanted() const;
  Cut CutOf(size_t size);
  rte_mbuf* TakeFirst(size_t size);
  rte_mbuf* TakeChain(size_t size);
  rte_mbuf* Gather(size_t size);

  rte_mempool* const small_;
  rte_mempool* const jumbo_pool_;
  VnetHeader header_;
  // Small buffers ready; the last is the next to be used.
  std::array<rte_mbuf*, kMaxChain> slots_;
  size_t count_ = 0;
  rte_mbuf* jumbo_ = nullptr;
  Cut cut_;
  bool super_before_ = false;  // the last packet was a super-frame
  size_t armed_ = 0;           // slots named in vectors_
  size_t first_room_ = 0;      // bytes that the first of them takes
  std::array<iovec, kMostVectors> vectors_;
};

}  // namespace lwt

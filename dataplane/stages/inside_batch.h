// Packets on their way to the tunnel device, as mbufs, in order. A local of
// Deliver: nothing stays in it.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/burst.h"
#include "dataplane/wire/inner_transport.h"
#include "dataplane/worker_state.h"

namespace lwt {

class InsideBatch {
 public:
  explicit InsideBatch(Worker& worker) : worker_(worker) {}
  InsideBatch(const InsideBatch&) = delete;
  InsideBatch& operator=(const InsideBatch&) = delete;
  ~InsideBatch() { Flush(); }

  // One packet. Takes the frame's reference.
  void Push(const Frame& packet);
  // A merged run, complete, of `packets`.
  void PushRun(rte_mbuf* run, uint32_t packets) { Add(run, packets); }

 private:
  static constexpr size_t kCapacity = 64;

  // A packet in an mbuf that is ours to send, or null with the drop counted.
  rte_mbuf* Own(const Frame& packet);
  void PushUnfinished(const Frame& packet);
  void Add(rte_mbuf* mbuf, uint32_t packets) {
    if (size_ == kCapacity) Flush();
    mbufs_[size_] = mbuf;
    packets_[size_++] = packets;
  }
  void Flush();
  void Count(size_t from, size_t to, bool taken);

  Worker& worker_;
  std::array<rte_mbuf*, kCapacity> mbufs_;
  std::array<uint32_t, kCapacity> packets_;
  size_t size_ = 0;
};

// `packet`'s bytes from `offset` on as an mbuf of their own, without a copy:
// the received one where nothing else lives in it, else one that refers to it.
// Takes the frame's reference; null, and nothing taken, when the pool is empty.
rte_mbuf* AsPart(rte_mempool* pool, const Frame& packet, uint32_t offset);

// Tells the port to complete the packet's checksum.
void RequestChecksum(const wire::InnerTransport& transport, rte_mbuf* mbuf);

}  // namespace lwt

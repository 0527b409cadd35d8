// Packets on their way to a port of the inside, as mbufs, in order. A local of
// Deliver or DeliverLan: nothing stays in it.
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
  // With `lan` the port is the LAN's: packets lose a hop and get the link
  // header of their host, which the caller has found to be known.
  InsideBatch(Worker& worker, Port& port, const LanTable* lan = nullptr)
      : worker_(worker),
        port_(port),
        lan_(lan),
        copied_size_(CopiedSize(port, lan)) {}
  InsideBatch(const InsideBatch&) = delete;
  InsideBatch& operator=(const InsideBatch&) = delete;
  ~InsideBatch() { Flush(); }

  const PortInfo& port() const { return port_.info(); }

  // One packet. Takes the frame's reference.
  void Push(const Frame& packet);
  // A merged run, complete, of `packets`.
  void PushRun(rte_mbuf* run, uint32_t packets) { Add(run, packets); }

 private:
  static constexpr size_t kCapacity = 64;

  // Packets up to this size are copied where their buffer is shared.
  static uint32_t CopiedSize(const Port& port, const LanTable* lan);
  // A packet in an mbuf that is ours to send, or null with the drop counted.
  rte_mbuf* Own(const Frame& packet);
  void PushUnfinished(const Frame& packet);
  // For a packet whose stage has let go of it.
  void Refuse(const Frame& packet, DropReason reason) {
    worker_.ledger.Made();
    worker_.Drop(packet, reason);
  }
  void Add(rte_mbuf* mbuf, uint32_t packets) {
    if (size_ == kCapacity) Flush();
    mbufs_[size_] = mbuf;
    packets_[size_++] = packets;
  }
  void AddLinkHeaders();
  void Flush();
  void Count(size_t from, size_t to, bool taken);

  Worker& worker_;
  Port& port_;
  const LanTable* const lan_;
  const uint32_t copied_size_;
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

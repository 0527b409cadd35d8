// Makes packets fit to leave by a port of the inside, and gives them to it.
#include "dataplane/stages/inside_batch.h"

#include <rte_memcpy.h>

#include <span>

#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/forwarding.h"

namespace lwt {
namespace {

// Below this a copy costs less than a reference.
constexpr uint32_t kCheapCopy = 256;

rte_mbuf* Copy(rte_mempool* pool, const Frame& packet) {
  rte_mbuf* copy = rte_pktmbuf_alloc(pool);
  if (copy == nullptr) return nullptr;
  char* room = rte_pktmbuf_append(copy, static_cast<uint16_t>(packet.length));
  if (room == nullptr) {
    rte_pktmbuf_free(copy);
    return nullptr;
  }
  rte_memcpy(room, packet.data, packet.length);
  rte_pktmbuf_free(packet.mbuf);
  return copy;
}

bool IsShared(const Frame& packet) {
  return rte_mbuf_refcnt_read(packet.mbuf) > 1;
}

}  // namespace

rte_mbuf* AsPart(rte_mempool* pool, const Frame& packet, uint32_t offset) {
  rte_mbuf* part = packet.mbuf;
  if (IsShared(packet)) {
    part = rte_pktmbuf_alloc(pool);
    if (part == nullptr) return nullptr;
    rte_pktmbuf_attach(part, packet.mbuf);
    rte_pktmbuf_free(packet.mbuf);
  }
  part->data_off = static_cast<uint16_t>(packet.data + offset -
                                         static_cast<uint8_t*>(part->buf_addr));
  part->data_len = static_cast<uint16_t>(packet.length - offset);
  part->pkt_len = part->data_len;
  part->ol_flags &= RTE_MBUF_F_INDIRECT | RTE_MBUF_F_EXTERNAL;
  return part;
}

void RequestChecksum(const wire::InnerTransport& transport, rte_mbuf* mbuf) {
  mbuf->l2_len = 0;
  mbuf->l3_len = transport.ip_size;
  mbuf->l4_len =
      static_cast<uint8_t>(transport.header_size - transport.ip_size);
  mbuf->ol_flags |=
      transport.udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM;
}

// Only a port that takes super-frames takes packets in parts. On their way to
// the LAN headers change, and shared plaintext must not.
uint32_t InsideBatch::CopiedSize(const Port& port, const LanTable* lan) {
  return port.info().segments && lan == nullptr ? kCheapCopy : UINT32_MAX;
}

rte_mbuf* InsideBatch::Own(const Frame& packet) {
  rte_mempool* pool = worker_.options.pool;
  const bool copy = IsShared(packet) && packet.length <= copied_size_;
  rte_mbuf* mbuf = copy ? Copy(pool, packet) : AsPart(pool, packet, 0);
  if (mbuf == nullptr) Refuse(packet, DropReason::kPoolEmpty);
  return mbuf;
}

// A checksum is left to a port that completes it. For any other the packet is
// completed here, in a buffer that is ours alone: opened plaintext may still be
// needed as it is.
void InsideBatch::PushUnfinished(const Frame& packet) {
  const auto transport =
      wire::ParseInnerTransport({packet.data, packet.length});
  if (!transport) return Refuse(packet, DropReason::kBadInner);
  rte_mbuf* mbuf = Own(packet);
  if (mbuf == nullptr) return;
  if (port_.info().segments) {
    RequestChecksum(*transport, mbuf);
  } else {
    wire::FinishChecksum(
        {rte_pktmbuf_mtod(mbuf, uint8_t*), size_t{mbuf->data_len}}, *transport);
  }
  Add(mbuf, 1);
}

void InsideBatch::Push(const Frame& packet) {
  if (packet.checksum == InnerChecksum::kUnfinished) {
    return PushUnfinished(packet);
  }
  if (rte_mbuf* mbuf = Own(packet)) Add(mbuf, 1);
}

void InsideBatch::Count(size_t from, size_t to, bool taken) {
  uint64_t packets = 0;
  uint64_t runs = 0;
  for (size_t i = from; i < to; ++i) {
    packets += packets_[i];
    runs += packets_[i] > 1 ? 1 : 0;
  }
  WorkerCounters& counters = worker_.counters;
  const bool tunnel = lan_ == nullptr;
  if (taken) {
    (tunnel ? counters.tunnel_tx_packets : counters.lan_tx_packets)
        .Add(packets);
    (tunnel ? counters.tunnel_tx_super : counters.lan_tx_super).Add(runs);
  } else {
    counters.Drop(tunnel ? DropReason::kTunnelFull : DropReason::kLanFull,
                  packets);
  }
}

// The first mbuf of each holds the headers and is ours alone.
void InsideBatch::AddLinkHeaders() {
  for (rte_mbuf* mbuf : std::span(mbufs_.data(), size_)) {
    auto* packet = rte_pktmbuf_mtod(mbuf, uint8_t*);
    const bool ipv4 = wire::IsIpv4(packet);
    wire::TakeHop(packet);
    const LanTable::Found host = ipv4 ? lan_->Find(Family::kIpv4, packet + 16)
                                      : lan_->Find(Family::kIpv6, packet + 24);
    mbuf->l2_len = wire::kEthernetSize;
    mbuf->ol_flags |= ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
    // Whatever buffer it is, headers that are longer stood before the packet.
    char* link = rte_pktmbuf_prepend(mbuf, wire::kEthernetSize);
    wire::WriteEthernet(reinterpret_cast<uint8_t*>(link), *host.mac,
                        lan_->mac(),
                        ipv4 ? wire::kEtherTypeIpv4 : wire::kEtherTypeIpv6);
  }
}

void InsideBatch::Flush() {
  if (size_ == 0) return;
  if (lan_ != nullptr) AddLinkHeaders();
  const uint16_t taken = port_.Transmit({mbufs_.data(), size_});
  Count(0, taken, /*taken=*/true);
  Count(taken, size_, /*taken=*/false);
  rte_pktmbuf_free_bulk(mbufs_.data() + taken,
                        static_cast<unsigned>(size_ - taken));
  size_ = 0;
}

}  // namespace lwt

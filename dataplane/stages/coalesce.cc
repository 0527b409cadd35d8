// Merges packets that follow each other in a flow into one super-frame.
#include "dataplane/stages/coalesce.h"

#include <rte_memcpy.h>

#include <cstring>

#include "dataplane/wire/be.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/ip.h"
#include "drivers/port.h"

namespace lwt {
namespace {

using wire::InnerTransport;
using wire::kAck;
using wire::kPsh;
using wire::kTcpFlagsAt;
using wire::LoadBe16;
using wire::LoadBe32;

constexpr uint32_t kMaxIpPacket = 65535;

bool IsIpv4(const InnerTransport& transport) {
  return transport.family == Family::kIpv4;
}

// Whether the packet may be part of a run at all, its checksum left aside.
bool IsMergeable(const uint8_t* packet, uint32_t length,
                 const InnerTransport& transport) {
  if (length <= transport.header_size) return false;
  if (IsIpv4(transport)) {
    // Without options, and with a header that arrived unharmed.
    if (transport.ip_size != wire::kIpv4HeaderSize ||
        wire::ChecksumFold(wire::ChecksumIpv4Header(packet)) != 0xffff) {
      return false;
    }
  }
  // A UDP sender may leave the checksum out (RFC 768); a segment has one.
  if (transport.udp) return LoadBe16(packet + transport.checksum_at()) != 0;
  const uint8_t flags = packet[transport.ip_size + kTcpFlagsAt];
  return (flags & ~kPsh) == kAck && (packet[transport.ip_size + 12] & 0xf) == 0;
}

bool HasGoodChecksum(const Frame& packet, const InnerTransport& transport) {
  return packet.checksum != InnerChecksum::kUnknown ||
         wire::HasRightChecksum({packet.data, packet.length}, transport);
}

bool IsSameFlow(const uint8_t* a, const uint8_t* b,
                const InnerTransport& transport) {
  const bool same_addresses = IsIpv4(transport)
                                  ? std::memcmp(a + 12, b + 12, 8) == 0
                                  : std::memcmp(a + 8, b + 8, 32) == 0;
  return same_addresses &&
         std::memcmp(a + transport.ip_size, b + transport.ip_size, 4) == 0;
}

// IP headers equal except for length, checksum, and an ID that counts on or,
// where nothing may be fragmented, means nothing and stays (RFC 6864
// section 4.1).
bool IpGoesOn(const uint8_t* first, const uint8_t* next, uint32_t index,
              const InnerTransport& transport) {
  if (!IsIpv4(transport)) {
    return std::memcmp(first, next, 4) == 0 && first[7] == next[7];
  }
  if (std::memcmp(first, next, 2) != 0 ||
      std::memcmp(first + 6, next + 6, 4) != 0) {
    return false;
  }
  const auto counted = static_cast<uint16_t>(LoadBe16(first + 4) + index);
  const bool fixed = (LoadBe16(first + 6) & wire::kDontFragment) != 0 &&
                     LoadBe16(first + 4) == LoadBe16(next + 4);
  return LoadBe16(next + 4) == counted || fixed;
}

// TCP headers equal except for sequence number, checksum and PSH.
bool TcpGoesOn(const uint8_t* first, const uint8_t* next, uint32_t payload,
               size_t header_size) {
  return LoadBe32(next + 4) == LoadBe32(first + 4) + payload &&
         std::memcmp(first + 8, next + 8, 5) == 0 &&    // ACK, header size
         std::memcmp(first + 14, next + 14, 2) == 0 &&  // window
         std::memcmp(first + 18, next + 18, header_size - 18) == 0;
}

bool HasPush(const uint8_t* packet, const InnerTransport& transport) {
  return !transport.udp &&
         (packet[transport.ip_size + kTcpFlagsAt] & kPsh) != 0;
}

}  // namespace

void Coalescer::Push(const Frame& packet) {
  const auto transport =
      wire::ParseInnerTransport({packet.data, packet.length});
  if (!transport) {
    FlushAll();
    return batch_.Push(packet);
  }
  Run* run = FindFlow(packet.data, *transport);
  const PortInfo& port = batch_.port();
  if ((transport->udp && !port.segments_udp) ||
      !IsMergeable(packet.data, packet.length, *transport) ||
      !HasGoodChecksum(packet, *transport)) {
    if (run != nullptr) Flush(*run);
    return batch_.Push(packet);
  }
  if (run != nullptr) {
    if (Append(*run, packet)) return;
    Flush(*run);
  }
  Begin(packet, *transport);
}

Coalescer::Run* Coalescer::FindFlow(const uint8_t* packet,
                                    const InnerTransport& transport) {
  for (Run& run : runs_) {
    if (run.packets > 0 && run.transport.family == transport.family &&
        run.transport.udp == transport.udp &&
        IsSameFlow(run.header, packet, transport)) {
      return &run;
    }
  }
  return nullptr;
}

Coalescer::Run& Coalescer::FreePlace() {
  for (Run& run : runs_) {
    if (run.packets == 0) return run;
  }
  Run& run = runs_[next_evicted_];
  next_evicted_ = (next_evicted_ + 1) % kRuns;
  Flush(run);
  return run;
}

void Coalescer::Begin(const Frame& packet, const InnerTransport& transport) {
  // Nothing may follow a pushed segment in a super-frame.
  if (HasPush(packet.data, transport)) return batch_.Push(packet);
  Run& run = FreePlace();
  run.first = packet;
  run.header = packet.data;
  run.transport = transport;
  run.packets = 1;
  run.segment_size = packet.length - transport.header_size;
  run.payload = run.segment_size;
}

// False when the packet does not go on where the run ends, or no buffer is
// free; the run is whole then and the packet still the caller's.
bool Coalescer::Append(Run& run, const Frame& packet) {
  const InnerTransport& transport = run.transport;
  const uint32_t payload = packet.length - transport.header_size;
  const uint8_t* l4 = packet.data + transport.ip_size;
  // A longer TCP header would have compared less.
  if (payload > run.segment_size || payload == 0 ||
      transport.header_size + run.payload + payload > kMaxIpPacket ||
      run.packets + 2 > kMaxChain ||
      !IpGoesOn(run.header, packet.data, run.packets, transport) ||
      (!transport.udp &&
       !TcpGoesOn(run.header + transport.ip_size, l4, run.payload,
                  transport.header_size - transport.ip_size))) {
    return false;
  }
  const bool push = HasPush(packet.data, transport);
  if (run.chain == nullptr && !MakeChain(run)) return false;
  rte_mbuf* part = AsPart(worker_.options.pool, packet, transport.header_size);
  if (part == nullptr) return false;
  run.tail->next = part;
  run.tail = part;
  run.chain->nb_segs++;
  run.chain->pkt_len += payload;
  run.payload += payload;
  ++run.packets;
  if (push) {
    rte_pktmbuf_mtod(run.chain, uint8_t*)[transport.ip_size + kTcpFlagsAt] |=
        kPsh;
  }
  if (push || payload < run.segment_size) Flush(run);
  return true;
}

// The headers move to a buffer of their own: they change, while the opened
// record stays as it is.
bool Coalescer::MakeChain(Run& run) {
  const uint16_t header_size = run.transport.header_size;
  rte_mbuf* head = rte_pktmbuf_alloc(worker_.options.pool);
  if (head == nullptr) return false;
  rte_mbuf* part = AsPart(worker_.options.pool, run.first, header_size);
  if (part == nullptr) {
    rte_pktmbuf_free(head);
    return false;
  }
  rte_memcpy(rte_pktmbuf_append(head, header_size), run.header, header_size);
  head->next = part;
  head->nb_segs = 2;
  head->pkt_len = header_size + run.payload;
  run.chain = head;
  run.tail = part;
  return true;
}

// Puts lengths and checksums right, as one packet of the whole length.
void Coalescer::FinishChain(Run& run) {
  const InnerTransport& transport = run.transport;
  auto* packet = rte_pktmbuf_mtod(run.chain, uint8_t*);
  const auto size = static_cast<uint16_t>(run.chain->pkt_len);
  const auto l4_size = static_cast<uint16_t>(size - transport.ip_size);
  if (IsIpv4(transport)) {
    wire::StoreBe16(packet + 2, size);
    wire::StoreChecksum(packet + 10, 0);
    wire::StoreChecksum(packet + 10, wire::ChecksumFinish(wire::ChecksumAdd(
                                         packet, transport.ip_size)));
  } else {
    wire::StoreBe16(packet + 4, l4_size);
  }
  if (transport.udp) wire::StoreBe16(packet + transport.ip_size + 4, l4_size);
  wire::StoreChecksum(
      packet + transport.checksum_at(),
      wire::ChecksumFold(wire::InnerPseudoSum(packet, transport, l4_size)));
  RequestChecksum(transport, run.chain);
  run.chain->tso_segsz = static_cast<uint16_t>(run.segment_size);
  run.chain->ol_flags |=
      transport.udp ? RTE_MBUF_F_TX_UDP_SEG : RTE_MBUF_F_TX_TCP_SEG;
}

void Coalescer::Flush(Run& run) {
  if (run.chain == nullptr) {
    batch_.Push(run.first);
  } else {
    FinishChain(run);
    batch_.PushRun(run.chain, run.packets);
  }
  run.chain = nullptr;
  run.packets = 0;
}

void Coalescer::FlushAll() {
  for (Run& run : runs_) {
    if (run.packets > 0) Flush(run);
  }
}

}  // namespace lwt

// Cuts opened shards into inner packets and lets in those that their peer may
// send.
#include <array>
#include <cstring>

#include "dataplane/stages/flood.h"
#include "dataplane/stages/show_losses.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// The most packets a shard can hold: a word and the smallest IP header each.
constexpr size_t kSmallestPacket = wire::kShardWord + 20;
// Else a record would wait for room for ever.
static_assert(wire::kMaxRecordLength / kSmallestPacket + 1 <=
              PacketBurst::kCapacity);

// Whose the last source is: the packets of a burst mostly have one.
struct LastSource {
  Family family = Family::kIpv4;
  std::array<uint8_t, 16> address;
  PeerIndex peer;  // none is known

  bool Matches(const wire::InnerPacket& inner) const {
    if (peer == PeerIndex::kNone || inner.family != family) return false;
    return family == Family::kIpv4
               ? std::memcmp(inner.source, address.data(), 4) == 0
               : std::memcmp(inner.source, address.data(), 16) == 0;
  }
  void Learn(const wire::InnerPacket& inner, const RouteTable& routes) {
    family = inner.family;
    std::memcpy(address.data(), inner.source, family == Family::kIpv4 ? 4 : 16);
    peer = routes.Lookup(inner.family, inner.source);
  }
};

// An address of a link is nobody's, and says to a group who speaks.
bool SpeaksToGroup(const Worker& worker, const wire::InnerPacket& inner,
                   std::span<const uint8_t> packet) {
  return worker.outbound.floods.enabled() && inner.family == Family::kIpv6 &&
         inner.source[0] == 0xfe && (inner.source[1] & 0xc0) == 0x80 &&
         IsForMany(worker, inner, packet);
}

// Within what is taken of one peer.
[[gnu::cold]] bool IsInRate(Worker& worker, const Frame& record, size_t size) {
  session::Lane& lane = worker.lanes[record.lane.value];
  const uint64_t rate = worker.PartOf(lane.peer_rate_in, record.peer);
  if (lane.rate_in.Refill(rate, worker.now_us) < size) return false;
  lane.rate_in.Spend(size);
  return true;
}

// Counts a drop of a packet whose mbuf goes on living for its neighbours.
bool IsAdmitted(Worker& worker, const Frame& record, std::span<uint8_t> packet,
                LastSource& last) {
  const auto inner = wire::ParseInner(packet);
  if (!inner) {
    worker.counters.Drop(DropReason::kBadInner);
    return false;
  }
  // Cryptokey routing: the source has to lead back to the peer, or to one whose
  // relay the peer is.
  if (!last.Matches(*inner)) last.Learn(*inner, worker.snapshot->routes);
  if (!worker.snapshot->MayBring(record.peer, last.peer) &&
      !SpeaksToGroup(worker, *inner, packet)) {
    worker.counters.Drop(DropReason::kInnerSource);
    return false;
  }
  if (worker.lanes[record.lane.value].peer_rate_in != 0 &&
      !IsInRate(worker, record, packet.size())) {
    worker.counters.Drop(DropReason::kOverRate);
    return false;
  }
  if (record.repaired && worker.lanes[record.lane.value].receive.line_full &&
      ShowsLoss(worker, record, packet, *inner)) {
    worker.counters.Drop(DropReason::kLossShown);
    return false;
  }
  return true;
}

InnerChecksum ChecksumOf(const wire::ShardWord& word) {
  if (word.checksum_unfinished) return InnerChecksum::kUnfinished;
  return word.checksum_good ? InnerChecksum::kGood : InnerChecksum::kUnknown;
}

void AdmitShard(Worker& worker, const Frame& record, PacketBurst& packets,
                LastSource& last) {
  LaneCounters& counters = worker.lane_counters[record.lane.value];
  wire::ShardReader reader({record.data, record.length});
  wire::ShardWord word;
  std::span<uint8_t> bytes;
  while (reader.Next(word, bytes)) {
    if (!IsAdmitted(worker, record, bytes, last)) continue;
    worker.ledger.Made();
    Frame& packet = packets.Push(record);
    packet.data = bytes.data();
    packet.length = static_cast<uint32_t>(bytes.size());
    packet.checksum = ChecksumOf(word);
    rte_mbuf_refcnt_update(record.mbuf, 1);
    counters.rx_packets.Add(1);
    counters.rx_bytes.Add(bytes.size());
  }
  if (reader.malformed()) worker.counters.Drop(DropReason::kBadShard);
  worker.ledger.Gone();
  rte_pktmbuf_free(record.mbuf);
}

}  // namespace

bool AdmitInner(Worker& worker, RecordsInHand& records, PacketBurst& packets) {
  packets.Clear();
  LastSource last;
  const StageCheck check(worker.ledger, records, packets);
  while (records.next < records.burst.size()) {
    const Frame& record = records.burst.frames()[records.next];
    const size_t most = record.length / kSmallestPacket + 1;
    if (packets.size() + most > PacketBurst::kCapacity) break;
    ++records.next;
    AdmitShard(worker, record, packets, last);
  }
  return !packets.empty();
}

}  // namespace lwt

// Copies packets for many (multicast, broadcasts) to every peer.
#include "dataplane/stages/flood.h"

#include <rte_memcpy.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/stages/stages.h"
#include "dataplane/stages/super_frames.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Peers that are looked at in a round, with a lane or without.
constexpr uint32_t kLooks = 1024;
constexpr size_t kIpv6HeaderSize = 40;
constexpr uint8_t kIgmp = 2;
constexpr uint8_t kIcmpv6 = 58;
// IPv6 headers with another behind them (RFC 7045 §4), and none at all. What
// lies behind them is not looked for: an advertisement might.
constexpr std::array<uint8_t, 11> kExtensions = {0,  43,  44,  50,  51, 59,
                                                 60, 135, 139, 140, 253};
// Router and neighbour discovery and redirects (RFC 4861 §4).
constexpr uint8_t kFirstDiscovery = 133;
constexpr uint8_t kLastDiscovery = 137;

bool IsGroupIpv4(const Snapshot& snapshot, const uint8_t* address) {
  constexpr uint8_t kLimited[4] = {255, 255, 255, 255};
  if (address[0] >= 224 && address[0] < 240) return true;
  if (std::memcmp(address, kLimited, sizeof(kLimited)) == 0) return true;
  const auto& own = snapshot.broadcasts;
  return std::any_of(own.begin(), own.end(), [address](const auto& broadcast) {
    return std::memcmp(broadcast.data(), address, broadcast.size()) == 0;
  });
}

// What is for a link's own business stays on it: who is in which group, for
// nobody asks here, and who the routers and neighbours are, which a peer is not
// to tell another.
bool IsOfTheLink(Family family, std::span<const uint8_t> packet) {
  if (family == Family::kIpv4) return packet[9] == kIgmp;
  const uint8_t next = packet[6];
  // Multicast listener discovery has one of them.
  if (std::find(kExtensions.begin(), kExtensions.end(), next) !=
      kExtensions.end()) {
    return true;
  }
  if (next != kIcmpv6 || packet.size() <= kIpv6HeaderSize) return false;
  const uint8_t type = packet[kIpv6HeaderSize];
  return type >= kFirstDiscovery && type <= kLastDiscovery;
}

bool MakeCopy(Worker& worker, const FloodQueue::Entry& entry, PeerIndex peer,
              PacketBurst& packets) {
  rte_mbuf* const copy = rte_pktmbuf_alloc(worker.options.pool);
  if (copy == nullptr) return false;
  const uint16_t length = entry.packet->data_len;
  Frame frame;
  frame.mbuf = copy;
  frame.data = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(copy, length));
  rte_memcpy(frame.data, rte_pktmbuf_mtod(entry.packet, const uint8_t*),
             length);
  frame.length = length;
  frame.peer = peer;
  frame.checksum = entry.checksum;
  worker.ledger.Made();
  packets.Push(frame);
  worker.counters.multicast_copies.Add(1);
  // It is the sender that makes this work.
  if (entry.source != worker.outbound.floods.own_host()) {
    worker.shares.Charge(entry.source, WorkShares::kRecord + length);
  }
  return true;
}

// The next peer that the front goes to, from where it has come to.
std::optional<PeerIndex> NextPeer(const Worker& worker,
                                  FloodQueue::Entry& entry, uint32_t& looks) {
  const auto peers = static_cast<uint32_t>(worker.snapshot->peers.size());
  for (; entry.next_peer.value < peers && looks > 0;
       ++entry.next_peer.value, --looks) {
    const SnapshotPeer* carrier = worker.snapshot->CarrierOf(entry.next_peer);
    const bool isolated = entry.source != worker.outbound.floods.own_host() &&
                          worker.snapshot->IsIsolated(entry.next_peer);
    if (entry.next_peer != entry.source && !isolated && carrier->workers != 0) {
      return entry.next_peer;
    }
  }
  return std::nullopt;
}

void MakeCopies(Worker& worker, PacketBurst& packets) {
  FloodQueue& floods = worker.outbound.floods;
  uint32_t looks = kLooks;
  size_t room = RoomIn(packets);
  while (!floods.empty() && room > 0) {
    FloodQueue::Entry& entry = floods.front();
    const std::optional<PeerIndex> peer = NextPeer(worker, entry, looks);
    if (looks == 0) break;
    if (!peer) {
      rte_pktmbuf_free(floods.Pop());
      continue;
    }
    if (!floods.MayCopy(worker.now_us)) return;
    if (!MakeCopy(worker, entry, *peer, packets)) {
      return worker.counters.Drop(DropReason::kPoolEmpty);
    }
    --room;
    ++entry.next_peer.value;
    floods.NextTurn();
  }
  if (!floods.empty()) worker.worked = true;
}

}  // namespace

bool IsForMany(const Worker& worker, const wire::InnerPacket& inner,
               std::span<const uint8_t> packet) {
  const bool group =
      inner.family == Family::kIpv4
          ? IsGroupIpv4(*worker.snapshot, inner.destination)
          // Beyond this host (RFC 4291 §2.7).
          : inner.destination[0] == 0xff && (inner.destination[1] & 0xf) > 1;
  return group && !IsOfTheLink(inner.family, packet);
}

void CopyToAll(Worker& worker, const Frame& packet, PeerIndex source) {
  FloodQueue& floods = worker.outbound.floods;
  if (!floods.Admit(source, worker.now_us)) {
    return worker.counters.Drop(DropReason::kMulticastLimit);
  }
  rte_mbuf* const kept = rte_pktmbuf_alloc(worker.options.pool);
  if (kept == nullptr) return worker.counters.Drop(DropReason::kPoolEmpty);
  char* const room =
      rte_pktmbuf_append(kept, static_cast<uint16_t>(packet.length));
  if (room == nullptr) {
    rte_pktmbuf_free(kept);
    return worker.counters.Drop(DropReason::kInnerTooBig);
  }
  rte_memcpy(room, packet.data, packet.length);
  rte_mbuf* const given_up = floods.Push(
      {.packet = kept, .source = source, .checksum = packet.checksum});
  if (given_up == nullptr) return;
  rte_pktmbuf_free(given_up);
  worker.counters.Drop(DropReason::kMulticastLimit);
}

void Flood(Worker& worker, PacketBurst& packets) {
  FloodQueue& floods = worker.outbound.floods;
  if (!floods.enabled()) return;
  const StageCheck check(worker.ledger, packets);
  size_t kept = 0;
  for (const Frame& frame : packets.frames()) {
    const std::span<const uint8_t> packet = {frame.data, frame.length};
    const bool of_this_host =
        frame.peer == PeerIndex::kNone && !frame.handed_over;
    const auto inner = of_this_host ? wire::ParseInner(packet) : std::nullopt;
    // A super-frame to a group is as rare as it is long.
    if (!inner || frame.segment_size != 0 ||
        !IsForMany(worker, *inner, packet)) {
      packets.Keep(kept++, frame);
      continue;
    }
    CopyToAll(worker, frame, floods.own_host());
    worker.ledger.Gone();
    rte_pktmbuf_free(frame.mbuf);
  }
  packets.Truncate(kept);
  MakeCopies(worker, packets);
}

}  // namespace lwt

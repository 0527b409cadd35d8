// Reads the LAN port, as a router does, and leaves to the kernel what is not
// routed.
#include <algorithm>

#include "dataplane/stages/answers.h"
#include "dataplane/stages/collect_one.h"
#include "dataplane/stages/stages.h"
#include "dataplane/stages/super_frames.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/inner_transport.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// One call of CollectLan.
struct Turn {
  static constexpr size_t kMostFragments = 64;
  PacketBurst& packets;
  size_t fragments_left = 0;  // for which there is room
};

void Refuse(Worker& worker, rte_mbuf* mbuf, DropReason reason) {
  worker.counters.Drop(reason);
  rte_pktmbuf_free(mbuf);
}

// Whether the frame, which begins at its link header, is one that the gateway
// routes and not the kernel. A packet socket's filter has seen to that already.
bool IsRouted(const Worker& worker, const LanTable& lan, const rte_mbuf* mbuf) {
  const auto* frame = rte_pktmbuf_mtod(mbuf, const uint8_t*);
  if (mbuf->data_len < wire::kEthernetSize + 40 &&
      (mbuf->data_len < wire::kEthernetSize + 20 ||
       wire::LoadBe16(frame + 12) != wire::kEtherTypeIpv4)) {
    return false;
  }
  if (!std::equal(lan.mac().begin(), lan.mac().end(), frame)) return false;
  const uint8_t* packet = frame + wire::kEthernetSize;
  switch (wire::LoadBe16(frame + 12)) {
    case wire::kEtherTypeIpv4:
      return worker.snapshot->routes.Lookup(Family::kIpv4, packet + 16) !=
             PeerIndex::kNone;
    case wire::kEtherTypeIpv6:
      return worker.snapshot->routes.Lookup(Family::kIpv6, packet + 24) !=
             PeerIndex::kNone;
    default:
      return false;
  }
}

// Takes off the link header, and the padding of a short frame.
bool StripLink(rte_mbuf* mbuf) {
  if (mbuf->nb_segs != 1 ||
      rte_pktmbuf_adj(mbuf, wire::kEthernetSize) == nullptr ||
      mbuf->data_len < 20) {
    return false;
  }
  const auto* packet = rte_pktmbuf_mtod(mbuf, const uint8_t*);
  const bool ipv4 = wire::IsIpv4(packet);
  const size_t size = ipv4 ? wire::LoadBe16(packet + 2)
                           : size_t{40} + wire::LoadBe16(packet + 4);
  if (size > mbuf->data_len) return false;
  return rte_pktmbuf_trim(mbuf, static_cast<uint16_t>(mbuf->data_len - size)) ==
         0;
}

// Bytes of the packet, or of the largest that a super-frame is cut into.
size_t LargestOf(const rte_mbuf* mbuf) {
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_LRO) == 0) return mbuf->data_len;
  const auto super = ReadSuperFrame(mbuf);
  // TakeOne drops what is none.
  return super ? size_t{super->header_size} + super->segment_size : 0;
}

// Puts the fragments of a packet into the outbound burst. False when there is
// no room or no way.
bool Fragment(Worker& worker, rte_mbuf* mbuf, uint16_t mtu, Turn& turn) {
  auto* data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  const std::span<uint8_t> packet = {data, mbuf->data_len};
  const bool unfinished = (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) ==
                          RTE_MBUF_F_RX_L4_CKSUM_NONE;
  if (unfinished) {
    const auto transport = wire::ParseInnerTransport(packet);
    if (!transport) return false;
    wire::FinishChecksum(packet, *transport);
  }
  const wire::Fragments fragments(packet, mtu);
  std::array<rte_mbuf*, Turn::kMostFragments> mbufs;
  const size_t count = fragments.count();
  if (count == 0 || count > turn.fragments_left ||
      rte_pktmbuf_alloc_bulk(worker.options.pool, mbufs.data(),
                             static_cast<unsigned>(count)) != 0) {
    return false;
  }
  wire::TakeHop(data);
  for (size_t i = 0; i < count; ++i) {
    Frame frame;
    frame.mbuf = mbufs[i];
    frame.data = rte_pktmbuf_mtod(mbufs[i], uint8_t*);
    frame.length = static_cast<uint32_t>(fragments.Write(i, frame.data));
    mbufs[i]->data_len = static_cast<uint16_t>(frame.length);
    mbufs[i]->pkt_len = frame.length;
    worker.ledger.Made();
    turn.packets.Push(frame);
  }
  turn.fragments_left -= count;
  worker.counters.lan_rx_packets.Add(1);
  return true;
}

// For a packet, or a super-frame of packets, larger than the MTU of the peer.
// Frees the mbuf.
void HandleTooBig(Worker& worker, const LanTable& lan, rte_mbuf* mbuf,
                  uint16_t mtu, Turn& turn) {
  const auto* data = rte_pktmbuf_mtod(mbuf, const uint8_t*);
  const bool super = (mbuf->ol_flags & RTE_MBUF_F_RX_LRO) != 0;
  if (wire::MustNotFragment(data)) {
    AnswerLanHost(worker, lan, wire::Obstacle::kTooBig, mtu,
                  {data, mbuf->data_len});
  } else if (!super && Fragment(worker, mbuf, mtu, turn)) {
    rte_pktmbuf_free(mbuf);
    return;
  }
  Refuse(worker, mbuf, DropReason::kInnerTooBig);
}

// What a router looks at before it sends a packet on. False when that ends
// here, with the mbuf freed.
bool RoutePacket(Worker& worker, const LanTable& lan, rte_mbuf* mbuf,
                 Turn& turn) {
  const bool whole = StripLink(mbuf);
  auto* data = rte_pktmbuf_mtod(mbuf, uint8_t*);
  const std::span<const uint8_t> packet = {data, mbuf->data_len};
  const auto inner = whole ? wire::ParseInner(packet) : std::nullopt;
  if (!inner) {
    Refuse(worker, mbuf, DropReason::kBadInner);
    return false;
  }
  if (wire::HopsLeft(data) <= 1) {
    AnswerLanHost(worker, lan, wire::Obstacle::kTimeExceeded, 0, packet);
    Refuse(worker, mbuf, DropReason::kTtlExpired);
    return false;
  }
  const Snapshot& snapshot = *worker.snapshot;
  const PeerIndex peer =
      snapshot.routes.Lookup(inner->family, inner->destination);
  const SnapshotPeer* carrier = snapshot.CarrierOf(peer);
  if (carrier == nullptr || carrier->workers == 0) {
    AnswerLanHost(worker, lan, wire::Obstacle::kHostUnreachable, 0, packet);
    Refuse(worker, mbuf,
           carrier == nullptr ? DropReason::kNoRoute : DropReason::kNoLane);
    return false;
  }
  const uint16_t mtu = carrier->MtuFor(inner->family);
  if (LargestOf(mbuf) > mtu) {
    HandleTooBig(worker, lan, mbuf, mtu, turn);
    return false;
  }
  // A short frame that found no small buffer free lies in one without room for
  // the headers to come.
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_LRO) == 0 &&
      rte_pktmbuf_headroom(mbuf) < RTE_PKTMBUF_HEADROOM) {
    Refuse(worker, mbuf, DropReason::kPoolEmpty);
    return false;
  }
  wire::TakeHop(data);
  return true;
}

// Gives frames to `port`; what it does not take is lost, as on a wire.
void Pass(Worker& worker, Port& port, std::span<rte_mbuf*> frames) {
  if (frames.empty()) return;
  const uint16_t taken = port.Transmit(frames);
  worker.counters.lan_twin_frames.Add(taken);
  const auto left = frames.subspan(taken);
  worker.counters.Drop(DropReason::kLanFull, left.size());
  rte_pktmbuf_free_bulk(left.data(), static_cast<unsigned>(left.size()));
}

// What the kernel sends by the twin goes out by the port.
void PassFromTwin(Worker& worker) {
  std::array<rte_mbuf*, CollectedPackets::kCapacity> frames;
  const uint16_t count = worker.options.twin->Receive(frames);
  if (count == 0) return;
  worker.worked = true;
  Pass(worker, *worker.options.lan, {frames.data(), count});
}

// Keeps those of `frames` that go to a peer, at the front, and returns how
// many.
size_t RouteFrames(Worker& worker, const LanTable& lan,
                   std::span<rte_mbuf*> frames, Turn& turn) {
  std::array<rte_mbuf*, CollectedPackets::kCapacity> for_twin;
  size_t passed = 0;
  size_t kept = 0;
  for (rte_mbuf* mbuf : frames) {
    if (worker.options.twin != nullptr && !IsRouted(worker, lan, mbuf)) {
      for_twin[passed++] = mbuf;
    } else if (RoutePacket(worker, lan, mbuf, turn)) {
      frames[kept++] = mbuf;
    }
  }
  if (passed > 0) {
    Pass(worker, *worker.options.twin, {for_twin.data(), passed});
  }
  return kept;
}

}  // namespace

void CollectLan(Worker& worker, PacketBurst& packets) {
  if (worker.lan == nullptr) return;
  const LanTable* lan = worker.mailbox->lan();
  if (lan == nullptr) return;
  if (worker.options.twin != nullptr) PassFromTwin(worker);
  const StageCheck check(worker.ledger, packets);
  CollectedPackets& collected = worker.lan->collected;
  Turn turn{packets};
  const size_t room = RoomIn(packets);
  turn.fragments_left = std::min(room / 2, Turn::kMostFragments);
  const size_t most = std::min(kMostCollected, room - turn.fragments_left);
  size_t taken = 0;
  bool more = true;
  while (taken < most) {
    if (!collected.drained()) {
      taken += TakeOne(worker, collected, worker.counters.lan_rx_super,
                       most - taken, packets);
      continue;
    }
    if (!more) break;
    const size_t wanted = std::min(most - taken, CollectedPackets::kCapacity);
    const uint16_t count =
        worker.options.lan->Receive({collected.mbufs.data(), wanted});
    more = count == wanted;
    worker.worked = worker.worked || count > 0;
    collected.next = 0;
    collected.count =
        RouteFrames(worker, *lan, {collected.mbufs.data(), count}, turn);
  }
  if (taken >= most) worker.outbound.shares.SawMore();
  worker.counters.lan_rx_packets.Add(taken);
}

}  // namespace lwt

// Tells hosts and peers that a packet goes no further, and why.
#include "dataplane/stages/answers.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/ethernet.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

Family FamilyOf(const uint8_t* packet) {
  return wire::IsIpv4(packet) ? Family::kIpv4 : Family::kIpv6;
}

const uint8_t* DestinationOf(const uint8_t* packet) {
  return packet + (wire::IsIpv4(packet) ? 16 : 24);
}

// The error as an mbuf of its own that begins at its IP header; null when there
// is nothing to say, no buffer or too much was said already. `to` is
// IcmpBudget's.
rte_mbuf* MakeAnswer(Worker& worker, const IpAddress& source, PeerIndex to,
                     wire::Obstacle obstacle, uint16_t mtu,
                     std::span<const uint8_t> packet) {
  if (worker.snapshot->IsBroadcast(source.family,
                                   DestinationOf(packet.data())) ||
      !worker.icmp.Has(to, worker.now_us)) {
    return nullptr;
  }
  rte_mbuf* mbuf = rte_pktmbuf_alloc(worker.options.pool);
  if (mbuf == nullptr) return nullptr;
  char* room = rte_pktmbuf_append(mbuf, wire::kLargestObstacle);
  const std::span<uint8_t, wire::kLargestObstacle> out(
      reinterpret_cast<uint8_t*>(room), wire::kLargestObstacle);
  const auto size = wire::WriteObstacle(obstacle, mtu, source, packet, out);
  if (!size) {
    rte_pktmbuf_free(mbuf);
    return nullptr;
  }
  worker.icmp.Charge(to, worker.now_us);
  rte_pktmbuf_trim(mbuf, static_cast<uint16_t>(wire::kLargestObstacle - *size));
  return mbuf;
}

void SendAnswer(Worker& worker, Port& port, rte_mbuf* answer) {
  if (port.Transmit({&answer, 1}) == 1) {
    worker.counters.icmp_errors_sent.Add(1);
  } else {
    rte_pktmbuf_free(answer);
  }
}

// The packet's destination, for which we speak where there is no better name.
IpAddress InItsName(const uint8_t* packet) {
  return IpAddress::FromBytes(FamilyOf(packet), DestinationOf(packet));
}

}  // namespace

void AnswerLanHost(Worker& worker, const LanTable& lan, wire::Obstacle obstacle,
                   uint16_t mtu, std::span<const uint8_t> packet) {
  const Family family = FamilyOf(packet.data());
  const auto& own = lan.Own(family) ? lan.Own(family) : lan.OwnTunnel(family);
  if (!own) return;
  rte_mbuf* answer =
      MakeAnswer(worker, *own, IcmpBudget::kInside, obstacle, mtu, packet);
  if (answer == nullptr) return;
  const uint8_t* came_with = packet.data() - wire::kEthernetSize;
  LanTable::Mac sender;
  std::copy_n(came_with + sender.size(), sender.size(), sender.begin());
  char* link = rte_pktmbuf_prepend(answer, wire::kEthernetSize);
  wire::WriteEthernet(reinterpret_cast<uint8_t*>(link), sender, lan.mac(),
                      wire::LoadBe16(came_with + 12));
  SendAnswer(worker, *worker.options.lan, answer);
}

void AnswerPeer(Worker& worker, wire::Obstacle obstacle, uint16_t mtu,
                const Frame& packet) {
  if (worker.outbound.packets.full()) return;
  const IpAddress* own = worker.snapshot->Own(FamilyOf(packet.data));
  rte_mbuf* answer =
      MakeAnswer(worker, own != nullptr ? *own : InItsName(packet.data),
                 packet.peer, obstacle, mtu, {packet.data, packet.length});
  if (answer == nullptr) return;
  Frame out;
  out.mbuf = answer;
  out.data = rte_pktmbuf_mtod(answer, uint8_t*);
  out.length = answer->data_len;
  out.peer = packet.peer;
  worker.ledger.Made();
  worker.outbound.packets.Push(out);
  worker.counters.icmp_errors_sent.Add(1);
}

// In the name of whom the packet was for: a host takes nothing from an address
// of its own, and leads what it checks by the way back (RFC 3704) to the
// device.
void AnswerInside(Worker& worker, wire::Obstacle obstacle, uint16_t mtu,
                  const Frame& packet) {
  // A super-frame may go on in other buffers.
  const size_t here = std::min<size_t>(packet.length, packet.mbuf->data_len);
  rte_mbuf* answer =
      MakeAnswer(worker, InItsName(packet.data), IcmpBudget::kInside, obstacle,
                 mtu, {packet.data, here});
  if (answer != nullptr) SendAnswer(worker, *worker.options.tunnel, answer);
}

void AskForNeighbour(Worker& worker, Family family, const uint8_t* address) {
  Event event;
  event.kind = EventKind::kNoNeighbour;
  event.remote.address = IpAddress::FromBytes(family, address);
  if (!worker.lan->asked.ShouldAsk(event.remote.address, worker.now_us)) return;
  worker.Report(event);
}

}  // namespace lwt

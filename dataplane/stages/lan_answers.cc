// Tells hosts and peers that a packet goes no further, and why.
#include "dataplane/stages/lan_answers.h"

#include <algorithm>
#include <cstring>

#include "dataplane/wire/ethernet.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

Family FamilyOf(const uint8_t* packet) {
  return wire::IsIpv4(packet) ? Family::kIpv4 : Family::kIpv6;
}

// The error as an mbuf of its own that begins at its IP header; null when there
// is nothing to say, no buffer or too much was said already.
rte_mbuf* MakeAnswer(Worker& worker, const std::optional<IpAddress>& source,
                     wire::Obstacle obstacle, uint16_t mtu,
                     std::span<const uint8_t> packet) {
  if (!source || !worker.lan->icmp.Take(worker.now_us)) return nullptr;
  rte_mbuf* mbuf = rte_pktmbuf_alloc(worker.options.pool);
  if (mbuf == nullptr) return nullptr;
  char* room = rte_pktmbuf_append(mbuf, wire::kLargestObstacle);
  const std::span<uint8_t, wire::kLargestObstacle> out(
      reinterpret_cast<uint8_t*>(room), wire::kLargestObstacle);
  const auto size = wire::WriteObstacle(obstacle, mtu, *source, packet, out);
  if (!size) {
    rte_pktmbuf_free(mbuf);
    return nullptr;
  }
  rte_pktmbuf_trim(mbuf, static_cast<uint16_t>(wire::kLargestObstacle - *size));
  return mbuf;
}

}  // namespace

void AnswerLanHost(Worker& worker, const LanTable& lan, wire::Obstacle obstacle,
                   uint16_t mtu, std::span<const uint8_t> packet) {
  const Family family = FamilyOf(packet.data());
  const auto& own = lan.Own(family) ? lan.Own(family) : lan.OwnTunnel(family);
  rte_mbuf* answer = MakeAnswer(worker, own, obstacle, mtu, packet);
  if (answer == nullptr) return;
  const uint8_t* came_with = packet.data() - wire::kEthernetSize;
  LanTable::Mac sender;
  std::copy_n(came_with + sender.size(), sender.size(), sender.begin());
  char* link = rte_pktmbuf_prepend(answer, wire::kEthernetSize);
  wire::WriteEthernet(reinterpret_cast<uint8_t*>(link), sender, lan.mac(),
                      wire::LoadBe16(came_with + 12));
  if (worker.options.lan->Transmit({&answer, 1}) == 1) {
    worker.counters.icmp_errors_sent.Add(1);
  } else {
    rte_pktmbuf_free(answer);
  }
}

void AnswerPeer(Worker& worker, const LanTable& lan, wire::Obstacle obstacle,
                uint16_t mtu, const Frame& packet) {
  if (worker.outbound.packets.full()) return;
  rte_mbuf* answer = MakeAnswer(worker, lan.OwnTunnel(FamilyOf(packet.data)),
                                obstacle, mtu, {packet.data, packet.length});
  if (answer == nullptr) return;
  Frame out;
  out.mbuf = answer;
  out.data = rte_pktmbuf_mtod(answer, uint8_t*);
  out.length = answer->data_len;
  out.peer = packet.peer;
  worker.outbound.packets.Push(out);
  worker.counters.icmp_errors_sent.Add(1);
}

void AskForNeighbour(Worker& worker, Family family, const uint8_t* address) {
  Event event;
  event.kind = EventKind::kNoNeighbour;
  event.remote.address = IpAddress::FromBytes(family, address);
  if (!worker.lan->asked.ShouldAsk(event.remote.address, worker.now_us)) return;
  worker.Report(event);
}

}  // namespace lwt

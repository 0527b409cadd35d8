#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

constexpr size_t kTunnelBurst = 64;

}  // namespace

void Collect(Worker& worker, PacketBurst& packets) {
  std::array<rte_mbuf*, kTunnelBurst> mbufs;
  const size_t room = PacketBurst::kCapacity - packets.size();
  const size_t count = worker.options.tunnel->Receive(
      {mbufs.data(), std::min(room, mbufs.size())});
  if (count > 0) worker.worked = true;
  worker.counters.tunnel_rx_packets.Add(count);
  for (size_t i = 0; i < count; ++i) {
    Frame frame;
    frame.mbuf = mbufs[i];
    frame.data = rte_pktmbuf_mtod(mbufs[i], uint8_t*);
    frame.length = mbufs[i]->pkt_len;
    // A packet that needed more than one buffer is beyond any MTU we set.
    if (mbufs[i]->nb_segs > 1) {
      worker.Drop(frame, DropReason::kInnerTooBig);
      continue;
    }
    packets.Push(frame);
  }
}

}  // namespace lwt

#include "dataplane/pipeline.h"

#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

void RunInbound(Worker& worker) {
  Receive(worker);  // frames from the uplink
  Classify(worker,
           worker.inbound.records);  // TCP, and the records in each segment
  HandOver(worker, Handoff::Road::kFrames);       // flows of other workers
  Open(worker, worker.inbound.records);           // replay window, tag
  CountArrivals(worker, worker.inbound.records);  // what is missing
  FecDecode(worker, worker.inbound.records);      // what was lost comes back
  TakeMessages(worker, worker.inbound.records);   // reports, control records
  do {
    while (AdmitInner(worker, worker.inbound.records, worker.inbound.packets)) {
      Forward(worker, worker.inbound.packets);  // peer to peer, into Outbound
      DeliverLan(worker, worker.inbound.packets);  // to hosts of the LAN port
      Deliver(worker, worker.inbound.packets);     // to the tunnel device
    }
  } while (TakeRepaired(worker, worker.inbound.records));
  Acknowledge(worker);  // outer ACKs and retransmissions
}

void RunOutbound(Worker& worker) {
  Collect(worker, worker.outbound.packets);  // packets from the tunnel device
  CollectLan(worker, worker.outbound.packets);   // and from the LAN port
  Flood(worker, worker.outbound.packets);        // to all peers
  SelectRoute(worker, worker.outbound.packets);  // which peer, which lane
  HandOver(worker, Handoff::Road::kPackets);     // lanes of other workers
  Split(worker, worker.outbound.packets,
        worker.outbound.split);         // super-frames into packets
  Pack(worker, worker.outbound.split);  // small ones share a shard
  AwaitWindow(worker, worker.outbound.split,
              worker.outbound.ready);  // the peer's window
  FecEncode(worker, worker.outbound.ready,
            worker.outbound.coded);  // parities behind them
  Seal(worker, worker.outbound.coded);
  Encapsulate(worker, worker.outbound.coded);  // TCP, IP and link headers
  Transmit(worker);
}

}  // namespace lwt

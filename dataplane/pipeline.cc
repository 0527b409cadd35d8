#include "dataplane/pipeline.h"

#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

void RunInbound(Worker& worker) {
  Receive(worker);                   // frames from the uplink
  Classify(worker, worker.records);  // TCP, and the records in each segment
  HandOver(worker, Handoff::Road::kFrames);  // flows of other workers
  Open(worker, worker.records);              // replay window, tag
  CountArrivals(worker, worker.records);     // what is missing
  FecDecode(worker, worker.records);         // what was lost comes back
  TakeMessages(worker, worker.records);      // reports, control records
  do {
    while (AdmitInner(worker, worker.records, worker.inner)) {
      Forward(worker, worker.inner);     // peer to peer, into Outbound
      DeliverLan(worker, worker.inner);  // to hosts of the LAN port
      Deliver(worker, worker.inner);     // to the tunnel device
    }
  } while (TakeRepaired(worker, worker.records));
  Acknowledge(worker);  // outer ACKs and retransmissions
}

void RunOutbound(Worker& worker) {
  Collect(worker, worker.outbound);           // packets from the tunnel device
  CollectLan(worker, worker.outbound);        // and from the LAN port
  SelectRoute(worker, worker.outbound);       // which peer, which lane
  HandOver(worker, Handoff::Road::kPackets);  // lanes of other workers
  Split(worker, worker.outbound, worker.split);     // super-frames into packets
  Pack(worker, worker.split);                       // small ones share a shard
  AwaitWindow(worker, worker.split, worker.ready);  // the peer's window
  FecEncode(worker, worker.ready, worker.coded);    // parities behind them
  Seal(worker, worker.coded);
  Encapsulate(worker, worker.coded);  // TCP, IP and link headers
  Transmit(worker);
}

}  // namespace lwt

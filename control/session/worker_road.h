// The road between the sessions of a gateway and its workers: commands and
// readings, who gets what comes back, which lanes are free, and what all
// workers are to know of the peers.
//
// One for each gateway; outlives all its sessions. Control thread.
#pragma once

#include <cstdint>

#include "control/session/peer_table.h"
#include "control/workers/flow_owners.h"
#include "control/workers/lane_slots.h"
#include "control/workers/ordered_link.h"

namespace lwt::peer {

struct WorkerRoad {
  // Each of `workers` has `worker_lanes` lanes, and there are no more peers.
  WorkerRoad(WorkerLink& to_workers, PeerHost& host, uint32_t worker_lanes,
             uint32_t workers)
      : link(to_workers),
        owners(link),
        lanes(worker_lanes, workers),
        peers(link, host, lanes, worker_lanes, workers) {}

  OrderedLink link;
  FlowOwners owners;
  LaneSlots lanes;  // taken and given back by way of `peers`
  PeerTable peers;
};

}  // namespace lwt::peer

// The road between the sessions of a gateway and its workers: commands and
// readings, who gets what comes back, and which lanes are free.
//
// One for each gateway; outlives all its sessions. Control thread.
#pragma once

#include <cstdint>

#include "control/peer/flow_owners.h"
#include "control/peer/lane_slots.h"
#include "control/peer/worker_link.h"

namespace lwt::peer {

struct WorkerRoad {
  // Each of `workers` has `worker_lanes` lanes.
  WorkerRoad(WorkerLink& to_workers, uint32_t worker_lanes, uint32_t workers)
      : link(to_workers), owners(to_workers), lanes(worker_lanes, workers) {}

  WorkerLink& link;
  FlowOwners owners;
  LaneSlots lanes;
};

}  // namespace lwt::peer

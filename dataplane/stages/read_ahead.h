// Collect's part for a worker that is behind: what the tunnel device has is
// read into the queue of flows (device_queue.h), and taken from there.
#pragma once

#include "dataplane/lan_state.h"

namespace lwt {

class Worker;

// Reads on, twice what a turn seals at most.
void ReadAhead(Worker& worker);

// The next one that waits becomes what Collect goes on with. Of a queue that is
// not empty; false where it was dropped instead.
bool TakeAhead(Worker& worker, CollectedPackets& collected);

}  // namespace lwt

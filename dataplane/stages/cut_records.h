// Cutting a lane's stream into records, and joining a record that was cut on
// the way: by GRO, or by a middlebox that made segments of its own.
#pragma once

#include "dataplane/burst.h"

namespace lwt {

class Worker;

// Moves the records of `stream`, whose reference it takes, to `records`. What a
// full burst does not take stays in worker.received.rest. A record that begins
// here and ends in the next segment is held, within bounds, until that comes;
// bytes that neither begin a record nor continue a held one are dropped.
void CutRecords(Worker& worker, Frame stream, RecordBurst& records);

}  // namespace lwt

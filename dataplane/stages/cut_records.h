// Cutting a lane's stream into records, and joining a record that was cut on
// the way: by GRO, or by a middlebox that made segments of its own.
#pragma once

#include "dataplane/burst.h"

namespace lwt {

class Worker;

// Moves the records of `stream`, whose reference it takes, to `records`. What a
// full burst does not take stays in worker.inbound.received.rest. Of a record
// that begins or ends in another segment the part is kept, within bounds, until
// that comes, be it earlier or later in the stream. Where a hole hides the
// start of a record it is looked for: at the segment's start, else by what a
// record looks like, proved by its tag.
void CutRecords(Worker& worker, Frame stream, RecordBurst& records);

// Places in one segment that may be tried for the start of a record.
inline constexpr int kMaxCandidates = 3;
// Guesses of before that one segment may complete and have tried; others wait
// for the next.
inline constexpr int kMaxTries = 1;

}  // namespace lwt

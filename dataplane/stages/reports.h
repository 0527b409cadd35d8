// Reports: what the two ends of a lane tell each other of what came, and what
// follows from that (docs/protocol.md#report).
#pragma once

#include <cstdint>

#include "dataplane/burst.h"
#include "dataplane/names.h"

namespace lwt {

class Worker;

// Seals a report and queues it for the uplink. False, with the reason counted,
// where SendRecord is.
bool SendReport(Worker& worker, LaneIndex lane, uint32_t token,
                bool wants_answer, bool is_answer);

// Tells the peer of what it lost, where that is due.
void ReportLosses(Worker& worker, LaneIndex lane);

// Tells control what segments the lane's flow takes.
void TellPath(Worker& worker, LaneIndex lane);

// Follows an opened record of kind report. Takes the frame.
void TakeReport(Worker& worker, const Frame& record);

// The lane's line is full, or is so no more: the peer is told.
void FollowLine(Worker& worker, LaneIndex lane);

// Sends with the code that the lane's policy has chosen.
void ApplyPolicy(Worker& worker, LaneIndex lane);

}  // namespace lwt

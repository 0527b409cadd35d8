#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {

void Punt(Worker& worker, OpenedRecords& records) {
  size_t kept = 0;
  for (const Frame& frame : records.burst.frames()) {
    if (frame.lane != session::Lane::kNone) {
      records.burst.Keep(kept++, frame);
      continue;
    }
    PuntedStream punted;
    punted.frame = frame.mbuf;
    punted.flow = frame.flow;
    punted.offset = static_cast<uint32_t>(
        frame.data - rte_pktmbuf_mtod(frame.mbuf, uint8_t*));
    punted.length = frame.length;
    punted.stream_offset = frame.stream_offset;
    // Classify has seen to it that the ring has room.
    if (!worker.mailbox->Punt(punted)) {
      worker.Drop(frame, DropReason::kPuntFull);
      continue;
    }
    worker.counters.streams_punted.Add(1);
  }
  records.burst.Truncate(kept);
}

}  // namespace lwt

#include "dataplane/loop.h"

#include <algorithm>
#include <array>

#include "dataplane/commands.h"
#include "dataplane/pipeline.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"
#include "drivers/packet_pool.h"

namespace lwt {
namespace {

// How often, and of how many lanes at once, the figures of the outer flow are
// copied to where control reads them.
constexpr uint64_t kPublishUs = 10'000;
constexpr uint32_t kPublishLanes = 64;

void PublishFlow(Worker& worker, LaneIndex index) {
  const auto stats = worker.tcp.Stats(worker.lanes[index.value].flow);
  if (!stats) return;
  LaneCounters& counters = worker.lane_counters[index.value];
  counters.srtt_us.Set(stats->srtt_us);
  counters.retransmitted_segments.Set(stats->segments_retransmitted);
}

// A record of padding where one is due: records that fit the path as it is
// known would never show that it takes more.
void SearchPath(Worker& worker, LaneIndex index) {
  static constexpr std::array<uint8_t, PacketPool::kSmallRoom> kPadding = {};
  session::Lane& lane = worker.lanes[index.value];
  const uint32_t size =
      worker.tcp.SearchSize(lane.flow, lane.wants_larger, worker.now_us);
  if (size <= wire::kRecordOverhead) return;
  lane.wants_larger = false;
  SendRecord(worker, index, static_cast<uint8_t>(wire::RecordKind::kProbe),
             kPadding.data(), size - wire::kRecordOverhead);
}

void PublishFlows(Worker& worker) {
  if (worker.now_us - worker.figures.published_us < kPublishUs) return;
  worker.figures.published_us = worker.now_us;
  worker.counters.long_lists.Set(worker.tcp.totals().long_lists);
  const auto lanes = static_cast<uint32_t>(worker.lanes.size());
  for (uint32_t i = 0; i < std::min(lanes, kPublishLanes); ++i) {
    LaneIndex& lane = worker.figures.next_lane;
    lane.value = (lane.value + 1) % lanes;
    if (!worker.lanes[lane.value].installed) continue;
    PublishFlow(worker, lane);
    SearchPath(worker, lane);
  }
}

}  // namespace

void RunLoopOnce(Worker& worker) {
  worker.worked = false;
  worker.shares.Turn(worker.now_us);
  worker.outbound.shares.Turn(worker.now_us);
  RunCommands(worker);
  // After the commands, so that what was published before one was sent is
  // known when it has been carried out.
  worker.snapshot = worker.mailbox->snapshot();
  // Until control has published a first picture there is nothing to route by.
  if (worker.snapshot != nullptr) {
    RunInbound(worker);
    if (worker.now_us >= worker.tcp.NextDeadline()) {
      worker.tcp.OnTimer(worker.now_us, worker.tx);
      HandleFlowEvents(worker);
    }
    // Before what transmits, since it may send something.
    PublishFlows(worker);
    RunOutbound(worker);
  }
  if (worker.options.handoff != nullptr) {
    worker.options.handoff->WakeReceivers(worker.options.index);
  }
  worker.mailbox->KickControl();
  worker.mailbox->ReportQuiescent();
}

}  // namespace lwt

#include "dataplane/lane/flow_queues.h"

#include "dataplane/golden_ratio.h"
#include "drivers/check.h"

namespace lwt::session {
namespace {

// Flows that are looked at to find the largest one.
constexpr uint32_t kMostCompared = 16;

}  // namespace

FlowQueues::FlowQueues(uint32_t nodes, uint32_t lanes, int32_t turn)
    : turn_(turn),
      nodes_(nodes),
      flows_(kFlows + lanes),
      lines_(lanes),
      shares_(lanes) {
  for (uint32_t i = nodes; i-- > 0;) {
    nodes_[i].next = free_;
    free_ = i;
  }
  for (uint32_t lane = 0; lane < lanes; ++lane) {
    flows_[kFlows + lane].lane = {lane};
  }
}

// One that it had before keeps what CoDel knows of it.
uint32_t FlowQueues::FlowFor(LaneIndex lane, uint32_t hash) {
  const uint64_t key = (uint64_t{lane.value} << 32 | hash) * kGoldenRatio;
  const auto first = static_cast<uint32_t>(key >> 32);
  uint32_t unused = kNone;
  for (uint32_t i = 0; i < kPlaces; ++i) {
    const uint32_t place = (first + i) % kFlows;
    const Flow& flow = flows_[place];
    if (flow.lane == lane && flow.hash == hash) return place;
    if (flow.line == Line::kNone && unused == kNone) unused = place;
  }
  if (unused == kNone) return kFlows + lane.value;
  flows_[unused] = Flow{};
  flows_[unused].lane = lane;
  flows_[unused].hash = hash;
  return unused;
}

void FlowQueues::Append(Lines& lines, uint32_t index, Line line) {
  LineEnds& ends = line == Line::kFresh ? lines.fresh : lines.old;
  Flow& flow = flows_[index];
  flow.line = line;
  flow.next = kNone;
  (ends.head == kNone ? ends.head : flows_[ends.tail].next) = index;
  ends.tail = index;
}

void FlowQueues::PopFront(LineEnds& line) {
  Flow& flow = flows_[line.head];
  line.head = flow.next;
  if (line.head == kNone) line.tail = kNone;
  flow.line = Line::kNone;
}

void FlowQueues::LeaveLines(Lines& lines) {
  while (lines.fresh.head != kNone) PopFront(lines.fresh);
  while (lines.old.head != kNone) PopFront(lines.old);
}

void FlowQueues::Push(LaneIndex lane, uint32_t flow_hash,
                      const Waiting& waiting) {
  LWT_ASSERT(!full());
  const uint32_t taken = free_;
  free_ = nodes_[taken].next;
  nodes_[taken] = {waiting, kNone};
  const uint32_t index = FlowFor(lane, flow_hash);
  Flow& flow = flows_[index];
  (flow.head == kNone ? flow.head : nodes_[flow.tail].next) = taken;
  flow.tail = taken;
  flow.bytes += waiting.shard->pkt_len;
  if (flow.line == Line::kNone) {
    flow.turn = turn_;
    Append(lines_[lane.value], index, Line::kFresh);
  }
  shares_.Add(lane, 1);
}

FlowQueues::Waiting FlowQueues::TakeFront(LaneIndex lane, Flow& flow) {
  const uint32_t taken = flow.head;
  const Waiting waiting = nodes_[taken].waiting;
  flow.head = nodes_[taken].next;
  flow.bytes -= waiting.shard->pkt_len;
  nodes_[taken] = {{}, free_};
  free_ = taken;
  shares_.Remove(lane, 1);
  if (Empty(lane)) LeaveLines(lines_[lane.value]);
  return waiting;
}

std::optional<FlowQueues::Taken> FlowQueues::Take(LaneIndex lane, uint32_t room,
                                                  uint64_t now_us) {
  Lines& lines = lines_[lane.value];
  while (true) {
    const bool fresh = lines.fresh.head != kNone;
    LineEnds& line = fresh ? lines.fresh : lines.old;
    if (line.head == kNone) return std::nullopt;
    const uint32_t index = line.head;
    Flow& flow = flows_[index];
    if (flow.turn <= 0) {
      flow.turn += turn_;
      PopFront(line);
      Append(lines, index, Line::kOld);
      continue;
    }
    if (flow.head == kNone) {
      // A fresh one that comes back at once must not be fresh again.
      PopFront(line);
      if (fresh) Append(lines, index, Line::kOld);
      continue;
    }
    const Waiting& front = nodes_[flow.head].waiting;
    const uint32_t size = front.shard->pkt_len;
    const uint64_t waited_us = now_us - front.since_us;
    if (size > room && waited_us <= kMaxWaitUs) return std::nullopt;
    flow.turn -= static_cast<int32_t>(size);
    Taken taken{TakeFront(lane, flow)};
    if (flow.codel.Tells(waited_us, flow.bytes <= static_cast<uint32_t>(turn_),
                         now_us)) {
      taken.verdict = Verdict::kTell;
    }
    if (waited_us > kMaxWaitUs) taken.verdict = Verdict::kTooLate;
    return taken;
  }
}

LaneIndex FlowQueues::InTheWay(LaneIndex lane) const {
  const LaneIndex largest = shares_.Largest();
  if (largest != LaneIndex::kNone && held(largest) > held(lane) + 1) {
    return largest;
  }
  return Empty(lane) ? LaneIndex::kNone : lane;
}

FlowQueues::Waiting FlowQueues::TakeOfLargest(LaneIndex lane) {
  LWT_ASSERT(!Empty(lane));
  const Lines& lines = lines_[lane.value];
  Flow* largest = nullptr;
  uint32_t compared = 0;
  for (const LineEnds* line : {&lines.old, &lines.fresh}) {
    for (uint32_t i = line->head; i != kNone; i = flows_[i].next) {
      Flow& flow = flows_[i];
      if (flow.bytes == 0) continue;
      if (largest == nullptr || flow.bytes > largest->bytes) largest = &flow;
      if (++compared == kMostCompared) return TakeFront(lane, *largest);
    }
  }
  return TakeFront(lane, *largest);
}

}  // namespace lwt::session

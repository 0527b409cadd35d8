#include "control/workers/flow_owners.h"

namespace lwt::peer {
namespace {

bool IsOfLane(EventKind kind) {
  return kind == EventKind::kEpochDue || kind == EventKind::kEpochSpent ||
         kind == EventKind::kReportAnswer || kind == EventKind::kUnknownKind ||
         kind == EventKind::kPathChanged;
}

}  // namespace

uint32_t FlowOwners::NewToken(FlowOwner& owner) {
  do {
    ++last_token_;
  } while (last_token_ == 0 || by_token_.contains(last_token_));
  by_token_[last_token_] = &owner;
  return last_token_;
}

void FlowOwners::ForgetFlow(FlowId flow, const FlowOwner& owner) {
  const auto found = by_flow_.find(flow.value);
  if (found != by_flow_.end() && found->second == &owner) by_flow_.erase(found);
}

FlowOwner* FlowOwners::Of(const Event& event) const {
  switch (event.kind) {
    case EventKind::kFlowUp:
      return event.token == 0 ? acceptor_ : OfToken(event.token);
    case EventKind::kFlowDown:
      // A flow that was asked for and never came up is known by its token.
      return event.token == 0 ? OfFlow(event.flow) : OfToken(event.token);
    case EventKind::kResetHint:
    case EventKind::kStreamRoom:
    case EventKind::kStreamEnded:
      return OfFlow(event.flow);
    case EventKind::kNoNeighbour:
      return lan_;
    case EventKind::kEpochDue:
    case EventKind::kEpochSpent:
    case EventKind::kReportAnswer:
    case EventKind::kUnknownKind:
    case EventKind::kPathChanged:
      break;  // a lane's
  }
  return nullptr;
}

void FlowOwners::OnEvent(WorkerIndex from, const Event& event,
                         uint64_t now_us) {
  if (IsOfLane(event.kind)) {
    const LaneName lane{from, event.lane};
    if (FlowOwner* owner = OfLane(lane)) {
      owner->OnLaneEvent(lane, event, now_us);
    }
  } else if (FlowOwner* owner = Of(event)) {
    owner->OnEvent(event, now_us);
  } else if (event.kind == EventKind::kFlowUp) {
    link_.Send(ReleaseFlowCommand{event.flow});
  }
}

void FlowOwners::OnStream(const PuntedStream& stream, uint64_t now_us) {
  if (FlowOwner* owner = OfFlow(stream.flow)) owner->OnStream(stream, now_us);
}

void FlowOwners::OnRecord(WorkerIndex from, const PuntedRecord& record,
                          uint64_t now_us) {
  const LaneName lane{from, record.lane};
  if (FlowOwner* owner = OfLane(lane)) owner->OnRecord(lane, record, now_us);
}

}  // namespace lwt::peer

// Lets the outer TCP answer what came, and carries what its flows report.
#include "dataplane/stages/reports.h"
#include "dataplane/stages/stages.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

void ReportFlow(Worker& worker, const OuterTcp::Event& from, EventKind kind,
                uint8_t detail) {
  Event event;
  event.kind = kind;
  event.detail = detail;
  event.flow = from.flow;
  event.lane = from.user;
  // Only what ends the wait takes the token: a hint may come before.
  const bool answer =
      kind == EventKind::kFlowUp || kind == EventKind::kFlowDown;
  if (answer && !from.inbound) event.token = worker.TakeToken(from.flow);
  if (kind == EventKind::kStreamRoom) {
    event.value = worker.tcp.StreamLimit(from.flow);
  }
  if (kind == EventKind::kResetHint || kind == EventKind::kFlowUp) {
    const auto stats =
        worker.tcp.Stats(from.flow).value_or(OuterTcp::FlowStats{});
    event.value = kind == EventKind::kFlowUp ? stats.srtt_us : stats.rto_us;
  }
  event.leg = from.leg;
  event.local = from.local;
  event.remote = from.remote;
  worker.Report(event);
}

void FlowDown(Worker& worker, const OuterTcp::Event& event,
              FlowDownReason reason) {
  session::Lane* lane = worker.FindLane(event.user);
  if (lane != nullptr && lane->flow == event.flow) lane->flow_up = false;
  ReportFlow(worker, event, EventKind::kFlowDown, static_cast<uint8_t>(reason));
}

void HandleFlowEvent(Worker& worker, const OuterTcp::Event& event) {
  switch (event.type) {
    case OuterTcp::EventType::kEstablished:
      return ReportFlow(worker, event, EventKind::kFlowUp, 0);
    case OuterTcp::EventType::kForwardMoved:
      if (event.user != LaneIndex::kNone) {
        SendReport(worker, event.user, 0, /*wants_answer=*/false,
                   /*is_answer=*/false);
      }
      return;
    case OuterTcp::EventType::kLineChanged:
      if (event.user != LaneIndex::kNone) FollowLine(worker, event.user);
      return;
    case OuterTcp::EventType::kResetHint:
      return ReportFlow(worker, event, EventKind::kResetHint,
                        static_cast<uint8_t>(FlowHint::kReset));
    case OuterTcp::EventType::kUnanswered:
      return ReportFlow(worker, event, EventKind::kResetHint,
                        static_cast<uint8_t>(FlowHint::kUnanswered));
    case OuterTcp::EventType::kClosedByPeer:
      FlowDown(worker, event, FlowDownReason::kClosedByPeer);
      return worker.tcp.Close(event.flow, worker.now_us);
    case OuterTcp::EventType::kStreamRoom:
      return ReportFlow(worker, event, EventKind::kStreamRoom, 0);
    case OuterTcp::EventType::kStreamEnded:
      return ReportFlow(worker, event, EventKind::kStreamEnded, 0);
    case OuterTcp::EventType::kPathChanged:
      if (event.user != LaneIndex::kNone) TellPath(worker, event.user);
      return;
    case OuterTcp::EventType::kRefused:
      return FlowDown(worker, event, FlowDownReason::kRefused);
    case OuterTcp::EventType::kTimedOut:
      return FlowDown(worker, event, FlowDownReason::kTimedOut);
    case OuterTcp::EventType::kReleased:
      return FlowDown(worker, event, FlowDownReason::kClosed);
  }
}

}  // namespace

void HandleFlowEvents(Worker& worker) {
  while (const auto event = worker.tcp.PopEvent()) {
    HandleFlowEvent(worker, *event);
  }
}

void Acknowledge(Worker& worker) {
  if (worker.tx.room() < TxBatch::kCapacity / 2) Transmit(worker);
  // That a line is full has to be told before what was lost on it goes again.
  HandleFlowEvents(worker);
  worker.tcp.Flush(worker.now_us, worker.tx);
  HandleFlowEvents(worker);
}

}  // namespace lwt

// Sends and follows reports, and keeps each lane's code in step with them.
#include "dataplane/stages/reports.h"

#include <algorithm>

#include "dataplane/golden_ratio.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/be.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// How often a peer is told of losses.
constexpr uint64_t kReportUs = 250'000;
// How long behind a loss it is told of times without: they are what a full link
// is known by.
constexpr uint64_t kReportTailUs = 5'000'000;
// Records without loss that are worth a report, which is a packet too: a lone
// ping causes none.
constexpr uint64_t kWorthReporting = 64;
// Reports of one length, time and again, would show.
constexpr size_t kReportPadding = 128;

// Hangs on a secret of the lane; who sees the lengths learns no more by it.
size_t PaddingOf(const Worker& worker, const session::Lane& lane) {
  const uint64_t salt = wire::LoadBe64(&lane.send.iv[4]);
  const uint64_t seed = (salt ^ lane.send.next_packet) + worker.now_us;
  return seed * kGoldenRatio >> 32 & (kReportPadding - 1);
}

void FollowLosses(Worker& worker, LaneIndex index, const wire::Report& report) {
  LaneCounters& counters = worker.lane_counters[index.value];
  counters.peer_lost.Set(report.records_lost);
  counters.peer_repaired.Set(report.shards_repaired);
  counters.peer_unrepaired.Set(report.shards_unrepaired);
  session::Lane& lane = worker.lanes[index.value];
  const LineLoad* load = worker.tcp.LoadOf(lane.flow);
  const uint64_t full_us =
      load == nullptr ? 0 : load->full_until_us(worker.now_us);
  const uint64_t numbers = report.highest_packet + 1;
  lane.parity_budget.OnReport(
      {.records = numbers - std::min(numbers, report.records_lost),
       .sent_bytes = worker.tcp.SentBytes(lane.flow),
       .sent_records = lane.send.next_packet,
       .sent_parities = counters.parities_sent.Get(),
       .full_us = full_us},
      worker.now_us);
  // A record that was to show whether the path takes its size is no loss.
  const uint64_t tried = worker.tcp.SearchesLost(lane.flow);
  lane.policy.OnReport(
      {.numbers = numbers,
       .lost = report.records_lost - std::min(report.records_lost, tried),
       .bursts = report.loss_bursts - std::min(report.loss_bursts, tried),
       .unrepaired = report.shards_unrepaired,
       .full_us = full_us,
       .trip_us = load == nullptr ? 0 : load->floor_us(),
       .room = lane.parity_budget.share(worker.now_us)},
      worker.now_us);
  ApplyPolicy(worker, index);
}

// The answer to the lane's probe goes to control.
void TakeAnswer(Worker& worker, LaneIndex index, uint32_t token) {
  session::Lane& lane = worker.lanes[index.value];
  if (!lane.probe_pending || token != lane.probe_token) return;
  lane.probe_pending = false;
  Event event;
  event.kind = EventKind::kReportAnswer;
  event.token = token;
  event.lane = index;
  event.flow = lane.flow;
  event.value = worker.now_us - lane.probe_sent_us;
  worker.Report(event);
}

}  // namespace

bool SendReport(Worker& worker, LaneIndex index, uint32_t token,
                bool wants_answer, bool is_answer) {
  const session::Lane& lane = worker.lanes[index.value];
  wire::Report report;
  report.wants_answer = wants_answer;
  report.is_answer = is_answer;
  report.token = token;
  report.line_full = worker.LineIsFull(index);
  report.forward_point = worker.tcp.ForwardPoint(lane.flow);
  const uint64_t next = lane.receive.meter.next();
  report.highest_packet = next == 0 ? 0 : next - 1;
  report.records_received = lane.receive.records_opened;
  report.records_lost = lane.receive.meter.lost();
  report.loss_bursts = lane.receive.meter.bursts();
  report.shards_repaired =
      worker.lane_counters[index.value].shards_repaired.Get();
  report.shards_unrepaired =
      worker.lane_counters[index.value].shards_unrepaired.Get() +
      lane.receive.meter.resent_late();
  uint8_t bytes[wire::Report::kSize + kReportPadding] = {};
  wire::WriteReport(report, bytes);
  return SendRecord(worker, index,
                    static_cast<uint8_t>(wire::RecordKind::kReport), bytes,
                    wire::Report::kSize + PaddingOf(worker, lane));
}

// The peer's code follows what it is told; it hears of losses soon, of the rest
// only while it sends parities or has lost something lately.
void ReportLosses(Worker& worker, LaneIndex index) {
  session::ReceiveHalf& half = worker.lanes[index.value].receive;
  if (worker.now_us < half.report_due_us) return;
  if (half.meter.lost() != half.reported_lost) {
    half.report_until_us = worker.now_us + kReportTailUs;
  } else if ((!half.grouped && worker.now_us >= half.report_until_us) ||
             half.meter.next() - half.reported_next < kWorthReporting) {
    return;
  }
  half.report_due_us = worker.now_us + kReportUs;
  half.reported_lost = half.meter.lost();
  half.reported_next = half.meter.next();
  half.grouped = false;
  SendReport(worker, index, 0, /*wants_answer=*/false, /*is_answer=*/false);
}

void FollowLine(Worker& worker, LaneIndex index) {
  SendReport(worker, index, 0, /*wants_answer=*/false, /*is_answer=*/false);
}

void TakeReport(Worker& worker, const Frame& record) {
  const auto report = wire::ReadReport({record.data, record.length});
  if (!report) return worker.Drop(record, DropReason::kBadReport);
  worker.counters.reports_received.Add(1);
  worker.tcp.OnForwardPoint(worker.lanes[record.lane.value].flow,
                            report->forward_point);
  worker.lanes[record.lane.value].receive.line_full = report->line_full;
  FollowLosses(worker, record.lane, *report);
  if (report->wants_answer) {
    SendReport(worker, record.lane, report->token, /*wants_answer=*/false,
               /*is_answer=*/true);
  }
  if (report->is_answer) TakeAnswer(worker, record.lane, report->token);
  worker.ledger.Gone();
  rte_pktmbuf_free(record.mbuf);
}

void TellPath(Worker& worker, LaneIndex index) {
  const session::Lane& lane = worker.lanes[index.value];
  worker.lane_counters[index.value].segment_payload.Set(
      worker.tcp.MaxPayload(lane.flow));
  Event event;
  event.kind = EventKind::kPathChanged;
  event.lane = index;
  event.flow = lane.flow;
  worker.Report(event);
}

void ApplyPolicy(Worker& worker, LaneIndex index) {
  worker.outbound.encoder.SetParameters(
      index, worker.lanes[index.value].policy.parameters());
  const fec::Parameters& code = worker.outbound.encoder.parameters(index);
  LaneCounters& counters = worker.lane_counters[index.value];
  counters.fec_tx_data.Set(code.data);
  counters.fec_tx_parity.Set(code.parity);
  counters.fec_tx_stride.Set(code.on() ? code.stride : 0);
}

}  // namespace lwt

// Runs the outer TCP of each frame and finds out whose its payload is.
#include "dataplane/stages/cut_records.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/frame_view.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// What one frame can make the outer TCP answer, with room to spare.
constexpr size_t kRoomForAnswer = 8;
static_assert(kRoomForAnswer <= TxBatch::kCapacity);

// Stream bytes of a flow without a lane go to control, as a copy: whoever sent
// them has proved nothing, and keeps no buffer of ours. What finds no room is
// not accepted, so it is not acknowledged and comes again.
void Punt(Worker& worker, const Frame& frame,
          const OuterTcp::Received& received) {
  if (!worker.mailbox->PuntStream(received.flow, frame.stream_offset,
                                  {frame.data, frame.length})) {
    return worker.Drop(frame, DropReason::kPuntFull);
  }
  worker.worked = true;
  worker.ledger.Gone();
  worker.counters.streams_punted.Add(1);
  worker.tcp.Accept(received, worker.now_us, worker.tx);
  rte_pktmbuf_free(frame.mbuf);
}

void TakePayload(Worker& worker, rte_mbuf* mbuf,
                 const OuterTcp::Received& received, RecordBurst& records) {
  Frame frame;
  frame.mbuf = mbuf;
  frame.data = const_cast<uint8_t*>(received.payload.data());
  frame.length = static_cast<uint32_t>(received.payload.size());
  frame.stream_offset = received.stream_offset;
  if (frame.length == 0) {
    worker.ledger.Gone();
    worker.tcp.Accept(received, worker.now_us, worker.tx);
    rte_pktmbuf_free(mbuf);
    return;
  }
  if (received.user != LaneIndex::kNone) {
    worker.tcp.Accept(received, worker.now_us, worker.tx);
    frame.lane = received.user;
    return CutRecords(worker, frame, records);
  }
  Punt(worker, frame, received);
}

// A frame of no flow of ours may be one of another worker's. Only one that is
// nobody's is answered, and only where all frames of a flow come to one worker
// (docs/decisions/0017).
void DropOrHandOver(Worker& worker, Frame& frame, const wire::FrameView& view,
                    const OuterTcp::Received& received) {
  if (received.flow == kNullFlow) {
    const auto owner =
        worker.snapshot->flows.Find(FlowKey::Of(view.destination, view.source));
    if (owner && *owner != worker.options.index) {
      return worker.foreign.Push(frame, *owner);
    }
    if (!owner && worker.options.answers_strays &&
        worker.tcp.AnswerStray(view, worker.now_us, worker.tx)) {
      worker.counters.strays_reset.Add(1);
    }
  }
  worker.Drop(frame, received.reason);
}

bool ParseReceived(const Worker& worker, const rte_mbuf* mbuf,
                   wire::FrameView& view, DropReason& why) {
  const bool checksum_good = (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) ==
                             RTE_MBUF_F_RX_L4_CKSUM_GOOD;
  const std::span<const uint8_t> bytes = {
      rte_pktmbuf_mtod(mbuf, const uint8_t*), mbuf->data_len};
  const auto link_size = static_cast<uint8_t>(mbuf->l2_len);
  if (wire::ParseFrame(bytes, link_size, checksum_good, view, why)) return true;
  return why == DropReason::kBadChecksum &&
         worker.uplink->info().unfinished_checksums &&
         wire::IsChecksumUnfinished(bytes, link_size) &&
         wire::ParseFrame(bytes, link_size, /*checksum_good=*/true, view, why);
}

void ClassifyFrame(Worker& worker, rte_mbuf* mbuf, RecordBurst& records) {
  if (worker.tx.room() < kRoomForAnswer) Transmit(worker);
  worker.ledger.Made();
  Frame frame;
  frame.mbuf = mbuf;
  wire::FrameView view;
  view.leg = static_cast<uint8_t>(mbuf->port);
  DropReason why{};
  if ((mbuf->ol_flags & RTE_MBUF_F_RX_LRO) != 0) {
    worker.counters.uplink_rx_merged.Add(1);
  }
  if (!ParseReceived(worker, mbuf, view, why)) return worker.Drop(frame, why);
  const auto received = worker.tcp.Receive(view, worker.now_us, worker.tx);
  switch (received.verdict) {
    case OuterTcp::Verdict::kDropped:
      return DropOrHandOver(worker, frame, view, received);
    case OuterTcp::Verdict::kConsumed:
      worker.counters.segments_consumed.Add(1);
      worker.ledger.Gone();
      rte_pktmbuf_free(mbuf);
      return;
    case OuterTcp::Verdict::kPayload:
      return TakePayload(worker, mbuf, received, records);
  }
}

}  // namespace

void Classify(Worker& worker, RecordsInHand& records) {
  ReceivedFrames& received = worker.inbound.received;
  records.burst.Clear();
  records.next = 0;
  const StageCheck check(worker.ledger, records, worker.foreign);
  if (received.rest.length > 0) {
    const Frame rest = received.rest;
    received.rest = Frame{};
    worker.ledger.Made();
    CutRecords(worker, rest, records.burst);
  }
  while (received.next_reinjected < received.reinjected.size() &&
         received.rest.length == 0) {
    worker.ledger.Made();
    CutRecords(worker, received.reinjected.frames()[received.next_reinjected++],
               records.burst);
  }
  if (received.next_reinjected == received.reinjected.size()) {
    received.reinjected.Clear();
    received.next_reinjected = 0;
  }
  while (received.next < received.count && !records.burst.full()) {
    ClassifyFrame(worker, received.mbufs[received.next++], records.burst);
  }
  if (!records.burst.empty()) worker.worked = true;
}

}  // namespace lwt

#include "dataplane/commands.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <variant>

#include "dataplane/lane/lane.h"
#include "dataplane/stages/reports.h"
#include "dataplane/stages/stages.h"
#include "dataplane/wire/record.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// What one command can make the outer TCP send, except for a piece of a stream.
constexpr size_t kAnswerRoom = 16;
static_assert(kAnswerRoom <= TxBatch::kCapacity);
static_assert(OuterTcp::kStreamSegments <= TxBatch::kCapacity);

void SetSendKeys(const Aead& aead, session::SendHalf& half,
                 const EpochKeys& keys) {
  half.epoch = keys.epoch;
  half.epoch_first_packet = half.next_packet;
  half.due_reported = false;
  half.spent_reported = false;
  std::copy_n(keys.iv.data(), half.iv.size(), half.iv.begin());
  aead.ExpandKey(keys.key, half.key);
}

void SetReceiveKeys(const Aead& aead, session::ReceiveHalf& half,
                    const EpochKeys& keys) {
  auto& slot = half.At(session::EpochSlot::Of(keys.epoch));
  slot.held = true;
  slot.epoch = keys.epoch;
  std::copy_n(keys.iv.data(), slot.iv.size(), slot.iv.begin());
  aead.ExpandKey(keys.key, slot.key);
}

void ForgetWaiting(Worker& worker, LaneIndex lane) {
  session::FlowQueues& queues = worker.outbound.flow_queues;
  while (!queues.Empty(lane)) {
    rte_pktmbuf_free(queues.TakeOfLargest(lane).shard);
    worker.counters.Drop(DropReason::kNoLane);
  }
}

void ClearLane(Worker& worker, LaneIndex index) {
  ForgetWaiting(worker, index);
  std::erase(worker.outbound.waiting_lanes, index);
  worker.inbound.pieces.Release(
      index, [&worker](const CutPieces::Piece& piece) {
        worker.Drop(piece.frame, DropReason::kNoSession);
      });
  worker.outbound.encoder.Release(index);
  worker.inbound.decoder.Release(index);
  worker.lanes.Clear(index);
}

void FlowFailed(Worker& worker, FlowId flow, LaneIndex lane, uint32_t token) {
  Event event;
  event.kind = EventKind::kFlowDown;
  event.detail = static_cast<uint8_t>(FlowDownReason::kClosed);
  event.flow = flow;
  event.lane = lane;
  event.token = token;
  worker.Report(event);
}

// By what is set for its peer alone, and for all.
void TuneLane(Worker& worker, LaneIndex index) {
  session::Lane& lane = worker.lanes[index.value];
  const uint64_t rate = lane.own.rate.value_or(worker.tuning.rate);
  // What left while there was no rate is not charged.
  if (lane.peer_rate == 0 && rate != 0) lane.charged = 0;
  lane.peer_rate = rate;
  lane.peer_rate_in = lane.own.rate_in.value_or(worker.tuning.rate_in);
  lane.policy.SetSettings(lane.own.fec.value_or(worker.tuning.fec));
  ApplyPolicy(worker, index);
}

// How many bytes at the front are records whole and fit `room`; where the first
// does not, as many as fit.
size_t WholeRecords(std::span<const uint8_t> bytes, size_t room) {
  size_t whole = 0;
  while (true) {
    const auto size = wire::RecordSize(bytes.subspan(whole));
    if (!size || *size > std::min(bytes.size(), room) - whole) break;
    whole += *size;
  }
  return whole > 0 ? whole : std::min(bytes.size(), room);
}

// Copies stream bytes back into buffers, as if they had just come.
void Reinject(Worker& worker, LaneIndex lane, uint64_t stream_offset,
              std::span<const uint8_t> bytes) {
  ReceivedFrames& received = worker.inbound.received;
  while (!bytes.empty()) {
    if (received.reinjected.full()) {
      return worker.counters.Drop(DropReason::kPuntFull);
    }
    Frame frame;
    frame.mbuf = rte_pktmbuf_alloc(worker.options.pool);
    if (frame.mbuf == nullptr) {
      return worker.counters.Drop(DropReason::kPoolEmpty);
    }
    const size_t size = WholeRecords(bytes, rte_pktmbuf_tailroom(frame.mbuf));
    frame.data = reinterpret_cast<uint8_t*>(
        rte_pktmbuf_append(frame.mbuf, static_cast<uint16_t>(size)));
    std::memcpy(frame.data, bytes.data(), size);
    frame.length = static_cast<uint32_t>(size);
    frame.lane = lane;
    frame.stream_offset = stream_offset;
    received.reinjected.Push(frame);
    stream_offset += size;
    bytes = bytes.subspan(size);
  }
}

struct Runner {
  Worker& worker;

  // A walk over the lanes: once per frame that came between a client's last
  // handshake message and its lane.
  LaneIndex LaneOf(FlowId flow) const {
    for (uint32_t i = 0; i < worker.lanes.size(); ++i) {
      const session::Lane& lane = worker.lanes[i];
      if (lane.installed && lane.flow == flow) return {i};
    }
    return LaneIndex::kNone;
  }

  void operator()(const ListenCommand& command) {
    worker.tcp.SetListen(command.endpoints);
  }

  void operator()(const ConnectCommand& command) {
    if (!worker.MayConnect()) {
      return FlowFailed(worker, kNullFlow, LaneIndex::kNone, command.token);
    }
    const FlowId flow =
        worker.tcp.Connect({command.local, command.remote, command.link.span()},
                           worker.now_us, worker.tx);
    if (flow == kNullFlow) {
      return FlowFailed(worker, flow, LaneIndex::kNone, command.token);
    }
    worker.AwaitConnect(flow, command.token);
  }

  void operator()(const SendStreamCommand& command) {
    if (worker.tx.room() < OuterTcp::kStreamSegments) Transmit(worker);
    if (!worker.tcp.SendStream(command.flow, command.bytes, worker.now_us,
                               worker.tx)) {
      // A stream with a gap is of no use to anybody; the peer, which may be a
      // prober at the fallback, is told by a FIN, as by any server.
      worker.tcp.Close(command.flow, worker.now_us);
      worker.counters.streams_broken.Add(1);
      FlowFailed(worker, command.flow, LaneIndex::kNone, 0);
    }
  }

  void operator()(const SpliceCommand& command) {
    if (!worker.tcp.Splice(command.flow)) {
      FlowFailed(worker, command.flow, LaneIndex::kNone, 0);
    }
  }

  void operator()(const ConsumeCommand& command) {
    worker.tcp.ConsumeTo(command.flow, command.stream_offset);
  }

  void operator()(const CloseFlowCommand& command) {
    worker.tcp.Close(command.flow, worker.now_us);
  }

  void operator()(const ReleaseFlowCommand& command) {
    worker.tcp.Release(command.flow);
  }

  void operator()(const SetLinkCommand& command) {
    worker.tcp.SetLink(command.flow, command.link);
  }

  void operator()(const InstallLaneCommand& command) {
    const session::Lane* there = worker.FindLane(command.lane);
    if (there == nullptr || there->installed ||
        command.peer.value >= worker.options.max_lanes ||
        !worker.tcp.SetUser(command.flow, command.lane, command.peer)) {
      return FlowFailed(worker, command.flow, command.lane, 0);
    }
    session::Lane* const lane = &worker.lanes.Make(command.lane);
    lane->installed = true;
    lane->flow_up = worker.tcp.IsOpen(command.flow);
    lane->flow = command.flow;
    lane->peer = command.peer;
    SetSendKeys(worker.aead, lane->send, command.send);
    SetReceiveKeys(worker.aead, lane->receive, command.receive);
    worker.aead.ExpandMaskKey(command.send_mask, lane->send.mask);
    worker.aead.ExpandMaskKey(command.receive_mask, lane->receive.mask);
    worker.lane_counters[command.lane.value].Reset();
    lane->own = command.tuning;
    TuneLane(worker, command.lane);
    worker.lane_counters[command.lane.value].last_rx_us.Set(worker.now_us);
    TellPath(worker, command.lane);
  }

  void operator()(const RemoveLaneCommand& command) {
    const session::Lane* lane = worker.FindLane(command.lane);
    if (lane == nullptr || !lane->installed) return;
    const FlowId flow = lane->flow;
    ClearLane(worker, command.lane);
    if (command.close_flow) {
      worker.tcp.Close(flow, worker.now_us);
    } else {
      worker.tcp.Release(flow);
    }
  }

  void operator()(const InstallReceiveEpochCommand& command) {
    session::Lane* lane = worker.FindLane(command.lane);
    if (lane == nullptr || !lane->installed) return;
    SetReceiveKeys(worker.aead, lane->receive, command.keys);
  }

  void operator()(const SwitchSendEpochCommand& command) {
    session::Lane* lane = worker.FindLane(command.lane);
    if (lane == nullptr || !lane->installed) return;
    SetSendKeys(worker.aead, lane->send, command.keys);
  }

  void operator()(const RetireReceiveEpochCommand& command) {
    session::Lane* lane = worker.FindLane(command.lane);
    if (lane == nullptr || !lane->installed) return;
    auto& slot = lane->receive.At(session::EpochSlot::Of(command.epoch));
    if (slot.held && slot.epoch == command.epoch) {
      slot = session::ReceiveEpoch{};
    }
  }

  void operator()(const SendRecordCommand& command) {
    SendRecord(worker, command.lane, command.kind, command.bytes.data(),
               command.bytes.size());
  }

  void operator()(const ProbeLaneCommand& command) {
    session::Lane* lane = worker.FindLane(command.lane);
    if (lane == nullptr || !lane->up()) return;
    lane->probe_pending = true;
    lane->probe_token = command.token;
    lane->probe_sent_us = worker.now_us;
    SendReport(worker, command.lane, command.token, /*wants_answer=*/true,
               /*is_answer=*/false);
  }

  void operator()(const TellLossCommand& command) {
    session::Lane* lane = worker.FindLane(command.lane);
    if (lane == nullptr || !lane->installed) return;
    lane->policy.OnPeerLoss(command.loss, worker.now_us);
    ApplyPolicy(worker, command.lane);
  }

  void operator()(const ReinjectCommand& command) {
    const LaneIndex lane = LaneOf(command.flow);
    if (lane == LaneIndex::kNone) {
      return worker.counters.Drop(DropReason::kNoSession);
    }
    Reinject(worker, lane, command.stream_offset, command.bytes);
  }

  void operator()(const SwapUplinkCommand& command) {
    Transmit(worker);  // what was made for the port before
    worker.uplink = command.port;
    worker.tcp.SetPort(command.port->info().mtu, command.port->info().segments,
                       worker.now_us);
  }

  void operator()(const SetLinkMtuCommand& command) {
    worker.tcp.FollowLinkMtu(command.mtu, command.legs, worker.now_us);
  }

  void operator()(const TooBigCommand& command) {
    if (worker.tcp.OnTooBig(command.told)) {
      worker.counters.too_big_heeded.Add(1);
    }
  }

  void operator()(const TuneCommand& command) {
    worker.tuning = command.tuning;
    worker.outbound.encoder.SetWaits(command.tuning.fec_flush_us,
                                     command.tuning.fec.interleave_us);
    for (LaneIndex index{0}; index.value < worker.lanes.size(); ++index.value) {
      if (worker.lanes[index.value].installed) TuneLane(worker, index);
    }
  }

  void operator()(const TuneLaneCommand& command) {
    session::Lane* lane = worker.FindLane(command.lane);
    if (lane == nullptr || !lane->installed) return;
    lane->own = command.tuning;
    TuneLane(worker, command.lane);
  }
};

}  // namespace

void RunCommands(Worker& worker) {
  while (Command* command = worker.mailbox->NextCommand()) {
    worker.worked = true;
    if (worker.tx.room() < kAnswerRoom) Transmit(worker);
    std::visit(Runner{worker}, *command);
    worker.mailbox->Done(command);
  }
}

}  // namespace lwt

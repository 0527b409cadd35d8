// Segments of no flow: what a kernel answers in TIME-WAIT, in LISTEN and at a
// closed port (RFC 9293 §3.10.7.1, §3.10.7.2; docs/decisions/0017).
#include <algorithm>

#include "dataplane/flow/control_segment.h"
#include "dataplane/flow/outer_tcp.h"

namespace lwt {
namespace {

using wire::TcpSeq;

// A kernel knows no bound; ours keeps a flood from filling the uplink with
// answers.
constexpr uint32_t kResetsPerSecond = 1000;

// The explicit congestion bits are not for an answer.
constexpr uint8_t kNoCongestion = 0xfc;

uint32_t LengthOf(const wire::TcpView& tcp) {
  return static_cast<uint32_t>(tcp.payload.size()) +
         (tcp.Has(wire::kSyn) ? 1 : 0) + (tcp.Has(wire::kFin) ? 1 : 0);
}

// It answers no more; a tunnel's goes on to keep the RST back.
void Forget(ClosedFlow& closed) {
  if (closed.tunnel) {
    closed.kind = ClosedKind::kSilent;
  } else {
    ClosedFlows::Remove(closed);
  }
}

}  // namespace

void OuterTcp::SendReset(const Input& in, const FlowKey& key) {
  const uint64_t second = in.now_us / 1'000'000;
  if (second != reset_second_) {
    reset_second_ = second;
    resets_ = 0;
  }
  if (resets_ == kResetsPerSecond) return;
  ++resets_;
  const wire::TcpView& tcp = in.frame.tcp;
  ControlSegment segment{.link = in.frame.LinkBack(),
                         .flow_label = FlowLabel(key)};
  segment.traffic_class =
      static_cast<uint8_t>(in.frame.traffic_class & kNoCongestion);
  segment.tcp.flags = wire::kRst;
  if (tcp.Has(wire::kAck)) {
    segment.tcp.seq = tcp.ack;
  } else {
    segment.tcp.flags |= wire::kAck;
    segment.tcp.ack = tcp.seq + LengthOf(tcp);
  }
  if (Emit(MakeControlSegment(config_.pool, key, segment), in.out)) {
    ++totals_.resets_sent;
  }
}

bool OuterTcp::AnswerStray(const wire::FrameView& frame, uint64_t now_us,
                           TxBatch& out) {
  const Input in{frame, now_us, out};
  const FlowKey key = FlowKey::Of(frame.destination, frame.source);
  if (frame.tcp.Has(wire::kRst)) return false;
  if (table_.Find(key) != nullptr) return false;
  const ClosedFlow* closed = closed_.Find(key, now_us);
  if (closed != nullptr && closed->tunnel) return false;
  // What has neither ACK nor SYN is not answered by a listener; and a hub takes
  // frames for its endpoints a moment before it listens.
  const bool answered =
      IsListening(frame.destination) ? frame.tcp.Has(wire::kAck) : connected_;
  if (!answered) return false;
  const uint64_t before = totals_.resets_sent;
  SendReset(in, key);
  return totals_.resets_sent != before;
}

ClosedFlow OuterTcp::StateOf(const OuterFlow& flow) {
  ClosedFlow state;
  state.key = flow.key;
  state.snd_nxt = flow.SendSeq(flow.snd_nxt);
  state.rcv_nxt = flow.ReceiveSeq(flow.rcv_nxt);
  state.rcv_window = static_cast<uint32_t>(flow.rcv_right - flow.rcv_nxt);
  state.window = static_cast<uint16_t>(
      std::min<uint32_t>(65535, state.rcv_window >> flow.own_scale));
  state.ts_recent = flow.ts_recent;
  state.ts_offset = flow.ts_offset;
  state.flow_label = flow.flow_label;
  state.timestamps = flow.timestamps;
  state.tunnel = flow.proven();
  return state;
}

// Kept of a flow that ends. One whose peer closed first has nothing to wait
// for, and leaves nothing but a tunnel's mark.
void OuterTcp::RememberClosed(const OuterFlow& flow, uint64_t now_us) {
  if (flow.state != FlowState::kOpen) return;
  ClosedFlow closed = StateOf(flow);
  if (flow.fin_acked && !flow.closed_by_peer) {
    closed.kind =
        flow.fin_received ? ClosedKind::kTimeWait : ClosedKind::kFinWait;
  } else if (!flow.proven()) {
    return;
  }
  closed_.Add(closed, now_us);
}

void OuterTcp::AckOfClosed(ClosedFlow& closed, const Input& in) {
  const wire::TcpView& tcp = in.frame.tcp;
  const bool data = LengthOf(tcp) != 0 && !tcp.Has(wire::kSyn);
  if (!data) {
    if (closed.answered_us != 0 &&
        in.now_us - closed.answered_us < kInvalidRateUs) {
      return;
    }
    closed.answered_us = in.now_us;
  }
  SendLoneAck(closed, in);
}

// An ACK of a connection that has no socket.
void OuterTcp::SendLoneAck(const ClosedFlow& told, const Input& in) {
  ControlSegment segment{.link = in.frame.LinkBack(),
                         .flow_label = told.flow_label};
  segment.tcp.seq = told.snd_nxt;
  segment.tcp.ack = told.rcv_nxt;
  segment.tcp.flags = wire::kAck;
  segment.tcp.window = told.window;
  if (told.timestamps) {
    segment.tcp.options.timestamps = {
        static_cast<uint32_t>(in.now_us / 1000) + told.ts_offset,
        told.ts_recent};
  }
  Emit(MakeControlSegment(config_.pool, told.key, segment), in.out);
}

// As Linux treats a segment of a connection in TIME-WAIT or FIN-WAIT-2. True
// when nothing is left to do; a SYN that begins the connection again is for the
// listener, with an ISN beyond all that the old one sent.
bool OuterTcp::ReceiveClosed(ClosedFlow& closed, const Input& in,
                             std::optional<TcpSeq>& isn) {
  const wire::TcpView& tcp = in.frame.tcp;
  const auto& stamp = tcp.options.timestamps;
  const bool compares = closed.timestamps && stamp.has_value();
  const int32_t step =
      compares ? static_cast<int32_t>(stamp->value - closed.ts_recent) : 0;
  const bool old = step < 0;
  const int32_t ahead = tcp.seq - closed.rcv_nxt;
  const uint32_t length = LengthOf(tcp);
  if (closed.kind == ClosedKind::kFinWait) {
    return ReceiveFinWait(closed, in, old);
  }
  if (!old && ahead == 0 && (length == 0 || tcp.Has(wire::kRst))) {
    if (tcp.Has(wire::kRst)) {
      Forget(closed);
      return true;
    }
    if (compares) closed.ts_recent = stamp->value;
    closed.until_us = in.now_us + ClosedFlows::kKeepUs;
    return true;
  }
  if (tcp.Has(wire::kSyn) && !tcp.Has(wire::kRst | wire::kAck) && !old &&
      (ahead > 0 || step > 0)) {
    // Beyond what any window let the old one send.
    isn = closed.snd_nxt + 65537;
    Forget(closed);
    return false;
  }
  if (!tcp.Has(wire::kRst)) AckOfClosed(closed, in);
  return true;
}

bool OuterTcp::ReceiveFinWait(ClosedFlow& closed, const Input& in, bool old) {
  const wire::TcpView& tcp = in.frame.tcp;
  const auto size = static_cast<int64_t>(LengthOf(tcp));
  const int64_t ahead = tcp.seq - closed.rcv_nxt;
  if (old || ahead + size < 0 || ahead > closed.rcv_window) {
    if (!tcp.Has(wire::kRst)) AckOfClosed(closed, in);
    return true;
  }
  if (tcp.Has(wire::kRst)) {
    Forget(closed);
    return true;
  }
  const bool fresh = tcp.Has(wire::kAck) && size > 0 && ahead + size > 0;
  const bool syn = tcp.Has(wire::kSyn) && ahead >= 0;
  if (!fresh && !syn) return true;
  if (!syn && tcp.Has(wire::kFin) && ahead + size == 1) {
    closed.kind = ClosedKind::kTimeWait;
    closed.rcv_nxt = closed.rcv_nxt + 1;
    if (tcp.options.timestamps) {
      closed.ts_recent = tcp.options.timestamps->value;
    }
    closed.until_us = in.now_us + ClosedFlows::kKeepUs;
    AckOfClosed(closed, in);
    return true;
  }
  // Bytes for an application that is gone.
  if (!closed.tunnel) {
    SendReset(in, closed.key);
    Forget(closed);
  }
  return true;
}

}  // namespace lwt

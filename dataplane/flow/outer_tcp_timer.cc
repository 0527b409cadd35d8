// What a flow does when time has passed.
#include <algorithm>

#include "dataplane/flow/outer_tcp.h"

namespace lwt {
namespace {

// The timeout doubles with each try, but not beyond this: a tunnel wants to
// know soon that its path is back.
constexpr uint64_t kMaxBackoffUs = 4'000'000;
// Timeouts in a row that are worth telling, or fewer that took so long: where
// somebody made the round trip long, three would take half a minute.
constexpr uint8_t kUnansweredAfter = 3;
constexpr uint64_t kUnansweredUs = 2'000'000;
// Time that a peer may hold its ack of a lone segment, and some more.
constexpr uint64_t kProbeAloneUs = 50'000;
// A peer whose worker shares its core is late with an ack now and then; a probe
// for each such time would show.
constexpr uint64_t kProbeSlackUs = 10'000;

// Whether the timeout that came just now is the one that is told of.
bool IsTold(const OuterFlow& flow) {
  const auto waited_us = [&flow](uint32_t timeouts) {
    return uint64_t{flow.rto_us} * ((uint64_t{1} << timeouts) - 1);
  };
  return flow.backoff <= kUnansweredAfter &&
         waited_us(flow.backoff - 1u) < kUnansweredUs &&
         (flow.backoff == kUnansweredAfter ||
          waited_us(flow.backoff) >= kUnansweredUs);
}

}  // namespace

void OuterTcp::OnTimer(uint64_t now_us, TxBatch& out) {
  for (uint32_t slot = timers_.PopDue(now_us); slot != FlowTimers::kNone;
       slot = timers_.PopDue(now_us)) {
    OuterFlow& flow = table_.At(slot);
    OnFlowTimer(flow, now_us, out);
    if (flow.state != FlowState::kFree && flow.state != FlowState::kDead) {
      Rearm(flow);
    }
  }
}

void OuterTcp::OnFlowTimer(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  if (flow.state != FlowState::kOpen) {
    if (flow.rto_at_us <= now_us) OnSynTimer(flow, now_us, out);
    return;
  }
  if (flow.end_at_us <= now_us) {
    if (flow.fin_wanted) {
      if (flow.ack_now) SendAck(flow, now_us, out);
      RememberClosed(flow, now_us);
      Die(flow, EventType::kReleased);
      return;
    }
    StartClose(flow, now_us);
  }
  if (flow.ack_at_us <= now_us && !SendAck(flow, now_us, out)) {
    flow.ack_at_us = now_us + 1000;
  }
  if (flow.reorder_at_us <= now_us) {
    RetransmitLost(flow, now_us, out);
    SendUnsent(flow, now_us, out);
  }
  if (flow.rto_at_us <= now_us) {
    OnRetransmitTimer(flow, now_us, out);
  } else if (flow.probe_at_us <= now_us) {
    OnProbeTimer(flow, now_us, out);
  }
  CheckForward(flow, now_us);
}

// Puts the tail-loss probe two round trips after the latest send or ack.
void OuterTcp::ArmProbe(OuterFlow& flow, uint64_t now_us) {
  if (flow.sent.empty() || flow.srtt_us == 0 || flow.probed ||
      flow.backoff != 0) {
    return;
  }
  const bool alone = flow.sent.head() == flow.sent.tail();
  flow.probe_at_us = now_us + 2 * uint64_t{flow.srtt_us} +
                     (alone ? kProbeAloneUs : kProbeSlackUs);
}

// Tail-loss probe (RFC 8985 §7): the last segment once more, to learn of loss
// that no later segment reveals.
void OuterTcp::OnProbeTimer(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  flow.probe_at_us = OuterFlow::kNever;
  if (flow.sent.empty() || flow.probed) return;
  const SentSegment& tail = arena_.At(flow.sent.tail());
  // One that was sent again just now is a probe as well.
  const bool probes = now_us - tail.last_us < flow.srtt_us;
  if (probes || !SendsAgain(flow, flow.sent.tail())) return;
  // One that tries whether the path takes as much goes again in parts, and what
  // acknowledges those says nothing of it: it has the time of a timeout.
  if (tail.size > flow.max_payload && !tail.in_parts) return;
  flow.probed = true;
  if (Retransmit(flow, flow.sent.tail(), now_us, out)) {
    flow.rto_at_us = now_us + flow.rto_us;
  }
}

// How long the next try waits for an answer.
uint64_t OuterTcp::RetryAfter(const OuterFlow& flow) {
  return std::min(uint64_t{flow.rto_us} << flow.backoff,
                  std::max<uint64_t>(kMaxBackoffUs, flow.rto_us));
}

void OuterTcp::OnRetransmitTimer(OuterFlow& flow, uint64_t now_us,
                                 TxBatch& out) {
  flow.rto_at_us = OuterFlow::kNever;
  flow.probe_at_us = OuterFlow::kNever;
  GiveUpOld(flow, now_us);
  const bool fin_waits = flow.fin_sent && !flow.fin_acked;
  if (!Awaits(flow)) return ProbeWindow(flow, now_us, out);
  if (flow.backoff < 16) ++flow.backoff;
  if (IsTold(flow) && !flow.fin_wanted) Raise(flow, EventType::kUnanswered);
  flow.rto_at_us = now_us + RetryAfter(flow);
  SentArena::Position at = flow.sent.head();
  const bool again = at != SentArena::kNone && SendsAgain(flow, at);
  if (again || fin_waits) RenewFlowLabel(flow, now_us);
  // A SACK told that these bytes have arrived, and the ack does not pass them:
  // it was not the peer's word. They are gone, and the peer is told so.
  const uint64_t kept_from = KeptFrom(flow);
  if (kept_from > std::max(flow.snd_una, flow.forward)) {
    MoveForward(flow, kept_from, now_us);
  }
  if (at != SentArena::kNone && !again) {
    MoveForward(flow, arena_.At(flow.sent.tail()).end(), now_us);
    at = SentArena::kNone;
  }
  const bool lied = at != SentArena::kNone && arena_.At(at).sacked;
  while (at != SentArena::kNone && arena_.At(at).sacked && !lied) {
    at = arena_.At(at).next;
  }
  if (at != SentArena::kNone && SendsAgain(flow, at)) {
    NoteLost(flow, at, /*timeout=*/true, now_us);
    Retransmit(flow, at, now_us, out);
  }
  if (fin_waits) SendFin(flow, now_us, out);
}

// Asks for a report while the peer's ack stands below the forward point.
void OuterTcp::CheckForward(OuterFlow& flow, uint64_t now_us) {
  if (flow.forward_at_us > now_us) return;
  flow.forward_at_us = OuterFlow::kNever;
  if (flow.forward <= flow.snd_una || flow.fin_wanted) return;
  Raise(flow, EventType::kForwardMoved);
  flow.forward_told_us = now_us;
  flow.forward_at_us = now_us + 2 * uint64_t{flow.rto_us};
}

}  // namespace lwt

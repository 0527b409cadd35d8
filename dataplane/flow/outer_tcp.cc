#include "dataplane/flow/outer_tcp.h"

#include <algorithm>

namespace lwt {
namespace {

// Kept of the peer's window for reports, so that a hole that fills the window
// can always be reported: about fifty of them, but no more than a quarter of a
// small window.
constexpr uint64_t kReportReserve = 8192;
constexpr uint64_t kMostReserved = 4;

// Flows of a worker that may have more holes at once than their own list holds.
constexpr size_t kRangePlaces = 32;

// How long the last bytes of a spliced flow may take.
constexpr uint64_t kSplicedCloseUs = 60'000'000;

}  // namespace

OuterTcp::OuterTcp(const Config& config)
    : config_(config),
      hash_(config.secret),
      cookie_(hash_),
      table_(config.max_proven_flows + config.syn_backlog, hash_),
      closed_(config.closed_flows, hash_),
      timers_(table_.slot_count()),
      arena_(config.arena_bytes, table_.slot_count()),
      range_places_(kRangePlaces),
      peers_(table_.slot_count()),
      syn_budget_(config.syn_backlog),
      closing_(config.syn_backlog) {
  touched_.reserve(table_.slot_count());
  eventful_.reserve(table_.slot_count());
}

OuterTcp::~OuterTcp() {
  for (uint32_t slot = 0; slot < table_.slot_count(); ++slot) {
    DropUnsent(table_.At(slot));
  }
}

void OuterTcp::SetListen(std::span<const Endpoint> endpoints) {
  listen_count_ = std::min(endpoints.size(), kMaxListen);
  std::copy_n(endpoints.begin(), listen_count_, listen_.begin());
}

OuterFlow* OuterTcp::FindOpen(FlowId id) {
  OuterFlow* flow = table_.Find(id);
  if (flow == nullptr || flow->state != FlowState::kOpen) return nullptr;
  return flow->fin_wanted ? nullptr : flow;
}

FlowId OuterTcp::IdOf(const OuterFlow& flow) const {
  return FlowId::Of(table_.SlotOf(flow), flow.generation, config_.worker);
}

OuterFlow* OuterTcp::NewFlow(const FlowKey& key, const wire::LinkHeader& link,
                             uint64_t now_us) {
  if (totals_.unproven >= config_.syn_backlog) return nullptr;
  OuterFlow* flow = table_.Add(key);
  if (flow == nullptr) return nullptr;
  ++totals_.unproven;
  flow->header.SetLink(link);
  flow->ts_offset =
      static_cast<uint32_t>(hash_.Of(HashUse::kTimestampOffset, key));
  flow->ip_id = static_cast<uint16_t>(hash_.Of(HashUse::kIpId, key));
  RenewFlowLabel(*flow, now_us);
  return flow;
}

// Takes the flow out of all tables but its slot.
void OuterTcp::Retire(OuterFlow& flow) {
  if (flow.state == FlowState::kDead) return;
  while (!flow.sent.empty()) flow.sent.RemoveHead(arena_);
  DropUnsent(flow);
  if (flow.ranges.is_large()) range_places_.GiveBack(flow.ranges.Shrink());
  if (flow.state != FlowState::kOpen) --totals_.half_open;
  --(flow.proven() ? totals_.proven : totals_.unproven);
  if (!flow.proven() && flow.fin_wanted) --totals_.closing;
  timers_.Cancel(table_.SlotOf(flow));
  table_.Unindex(flow);
  flow.state = FlowState::kDead;
}

void OuterTcp::Die(OuterFlow& flow, EventType last) {
  Retire(flow);
  if (flow.announced) {
    Raise(flow, last);
  } else {
    table_.Free(flow);
  }
}

void OuterTcp::Release(FlowId id) {
  OuterFlow* flow = table_.Find(id);
  if (flow == nullptr) return;
  if (flow->proven()) RememberClosed(*flow, flushed_us_);
  Retire(*flow);
  flow->events = 0;
  table_.Free(*flow);
}

void OuterTcp::Raise(OuterFlow& flow, EventType type) {
  flow.announced = true;
  flow.events |= static_cast<uint16_t>(1u << static_cast<unsigned>(type));
  if (flow.eventful) return;
  flow.eventful = true;
  eventful_.push_back(table_.SlotOf(flow));
}

std::optional<OuterTcp::Event> OuterTcp::PopEvent() {
  while (!eventful_.empty()) {
    OuterFlow& flow = table_.At(eventful_.back());
    if (flow.events == 0) {
      eventful_.pop_back();
      flow.eventful = false;
      if (flow.state == FlowState::kDead) table_.Free(flow);
      continue;
    }
    const auto type = static_cast<EventType>(__builtin_ctz(flow.events));
    flow.events &= static_cast<uint16_t>(flow.events - 1);
    return Event{.type = type,
                 .inbound = flow.inbound,
                 .flow = IdOf(flow),
                 .user = flow.user,
                 .leg = flow.header.link().leg,
                 .local = flow.key.local(),
                 .remote = flow.key.remote()};
  }
  return std::nullopt;
}

void OuterTcp::Touch(OuterFlow& flow) {
  if (flow.touched) return;
  flow.touched = true;
  touched_.push_back(table_.SlotOf(flow));
}

void OuterTcp::Rearm(const OuterFlow& flow) {
  timers_.ArmBy(
      table_.SlotOf(flow),
      std::min({flow.rto_at_us, flow.probe_at_us, flow.ack_at_us,
                flow.reorder_at_us, flow.forward_at_us, flow.end_at_us}));
}

bool OuterTcp::SetUser(FlowId id, LaneIndex user, PeerIndex peer) {
  OuterFlow* flow = table_.Find(id);
  if (flow == nullptr || flow->state != FlowState::kOpen ||
      user == LaneIndex::kNone) {
    return false;
  }
  if (!flow->proven()) {
    if (totals_.proven >= config_.max_proven_flows) return false;
    ++totals_.proven;
    --totals_.unproven;
    totals_.unsent_unproven -= flow->CountUnsent();
    if (flow->fin_wanted) --totals_.closing;
    if (!flow->fin_wanted) flow->end_at_us = OuterFlow::kNever;
  }
  flow->user = user;
  peers_[id.slot()] = peer;
  return true;
}

void OuterTcp::StartClose(OuterFlow& flow, uint64_t now_us) {
  flow.fin_wanted = true;
  flow.end_at_us =
      now_us + (flow.spliced ? kSplicedCloseUs : config_.close_timeout_us);
  Touch(flow);
  Rearm(flow);
  if (!flow.proven()) CountClosing(flow, now_us);
  CheckFin(flow, now_us);
}

void OuterTcp::CountClosing(const OuterFlow& flow, uint64_t now_us) {
  if (closing_.full()) EndOldestClosing(now_us);
  closing_.Push(IdOf(flow));
  ++totals_.closing;
  while (totals_.closing > syn_budget_.closing) EndOldestClosing(now_us);
}

void OuterTcp::EndOldestClosing(uint64_t now_us) {
  OuterFlow* flow = table_.Find(closing_.Pop());
  if (flow == nullptr || flow->state != FlowState::kOpen || !flow->fin_wanted ||
      flow->proven()) {
    return;
  }
  RememberClosed(*flow, now_us);
  Die(*flow, EventType::kReleased);
}

void OuterTcp::Close(FlowId id, uint64_t now_us) {
  OuterFlow* flow = table_.Find(id);
  if (flow == nullptr || flow->fin_wanted) return;
  if (flow->state == FlowState::kOpen) {
    StartClose(*flow, now_us);
  } else if (flow->state != FlowState::kDead) {
    Die(*flow, EventType::kReleased);
  }
}

bool OuterTcp::IsOpen(FlowId id) { return FindOpen(id) != nullptr; }

uint32_t OuterTcp::Sendable(FlowId id) {
  OuterFlow* flow = FindOpen(id);
  if (flow == nullptr || flow->unsent != nullptr) return 0;
  // With nothing in flight there is no hole.
  const uint64_t in_flight = flow->snd_nxt - flow->snd_una;
  const uint64_t window = flow->snd_right - flow->snd_una;
  const uint64_t reserve =
      in_flight == 0 ? 0 : std::min(kReportReserve, window / kMostReserved);
  const uint64_t used = flow->snd_nxt + reserve;
  if (flow->snd_right <= used) {
    if (flow->snd_right <= flow->snd_nxt) AskForWindow(*flow, flushed_us_);
    return 0;
  }
  StopAsking(*flow);
  return static_cast<uint32_t>(flow->snd_right - used);
}

uint32_t OuterTcp::Window(FlowId id) {
  const OuterFlow* flow = FindOpen(id);
  if (flow == nullptr || flow->unsent != nullptr ||
      flow->snd_right <= flow->snd_nxt) {
    return 0;
  }
  return static_cast<uint32_t>(flow->snd_right - flow->snd_nxt);
}

uint32_t OuterTcp::Crowding(FlowId id) {
  const OuterFlow* flow = FindOpen(id);
  if (flow == nullptr) return 0;
  const uint64_t used = flow->snd_nxt - flow->snd_una;
  const uint64_t largest = std::min<uint64_t>(
      OuterFlow::kMaxWindow, uint64_t{UINT16_MAX} << flow->peer_scale);
  const uint64_t roomy = largest / 4;
  // Of what fills a round trip nothing was acknowledged.
  const bool has_hole = flow->fack > flow->snd_una + used / 4;
  if (used <= roomy || !has_hole) return 0;
  return static_cast<uint32_t>(
      std::min<uint64_t>(255, (used - roomy) * 256 / (largest - roomy)));
}

const LineLoad* OuterTcp::LoadOf(FlowId id) {
  const OuterFlow* flow = FindOpen(id);
  return flow == nullptr ? nullptr : &flow->line;
}

uint64_t OuterTcp::SentBytes(FlowId id) {
  const OuterFlow* flow = FindOpen(id);
  return flow == nullptr ? 0 : flow->snd_nxt;
}

uint32_t OuterTcp::MaxPayload(FlowId id) {
  const OuterFlow* flow = table_.Find(id);
  return flow == nullptr ? 0 : flow->max_payload;
}

uint64_t OuterTcp::ForwardPoint(FlowId id) {
  const OuterFlow* flow = table_.Find(id);
  return flow == nullptr ? 0 : std::max(flow->forward, flow->snd_una);
}

std::optional<OuterTcp::FlowStats> OuterTcp::Stats(FlowId id) {
  const OuterFlow* flow = table_.Find(id);
  if (flow == nullptr) return std::nullopt;
  return FlowStats{
      .local = flow->key.local(),
      .remote = flow->key.remote(),
      .inbound = flow->inbound,
      .srtt_us = flow->srtt_us,
      .rto_us = flow->rto_us,
      .segments_sent = flow->segments_sent,
      .bytes_sent = flow->snd_nxt - (flow->fin_sent ? 1 : 0),
      .segments_retransmitted = flow->segments_retransmitted,
      .segments_given_up = flow->segments_given_up,
      .segments_received = flow->segments_received,
      .bytes_received = flow->bytes_received,
      .bytes_in_flight = flow->snd_nxt - flow->snd_una,
      .peer_window = flow->snd_right - flow->snd_una,
  };
}

OuterTcp::Received OuterTcp::Drop(DropReason reason) {
  Received received;
  received.verdict = Verdict::kDropped;
  received.reason = reason;
  return received;
}

OuterTcp::Received OuterTcp::DropOf(const OuterFlow& flow,
                                    DropReason reason) const {
  Received received = Drop(reason);
  received.flow = IdOf(flow);
  received.user = flow.user;
  return received;
}

OuterTcp::Received OuterTcp::Consumed(const OuterFlow& flow) const {
  Received received;
  received.flow = IdOf(flow);
  received.user = flow.user;
  return received;
}

OuterTcp::Received OuterTcp::Receive(const wire::FrameView& frame,
                                     uint64_t now_us, TxBatch& out) {
  const Input in{frame, now_us, out};
  const FlowKey key = FlowKey::Of(frame.destination, frame.source);
  OuterFlow* flow = table_.Find(key);
  if (flow == nullptr) return ReceiveNew(in, key);
  switch (flow->state) {
    case FlowState::kSynSent:
      return ReceiveSynSent(*flow, in);
    case FlowState::kSynReceived:
      return ReceiveSynReceived(*flow, in);
    default:
      return ReceiveOpen(*flow, in);
  }
}

// A FIN ends an unproven flow, or one that we are closing ourselves, as a
// sealed close record makes us do. To any other it is what a RST is: a hint,
// which Accept has raised.
void OuterTcp::CheckFin(OuterFlow& flow, uint64_t now_us) {
  const bool believed = !flow.proven() || flow.fin_wanted;
  if (believed && !flow.fin_received && flow.rcv_nxt == flow.rcv_fin) {
    flow.fin_received = true;
    flow.closed_by_peer = !flow.fin_sent;
    ++flow.rcv_nxt;
    flow.rcv_right = std::max(flow.rcv_right, flow.rcv_nxt);
    flow.ack_now = true;
    Touch(flow);
    Raise(flow,
          flow.spliced ? EventType::kStreamEnded : EventType::kClosedByPeer);
  }
  // What comes late is answered by what RememberClosed keeps; so is the FIN of
  // a peer that nobody listens to any more.
  const bool abandoned = !flow.proven() && !flow.spliced;
  if (flow.fin_acked && (flow.fin_received || abandoned)) {
    flow.end_at_us = std::min(flow.end_at_us, now_us);
    Rearm(flow);
  }
}

}  // namespace lwt

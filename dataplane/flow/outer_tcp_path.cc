// The largest payload that the path takes: found from what is acknowledged and
// what is not, without a word of a router (packetization layer path MTU
// discovery, RFC 4821).
//
// A flow begins with what both MSS allow. Where a size of which none was ever
// acknowledged times out, or a segment and two repairs of it are lost and none
// as large came through since it was first sent, the flow goes a step down, and
// what is lost is sent again in parts. From there it looks upwards with its own
// data: one segment of the next size at a time, the first after a second and
// with the size it began with. A probe that is lost goes again in parts at
// once, and the next one waits twice as long, ten seconds at most.
#include <algorithm>
#include <array>

#include "dataplane/flow/outer_tcp.h"
#include "dataplane/wire/ip.h"

namespace lwt {
namespace {

// MTUs worth trying: links in use (RFC 1191 §7.1, PPPoE, tunnels over them) and
// what IPv6 asks of each link.
constexpr std::array<uint16_t, 9> kPathMtus = {600,  1006, 1280, 1400, 1428,
                                               1460, 1480, 1492, 1500};
// Steps down.
constexpr std::array<uint16_t, 3> kStepsDown = {1280, 1006, 600};
// The first copy and two repairs.
constexpr uint8_t kLostCopies = 3;
constexpr uint8_t kUnlikelyTimeouts = 2;
// Of a flow that is no tunnel, whose other end may want to know what we are: as
// Linux with net.ipv4.tcp_mtu_probing=1, which waits for tcp_retries1.
constexpr uint8_t kKernelTimeouts = 3;
constexpr uint64_t kGapUnitUs = 1'000'000;
// What opens is used within 15 s: this, and a step or two.
constexpr uint16_t kLongestGapS = 10;
// A size that came through after so long a wait shows a path that has changed,
// which is mostly what it was at first.
constexpr uint16_t kLongWaitS = 8;
// A probe that neither came nor was missed by then is forgotten.
constexpr uint64_t kProbeLifeUs = 10 * kGapUnitUs;
// Bytes sent since the last try that are worth another: an idle flow has no use
// for larger segments, unless what it is asked to carry is refused for its
// size.
constexpr uint64_t kWorthASearch = 8192;
// No router is believed that tells of less: 600 is what we go down to by
// ourselves, and a link of IPv6 takes 1280 (RFC 8200 §5).
constexpr uint16_t kLeastTold = kStepsDown.back();
constexpr uint16_t kLeastToldIpv6 = 1280;

uint16_t PayloadOf(const OuterFlow& flow, uint16_t mtu) {
  const size_t headers = flow.header.ip_size() + flow.header.tcp_size();
  return static_cast<uint16_t>(mtu - headers);
}

}  // namespace

void OuterTcp::NoteProven(OuterFlow& flow, uint16_t payload, uint64_t sent_us) {
  flow.proven_payload = payload;
  flow.proven_us = std::max(flow.proven_us, sent_us);
  if (payload <= flow.max_payload) return;
  // What was under way when the link became smaller is nothing to go by.
  payload = std::min(payload, LargestWorthIt(flow));
  if (payload <= flow.max_payload) return;
  flow.max_payload = payload;
  flow.probe_payload = 0;
  flow.search_from_top = flow.search_gap_s >= kLongWaitS;
  flow.search_gap_s = 1;
  flow.search_at_us = payload < LargestWorthIt(flow) ? flushed_us_ + kGapUnitUs
                                                     : OuterFlow::kNever;
  if (flow.proven()) Raise(flow, EventType::kPathChanged);
}

void OuterTcp::NoteLost(OuterFlow& flow, SentArena::Position at, bool timeout,
                        uint64_t now_us) {
  const SentSegment& lost = arena_.At(at);
  if (lost.size > flow.max_payload && !lost.in_parts) {
    const bool probe = flow.probe_payload != 0;
    if (probe && lost.offset == flow.probe_offset) {
      ++flow.searches_lost;
      EndProbe(flow, now_us);
    }
    return;
  }
  const bool told = flow.told_payload != 0 && flow.told_offset == lost.offset;
  const bool as_large_came =
      flow.proven_payload >= lost.size && flow.proven_us >= lost.first_us;
  if (told && !as_large_came &&
      flow.told_payload < std::min(lost.size, flow.max_payload)) {
    return StepTo(flow, flow.told_payload, now_us);
  }
  if (flow.spliced && flow.backoff < kKernelTimeouts) return;
  // A copy from before the last step was of another size: what a timeout finds
  // lost together is one sign.
  if (lost.last_us < flow.stepped_us) return;
  const uint16_t size = std::min(lost.size, flow.max_payload);
  // Below what nearly every path takes one timeout is not enough.
  const bool likely = size > PayloadOf(flow, kStepsDown.front()) ||
                      flow.backoff >= kUnlikelyTimeouts;
  const bool unproven = timeout && likely && size > flow.proven_payload;
  const bool vanished =
      lost.copies >= kLostCopies && flow.proven_us < lost.first_us;
  if (vanished && size < flow.proven_payload) {
    // Of those that came since only as large ones were noted: from now on those
    // of this size are, for one copy more.
    flow.proven_payload = size;
    return;
  }
  if (unproven || vanished) StepDown(flow, size, now_us);
}

void OuterTcp::StepDown(OuterFlow& flow, uint16_t lost, uint64_t now_us) {
  for (const uint16_t mtu : kStepsDown) {
    const uint16_t payload = PayloadOf(flow, mtu);
    if (payload >= lost) continue;
    return StepTo(flow, payload, now_us);
  }
}

void OuterTcp::StepTo(OuterFlow& flow, uint16_t payload, uint64_t now_us) {
  ++totals_.path_steps_down;
  flow.max_payload = payload;
  flow.stepped_us = now_us;
  flow.proven_payload = std::min(flow.proven_payload, payload);
  flow.probe_payload = 0;
  flow.told_payload = 0;
  flow.search_from_top = true;
  flow.search_gap_s = 1;
  flow.search_at_us = now_us + kGapUnitUs;
  if (flow.proven()) Raise(flow, EventType::kPathChanged);
}

void OuterTcp::EndProbe(OuterFlow& flow, uint64_t now_us) {
  flow.probe_payload = 0;
  flow.search_at_us = now_us + flow.search_gap_s * kGapUnitUs;
  flow.search_gap_s = std::min<uint16_t>(
      static_cast<uint16_t>(flow.search_gap_s * 2), kLongestGapS);
}

// By what lines like this take; the first search is for all that both MSS
// allow.
void OuterTcp::BeginSmall(OuterFlow& flow) const {
  if (config_.first_path_mtu == 0) return;
  const uint16_t payload = PayloadOf(flow, config_.first_path_mtu);
  if (payload >= flow.max_payload) return;
  flow.max_payload = payload;
  flow.search_from_top = true;
  flow.search_at_us = flushed_us_ + kGapUnitUs;
}

// What both MSS allow, the link takes and a buffer holds.
uint16_t OuterTcp::LargestWorthIt(const OuterFlow& flow) const {
  const auto room = static_cast<uint16_t>(
      rte_pktmbuf_data_room_size(config_.pool) - RTE_PKTMBUF_HEADROOM);
  return std::min({flow.most_payload,
                   PayloadOf(flow, LinkMtu(flow.header.link().leg)), room});
}

uint16_t OuterTcp::NextToTry(const OuterFlow& flow) const {
  const uint16_t most = LargestWorthIt(flow);
  if (flow.search_from_top) return most;
  for (const uint16_t mtu : kPathMtus) {
    const uint16_t payload = PayloadOf(flow, mtu);
    if (payload > flow.max_payload) return std::min(most, payload);
  }
  return most;
}

void OuterTcp::StartProbe(OuterFlow& flow, uint16_t payload, uint64_t now_us) {
  flow.search_from_top = false;
  flow.probe_payload = payload;
  flow.probe_offset = flow.snd_nxt;
  flow.search_at_us = now_us;
}

uint32_t OuterTcp::FirstPart(FlowId id, uint32_t size, uint64_t now_us) {
  OuterFlow* flow = FindOpen(id);
  if (flow == nullptr) return 0;
  if (flow->search_at_us > now_us) return flow->max_payload;
  if (flow->probe_payload != 0) {
    if (now_us - flow->search_at_us >= kProbeLifeUs) EndProbe(*flow, now_us);
    return flow->max_payload;
  }
  const uint32_t next = std::min<uint32_t>(NextToTry(*flow), size);
  if (next <= flow->max_payload) return flow->max_payload;
  StartProbe(*flow, static_cast<uint16_t>(next), now_us);
  return next;
}

uint32_t OuterTcp::SearchSize(FlowId id, bool wanted, uint64_t now_us) {
  OuterFlow* flow = FindOpen(id);
  if (flow == nullptr || flow->search_at_us > now_us) return 0;
  if (flow->probe_payload != 0) {
    if (now_us - flow->search_at_us >= kProbeLifeUs) EndProbe(*flow, now_us);
    return 0;
  }
  if (!wanted && flow->snd_nxt - flow->probe_offset < kWorthASearch) return 0;
  const uint32_t next = NextToTry(*flow);
  if (next <= flow->max_payload || flow->snd_right < flow->snd_nxt + next) {
    return 0;
  }
  return next;
}

uint64_t OuterTcp::SearchesLost(FlowId id) {
  const OuterFlow* flow = table_.Find(id);
  return flow == nullptr ? 0 : flow->searches_lost;
}

bool OuterTcp::OnTooBig(const wire::TooBig& told) {
  OuterFlow* flow = table_.Find(FlowKey::Of(told.local, told.remote));
  if (flow == nullptr || flow->state != FlowState::kOpen ||
      told.length <= told.mtu) {
    return false;
  }
  const bool ipv4 = told.local.address.family == Family::kIpv4;
  const uint16_t payload =
      PayloadOf(*flow, std::max(told.mtu, ipv4 ? kLeastTold : kLeastToldIpv6));
  const int64_t offset = flow->SendOffset(wire::TcpSeq(told.sequence));
  if (payload >= flow->max_payload ||
      offset < static_cast<int64_t>(flow->snd_una) ||
      offset >= static_cast<int64_t>(flow->snd_nxt)) {
    return false;
  }
  const auto at = static_cast<uint64_t>(offset);
  // Of several the one that is missed first.
  const bool held = flow->told_payload != 0 &&
                    flow->told_offset >= flow->snd_una &&
                    flow->told_offset < at;
  if (held) return true;
  flow->told_payload = payload;
  flow->told_offset = at;
  return true;
}

uint16_t OuterTcp::LinkMtu(uint8_t leg) const {
  const uint16_t own = leg < leg_mtus_.size() ? leg_mtus_[leg] : uint16_t{0};
  if (own == 0) return config_.link_mtu;
  return std::min(std::max(own, kLeastTold), config_.link_mtu);
}

// A flow by another interface from now on sends no more than that one takes.
void OuterTcp::SetLink(FlowId id, const wire::LinkHeader& link) {
  OuterFlow* flow = table_.Find(id);
  if (flow == nullptr) return;
  const bool moves = link.leg != flow->header.link().leg;
  flow->header.SetLink(link);
  if (!moves || flow->state != FlowState::kOpen) return;
  const uint16_t largest = LargestWorthIt(*flow);
  if (largest < flow->max_payload) StepTo(*flow, largest, flushed_us_);
}

void OuterTcp::FollowLinkMtu(uint16_t link_mtu, const LegMtus& legs,
                             uint64_t now_us) {
  const LegMtus legs_before = leg_mtus_;
  const uint16_t before = config_.link_mtu;
  config_.link_mtu = std::max(link_mtu, kLeastTold);
  leg_mtus_ = legs;
  const bool wider = config_.link_mtu > before || legs != legs_before;
  for (uint32_t slot = 0; slot < table_.slot_count(); ++slot) {
    OuterFlow& flow = table_.At(slot);
    const bool sends =
        flow.state == FlowState::kOpen || flow.state == FlowState::kSynReceived;
    if (!sends) continue;
    const uint16_t largest = LargestWorthIt(flow);
    if (largest < flow.max_payload) {
      StepTo(flow, largest, now_us);
    } else if (wider && largest > flow.max_payload) {
      flow.search_from_top = true;
      flow.search_gap_s = 1;
      flow.search_at_us = std::min(flow.search_at_us, now_us + kGapUnitUs);
    }
  }
}

}  // namespace lwt

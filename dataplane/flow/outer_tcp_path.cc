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
// once, and the next one waits twice as long, ten minutes at most.
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
constexpr uint16_t kLongestGapS = 600;
// A probe that neither came nor was missed by then is forgotten.
constexpr uint64_t kProbeLifeUs = 10 * kGapUnitUs;

uint16_t PayloadOf(const OuterFlow& flow, uint16_t mtu) {
  const size_t headers = flow.header.ip_size() + flow.header.tcp_size();
  return static_cast<uint16_t>(mtu - headers);
}

}  // namespace

void OuterTcp::NoteProven(OuterFlow& flow, uint16_t payload, uint64_t sent_us) {
  flow.proven_payload = payload;
  flow.proven_us = std::max(flow.proven_us, sent_us);
  if (payload <= flow.max_payload) return;
  flow.max_payload = payload;
  flow.probe_payload = 0;
  flow.search_gap_s = 1;
  flow.search_at_us = payload < flow.most_payload ? flushed_us_ + kGapUnitUs
                                                  : OuterFlow::kNever;
}

void OuterTcp::NoteLost(OuterFlow& flow, SentArena::Position at, bool timeout,
                        uint64_t now_us) {
  const SentSegment& lost = arena_.At(at);
  if (lost.size > flow.max_payload && !lost.in_parts) {
    const bool probe = flow.probe_payload != 0;
    if (probe && lost.offset == flow.probe_offset) EndProbe(flow, now_us);
    return;
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
    ++totals_.path_steps_down;
    flow.max_payload = payload;
    flow.stepped_us = now_us;
    flow.proven_payload = std::min(flow.proven_payload, payload);
    flow.probe_payload = 0;
    flow.search_from_top = true;
    flow.search_gap_s = 1;
    flow.search_at_us = now_us + kGapUnitUs;
    return;
  }
}

void OuterTcp::EndProbe(OuterFlow& flow, uint64_t now_us) {
  flow.probe_payload = 0;
  flow.search_at_us = now_us + flow.search_gap_s * kGapUnitUs;
  flow.search_gap_s = std::min<uint16_t>(
      static_cast<uint16_t>(flow.search_gap_s * 2), kLongestGapS);
}

uint32_t OuterTcp::FirstPart(FlowId id, uint32_t size, uint64_t now_us) {
  OuterFlow* flow = FindOpen(id);
  if (flow == nullptr) return 0;
  if (flow->search_at_us > now_us) return flow->max_payload;
  if (flow->probe_payload != 0) {
    if (now_us - flow->search_at_us >= kProbeLifeUs) EndProbe(*flow, now_us);
    return flow->max_payload;
  }
  uint32_t next = flow->most_payload;
  if (!flow->search_from_top) {
    for (const uint16_t mtu : kPathMtus) {
      const uint16_t payload = PayloadOf(*flow, mtu);
      if (payload <= flow->max_payload) continue;
      next = std::min<uint32_t>(next, payload);
      break;
    }
  }
  flow->search_from_top = false;
  next = std::min(next, size);
  flow->probe_payload = static_cast<uint16_t>(next);
  flow->probe_offset = flow->snd_nxt;
  flow->search_at_us = now_us;
  return next;
}

}  // namespace lwt

// What is sent again, and what no more: loss by time (RACK, RFC 8985), within
// bounds that keep a full line from being filled by repairs
// (docs/decisions/0005).
//
// A repair is paid for by what was acknowledged, byte for byte, half of that
// while the line is full: what goes out again is never more than what has come
// through. Each copy waits twice as long as the one before, and what comes too
// late for whoever waits for it inside is given up. The head after a timeout
// goes in any case.
#include <algorithm>

#include "dataplane/flow/outer_tcp.h"

namespace lwt {
namespace {

// Segments sent again for one flow at a time, and credit that is kept: a bound
// on what a burst of loss may cost others.
constexpr int kMaxRetransmits = 64;
constexpr uint64_t kTickUs = 1000;
// A repair is not repeated sooner.
constexpr uint64_t kLeastAgainUs = 10'000;
// Duplicate acks that mean loss (RFC 5681 §3.2).
constexpr uint64_t kDuplicateThreshold = 3;
// How long a stream goes on with bytes that nobody acknowledges.
constexpr uint64_t kStreamAgeUs = 60'000'000;
// What is repaired later than this, and than so many of the shortest round
// trips, is of no use: whoever waited for it inside has sent it again.
constexpr uint64_t kUsefulUs = 200'000;
constexpr uint64_t kUsefulTrips = 4;

// By the shortest round trip, since that of a full line has no bound.
bool IsOfNoUse(const OuterFlow& flow, const SentSegment& segment,
               uint64_t now_us) {
  if (!flow.line.stands()) return false;
  // Of a size that nothing tells to pass: what is lost may be the size's fault
  // (outer_tcp_path.cc), which its repairs find out.
  if (segment.size > flow.proven_payload || flow.proven_us < segment.first_us) {
    return false;
  }
  return now_us - segment.first_us >
         std::max(kUsefulUs, kUsefulTrips * flow.line.floor_us());
}

}  // namespace

// How much later than its successors a segment may come.
uint64_t OuterTcp::ReorderWindow(const OuterFlow& flow) const {
  const uint64_t quarter = std::max<uint64_t>(flow.min_rtt_us / 4, kTickUs);
  return std::min(flow.reorder_quarters * quarter,
                  std::max<uint64_t>(flow.srtt_us, kTickUs));
}

// A forward point passes all that is kept below it, so nothing is given up
// while bytes of a stream, which may not be, stand before it.
bool OuterTcp::ComesTooLate(const OuterFlow& flow, const SentSegment& segment,
                            uint64_t now_us) const {
  return arena_.At(flow.sent.head()).end() > flow.stream_end &&
         IsOfNoUse(flow, segment, now_us);
}

void OuterTcp::EarnRepairs(OuterFlow& flow, uint32_t bytes) {
  const uint32_t earned = flow.line.stands() ? bytes / 2 : bytes;
  const uint32_t most = kMaxRetransmits * uint32_t{flow.most_payload};
  flow.repair_credit = std::min(flow.repair_credit + earned, most);
}

// The newest segment is never given up by age, so that there is always one to
// learn by whether the path is back.
void OuterTcp::GiveUpOld(OuterFlow& flow, uint64_t now_us) {
  const uint64_t record_age =
      config_.forward_age_us + 4 * uint64_t{flow.rto_us};
  while (flow.sent.head() != flow.sent.tail()) {
    const SentSegment& head = arena_.At(flow.sent.head());
    const bool stream = head.end() <= flow.stream_end;
    if (now_us - head.first_us <= (stream ? kStreamAgeUs : record_age)) return;
    MoveForward(flow, head.end(), now_us);
  }
}

// Whether something that was sent later has arrived (RFC 8985 §6.2 step 5).
// Where that is a SACKed repair, it may have been the copy of before, which was
// sent earlier than what is in flight: it counts against what was sent again
// itself, and holes.
bool OuterTcp::IsOvertaken(const OuterFlow& flow, const SentSegment& segment) {
  if (flow.SentBefore(segment.last_us, segment.end())) return true;
  return segment.last_us <= flow.repair_us &&
         (segment.retransmitted || segment.end() <= flow.fack);
}

// When the segment is taken for lost, if it is overtaken. What was sent again
// waits for a round trip in the mean, whatever the latest one was, and twice as
// long each time.
uint64_t OuterTcp::LostAt(const OuterFlow& flow, const SentSegment& segment,
                          uint64_t now_us) const {
  const uint64_t reordering = ReorderWindow(flow);
  if (segment.retransmitted) {
    const uint64_t round_trip =
        std::max<uint64_t>({flow.rack_rtt_us, flow.srtt_us, kLeastAgainUs});
    // Of a line that is not full the first two were lost by chance.
    const int first = flow.line.stands() ? 1 : 2;
    const int doubled =
        std::clamp<int>(segment.copies - first, 0, SentList::kRepairs);
    return segment.last_us + ((round_trip + reordering) << doubled);
  }
  const bool certain =
      !flow.reordering &&
      flow.fack >= segment.end() + kDuplicateThreshold * flow.max_payload;
  return certain ? now_us : segment.last_us + flow.rack_rtt_us + reordering;
}

// Sends the segment again if it is lost by now. False where it is not, and none
// that was sent later is.
bool OuterTcp::RetransmitIfLost(OuterFlow& flow, SentArena::Position at,
                                uint64_t now_us, TxBatch& out) {
  const SentSegment& segment = arena_.At(at);
  if (!IsOvertaken(flow, segment)) return false;
  ++totals_.repair_steps;
  const uint64_t due = LostAt(flow, segment, now_us);
  if (due > now_us) {
    flow.reorder_at_us = std::min(flow.reorder_at_us, due);
    return false;
  }
  if (!SendsAgain(flow, at)) {
    const bool first = at == flow.sent.head();
    if (first) MoveForward(flow, segment.end(), now_us);
    return first;
  }
  if (ComesTooLate(flow, segment, now_us)) {
    MoveForward(flow, segment.end(), now_us);
    return true;
  }
  // An ack or a timeout goes on. The head needs no credit: it is one segment,
  // and where nothing passes it tells why (outer_tcp_path.cc).
  const bool paid =
      flow.repair_credit >= segment.size || at == flow.sent.head();
  if (!paid || segment.copies > SentList::kRepairs) return false;
  flow.repair_credit -= std::min<uint32_t>(flow.repair_credit, segment.size);
  NoteLost(flow, at, /*timeout=*/false, now_us);
  if (!Retransmit(flow, at, now_us, out)) {
    flow.reorder_at_us = now_us + kTickUs;
    return false;
  }
  BeginRecovery(flow);
  return true;
}

// Those sent once and those sent again so often, each in the order of sending,
// up to the first that nothing sent later has overtaken or whose time has not
// come. What was sent again too often holds nobody up: a timeout is left to it.
void OuterTcp::RetransmitLost(OuterFlow& flow, uint64_t now_us, TxBatch& out) {
  flow.reorder_at_us = OuterFlow::kNever;
  GiveUpOld(flow, now_us);
  int left = kMaxRetransmits;
  const auto repair = [&](SentArena::Position at) {
    if (at == SentArena::kNone) return false;
    if (left == 0 || out.full()) {
      flow.reorder_at_us = now_us + kTickUs;
      return false;
    }
    --left;
    return RetransmitIfLost(flow, at, now_us, out);
  };
  if (flow.repair_credit < flow.most_payload) repair(flow.sent.head());
  for (uint8_t rank = 0; rank < SentList::kRanks; ++rank) {
    while (repair(flow.sent.first_repaired(rank))) continue;
  }
  while (repair(flow.sent.FirstFresh(arena_))) continue;
}

}  // namespace lwt

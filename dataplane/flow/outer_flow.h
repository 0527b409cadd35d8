// The state of one outer TCP flow: a plain record that OuterTcp works on.
//
// Positions in the two streams are 64-bit offsets since the SYN, so nothing
// but the wire knows of 32-bit sequence numbers. Not much over 1 KiB, since a
// hub has ten thousand; what every segment touches lies first.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/flow/flow_id.h"
#include "dataplane/flow/flow_key.h"
#include "dataplane/flow/flow_template.h"
#include "dataplane/flow/flow_timers.h"
#include "dataplane/flow/line_load.h"
#include "dataplane/flow/receive_ranges.h"
#include "dataplane/flow/sent_list.h"
#include "dataplane/names.h"
#include "dataplane/wire/tcp_seq.h"

namespace lwt {

enum class FlowState : uint8_t {
  kFree,
  kSynSent,
  kSynReceived,
  kOpen,
  kDead,  // only its events are left
};

struct alignas(64) OuterFlow {
  static constexpr uint64_t kNever = FlowTimers::kNever;
  // No window is larger, and none goes further beyond the first hole.
  static constexpr uint32_t kMaxWindow = 16u << 20;
  // A kernel's initial window.
  static constexpr uint32_t kFirstRepairCredit = 10 * 1460;

  FlowKey key;
  uint64_t generation = 0;
  LaneIndex user;
  FlowState state = FlowState::kFree;
  bool inbound = false;
  bool timestamps = false;
  bool sack = false;
  uint8_t peer_scale = 0;
  uint8_t own_scale = 0;
  // Of a segment: what the path is known or hoped to take, what both MSS
  // allow, the largest that was acknowledged, and the one that is being tried
  // above max_payload at probe_offset, 0 for none. See outer_tcp_path.cc.
  uint16_t max_payload = 536;
  uint16_t most_payload = 536;
  uint16_t proven_payload = 0;
  uint16_t probe_payload = 0;
  uint16_t search_gap_s = 1;
  uint16_t told_payload = 0;  // by a router, of the segment at told_offset
  bool search_from_top = false;

  // The receiving half.
  uint64_t rcv_nxt = 0;    // all below has arrived or was given up
  uint64_t rcv_right = 0;  // right edge of the window as the peer knows it
  uint64_t rcv_high = 0;   // end of the highest byte that arrived
  uint64_t rcv_acked = 0;  // the ack last sent
  uint64_t rcv_fin = kNever;
  uint64_t consumed = 0;      // spliced: the relay took all below
  uint64_t hole_at = kNever;  // where the first hole was at the last arrival
  uint32_t rcv_window = 0;
  uint32_t ack_owed = 0;  // bytes in order since the ack last sent
  uint32_t ts_recent = 0;
  uint32_t ts_offset = 0;
  uint64_t ts_recent_us = 0;  // when ts_recent was told
  wire::TcpSeq dsack_left;
  wire::TcpSeq dsack_right;
  wire::TcpSeq irs;
  wire::TcpSeq iss;

  // The sending half. The FIN takes one offset.
  uint64_t snd_nxt = 0;
  uint64_t snd_una = 0;
  uint64_t snd_right = 0;
  uint64_t snd_max_window = 0;
  uint64_t forward = 0;     // no hole below is refilled
  uint64_t stream_end = 0;  // all below was handed over by SendStream
  // What waits for the peer's window, by mbuf::next; nothing is sent before it.
  rte_mbuf* unsent = nullptr;

  bool ack_now = false;
  bool touched = false;
  bool eventful = false;
  bool announced = false;  // an event told of it
  bool fin_wanted = false;
  bool fin_sent = false;
  bool fin_acked = false;
  bool fin_received = false;
  bool reordering = false;  // the path was seen to reorder
  bool starved = false;     // something waits for a closed window
  bool probed = false;      // the tail-loss probe of this round trip is sent
  bool spliced = false;     // see OuterTcp::Splice
  bool broken = false;      // spliced, and bytes of it are lost for good
  bool closed_by_peer = false;  // its FIN came before ours
  bool dsack = false;           // a duplicate is to be told of (RFC 2883)
  uint8_t ts_refused = 0;       // segments refused by their timestamps in a row
  uint8_t ahead = 0;  // acks in a row of more than was sent; see FollowAck
  uint8_t backoff = 0;
  uint8_t syn_tries = 0;
  uint16_t events = 0;  // bits of OuterTcp::EventType
  uint8_t quick_acks = 0;
  uint8_t prompt_acks = 0;      // duplicate acks sent at once for this hole
  uint8_t compressed_acks = 0;  // arrivals above it since the last ACK
  // The window for reordering (RFC 8985 §6.2 step 4), in quarters of the
  // shortest round trip: one more for a recovery with repair in vain, one
  // again after so many recoveries without.
  uint8_t reorder_quarters = 1;
  uint8_t reorder_recoveries = 0;
  bool recovering = false;    // until all below recovery_end is acknowledged
  bool reorder_grew = false;  // in the latest recovery
  uint16_t ip_id = 0;
  uint32_t flow_label = 0;  // IPv6; another after each timeout

  SentList sent;  // and not acknowledged
  // The highest SACKed offset; from fack_left on all below it is SACKed.
  uint64_t fack = 0;
  uint64_t fack_left = 0;
  // RACK (RFC 8985 §5.2): of the segments delivered, the one sent last; the
  // round trip that it took, when it was sent, where it ends.
  uint32_t rack_rtt_us = 0;
  uint64_t rack_us = 0;
  uint64_t rack_end = 0;
  // Of the repairs that were SACKed, when the one sent last was: perhaps that
  // copy has arrived, perhaps one before.
  uint64_t repair_us = 0;

  // Bytes that may be sent again: what is acknowledged earns them.
  uint32_t repair_credit = kFirstRepairCredit;
  uint64_t credit_halved_us = 0;
  LineLoad line;
  bool line_told_full = false;

  uint32_t srtt_us = 0;
  uint32_t rttvar_us = 0;
  uint32_t min_rtt_us = 0;
  uint32_t rto_us = 1'000'000;  // RFC 6298 §2.1

  uint64_t rto_at_us = kNever;
  uint64_t probe_at_us = kNever;
  uint64_t ack_at_us = kNever;
  uint64_t reorder_at_us = kNever;
  uint64_t forward_at_us = kNever;
  uint64_t forward_told_us = 0;
  uint64_t search_at_us = kNever;  // for a larger payload
  uint64_t proven_us = 0;          // when the newest of proven_payload was sent
  uint64_t stepped_us = 0;         // when max_payload was last made smaller
  uint64_t probe_offset = 0;
  uint64_t told_offset = 0;
  uint64_t searches_lost = 0;
  uint64_t end_at_us = kNever;  // proof or close has to be done by then
  uint64_t syn_sent_us = 0;
  uint64_t challenged_us = 0;  // when an invalid segment was last answered
  uint64_t ahead_from_us = 0;  // when the first of `ahead` came

  // Bytes of the measured round trip (dynamic right-sizing of the window).
  uint64_t measure_from_us = 0;
  uint32_t measured_bytes = 0;
  uint32_t earlier_bytes = 0;  // of the one before

  uint64_t segments_sent = 0;
  uint64_t segments_retransmitted = 0;
  uint64_t segments_given_up = 0;
  uint64_t segments_received = 0;
  uint64_t bytes_received = 0;

  FlowTemplate header;
  wire::TcpSeq recovery_end;  // snd_nxt when repair began; see `recovering`
  ReceiveRanges ranges;

  wire::TcpSeq SendSeq(uint64_t offset) const {
    return iss + 1 + static_cast<uint32_t>(offset);
  }
  wire::TcpSeq ReceiveSeq(uint64_t offset) const {
    return irs + 1 + static_cast<uint32_t>(offset);
  }
  // Our timestamp (RFC 7323) of that time.
  uint32_t Stamp(uint64_t now_us) const {
    return static_cast<uint32_t>(now_us / 1000) + ts_offset;
  }
  // Offsets of numbers from the wire; negative for what lies before the first
  // byte.
  int64_t ReceiveOffset(wire::TcpSeq seq) const {
    return static_cast<int64_t>(rcv_nxt) + (seq - ReceiveSeq(rcv_nxt));
  }
  int64_t SendOffset(wire::TcpSeq seq) const {
    return static_cast<int64_t>(snd_una) + (seq - SendSeq(snd_una));
  }
  // RFC 8985 §6.2: earlier than what RACK goes by.
  bool SentBefore(uint64_t sent_us, uint64_t end) const {
    return sent_us < rack_us || (sent_us == rack_us && end <= rack_end);
  }
  uint32_t CountUnsent() const {
    uint32_t count = 0;
    for (const rte_mbuf* at = unsent; at != nullptr; at = at->next) ++count;
    return count;
  }
  bool proven() const { return user != LaneIndex::kNone; }
  // Whether the next segment may have so many bytes more than max_payload: the
  // one that probe_payload was told for, no other of its size.
  bool Tries(uint32_t size) const {
    return size <= probe_payload && snd_nxt == probe_offset;
  }
  // Every segment carries the ack; only a pure ACK tells of ranges.
  void AckSent(bool told_ranges) {
    rcv_acked = rcv_nxt;
    ack_owed = 0;
    compressed_acks = 0;
    ack_at_us = kNever;
    if (told_ranges || (ranges.untold() == 0 && !dsack)) ack_now = false;
  }
};
static_assert(sizeof(OuterFlow) <= 1280);

}  // namespace lwt

// Why a frame was dropped. One list gives the enumerators, the names that
// `lwtctl status` shows, and the sentences that docs/observability.md repeats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "drivers/metric.h"

namespace lwt {

// X(enumerator, name, sentence)
#define LWT_DROP_REASONS(X)                                                    \
  X(kTruncated, "truncated", "The frame ends before its headers say it does.") \
  X(kMalformed, "malformed", "A link, IP or TCP header field is impossible.")  \
  X(kNotTcp, "not_tcp", "The frame is neither TCP over IPv4 nor over IPv6.")   \
  X(kFragment, "fragment", "The outer packet is an IP fragment.")              \
  X(kBadChecksum, "bad_checksum", "The outer IP or TCP checksum is wrong.")    \
  X(kNotForUs, "not_for_us", "The outer destination is not ours.")             \
  X(kNoFlow, "no_flow", "The segment belongs to no known outer flow.")         \
  X(kBadCookie, "bad_cookie", "The ACK carries no valid SYN cookie.")          \
  X(kFlowTableFull, "flow_table_full", "No slot was free for an outer flow.")  \
  X(kOutOfWindow, "out_of_window",                                             \
    "The segment lies outside the receive window (RFC 5961).")                 \
  X(kBadAck, "bad_ack", "The segment acknowledges bytes that were not sent.")  \
  X(kOldTimestamp, "old_timestamp",                                            \
    "The segment's timestamp went back (RFC 7323 PAWS).")                      \
  X(kResetHint, "reset_hint",                                                  \
    "A RST arrived; it is a hint and changes nothing by itself.")              \
  X(kPuntFull, "punt_full", "The ring of unproven bytes to control is full.")  \
  X(kSessionPuntFull, "session_punt_full",                                     \
    "The ring of session messages to control is full.")                        \
  X(kNoRecord, "no_record",                                                    \
    "Bytes that belong to no record: none was found to begin or go on there.") \
  X(kRecordCut, "record_cut",                                                  \
    "A record was cut and its other part did not arrive.")                     \
  X(kDuplicatePart, "duplicate_part", "A part of a cut record arrived again.") \
  X(kNoSession, "no_session", "The record's flow has no session.")             \
  X(kOverShare, "over_share",                                                  \
    "The worker was behind, and the peer had its share of its time.")          \
  X(kControlFlood, "control_flood",                                            \
    "The lane sent more control records than one may.")                        \
  X(kUnknownKind, "unknown_kind", "The record is of a kind we do not know.")   \
  X(kUnknownEpoch, "unknown_epoch", "No key of the record's epoch is held.")   \
  X(kReplayed, "replayed", "The packet number was opened before.")             \
  X(kTooOld, "too_old", "The packet number is left of the replay window.")     \
  X(kBadTag, "bad_tag", "The record's tag does not verify.")                   \
  X(kBadReport, "bad_report", "A report record is shorter than a report.")     \
  X(kBadGroup, "bad_group", "A record's place in an FEC group is impossible.") \
  X(kBadShard, "bad_shard", "A word in the shard points past its end.")        \
  X(kBadInner, "bad_inner", "The inner packet is not valid IPv4 or IPv6.")     \
  X(kInnerSource, "inner_source",                                              \
    "The inner source address is not one that this peer may use.")             \
  X(kOverRate, "over_rate", "The peer sent more than rate_in.")                \
  X(kLossShown, "loss_shown",                                                  \
    "Repaired after a loss on a full line, which its sender has to see.")      \
  X(kNoRoute, "no_route", "No peer is reached by the inner destination.")      \
  X(kIsolated, "isolated",                                                     \
    "client_isolation, or an entry [[peer]] that says isolated, keeps the "    \
    "packet from another client.")                                             \
  X(kMulticastLimit, "multicast_limit",                                        \
    "A multicast or broadcast packet was beyond its sender's rate, or had to " \
    "give way to others that waited.")                                         \
  X(kNotRoutable, "not_routable",                                              \
    "The inner destination is multicast, broadcast or link-local.")            \
  X(kNoLane, "no_lane", "The peer of the inner packet has no lane up.")        \
  X(kInnerTooBig, "inner_too_big",                                             \
    "The inner packet is larger than the session's MTU.")                      \
  X(kWindowFull, "window_full",                                                \
    "The peer's window was nearly full behind a hole, or had no room for a "   \
    "record.")                                                                 \
  X(kQueueStands, "queue_stands",                                              \
    "It left a queue that stands, so that its sender slows down (CoDel).")     \
  X(kWaitedTooLong, "waited_too_long",                                         \
    "It waited for a second for the peer's window or the rate.")               \
  X(kSendQueueFull, "send_queue_full",                                         \
    "send_queue packets waited to be sealed; the largest flow gave one.")      \
  X(kParityUnsent, "parity_unsent",                                            \
    "A parity found no room in the peer's window, or on a line that is "       \
    "known.")                                                                  \
  X(kEpochSpent, "epoch_spent",                                                \
    "The key epoch reached its hard limit before it was renewed.")             \
  X(kPoolEmpty, "pool_empty", "No packet buffer was free.")                    \
  X(kHandoffFull, "handoff_full",                                              \
    "The ring to the worker that has the flow or a lane is full.")             \
  X(kUplinkFull, "uplink_full", "The uplink took no more frames.")             \
  X(kTunnelFull, "tunnel_full", "The tunnel device took no more packets.")     \
  X(kTtlExpired, "ttl_expired",                                                \
    "The TTL or hop limit ended at this gateway, on its way to or from a "     \
    "LAN.")                                                                    \
  X(kNoNeighbour, "no_neighbour",                                              \
    "The LAN address has no known link-layer address yet; it is asked for.")   \
  X(kLanFull, "lan_full", "The LAN port took no more frames.")

enum class DropReason : uint8_t {
#define LWT_DROP_ENUMERATOR(enumerator, name, sentence) enumerator,
  LWT_DROP_REASONS(LWT_DROP_ENUMERATOR)
#undef LWT_DROP_ENUMERATOR
};

#define LWT_DROP_COUNT(enumerator, name, sentence) +1
inline constexpr size_t kDropReasonCount = 0 LWT_DROP_REASONS(LWT_DROP_COUNT);
#undef LWT_DROP_COUNT

// All are counters, in the order of the enumerators.
inline constexpr Metric kDropMetrics[] = {
#define LWT_DROP_METRIC(enumerator, name, sentence) \
  {name, MetricKind::kCounter, MetricUnit::kNumber, sentence},
    LWT_DROP_REASONS(LWT_DROP_METRIC)
#undef LWT_DROP_METRIC
};

inline std::string_view NameOf(DropReason reason) {
  return kDropMetrics[static_cast<size_t>(reason)].name;
}
inline std::string_view SentenceOf(DropReason reason) {
  return kDropMetrics[static_cast<size_t>(reason)].help;
}

// How a parser gives up: states why and is false.
inline bool Fail(DropReason reason, DropReason& why) {
  why = reason;
  return false;
}

}  // namespace lwt

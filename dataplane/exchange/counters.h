// Counters with one writer, the worker that owns them, and any number of
// readers, which see each value whole but no two of one instant.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string_view>

#include "dataplane/drop_reason.h"

namespace lwt {

class Counter {
 public:
  // By the owning worker only: a load, an add and a store, no locked bus cycle.
  void Add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n,
                 std::memory_order_relaxed);
  }
  void Set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// X(member, name, sentence)
#define LWT_WORKER_COUNTERS(X)                                              \
  X(busy_cycles, "busy_cycles", "TSC cycles of loop iterations with work.") \
  X(idle_cycles, "idle_cycles", "TSC cycles of iterations without work.")   \
  X(sleeps, "sleeps", "Times the worker slept on its descriptors.")         \
  X(uplink_rx_frames, "uplink_rx_frames", "Frames received by the uplink.") \
  X(uplink_rx_merged, "uplink_rx_merged",                                   \
    "Received frames that the kernel or NIC had merged.")                   \
  X(uplink_tx_frames, "uplink_tx_frames", "Frames given to the uplink.")    \
  X(uplink_tx_super_frames, "uplink_tx_super_frames",                       \
    "Super-frames among them: runs of segments that the uplink cuts.")      \
  X(segments_consumed, "segments_consumed",                                 \
    "Outer segments that carried no payload to hand up.")                   \
  X(strays_reset, "strays_reset",                                           \
    "Segments of no flow that were answered with a RST.")                   \
  X(streams_punted, "streams_punted",                                       \
    "Payloads of unproven flows handed to control.")                        \
  X(streams_broken, "streams_broken",                                       \
    "Flows closed since bytes of control's found no window or buffers.")    \
  X(records_opened, "records_opened", "Records whose tag verified.")        \
  X(records_joined, "records_joined",                                       \
    "Records put together that were cut on the way.")                       \
  X(records_found, "records_found",                                         \
    "Records found by search where a hole hid their beginning.")            \
  X(records_cut, "records_cut",                                             \
    "Records cut by us, since a middlebox lowered the MSS.")                \
  X(records_sealed, "records_sealed", "Records sealed.")                    \
  X(records_punted, "records_punted", "Opened records handed to control.")  \
  X(reports_received, "reports_received", "Report records received.")       \
  X(fec_unprotected, "fec_unprotected",                                     \
    "Shards that went without FEC for want of a block or a buffer.")        \
  X(forwarded_packets, "forwarded_packets",                                 \
    "Inner packets of one peer sent on to another.")                        \
  X(handed_over, "handed_over",                                             \
    "Frames and inner packets handed to another worker.")                   \
  X(taken_over, "taken_over",                                               \
    "Frames and inner packets taken from other workers.")                   \
  X(tunnel_rx_packets, "tunnel_rx_packets",                                 \
    "Inner packets taken from the tunnel device.")                          \
  X(tunnel_rx_super, "tunnel_rx_super",                                     \
    "Super-frames among them: many packets in one call.")                   \
  X(tunnel_tx_packets, "tunnel_tx_packets",                                 \
    "Inner packets given to the tunnel device.")                            \
  X(tunnel_tx_super, "tunnel_tx_super",                                     \
    "Super-frames among them: runs of one flow, merged.")                   \
  X(lan_rx_packets, "lan_rx_packets",                                       \
    "Inner packets taken from the LAN port for a peer.")                    \
  X(lan_rx_super, "lan_rx_super",                                           \
    "Super-frames among them: many packets in one call.")                   \
  X(lan_tx_packets, "lan_tx_packets", "Inner packets sent to the LAN.")     \
  X(lan_tx_super, "lan_tx_super",                                           \
    "Super-frames among them: runs of one flow, merged.")                   \
  X(lan_twin_frames, "lan_twin_frames",                                     \
    "Frames passed between a memif and its twin device, both ways.")        \
  X(icmp_errors_sent, "icmp_errors_sent",                                   \
    "Time exceeded and packet too big sent to LAN hosts and peers.")

struct alignas(64) WorkerCounters {
#define LWT_COUNTER_MEMBER(member, name, sentence) Counter member;
  LWT_WORKER_COUNTERS(LWT_COUNTER_MEMBER)
#undef LWT_COUNTER_MEMBER
  std::array<Counter, kDropReasonCount> drops;

  void Drop(DropReason reason, uint64_t n = 1) {
    drops[static_cast<size_t>(reason)].Add(n);
  }
};

// What FEC does on a lane; summed over the lanes of a peer.
// X(member, name, sentence)
#define LWT_FEC_COUNTERS(X)                                                \
  X(records_lost, "records_lost",                                          \
    "Records of the peer that did not come in their turn.")                \
  X(loss_bursts, "loss_bursts", "Runs of lost records.")                   \
  X(records_resent, "records_resent",                                      \
    "Lost records that came by retransmission.")                           \
  X(shards_repaired, "shards_repaired", "Lost data records given back.")   \
  X(shards_unrepaired, "shards_unrepaired",                                \
    "Lost data records of groups that were given up.")                     \
  X(parities_received, "parities_received", "Parity records received.")    \
  X(parities_sent, "parities_sent", "Parity records sent.")                \
  X(peer_lost, "peer_lost", "Records of ours that the peer reports lost.") \
  X(peer_repaired, "peer_repaired",                                        \
    "Data records of ours that the peer was given back.")                  \
  X(peer_unrepaired, "peer_unrepaired",                                    \
    "Data records of ours that FEC did not give back to the peer in time.")

// The codes in use; the largest of the lanes of a peer.
// X(member, name, sentence)
#define LWT_FEC_GAUGES(X)                                              \
  X(fec_tx_data, "fec_tx_data", "k that we send with, 0 without FEC.") \
  X(fec_tx_parity, "fec_tx_parity", "m that we send with.")            \
  X(fec_tx_stride, "fec_tx_stride", "Groups that take turns.")         \
  X(fec_rx_data, "fec_rx_data", "k of the last group received.")       \
  X(fec_rx_parity, "fec_rx_parity", "m of the last group received.")

// X(member, name, sentence)
#define LWT_LANE_COUNTERS(X)                                                 \
  X(rx_packets, "rx_packets", "Inner packets delivered or forwarded.")       \
  X(rx_bytes, "rx_bytes", "Their bytes.")                                    \
  X(tx_packets, "tx_packets", "Inner packets sealed.")                       \
  X(tx_bytes, "tx_bytes", "Their bytes.")                                    \
  X(records_opened, "records_opened", "Records whose tag verified.")         \
  X(records_sealed, "records_sealed", "Records sealed.")                     \
  X(last_rx_us, "last_rx_us", "Worker's clock when a record last verified.") \
  X(last_data_tx_us, "last_data_tx_us",                                      \
    "Worker's clock when inner traffic was last sealed, or had to wait.")    \
  X(srtt_us, "srtt_us",                                                      \
    "Smoothed round trip of the outer flow, 0 before the first sample.")     \
  X(retransmitted_segments, "retransmitted_segments",                        \
    "Outer segments sent again.")                                            \
  X(highest_receive_epoch, "highest_receive_epoch",                          \
    "Highest key epoch of a record that verified.")                          \
  LWT_FEC_COUNTERS(X)                                                        \
  LWT_FEC_GAUGES(X)

// Per lane; written by the lane's worker, read by control.
struct alignas(64) LaneCounters {
#define LWT_COUNTER_MEMBER(member, name, sentence) Counter member;
  LWT_LANE_COUNTERS(LWT_COUNTER_MEMBER)
#undef LWT_COUNTER_MEMBER

  // By the owning worker, when another lane takes the place.
  void Reset() {
#define LWT_COUNTER_RESET(member, name, sentence) member.Set(0);
    LWT_LANE_COUNTERS(LWT_COUNTER_RESET)
#undef LWT_COUNTER_RESET
  }
};

}  // namespace lwt

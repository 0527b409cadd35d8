// Counters with one writer, the worker that owns them, and any number of
// readers, which see each value whole but no two of one instant.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "dataplane/drop_reason.h"
#include "drivers/metric.h"

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

// X(member, kind, unit, help)
#define LWT_WORKER_METRICS(X)                                                 \
  X(busy_cycles, kCounter, kCycles,                                           \
    "TSC cycles of loop iterations with work.")                               \
  X(idle_cycles, kCounter, kCycles, "TSC cycles of iterations without work.") \
  X(sleeps, kCounter, kNumber, "Times the worker slept on its descriptors.")  \
  X(uplink_rx_frames, kCounter, kNumber, "Frames received by the uplink.")    \
  X(uplink_rx_merged, kCounter, kNumber,                                      \
    "Received frames that the kernel or NIC had merged.")                     \
  X(uplink_tx_frames, kCounter, kNumber, "Frames given to the uplink.")       \
  X(uplink_tx_super_frames, kCounter, kNumber,                                \
    "Super-frames among them: runs of segments that the uplink cuts.")        \
  X(segments_consumed, kCounter, kNumber,                                     \
    "Outer segments that carried no payload to hand up.")                     \
  X(long_lists, kCounter, kNumber,                                            \
    "Lists of holes in a peer's stream that took a larger place.")            \
  X(strays_reset, kCounter, kNumber,                                          \
    "Segments of no flow that were answered with a RST.")                     \
  X(streams_punted, kCounter, kNumber,                                        \
    "Payloads of unproven flows handed to control.")                          \
  X(streams_broken, kCounter, kNumber,                                        \
    "Flows closed since bytes of control's found no window or buffers.")      \
  X(records_opened, kCounter, kNumber, "Records whose tag verified.")         \
  X(records_joined, kCounter, kNumber,                                        \
    "Records put together that were cut on the way.")                         \
  X(records_found, kCounter, kNumber,                                         \
    "Records found by search where a hole hid their beginning.")              \
  X(records_cut, kCounter, kNumber,                                           \
    "Records cut by us, since a middlebox lowered the MSS.")                  \
  X(records_sealed, kCounter, kNumber, "Records sealed.")                     \
  X(records_punted, kCounter, kNumber, "Opened records handed to control.")   \
  X(reports_received, kCounter, kNumber, "Report records received.")          \
  X(fec_unprotected, kCounter, kNumber,                                       \
    "Shards that went without FEC for want of a block or a buffer.")          \
  X(forwarded_packets, kCounter, kNumber,                                     \
    "Inner packets of one peer sent on to another.")                          \
  X(multicast_copies, kCounter, kNumber,                                      \
    "Copies of multicast and broadcast packets made for peers.")              \
  X(handed_over, kCounter, kNumber,                                           \
    "Frames and inner packets handed to another worker.")                     \
  X(taken_over, kCounter, kNumber,                                            \
    "Frames and inner packets taken from other workers.")                     \
  X(tunnel_rx_packets, kCounter, kNumber,                                     \
    "Inner packets taken from the tunnel device.")                            \
  X(tunnel_rx_super, kCounter, kNumber,                                       \
    "Super-frames among them: many packets in one call.")                     \
  X(tunnel_tx_packets, kCounter, kNumber,                                     \
    "Inner packets given to the tunnel device.")                              \
  X(tunnel_tx_super, kCounter, kNumber,                                       \
    "Super-frames among them: runs of one flow, merged.")                     \
  X(lan_rx_packets, kCounter, kNumber,                                        \
    "Inner packets taken from the LAN port for a peer.")                      \
  X(lan_rx_super, kCounter, kNumber,                                          \
    "Super-frames among them: many packets in one call.")                     \
  X(lan_tx_packets, kCounter, kNumber, "Inner packets sent to the LAN.")      \
  X(lan_tx_super, kCounter, kNumber,                                          \
    "Super-frames among them: runs of one flow, merged.")                     \
  X(lan_twin_frames, kCounter, kNumber,                                       \
    "Frames passed between a memif and its twin device, both ways.")          \
  X(icmp_errors_sent, kCounter, kNumber,                                      \
    "ICMP errors sent to hosts of the inside, the LAN and peers.")            \
  X(packets_cut, kCounter, kNumber,                                           \
    "Inner IPv4 packets that were cut for a smaller MTU.")                    \
  X(packets_marked, kCounter, kNumber,                                        \
    "Inner packets marked (ECN), since their queue stands.")                  \
  X(mss_clamped, kCounter, kNumber,                                           \
    "SYNs of the inside whose MSS was lowered to what the tunnel takes.")     \
  X(too_big_heeded, kCounter, kNumber,                                        \
    "ICMP of routers about an outer segment in flight that was too large.")
LWT_READING(WorkerReading, LWT_WORKER_METRICS);

#define LWT_COUNTER_MEMBER(member, kind, unit, help) Counter member;
#define LWT_COUNTER_GET(member, kind, unit, help) member.Get(),
#define LWT_COUNTER_RESET(member, kind, unit, help) member.Set(0);

struct alignas(64) WorkerCounters {
  LWT_WORKER_METRICS(LWT_COUNTER_MEMBER)
  std::array<Counter, kDropReasonCount> drops;

  WorkerReading Read() const { return {LWT_WORKER_METRICS(LWT_COUNTER_GET)}; }
  void Drop(DropReason reason, uint64_t n = 1) {
    drops[static_cast<size_t>(reason)].Add(n);
  }
};

// What a lane carries, and its outer flow.
// X(member, kind, unit, help)
#define LWT_TRAFFIC_METRICS(X)                                               \
  X(rx_packets, kCounter, kNumber, "Inner packets delivered or forwarded.")  \
  X(rx_bytes, kCounter, kBytes, "Their bytes.")                              \
  X(tx_packets, kCounter, kNumber, "Inner packets sealed.")                  \
  X(tx_bytes, kCounter, kBytes, "Their bytes.")                              \
  X(records_opened, kCounter, kNumber, "Records whose tag verified.")        \
  X(records_sealed, kCounter, kNumber, "Records sealed.")                    \
  X(last_rx_us, kGauge, kMicroseconds,                                       \
    "Worker's clock when a record last verified.")                           \
  X(last_data_tx_us, kGauge, kMicroseconds,                                  \
    "Worker's clock when inner traffic was last sealed, or had to wait.")    \
  X(srtt_us, kGauge, kMicroseconds,                                          \
    "Smoothed round trip of the outer flow, 0 before the first sample.")     \
  X(retransmitted_segments, kCounter, kNumber, "Outer segments sent again.") \
  X(segment_payload, kGauge, kBytes,                                         \
    "Largest payload of a segment that the path takes, as far as is known.") \
  X(highest_receive_epoch, kGauge, kNumber,                                  \
    "Highest key epoch of a record that verified.")

// What FEC does on it; those that begin with peer_ are what the other side
// reports of what we send.
// X(member, kind, unit, help)
#define LWT_FEC_METRICS(X)                                                  \
  X(records_lost, kCounter, kNumber,                                        \
    "Records of the peer that did not come in their turn.")                 \
  X(loss_bursts, kCounter, kNumber, "Runs of lost records.")                \
  X(records_resent, kCounter, kNumber,                                      \
    "Lost records that came by retransmission.")                            \
  X(shards_repaired, kCounter, kNumber, "Lost data records given back.")    \
  X(shards_unrepaired, kCounter, kNumber,                                   \
    "Lost data records of groups that were given up.")                      \
  X(losses_shown, kCounter, kNumber,                                        \
    "Inner packets dropped or marked, since the peer's line is full.")      \
  X(parities_received, kCounter, kNumber, "Parity records received.")       \
  X(parities_sent, kCounter, kNumber, "Parity records sent.")               \
  X(peer_lost, kCounter, kNumber,                                           \
    "Records of ours that the peer reports lost.")                          \
  X(peer_repaired, kCounter, kNumber,                                       \
    "Data records of ours that the peer was given back.")                   \
  X(peer_unrepaired, kCounter, kNumber,                                     \
    "Data records of ours that FEC did not give back to the peer in time.") \
  X(fec_tx_data, kGauge, kNumber, "k that we send with, 0 without FEC.")    \
  X(fec_tx_parity, kGauge, kNumber, "m that we send with.")                 \
  X(fec_tx_stride, kGauge, kNumber, "Groups that take turns.")              \
  X(fec_rx_data, kGauge, kNumber, "k of the last group received.")          \
  X(fec_rx_parity, kGauge, kNumber, "m of the last group received.")

// Those of traffic come first.
#define LWT_LANE_METRICS(X) LWT_TRAFFIC_METRICS(X) LWT_FEC_METRICS(X)
LWT_READING(LaneReading, LWT_LANE_METRICS);
#define LWT_METRIC_COUNT(member, kind, unit, help) +1
inline constexpr size_t kTrafficMetrics =
    0 LWT_TRAFFIC_METRICS(LWT_METRIC_COUNT);

// Per lane; written by the lane's worker, read by control.
struct alignas(64) LaneCounters {
  LWT_LANE_METRICS(LWT_COUNTER_MEMBER)

  LaneReading Read() const { return {LWT_LANE_METRICS(LWT_COUNTER_GET)}; }
  // By the owning worker, when another lane takes the place.
  void Reset() { LWT_LANE_METRICS(LWT_COUNTER_RESET) }
};

}  // namespace lwt

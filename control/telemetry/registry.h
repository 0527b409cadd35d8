// The registry: every number that a gateway reports is in one of these lists,
// once, with its name, kind, unit and sentence. What prints a status takes them
// from here, and so does docs/observability.md, which a test compares.
//
// The lists of the layers below stand beside what they count: drops in
// dataplane/drop_reason.h, workers and lanes in dataplane/exchange/counters.h,
// ports in drivers/port.h. Here are those of control.
#pragma once

#include "dataplane/drop_reason.h"
#include "dataplane/exchange/counters.h"
#include "drivers/metric.h"
#include "drivers/port.h"

namespace lwt::telemetry {

// X(member, kind, unit, help)
#define LWT_GATEWAY_METRICS(X) \
  X(uptime_s, kGauge, kSeconds, "Since the gateway began to start.")
LWT_READING(GatewayReading, LWT_GATEWAY_METRICS);

#define LWT_UPLINK_METRICS(X) \
  X(link_mtu, kGauge, kBytes, "MTU of the interface.")
LWT_READING(UplinkReading, LWT_UPLINK_METRICS);

#define LWT_TUNNEL_METRICS(X) \
  X(mtu, kGauge, kBytes, "MTU of the tunnel device.")
LWT_READING(TunnelReading, LWT_TUNNEL_METRICS);

#define LWT_LAN_METRICS(X)       \
  X(neighbours, kGauge, kNumber, \
    "Hosts of the LAN whose link-layer address is known.")
LWT_READING(LanReading, LWT_LAN_METRICS);

// Of a session; null in the JSON where there is nothing yet.
#define LWT_PEER_METRICS(X)                                                  \
  X(rtt_us, kGauge, kMicroseconds, "Round trip to the peer.")                \
  X(last_handshake_s, kGauge, kSeconds, "Since the session was made.")       \
  X(last_heard_s, kGauge, kSeconds,                                          \
    "Since a record of the peer's last verified.")                           \
  X(mtu, kGauge, kBytes, "Largest inner packet that the session takes.")     \
  X(rate, kGauge, kNumber,                                                   \
    "Bits a second to the peer at most, 0 without a limit.")                 \
  X(rate_in, kGauge, kNumber,                                                \
    "Bits a second that are taken of the peer at most, 0 without a limit.")  \
  X(lanes, kGauge, kNumber, "Outer flows that the session has.")             \
  X(epoch, kGauge, kNumber, "Key epoch that records are sealed with.")       \
  X(rx_epochs, kCounter, kNumber, "Key epochs that can or could be opened.") \
  X(tx_epochs, kCounter, kNumber, "Key epochs that were sealed with.")       \
  X(route_lists, kCounter, kNumber, "Lists of networks that the peer sent.") \
  X(route_lists_overtaken, kCounter, kNumber,                                \
    "Those of them that were old, or that a newer one replaced unread.")
LWT_READING(PeerReading, LWT_PEER_METRICS);

#define LWT_POOL_METRICS(X)                                        \
  X(buffers, kGauge, kNumber, "Packet buffers that the pool has.") \
  X(in_use, kGauge, kNumber, "Those that are not free.")
LWT_READING(PoolReading, LWT_POOL_METRICS);

}  // namespace lwt::telemetry

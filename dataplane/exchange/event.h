// What a worker tells control: small events, and frames that only control can
// read. Both travel in rings of fixed size; a full ring is a counted drop.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/session/flow_id.h"
#include "drivers/ip_endpoint.h"

namespace lwt {

enum class EventKind : uint8_t {
  kFlowUp,        // three-way handshake done; `token` if Connect asked for it
  kFlowDown,      // timed out, refused, or closed by the peer: see `detail`
  kResetHint,     // a RST was seen on the lane's flow: probe it
  kEpochDue,      // the send epoch of `lane` passed its record limit
  kEpochSpent,    // … its hard limit: nothing more is sealed with it
  kReportAnswer,  // `value` = round trip in µs, `token` as asked
  kUnknownKind,   // the peer sent a record of kind `detail`
  kStreamRoom,    // spliced: `value` = stream offset up to which may be sent
  kStreamEnded,   // spliced: the peer will send nothing more
  kNoNeighbour,   // of `remote`, an address in the LAN: have it resolved
};

enum class FlowDownReason : uint8_t {
  kTimedOut,
  kRefused,
  kClosedByPeer,
  kClosed,
};

struct Event {
  EventKind kind{};
  uint8_t detail = 0;
  uint32_t token = 0;
  FlowId flow;
  uint32_t lane = 0;
  uint64_t value = 0;
  Endpoint local;   // kFlowUp
  Endpoint remote;  // kFlowUp, kNoNeighbour
};

// Stream bytes of a flow without a lane. Control owns the frame.
struct PuntedStream {
  rte_mbuf* frame = nullptr;
  FlowId flow;
  uint32_t offset = 0;  // of the bytes, from the mbuf's data
  uint32_t length = 0;
  uint32_t reserved = 0;
  uint64_t stream_offset = 0;  // since the flow's SYN

  const uint8_t* data() const {
    return rte_pktmbuf_mtod_offset(frame, const uint8_t*, offset);
  }
};

// An opened record of kind control or close. Control owns the frame.
struct PuntedRecord {
  rte_mbuf* frame = nullptr;
  uint32_t lane = 0;
  uint32_t offset = 0;
  uint32_t length = 0;
  uint8_t kind = 0;
  uint8_t reserved[3] = {};

  const uint8_t* data() const {
    return rte_pktmbuf_mtod_offset(frame, const uint8_t*, offset);
  }
};

}  // namespace lwt

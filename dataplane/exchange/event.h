// What a worker tells control: small events, and bytes that only control can
// read. Both travel in rings of fixed size; a full ring is a counted drop.
#pragma once

#include <cstdint>
#include <vector>

#include "dataplane/flow/flow_id.h"
#include "dataplane/names.h"
#include "drivers/ip_endpoint.h"

namespace lwt {

enum class EventKind : uint8_t {
  kFlowUp,        // three-way handshake done; `token` if Connect asked for it;
                  // `value` = its round trip in µs, 0 where it is not known
  kFlowDown,      // timed out, refused, or closed by the peer: see `detail`
  kResetHint,     // the flow may be dead: see `detail`; `value` = its
                  // retransmission timeout in µs
  kEpochDue,      // the send epoch of `lane` passed its record limit
  kEpochSpent,    // … its hard limit: nothing more is sealed with it
  kReportAnswer,  // `value` = round trip in µs, `token` as asked
  kUnknownKind,   // the peer sent a record of kind `detail`
  kStreamRoom,    // spliced: `value` = stream offset up to which may be sent
  kStreamEnded,   // spliced: the peer will send nothing more
  kPathChanged,   // the flow of `lane` takes another size of segments now
  kNoNeighbour,   // of `remote`, an address in the LAN: have it resolved
};

enum class FlowDownReason : uint8_t {
  kTimedOut,
  kRefused,
  kClosedByPeer,
  kClosed,
};

// What says that a flow may be dead.
enum class FlowHint : uint8_t {
  kReset,       // a RST or FIN that a kernel would obey
  kUnanswered,  // nothing of ours is acknowledged
};

struct Event {
  EventKind kind{};
  uint8_t detail = 0;
  uint32_t token = 0;
  FlowId flow;
  LaneIndex lane;
  uint64_t value = 0;
  uint8_t leg = 0;  // kFlowUp: of the uplink, by which the flow goes
  Endpoint local;   // kFlowUp
  Endpoint remote;  // kFlowUp, kNoNeighbour
};

// Stream bytes of a flow without a lane: a copy, so that nothing unproven holds
// a packet's buffer.
struct PuntedStream {
  FlowId flow;
  uint64_t stream_offset = 0;  // since the flow's SYN
  std::vector<uint8_t> bytes;

  uint64_t end() const { return stream_offset + bytes.size(); }
};

// The content of an opened record of kind control or close, copied as well.
struct PuntedRecord {
  LaneIndex lane;
  uint8_t kind = 0;
  std::vector<uint8_t> bytes;
};

}  // namespace lwt

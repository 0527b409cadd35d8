// What control asks of a worker. Commands are made and freed by control; the
// worker carries each out once, in order, between two bursts, and hands the
// object back. Nothing here blocks a worker.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <variant>
#include <vector>

#include "dataplane/exchange/tuning.h"
#include "dataplane/flow/flow_id.h"
#include "dataplane/lane/peer_tuning.h"
#include "dataplane/names.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/too_big.h"
#include "drivers/ip_endpoint.h"
#include "drivers/port.h"
#include "drivers/secret_bytes.h"

namespace lwt {

// Key material of one lane, direction and epoch (docs/protocol.md#keys). It
// lies in locked memory, is made and wiped by control, and only read by the
// worker.
struct EpochKeys {
  uint32_t epoch = 0;
  SecretBytes<32> key;
  SecretBytes<12> iv;
};

using MaskSecret = SecretBytes<32>;

// Accept SYNs at these local endpoints, and at no other.
struct ListenCommand {
  std::vector<Endpoint> endpoints;
};

// Open an outer flow. The answer is an Event with the same token: kFlowUp, or
// kFlowDown when it failed.
struct ConnectCommand {
  uint32_t token = 0;
  Endpoint local;
  Endpoint remote;
  wire::LinkHeader link;
  WorkerIndex worker;  // that is to have the flow
};

// Send handshake bytes, or a relay's, on a flow that carries no lane. Where
// window or buffers are short the flow is closed, with kFlowDown.
struct SendStreamCommand {
  FlowId flow;
  std::vector<uint8_t> bytes;
};

// A relay reads and writes the flow's stream from now on. Answered by
// kStreamRoom, or by kFlowDown when the flow is gone.
struct SpliceCommand {
  FlowId flow;
};

// The relay has taken all below `stream_offset`.
struct ConsumeCommand {
  FlowId flow;
  uint64_t stream_offset = 0;
};

// FIN, then forget. A lane on the flow is removed with it.
struct CloseFlowCommand {
  FlowId flow;
};

// Forget at once, without a segment.
struct ReleaseFlowCommand {
  FlowId flow;
};

// The next hop of a flow changed.
struct SetLinkCommand {
  FlowId flow;
  wire::LinkHeader link;
};

// The flow is proven: from here on it carries sealed records of `peer`. The
// lane index is control's choice among 0 … max_lanes − 1 and free; that of the
// peer is below max_lanes too.
struct InstallLaneCommand {
  LaneIndex lane;
  PeerIndex peer;  // index into Snapshot::peers
  FlowId flow;
  EpochKeys send;
  EpochKeys receive;
  MaskSecret send_mask;
  MaskSecret receive_mask;
  PeerTuning tuning;
};

// Other values for the lane's peer from now on.
struct TuneLaneCommand {
  LaneIndex lane;
  PeerTuning tuning;
};

// Erase the lane and its keys. Its flow is closed with FIN when `close_flow`.
struct RemoveLaneCommand {
  LaneIndex lane;
  bool close_flow = true;
};

// Be able to open records of one more epoch; at most four are held, the oldest
// goes.
struct InstallReceiveEpochCommand {
  LaneIndex lane;
  EpochKeys keys;
};

// Seal with this epoch from the next record on.
struct SwitchSendEpochCommand {
  LaneIndex lane;
  EpochKeys keys;
};

// Erase the keys of a receive epoch.
struct RetireReceiveEpochCommand {
  LaneIndex lane;
  uint32_t epoch = 0;
};

// Seal `bytes` as one record of this kind: control, probe or close.
struct SendRecordCommand {
  LaneIndex lane;
  uint8_t kind = 0;
  std::vector<uint8_t> bytes;
};

// Send a report that asks for an answer. The answer arrives as an Event
// kReportAnswer with the round trip.
struct ProbeLaneCommand {
  LaneIndex lane;
  uint32_t token = 0;
};

// What all lanes of the lane's peer lose together; see fec::Policy::OnPeerLoss.
struct TellLossCommand {
  LaneIndex lane;
  double loss = 0;
};

// Stream bytes that were punted before the flow's lane stood: treat them as
// received now.
struct ReinjectCommand {
  FlowId flow;
  uint64_t stream_offset = 0;
  std::vector<uint8_t> bytes;
};

// Take frames from this port of the uplink, and send on it, from the next burst
// on. The one before may go once the command is carried out.
struct SwapUplinkCommand {
  WorkerIndex worker;
  Port* port = nullptr;
};

// Other values from now on, for all lanes. Looks at each lane once, half a
// microsecond for one that is installed.
struct TuneCommand {
  WorkerIndex worker;
  Tuning tuning;
};

// The uplink's interface has this MTU now. Of several, flows by another one
// keep to what that one takes, too; 0: no less.
struct SetLinkMtuCommand {
  uint16_t mtu = 0;
  LegMtus legs{};
  friend bool operator==(const SetLinkMtuCommand&,
                         const SetLinkMtuCommand&) = default;
};

// A router tells of a segment that was too large for it. Nothing of it is
// proven; a worker without the flow passes it over.
struct TooBigCommand {
  wire::TooBig told;
};

using Command = std::variant<
    ListenCommand, ConnectCommand, SendStreamCommand, SpliceCommand,
    ConsumeCommand, CloseFlowCommand, ReleaseFlowCommand, SetLinkCommand,
    InstallLaneCommand, RemoveLaneCommand, InstallReceiveEpochCommand,
    SwitchSendEpochCommand, RetireReceiveEpochCommand, SendRecordCommand,
    ProbeLaneCommand, TellLossCommand, ReinjectCommand, SwapUplinkCommand,
    TuneCommand, TuneLaneCommand, SetLinkMtuCommand, TooBigCommand>;

// What goes to every worker alike.
using CommandToAll =
    std::variant<ListenCommand, SetLinkMtuCommand, TooBigCommand>;

}  // namespace lwt

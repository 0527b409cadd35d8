// What a worker asks of the flows outside, whatever carries them: frames and
// time in, records out. OuterTcp is what there is; another transport is one
// that this header finds complete.
//
// A concept and no base class: the stages call what they have, and nothing is
// looked up at run time. What each call means, costs and refuses stands at
// OuterTcp; the groups here say who asks.
#pragma once

#include <rte_mbuf.h>

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/flow/flow_id.h"
#include "dataplane/flow/line_load.h"
#include "dataplane/names.h"
#include "dataplane/tx_batch.h"
#include "dataplane/wire/frame_view.h"
#include "dataplane/wire/too_big.h"
#include "drivers/ip_endpoint.h"
#include "drivers/port.h"

namespace lwt {

// Classify: whose a frame is, and what of it is payload.
template <typename Flows>
concept ReceivesFrames = requires(Flows flows, const wire::FrameView& frame,
                                  const typename Flows::Received& received,
                                  uint64_t now_us, TxBatch& out) {
  {
    flows.Receive(frame, now_us, out)
    } -> std::same_as<typename Flows::Received>;
  { flows.Accept(received, now_us, out) } -> std::same_as<void>;
  { received.verdict } -> std::convertible_to<typename Flows::Verdict>;
  { received.flow } -> std::convertible_to<FlowId>;
  { received.user } -> std::convertible_to<LaneIndex>;
  { received.stream_offset } -> std::convertible_to<uint64_t>;
  { received.payload } -> std::convertible_to<std::span<const uint8_t>>;
};

// Pack, AwaitWindow, FecEncode, Seal, Encapsulate: how much may leave, in
// pieces of which size, and that it leaves.
template <typename Flows>
concept SendsRecords = requires(Flows flows, FlowId flow, rte_mbuf* record,
                                std::span<rte_mbuf* const> records,
                                uint32_t size, uint64_t now_us) {
  { Flows::kHeadroom } -> std::convertible_to<uint16_t>;
  { flows.Sendable(flow) } -> std::same_as<uint32_t>;
  { flows.Window(flow) } -> std::same_as<uint32_t>;
  { flows.Crowding(flow) } -> std::same_as<uint32_t>;
  { flows.MaxPayload(flow) } -> std::same_as<uint32_t>;
  { flows.FirstPart(flow, size, now_us) } -> std::same_as<uint32_t>;
  { flows.SentBytes(flow) } -> std::same_as<uint64_t>;
  { flows.EncapsulateRun(flow, records, true, now_us) } -> std::same_as<size_t>;
  { flows.Encapsulate(flow, record, true, now_us) } -> std::same_as<bool>;
};

// Reports: what is given up at both ends, and what is learned of the line and
// of the path's MTU.
template <typename Flows>
concept TellsOfTheWay = requires(Flows flows, FlowId flow, uint64_t offset,
                                 uint64_t now_us, const wire::TooBig& told) {
  { flows.ForwardPoint(flow) } -> std::same_as<uint64_t>;
  { flows.OnForwardPoint(flow, offset) } -> std::same_as<void>;
  { flows.LoadOf(flow) } -> std::same_as<const LineLoad*>;
  { flows.SearchSize(flow, true, now_us) } -> std::same_as<uint32_t>;
  { flows.SearchesLost(flow) } -> std::same_as<uint64_t>;
  { flows.OnTooBig(told) } -> std::same_as<bool>;
};

// The loop and Acknowledge: time, and what control has to know.
template <typename Flows>
concept RunsByTime = requires(Flows flows, const Flows& at_rest, FlowId flow,
                              uint64_t now_us, TxBatch& out) {
  { flows.Flush(now_us, out) } -> std::same_as<void>;
  { flows.OnTimer(now_us, out) } -> std::same_as<void>;
  { at_rest.NextDeadline() } -> std::same_as<uint64_t>;
  { flows.PopEvent() } -> std::same_as<std::optional<typename Flows::Event>>;
  {
    flows.Stats(flow)
    } -> std::same_as<std::optional<typename Flows::FlowStats>>;
};

// Commands: a flow's life, and what lies below all of them.
template <typename Flows>
concept HasLivesOfFlows = requires(
    Flows flows, FlowId flow, LaneIndex user, PeerIndex peer,
    const typename Flows::ConnectArgs& where, std::span<const Endpoint> listen,
    const wire::LinkHeader& link, std::span<const uint8_t> bytes, uint16_t mtu,
    const LegMtus& legs, uint64_t now_us, TxBatch& out) {
  { flows.SetListen(listen) } -> std::same_as<void>;
  { flows.Connect(where, now_us, out) } -> std::same_as<FlowId>;
  { flows.SendStream(flow, bytes, now_us, out) } -> std::same_as<bool>;
  { flows.SetUser(flow, user, peer) } -> std::same_as<bool>;
  { flows.SetLink(flow, link) } -> std::same_as<void>;
  { flows.IsOpen(flow) } -> std::same_as<bool>;
  { flows.Close(flow, now_us) } -> std::same_as<void>;
  { flows.Release(flow) } -> std::same_as<void>;
  { flows.SetPort(mtu, true, now_us) } -> std::same_as<void>;
  { flows.FollowLinkMtu(mtu, legs, now_us) } -> std::same_as<void>;
};

// All that carries a tunnel.
template <typename Flows>
concept OuterFlows = ReceivesFrames<Flows> && SendsRecords<Flows> &&
    TellsOfTheWay<Flows> && RunsByTime<Flows> && HasLivesOfFlows<Flows>;

// What a transport has besides that looks like a service of the host: streams
// that a relay passes on to a web site, and an answer for strays. A tunnel does
// not need it.
template <typename Flows>
concept PassesStreams = requires(Flows flows, const wire::FrameView& frame,
                                 FlowId flow, uint64_t offset, uint64_t now_us,
                                 TxBatch& out) {
  { flows.AnswerStray(frame, now_us, out) } -> std::same_as<bool>;
  { flows.Splice(flow) } -> std::same_as<bool>;
  { flows.ConsumeTo(flow, offset) } -> std::same_as<void>;
  { flows.StreamLimit(flow) } -> std::same_as<uint64_t>;
};

}  // namespace lwt

// All that one worker owns. Stages are free functions over it; no other thread
// touches it but by the mailbox and the counters.
#pragma once

#include <rte_mbuf.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/event_budget.h"
#include "dataplane/exchange/counters.h"
#include "dataplane/exchange/handoff.h"
#include "dataplane/exchange/mailbox.h"
#include "dataplane/fec/decoder.h"
#include "dataplane/fec/encoder.h"
#include "dataplane/flow/outer_tcp.h"
#include "dataplane/frame_ledger.h"
#include "dataplane/lan_state.h"
#include "dataplane/lane/flow_queues.h"
#include "dataplane/lane/lane.h"
#include "dataplane/lane/lane_table.h"
#include "dataplane/names.h"
#include "dataplane/shown_losses.h"
#include "dataplane/stages/cut_pieces.h"
#include "dataplane/stages/device_queue.h"
#include "dataplane/stages/flood_queue.h"
#include "dataplane/tx_batch.h"
#include "dataplane/wire/frame_view.h"
#include "dataplane/work_shares.h"
#include "dataplane/worker_options.h"
#include "drivers/aead.h"

namespace lwt {

// Frames from the uplink and how far Classify has come in them.
struct ReceivedFrames {
  static constexpr size_t kCapacity = 32;
  std::array<rte_mbuf*, kCapacity> mbufs;
  size_t count = 0;
  size_t next = 0;  // the first not yet begun
  // The rest of a frame of a lane that held more records than a burst takes.
  Frame rest;
  // Bytes that control had and gave back, to be cut before any other. Room for
  // what several flows held, each at most 64 KiB of records.
  BasicBurst<256> reinjected;
  size_t next_reinjected = 0;

  bool drained() const {
    return next == count && rest.length == 0 &&
           next_reinjected == reinjected.size();
  }
};

// The records of a turn, and how far AdmitInner has come in them.
struct RecordsInHand {
  RecordBurst burst;
  size_t next = 0;

  size_t size() const { return burst.size() - next; }
};

// Frames that are another worker's business, with whose.
class ForeignFrames {
 public:
  struct Entry {
    Frame frame;
    WorkerIndex owner;
  };

  std::span<const Entry> frames() const { return {entries_.data(), size_}; }
  void Push(const Frame& frame, WorkerIndex owner) {
    LWT_ASSERT(size_ < entries_.size());
    entries_[size_++] = {frame, owner};
  }
  void Clear() { size_ = 0; }
  size_t size() const { return size_; }

 private:
  std::array<Entry, PacketBurst::kCapacity> entries_;
  size_t size_ = 0;
};

// What the inbound stages hand on, and what of it waits for another turn.
struct InboundState {
  explicit InboundState(const WorkerOptions& options);

  // Receive fills it, Classify takes from it, as far as records has room. Bytes
  // that control gives back are put in by a command.
  ReceivedFrames received;
  // CutRecords alone. A command forgets a lane's.
  CutPieces pieces;
  // From Classify to AdmitInner, which may need several turns of Deliver.
  RecordsInHand records;
  // FecDecode alone. A command forgets a lane's.
  fec::Decoder decoder;
  // FecDecode, until records has room.
  RepairedBurst repaired;
  // AdmitInner alone.
  ShownLosses shown;
  // From AdmitInner to Deliver: for the inside, or for another peer.
  PacketBurst packets;
};

// What the outbound stages hand on, and what of it waits for another turn.
struct OutboundState {
  explicit OutboundState(const WorkerOptions& options);

  // Collect alone.
  CollectedPackets collected;
  DeviceQueue device_queue;
  // From Forward, DeliverLan, Collect and CollectLan to Split, super-frames
  // among them.
  PacketBurst packets;
  // Forward and Flood put in, Flood takes out; the loop asks whether to sleep.
  FloodQueue floods;
  // From Split to AwaitWindow: single packets, from Pack on shards.
  PacketBurst split;
  // Of a worker's time, by the peers that packets go to. Collect tells how full
  // the device is, SelectRoute asks.
  WorkShares shares;
  // Counts bursts: SelectRoute begins one, LaneInRound asks for it.
  uint64_t round = 0;
  // AwaitWindow, and the loop asks whether to sleep. A command forgets a
  // lane's.
  session::FlowQueues flow_queues;
  // AwaitWindow asks, Transmit charges; with `tuning.uplink_rate` only.
  session::TokenBucket uplink_rate;
  std::vector<LaneIndex> waiting_lanes;  // with a queue; capacity = max_lanes
  // From AwaitWindow to FecEncode.
  PacketBurst ready;
  // FecEncode and, for its place in a group, SendRecord. Reports and commands
  // say what code it makes.
  fec::Encoder encoder;
  // From FecEncode to Encapsulate: with parities, from Seal on records.
  PacketBurst coded;
};

// Whose outer flow's figures are copied next to where control reads them. The
// loop alone.
struct FigureTurn {
  LaneIndex next_lane{0};
  uint64_t published_us = 0;
};

class Worker {
 public:
  // Outer flows that control may have under way at once.
  static constexpr size_t kMaxConnects = 64;

  Worker(const WorkerOptions& worker_options, Aead worker_aead,
         std::unique_ptr<Mailbox> worker_mailbox);

  const WorkerOptions options;
  Tuning tuning;  // written by the command alone
  const Aead aead;
  const std::unique_ptr<Mailbox> mailbox;

  // Of this turn. Written by the loop, `uplink` by the command that swaps it.
  uint64_t now_us = 0;  // MonotonicUs, read once
  const Snapshot* snapshot = nullptr;
  Port* uplink;
  bool worked = false;  // any stage found something to do

  // Sessions: commands install and remove, all stages look up.
  OuterTcp tcp;
  session::LaneTable lanes;

  InboundState inbound;
  OutboundState outbound;
  // Classify and SelectRoute put in, HandOver gives away.
  ForeignFrames foreign;
  // DeliverLan, CollectLan and their answers; null without a LAN port.
  std::unique_ptr<LanState> lan;
  // All that the outer TCP sends, and Encapsulate; Transmit empties it.
  TxBatch tx;
  // Open and FecDecode take, Forward charges, the loop counts its turns.
  WorkShares shares;
  FigureTurn figures;
  // Whoever tells a sender that a packet goes no further.
  IcmpBudget icmp;
  [[no_unique_address]] FrameLedger ledger;

  // Written by any stage, read by control.
  WorkerCounters counters;
  std::vector<LaneCounters> lane_counters;

  // Frees the frame's reference and counts why, a super-frame as its packets.
  void Drop(const Frame& frame, DropReason reason) {
    ledger.Gone();
    counters.Drop(reason, frame.segment_size == 0 ? 1 : frame.packets);
    rte_pktmbuf_free(frame.mbuf);
  }
  session::Lane* FindLane(LaneIndex index) {
    return index.value < lanes.size() ? &lanes[index.value] : nullptr;
  }
  // A packet for the peer is larger than what its path is known to take.
  void WantLarger(const SnapshotPeer& carrier) {
    const LaneIndex own = carrier.lanes[options.index.value];
    if (session::Lane* lane = FindLane(own)) lane->wants_larger = true;
  }
  // The lane's scratch for this outbound burst, fresh at the first touch.
  session::Lane& LaneInRound(LaneIndex index) {
    session::Lane& lane = lanes[index.value];
    if (lane.round != outbound.round) {
      lane.round = outbound.round;
      lane.budget = tcp.Sendable(lane.flow);
      lane.crowding = tcp.Crowding(lane.flow);
      lane.open_shard = session::Lane::kNoShard;
      lane.numbered = 0;
      if (lane.peer_rate != 0) [[unlikely]]
        LimitToRate(lane);
    }
    return lane;
  }
  // What a rate of a peer is for one of its lanes.
  uint64_t PartOf(uint64_t rate, PeerIndex peer) const;
  bool LineIsFull(LaneIndex index) {
    const LineLoad* load = tcp.LoadOf(lanes[index.value].flow);
    return load != nullptr && load->full();
  }
  // Control asked for this flow and hears of it by its token.
  bool MayConnect() const { return connects_.size() < kMaxConnects; }
  void AwaitConnect(FlowId flow, uint32_t token) {
    LWT_ASSERT(MayConnect());
    connects_.push_back({flow, token});
  }
  // One of these has neither come up nor failed yet. For who looks for what
  // was left behind when all is over.
  bool awaits_connects() const { return !connects_.empty(); }
  // The token of such a flow, else 0. Forgets it.
  uint32_t TakeToken(FlowId flow);
  // An event that finds the ring full is lost but counted.
  void Report(const Event& event) {
    if (!mailbox->Report(event)) counters.Drop(DropReason::kSessionPuntFull);
  }

 private:
  // The lane's budget for this burst is not beyond its part of the peer's rate.
  void LimitToRate(session::Lane& lane);

  // A flow that control asked for, until it is up or down.
  struct PendingConnect {
    FlowId flow;
    uint32_t token = 0;
  };

  std::vector<PendingConnect> connects_;  // few: a client opens one at a time
};

}  // namespace lwt

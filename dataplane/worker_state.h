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
#include "dataplane/exchange/counters.h"
#include "dataplane/exchange/handoff.h"
#include "dataplane/exchange/mailbox.h"
#include "dataplane/fec/decoder.h"
#include "dataplane/fec/encoder.h"
#include "dataplane/lan_state.h"
#include "dataplane/session/lane.h"
#include "dataplane/session/outer_tcp.h"
#include "dataplane/session/wait_queues.h"
#include "dataplane/stages/cut_pieces.h"
#include "dataplane/tx_batch.h"
#include "dataplane/wire/frame_view.h"
#include "dataplane/work_shares.h"
#include "dataplane/worker_options.h"
#include "drivers/aead.h"
#include "drivers/secret_bytes.h"

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

// A flow that control asked for, until it is up or down.
struct PendingConnect {
  FlowId flow;
  uint32_t token = 0;
};

// The records of a turn, and how far AdmitInner has come in them.
struct RecordsInHand {
  RecordBurst burst;
  size_t next = 0;
};

// Frames that are another worker's business, with whose.
class ForeignFrames {
 public:
  struct Entry {
    Frame frame;
    uint32_t owner = 0;
  };

  std::span<const Entry> frames() const { return {entries_.data(), size_}; }
  void Push(const Frame& frame, uint32_t owner) {
    LWT_ASSERT(size_ < entries_.size());
    entries_[size_++] = {frame, owner};
  }
  void Clear() { size_ = 0; }

 private:
  std::array<Entry, PacketBurst::kCapacity> entries_;
  size_t size_ = 0;
};

class Worker {
 public:
  // Outer flows that control may have under way at once.
  static constexpr size_t kMaxConnects = 64;

  Worker(const WorkerOptions& worker_options, Aead worker_aead,
         std::unique_ptr<Mailbox> worker_mailbox);

  const WorkerOptions options;
  const Aead aead;
  const std::unique_ptr<Mailbox> mailbox;

  Port* uplink;  // the one of `options`, until control swaps it

  // MonotonicUs, read once per loop.
  uint64_t now_us = 0;
  const Snapshot* snapshot = nullptr;

  OuterTcp tcp;
  // Their keys lie in locked memory, as far as the limit allows.
  std::vector<session::Lane, SecretAllocator<session::Lane>> lanes;
  session::WaitQueues wait_queues;
  std::vector<uint32_t> waiting_lanes;   // with a queue; capacity = max_lanes
  std::vector<PendingConnect> connects;  // few: a client opens one at a time

  ReceivedFrames received;
  CutPieces pieces;  // of records cut on the way, waiting for the rest
  RecordsInHand records;
  PacketBurst inner;  // admitted, on their way inside or to another peer
  CollectedPackets collected;
  PacketBurst outbound;  // on their way to a lane, super-frames among them
  PacketBurst split;     // the same, single packets only
  PacketBurst ready;     // shards that the peer's window takes now
  PacketBurst coded;     // these with their parities
  ForeignFrames foreign;
  std::unique_ptr<LanState> lan;  // null without a LAN port
  uint64_t round = 0;             // counts outbound bursts
  fec::Encoder fec_encoder;
  fec::Decoder fec_decoder;
  RepairedBurst repaired;
  TxBatch tx;                   // frames for the uplink
  bool worked = false;          // this loop iteration did something
  uint32_t next_published = 0;  // lane whose flow's figures come next
  uint64_t published_us = 0;

  WorkShares shares;

  WorkerCounters counters;
  std::vector<LaneCounters> lane_counters;

  // Frees the frame's reference and counts why, a super-frame as its packets.
  void Drop(const Frame& frame, DropReason reason) {
    counters.Drop(reason, frame.segment_size == 0 ? 1 : frame.packets);
    rte_pktmbuf_free(frame.mbuf);
  }
  session::Lane* FindLane(uint32_t index) {
    return index < lanes.size() ? &lanes[index] : nullptr;
  }
  // The lane's scratch for this outbound burst, fresh at the first touch.
  session::Lane& LaneInRound(uint32_t index) {
    session::Lane& lane = lanes[index];
    if (lane.round != round) {
      lane.round = round;
      lane.budget = tcp.Sendable(lane.flow);
      lane.crowding = tcp.Crowding(lane.flow);
      lane.open_shard = session::Lane::kNoShard;
      lane.numbered = 0;
    }
    return lane;
  }
  // The token of a flow that control opened, else 0. Forgets it.
  uint32_t TakeToken(FlowId flow);
  // An event that finds the ring full is lost but counted.
  void Report(const Event& event) {
    if (!mailbox->Report(event)) counters.Drop(DropReason::kSessionPuntFull);
  }
};

}  // namespace lwt

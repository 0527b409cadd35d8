// The stages of the pipeline, in the order of pipeline.cc. Each walks a burst
// once and keeps, moves or drops every frame; a drop names its reason.
//
// To add one: a file of its own here, a line in pipeline.cc, and a test beside
// the others in tests/packet/dataplane/.
#pragma once

#include "dataplane/burst.h"
#include "dataplane/exchange/handoff.h"
#include "dataplane/names.h"
#include "dataplane/wire/record.h"

namespace lwt {

class Worker;
struct RecordsInHand;

// ---- Inbound

// Takes a burst from the uplink and from other workers, once the last one is
// used up.
void Receive(Worker& worker);

// Runs the outer TCP of each frame and cuts its payload into records, a merged
// frame into many. In: worker.inbound.received. Out: records. Stream bytes of
// flows without a lane are copied to control. A frame of another worker's flow
// goes, as it came, to worker.foreign.
void Classify(Worker& worker, RecordsInHand& records);

// Opens each record in place: replay window, then tag. A parity stays sealed,
// only its header is unmasked. The header is the frame's from here on.
void Open(Worker& worker, RecordsInHand& records);

// Counts what came and what did not, and tells the peer. A parity whose number
// nothing vouches for is opened first.
void CountArrivals(Worker& worker, RecordsInHand& records);

// Puts shards that were lost behind the records that came, and takes parities
// out.
void FecDecode(Worker& worker, RecordsInHand& records);

// Takes out what is not data: reports are followed, control records go to
// control.
void TakeMessages(Worker& worker, RecordsInHand& records);

// In place of records that are used up, the shards given back that found no
// room among them. False when there are none.
bool TakeRepaired(Worker& worker, RecordsInHand& records);

// Cuts opened shards into inner packets and checks that the peer may send
// them. False when nothing is left; `packets` is empty before and filled after.
bool AdmitInner(Worker& worker, RecordsInHand& records, PacketBurst& packets);

// Moves packets for another peer to the outbound burst, in mbufs of their own.
void Forward(Worker& worker, PacketBurst& packets);

// Sends packets for hosts of the LAN to its port, as a router does; the others
// stay. Nothing where there is no LAN port.
void DeliverLan(Worker& worker, PacketBurst& packets);

// Gives packets to the tunnel device, runs of one flow merged where the device
// takes that; the burst is empty afterwards.
void Deliver(Worker& worker, PacketBurst& packets);

// ACKs owed for this burst, retransmissions asked for by its ACKs, events of
// its flows.
void Acknowledge(Worker& worker);

// ---- Outbound

// Adds packets and super-frames from other workers and from the tunnel device
// to what Forward left, no more than Split can hold.
void Collect(Worker& worker, PacketBurst& packets);

// Adds what the LAN port brings for peers, a hop taken; answers what cannot go
// on. What is left to the kernel goes to the port's twin, where it has one.
void CollectLan(Worker& worker, PacketBurst& packets);

// Has what this host sends to many copied to all peers, and adds copies that
// are due, no more than Split can hold. Nothing where packets for many are not
// sent.
void Flood(Worker& worker, PacketBurst& packets);

// Finds peer and lane of each packet. One whose peer has lanes of other workers
// only goes to worker.foreign.
void SelectRoute(Worker& worker, PacketBurst& packets);

// Cuts super-frames into packets, in place or by one copy into buffers with
// room for all headers; `split` holds single packets only, in the order of
// `packets`.
void Split(Worker& worker, PacketBurst& packets, PacketBurst& split);

// Puts the word before each packet and lets small packets of one lane share a
// shard. Nothing waits for company.
void Pack(Worker& worker, PacketBurst& packets);

// Moves to `ready` what the peer's window takes, what waited before first; the
// rest waits its turn, bounded in number and time.
void AwaitWindow(Worker& worker, PacketBurst& shards, PacketBurst& ready);

// Gives each shard its place in an FEC group; puts the parities of groups that
// close behind them. What is to be sealed goes to `out`.
void FecEncode(Worker& worker, PacketBurst& shards, PacketBurst& out);

void Seal(Worker& worker, PacketBurst& shards);

void Encapsulate(Worker& worker, PacketBurst& records);

// Gives the batch to the uplink.
void Transmit(Worker& worker);

// ---- Both

// Gives worker.foreign to the workers that own the frames; drops what finds
// the ring full. The burst is empty afterwards.
void HandOver(Worker& worker, Handoff::Road road);

// ---- Used by more than one stage

// Seals `size` bytes as one record of `kind` in an mbuf of its own and queues
// it for the uplink; they may use the reserve that Sendable keeps. False, with
// the reason counted, when the lane is down or no buffer is free.
bool SendRecord(Worker& worker, LaneIndex lane, uint8_t kind,
                const uint8_t* bytes, size_t size);

// Sends a sealed record that is longer than a segment of its flow may be, as it
// is where a middlebox lowered the MSS: cut into segments, which the peer
// joins. The inner MTU stays what the session agreed on, so flows of one
// session may differ. False, with nothing sent, when it fits a segment, or
// window or buffers are short.
bool SendInParts(Worker& worker, const Frame& record, bool push);

// Opens a parity that Open left sealed: the frame is its plaintext then. When
// it does not open it is dropped.
[[nodiscard]] bool OpenSealed(Worker& worker, Frame& record);
// Lets control read what Open and OpenSealed counted for the lane. False when
// nothing was opened since.
bool PublishOpened(Worker& worker, LaneIndex lane);

// Hands the events of the outer flows to control.
void HandleFlowEvents(Worker& worker);

}  // namespace lwt

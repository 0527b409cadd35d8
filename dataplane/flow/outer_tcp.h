// The outer TCP flows of one worker: what makes a tunnel look like an ordinary
// TCP connection, and carries the handshake.
//
// Time and parsed frames come in, mbufs go out; there is no clock, lock,
// system call or allocation after construction. Owned and called by one worker
// thread. A lookup, a send or an ack costs O(1) except for the holes of a lossy
// flow, which are bounded per call. Time is microseconds of one monotonic
// clock. Delivery is never held for order: every payload in the window is
// handed up as it comes, and acks are for segments.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/drop_reason.h"
#include "dataplane/flow/closed_flows.h"
#include "dataplane/flow/closing_queue.h"
#include "dataplane/flow/flow_id.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/flow/flow_template.h"
#include "dataplane/flow/flow_timers.h"
#include "dataplane/flow/outer_flow.h"
#include "dataplane/flow/persona.h"
#include "dataplane/flow/sent_arena.h"
#include "dataplane/flow/syn_cookie.h"
#include "dataplane/names.h"
#include "dataplane/tx_batch.h"
#include "dataplane/wire/frame_view.h"
#include "dataplane/wire/too_big.h"
#include "drivers/ip_endpoint.h"
#include "drivers/port.h"

namespace lwt {

class OuterTcp {
 public:
  struct Config {
    WorkerIndex worker{0};  // stands in the flows' names
    uint32_t max_proven_flows = 16;
    // Unproven flows, as SynBudget divides them.
    uint32_t syn_backlog = 4096;
    // For sent records, shared by all flows; a segment counts
    // SentArena::kSegmentBytes.
    size_t arena_bytes = size_t{8} << 20;
    // Flows that ended and are remembered for a minute.
    uint32_t closed_flows = 1024;
    // False, for tests: no record is sent again, the forward point moves at
    // once. What SendStream sent is repaired in any case.
    bool retransmit = true;
    Persona persona = Persona::kLinux618;
    std::array<uint8_t, 32> secret{};
    // Buffers for control segments and retransmissions: headers and one MTU.
    rte_mempool* pool = nullptr;
    uint16_t link_mtu = 1500;
    // Of the path, to begin with, where lines like this mostly take less than
    // their links; 0: what both MSS allow.
    uint16_t first_path_mtu = 0;
    // The port cuts super-frames and makes checksums (info().segments).
    bool port_segments = false;
    // A sent byte is given up after this and four retransmission timeouts.
    uint64_t forward_age_us = 2'000'000;
    // How long a peer may take to say something after the TCP handshake, and
    // with four round trips more after each word of ours, until it has proved
    // the key.
    uint64_t unproven_timeout_us = 15'000'000;
    // How long an orderly close may take.
    uint64_t close_timeout_us = 2'000'000;
  };

  struct ConnectArgs {
    Endpoint local;
    Endpoint remote;
    std::span<const uint8_t> link;  // 0, 14 or 18 bytes
  };

  enum class Verdict : uint8_t { kDropped, kConsumed, kPayload };

  // What became of a frame. `payload` lies in the frame.
  struct Received {
    Verdict verdict = Verdict::kConsumed;
    DropReason reason{};  // with kDropped
    bool fin = false;
    FlowId flow;                 // kNullFlow where the frame belongs to none
    LaneIndex user;              // the flow's, see SetUser
    uint64_t stream_offset = 0;  // of the first byte of payload, since the SYN
    std::span<const uint8_t> payload;
  };

  // Everything is allocated here.
  explicit OuterTcp(const Config& config);
  ~OuterTcp();
  OuterTcp(const OuterTcp&) = delete;
  OuterTcp& operator=(const OuterTcp&) = delete;

  // Endpoints at which SYNs are taken. The unspecified address stands for
  // every address of its family. At most kMaxListen.
  static constexpr size_t kMaxListen = 16;
  void SetListen(std::span<const Endpoint> endpoints);
  // The port that frames are made for is another one now: see Config.
  void SetPort(uint16_t link_mtu, bool segments, uint64_t now_us) {
    config_.port_segments = segments;
    FollowLinkMtu(link_mtu, leg_mtus_, now_us);
  }
  // So large are its frames from now on, and of several interfaces those of
  // each no larger than what it has in `legs` (0: no limit of its own). Open
  // flows send no larger segments, and where it is more than before try some.
  // Costs a look at every flow.
  void FollowLinkMtu(uint16_t link_mtu, const LegMtus& legs, uint64_t now_us);

  // Sends a SYN and repeats it as the persona does, up to 19 s later. kNullFlow
  // when the table is full or the pair of endpoints is in use. Ends in
  // kEstablished, kRefused or kTimedOut.
  FlowId Connect(const ConnectArgs& args, uint64_t now_us, TxBatch& out);

  // Runs the state machine of the frame's flow. With kPayload the caller calls
  // Accept once it has taken the payload; when it could not, it does nothing,
  // and the peer will send the segment again.
  Received Receive(const wire::FrameView& frame, uint64_t now_us, TxBatch& out);
  // Answers a segment that Receive dropped for want of a flow and that is no
  // other worker's, with a RST where a kernel would; never one of a pair of
  // endpoints that was a tunnel's a minute ago. True when a RST was sent.
  bool AnswerStray(const wire::FrameView& frame, uint64_t now_us, TxBatch& out);
  // Counts the payload and FIN of `received` as arrived. `out` takes an ACK
  // where more holes opened than one ACK can tell.
  void Accept(const Received& received, uint64_t now_us, TxBatch& out);

  // Segments of a SendStream at most: 16 KiB of the smallest.
  static constexpr size_t kStreamSegments = 256;
  // Segments that wait for windows, of all flows.
  static constexpr uint32_t kMaxUnsent = 1024;
  // Of those, of flows that have proven nothing, and of one of these: 16 KiB of
  // what nearly every MSS allows.
  static constexpr uint32_t kMaxUnsentUnproven = kMaxUnsent / 2;
  static constexpr uint32_t kMaxUnsentOfOne = 32;
  // Sends bytes of a handshake or a relay, cut at the MSS, PSH at the end. What
  // the peer's window does not take waits for it, and nothing else is sent on
  // the flow before. False, with nothing sent, when the flow is not open, when
  // `out`, which has room for kStreamSegments, does not hold them, or when
  // the window does not either and too many wait.
  bool SendStream(FlowId flow, std::span<const uint8_t> bytes, uint64_t now_us,
                  TxBatch& out);

  // Payload bytes that the peer's window takes now; a few KiB less than it is,
  // so that a report always fits. 0 for a flow that is not open.
  uint32_t Sendable(FlowId flow);
  // The same with what is kept for reports.
  uint32_t Window(FlowId flow);
  // How far a hole has brought the flow towards the end of the largest window
  // that the peer can offer, where it would stand still: 0, in the first
  // quarter or where no hole is the reason, to 255.
  uint32_t Crowding(FlowId flow);
  // Largest payload of a segment that the path is known or hoped to take.
  uint32_t MaxPayload(FlowId flow);
  // Of `size` bytes that are more than that, how many the first segment is to
  // have: now and then some more, to learn whether the path takes them.
  uint32_t FirstPart(FlowId flow, uint32_t size, uint64_t now_us);
  // The size of a record that is worth sending to learn whether the path takes
  // it in one segment; 0 when none is due, or when the flow is idle and not
  // `wanted` for what is larger.
  uint32_t SearchSize(FlowId flow, bool wanted, uint64_t now_us);
  // Of those, how many the path did not take.
  uint64_t SearchesLost(FlowId flow);
  // What a router tells of a segment that was too large for it. Believed once
  // that very segment is found to be lost, while none as large that was sent
  // later came through (RFC 5927 §7). False where it can be of none in flight.
  bool OnTooBig(const wire::TooBig& told);
  // Makes a segment of each of the first `records` and one frame of them all,
  // which records[0] is the head of, and returns how many it took. More than
  // one only with port_segments: as many as are of one size, the last may be
  // shorter, and fit a frame of 64 KiB and the window. PSH goes on the last,
  // where all are taken. 0, with nothing changed, when the flow is not open,
  // the first exceeds MaxPayload and what FirstPart told, or the window does
  // not hold it.
  //
  // Each is an mbuf of one piece, the first with kHeadroom bytes before its
  // data, and holds whole sealed records. A reference of each is kept until it
  // is acknowledged: nobody may write to its bytes. Numbers, headers and timers
  // are done once.
  static constexpr uint16_t kHeadroom = 110;
  size_t EncapsulateRun(FlowId flow, std::span<rte_mbuf* const> records,
                        bool push, uint64_t now_us);
  bool Encapsulate(FlowId flow, rte_mbuf* record, bool push, uint64_t now_us) {
    return EncapsulateRun(flow, {&record, 1}, push, now_us) == 1;
  }

  // At the end of a burst: the ACKs owed and the retransmissions asked for.
  void Flush(uint64_t now_us, TxBatch& out);
  // Runs what is due.
  void OnTimer(uint64_t now_us, TxBatch& out);
  // When OnTimer has to be called next, at the latest; UINT64_MAX for never.
  // May be early, is never late by more than a millisecond.
  uint64_t NextDeadline() const { return timers_.NextDeadline(); }

  // Stream offset of what is sent next.
  uint64_t SentBytes(FlowId flow);
  // What the flow's round trips tell of its line; null where it is not open.
  const LineLoad* LoadOf(FlowId flow);

  // Sender: stream offset below which no hole is refilled any more.
  // kForwardMoved asks for a report that carries it, and comes again until acks
  // pass it.
  uint64_t ForwardPoint(FlowId flow);
  // Receiver: holes below `stream_offset` will not be filled. Only from an
  // authenticated report.
  void OnForwardPoint(FlowId flow, uint64_t stream_offset);

  // Makes a relay's flow of an unproven one: it may last, the window holds no
  // more than a relay that has taken nothing yet can keep, the peer's FIN
  // leaves this side open, and bytes that cannot be brought over end the flow.
  // Once more, it tells of kStreamRoom again, and has a window that is closed
  // asked for. False when the flow is not open or is proven.
  bool Splice(FlowId flow);
  // The relay has taken all below `stream_offset`.
  void ConsumeTo(FlowId flow, uint64_t stream_offset);
  // Stream offset up to which SendStream of a relay is sure of the window.
  uint64_t StreamLimit(FlowId flow);

  // Marks a flow as proven. False when max_proven_flows are.
  // `peer` is whose the flow is: what flows share, they share by peers.
  bool SetUser(FlowId flow, LaneIndex user, PeerIndex peer = PeerIndex{0});
  // A new link header: the next hop changed.
  void SetLink(FlowId flow, const wire::LinkHeader& link);
  // Orderly: FIN at the next Flush, kReleased when both sides are done or after
  // close_timeout_us. Nothing more can be sent.
  void Close(FlowId flow, uint64_t now_us);
  // Forgets the flow at once, without a word to the peer and without an event.
  void Release(FlowId flow);
  // Established, and not closed by this side.
  bool IsOpen(FlowId flow);

  enum class EventType : uint8_t {
    kEstablished,   // the TCP handshake is done
    kForwardMoved,  // seal a report
    kLineChanged,   // the line is full, or no more; see LoadOf
    kResetHint,     // a RST, or a FIN of a proven flow, as a kernel would obey
    kUnanswered,    // three retransmission timeouts in a row, or 2 s of them
    kClosedByPeer,  // FIN of an unproven flow, or after our Close; all before
                    // it arrived; answer with Close
    kRefused,       // RST to our SYN; the flow is gone
    kTimedOut,      // no answer to our SYN; the flow is gone
    kReleased,      // the flow is gone: closed, or never proven
    kStreamRoom,    // spliced: StreamLimit has grown
    kStreamEnded,   // spliced: FIN, all before it arrived
    kPathChanged,   // of a proven flow: MaxPayload is another now
  };
  struct Event {
    EventType type;
    bool inbound;  // the peer sent the SYN
    FlowId flow;
    LaneIndex user;
    uint8_t leg;  // of the uplink, by which the flow goes
    Endpoint local;
    Endpoint remote;
  };
  // The next event. A flow that is gone keeps its slot until its last event is
  // taken, so events are never lost.
  std::optional<Event> PopEvent();

  struct FlowStats {
    Endpoint local;
    Endpoint remote;
    bool inbound = false;
    uint32_t srtt_us = 0;  // 0 before the first measurement
    uint32_t rto_us = 0;
    uint64_t segments_sent = 0;  // with payload, first time
    uint64_t bytes_sent = 0;
    uint64_t segments_retransmitted = 0;
    uint64_t segments_given_up = 0;  // passed by the forward point
    uint64_t segments_received = 0;  // accepted, with payload
    uint64_t bytes_received = 0;
    uint64_t bytes_in_flight = 0;
    uint64_t peer_window = 0;
  };
  std::optional<FlowStats> Stats(FlowId flow);

  struct Totals {
    uint32_t half_open = 0;
    uint32_t unproven = 0;  // half-open ones included
    uint32_t proven = 0;
    uint32_t closing = 0;          // of the unproven: those that we end
    uint32_t unsent = 0;           // segments of streams that wait for a window
    uint32_t unsent_unproven = 0;  // of flows that have proven nothing
    uint64_t cookies_sent = 0;
    uint64_t cookies_accepted = 0;
    uint64_t challenge_acks = 0;
    uint64_t resets_sent = 0;
    uint64_t long_lists = 0;  // lists of holes that took a larger place
    uint64_t path_steps_down =
        0;  // times that a flow's segments became smaller
    uint64_t buffers_missing = 0;  // a segment of ours found no mbuf or room
    // Kept segments that were looked at, beyond those newly told of, to find
    // the places of SACK blocks; and those that might have been lost.
    uint64_t sack_steps = 0;
    uint64_t repair_steps = 0;
  };
  const Totals& totals() const { return totals_; }

 private:
  // How a flood of one kind leaves places to flows of other kinds: more SYNs
  // than half of the backlog are answered with cookies; of the flows that we
  // end at most an eighth stand, and the oldest goes at once, as a kernel with
  // too many orphans ends one. So three eighths stay for flows whose handshake
  // of TCP is done.
  struct SynBudget {
    explicit SynBudget(uint32_t backlog)
        : half_open(backlog / 2), closing(std::max(1u, backlog / 8)) {}
    uint32_t half_open;
    uint32_t closing;
  };

  // Linux's tcp_invalid_ratelimit: segments without payload that are not valid
  // are answered once in this time, per flow.
  static constexpr uint64_t kInvalidRateUs = 500'000;

  // The frame being worked on, to spare argument lists.
  struct Input {
    const wire::FrameView& frame;
    uint64_t now_us;
    TxBatch& out;
  };

  // outer_tcp.cc: the life of a flow.
  OuterFlow* FindOpen(FlowId id);
  FlowId IdOf(const OuterFlow& flow) const;
  OuterFlow* NewFlow(const FlowKey& key, const wire::LinkHeader& link,
                     uint64_t now_us);
  void Retire(OuterFlow& flow);
  void Die(OuterFlow& flow, EventType last);
  void Raise(OuterFlow& flow, EventType type);
  void Touch(OuterFlow& flow);
  void Rearm(const OuterFlow& flow);
  // One more unproven flow is being closed: the oldest may have to go.
  void CountClosing(const OuterFlow& flow, uint64_t now_us);
  void EndOldestClosing(uint64_t now_us);
  void StartClose(OuterFlow& flow, uint64_t now_us);
  static Received Drop(DropReason reason);
  Received DropOf(const OuterFlow& flow, DropReason reason) const;
  Received Consumed(const OuterFlow& flow) const;

  // outer_tcp_open.cc: handshakes.
  bool IsListening(const Endpoint& local) const;
  Received ReceiveNew(const Input& in, const FlowKey& key);
  Received ReceiveListenSyn(const Input& in, const FlowKey& key,
                            std::optional<wire::TcpSeq> isn);
  Received ReceiveCookieAck(const Input& in, const FlowKey& key);
  Received ReceiveSynSent(OuterFlow& flow, const Input& in);
  Received ReceiveSynReceived(OuterFlow& flow, const Input& in);
  void TakeSyn(OuterFlow& flow, const wire::TcpView& tcp);
  void SetUpStreams(OuterFlow& flow);
  void Establish(OuterFlow& flow, const wire::TcpView& tcp, uint64_t now_us);
  void SendSyn(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  Received ReceiveSecondSyn(OuterFlow& flow, const Input& in, bool acked);
  Received RefuseHalfOpen(OuterFlow& flow, const Input& in);
  void SendCookie(const Input& in, const FlowKey& key);
  void OnSynTimer(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  wire::TcpSeq NewIsn(const FlowKey& key, uint64_t now_us) const;
  uint16_t LinkMtu(uint8_t leg) const;
  uint16_t LocalMss(Family family, uint8_t leg) const;
  uint16_t LocalMss(const OuterFlow& flow) const {
    return LocalMss(flow.key.family(), flow.header.link().leg);
  }
  uint32_t FlowLabel(const FlowKey& key, uint64_t extra = 0) const;
  void RenewFlowLabel(OuterFlow& flow, uint64_t now_us) const;

  // outer_tcp_stray.cc: segments of no flow.
  static ClosedFlow StateOf(const OuterFlow& flow);
  void RememberClosed(const OuterFlow& flow, uint64_t now_us);
  bool ReceiveClosed(ClosedFlow& closed, const Input& in,
                     std::optional<wire::TcpSeq>& isn);
  bool ReceiveFinWait(ClosedFlow& closed, const Input& in, bool old);
  void AckOfClosed(ClosedFlow& closed, const Input& in);
  void SendLoneAck(const ClosedFlow& told, const Input& in);
  void SendReset(const Input& in, const FlowKey& key);

  // outer_tcp_receive.cc: segments of an open flow.
  Received ReceiveOpen(OuterFlow& flow, const Input& in);
  Received ReceiveReset(OuterFlow& flow, const Input& in);
  Received TakePayload(OuterFlow& flow, const Input& in, uint64_t begin,
                       bool fin);
  Received ReceiveOld(OuterFlow& flow, const Input& in, int64_t begin,
                      int64_t size);
  static std::optional<int32_t> StampStep(const OuterFlow& flow,
                                          const wire::TcpView& tcp);
  static bool IsOldStamp(const OuterFlow& flow, std::optional<int32_t> step,
                         uint64_t now_us);
  static bool RefusesStamp(OuterFlow& flow, int64_t begin, int64_t size);
  static void TakeTimestamp(OuterFlow& flow, std::optional<int32_t> step,
                            int64_t begin, uint64_t now_us);
  static bool AnsweredLately(OuterFlow& flow, uint64_t now_us);
  void ChallengeAck(OuterFlow& flow, const Input& in);
  Received RefuseSegment(OuterFlow& flow, const Input& in, int64_t begin,
                         DropReason reason);
  static void NoteDuplicate(OuterFlow& flow, int64_t begin, int64_t end);
  void Absorb(OuterFlow& flow, uint64_t base);
  void OweDuplicateAck(OuterFlow& flow, uint64_t now_us);
  void OnArrived(OuterFlow& flow, uint64_t begin, uint64_t end, uint64_t now_us,
                 TxBatch& out);
  void GrowWindow(OuterFlow& flow, uint64_t bytes, uint64_t now_us);
  void CheckFin(OuterFlow& flow, uint64_t now_us);

  // outer_tcp_ack.cc: acks from the peer.
  bool TakeAck(OuterFlow& flow, const wire::TcpView& tcp, uint64_t now_us);
  void TakeAcked(OuterFlow& flow, uint64_t ack, const wire::TcpView& tcp,
                 uint64_t now_us);
  void AdvanceUna(OuterFlow& flow, uint64_t ack, const wire::TcpView& tcp,
                  uint64_t now_us);
  bool FollowAck(OuterFlow& flow, const wire::TcpView& tcp, uint64_t now_us);
  void TakeBlocks(OuterFlow& flow, const wire::TcpView& tcp, uint64_t now_us);
  void TakeSack(OuterFlow& flow, uint64_t left, uint64_t right,
                uint64_t now_us);
  void Deliver(OuterFlow& flow, SentArena::Position at, uint64_t right,
               uint64_t now_us);
  void OnSacked(OuterFlow& flow, const SentSegment& segment, uint64_t now_us);
  void OnRepairInVain(OuterFlow& flow, uint64_t now_us);
  void TakeRoundTrip(OuterFlow& flow, uint64_t rtt_us, uint64_t now_us);
  void BeginRecovery(OuterFlow& flow);
  uint64_t KeptFrom(const OuterFlow& flow) const;
  bool Awaits(const OuterFlow& flow) const;
  void MoveForward(OuterFlow& flow, uint64_t to, uint64_t now_us);

  // outer_tcp_repair.cc: what is sent again.
  uint64_t ReorderWindow(const OuterFlow& flow) const;
  static void EarnRepairs(OuterFlow& flow, uint32_t bytes);
  static bool IsOvertaken(const OuterFlow& flow, const SentSegment& segment);
  uint64_t LostAt(const OuterFlow& flow, const SentSegment& segment,
                  uint64_t now_us) const;
  bool ComesTooLate(const OuterFlow& flow, const SentSegment& segment,
                    uint64_t now_us) const;
  void GiveUpOld(OuterFlow& flow, uint64_t now_us);
  bool RetransmitIfLost(OuterFlow& flow, SentArena::Position at,
                        uint64_t now_us, TxBatch& out);
  void RetransmitLost(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  bool SendsAgain(const OuterFlow& flow, SentArena::Position at) const {
    return config_.retransmit || arena_.At(at).end() <= flow.stream_end;
  }

  // outer_tcp_send.cc: acks, FIN, and payload again.
  bool SendAck(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  void SendFin(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  // Whole, or in parts that the path takes.
  bool Retransmit(OuterFlow& flow, SentArena::Position at, uint64_t now_us,
                  TxBatch& out);
  bool RetransmitPart(OuterFlow& flow, SentArena::Position at, uint16_t from,
                      uint16_t count, uint64_t now_us, TxBatch& out);
  FlowTemplate::Segment NextSegment(OuterFlow& flow, uint64_t offset,
                                    uint64_t now_us);
  void FlushFlow(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  bool Emit(rte_mbuf* frame, TxBatch& out);

  // outer_tcp_path.cc: what the path takes. A segment with such a payload was
  // acknowledged; one is lost.
  void NoteProven(OuterFlow& flow, uint16_t payload, uint64_t sent_us);
  void NoteLost(OuterFlow& flow, SentArena::Position at, bool timeout,
                uint64_t now_us);
  void StepDown(OuterFlow& flow, uint16_t lost, uint64_t now_us);
  void StepTo(OuterFlow& flow, uint16_t payload, uint64_t now_us);
  void EndProbe(OuterFlow& flow, uint64_t now_us);
  void BeginSmall(OuterFlow& flow) const;
  uint16_t LargestWorthIt(const OuterFlow& flow) const;
  uint16_t NextToTry(const OuterFlow& flow) const;
  void StartProbe(OuterFlow& flow, uint16_t payload, uint64_t now_us);

  // outer_tcp_payload.cc: payload of ours.
  size_t RunLength(const OuterFlow& flow,
                   std::span<rte_mbuf* const> records) const;
  void SendRun(OuterFlow& flow, std::span<rte_mbuf* const> records, bool push,
               uint64_t now_us);
  uint64_t Keep(OuterFlow& flow, rte_mbuf* record, bool push, uint64_t now_us);
  void MakeRoom(uint64_t now_us);

  size_t CutStream(OuterFlow& flow, std::span<const uint8_t> bytes,
                   uint64_t now_us, std::span<rte_mbuf*> segments);

  // outer_tcp_unsent.cc: what waits for the peer's window.
  size_t UnsentRoom(const OuterFlow& flow) const;
  void KeepUnsent(OuterFlow& flow, rte_mbuf* segment);
  rte_mbuf* TakeUnsent(OuterFlow& flow);
  rte_mbuf* CutUnsent(OuterFlow& flow, uint16_t room);
  void DropUnsent(OuterFlow& flow);
  void SendUnsent(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  void AskForWindow(OuterFlow& flow, uint64_t now_us);
  void StopAsking(OuterFlow& flow);
  void ProbeWindow(OuterFlow& flow, uint64_t now_us, TxBatch& out);

  // outer_tcp_timer.cc
  static uint64_t RetryAfter(const OuterFlow& flow);
  void OnFlowTimer(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  void OnRetransmitTimer(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  void OnProbeTimer(OuterFlow& flow, uint64_t now_us, TxBatch& out);
  void ArmProbe(OuterFlow& flow, uint64_t now_us);
  void CheckForward(OuterFlow& flow, uint64_t now_us);

  Config config_;
  const FlowKeyedHash hash_;
  const SynCookie cookie_;
  FlowTable table_;
  ClosedFlows closed_;
  FlowTimers timers_;
  SentArena arena_;
  RangePlaces range_places_;
  std::vector<PeerIndex> peers_;  // whose a proven flow is, by slot
  const SynBudget syn_budget_;
  ClosingQueue closing_;  // unproven ones
  std::array<Endpoint, kMaxListen> listen_;
  size_t listen_count_ = 0;
  // Slots with something for Flush, and slots with events, each at most once.
  std::vector<uint32_t> touched_;
  std::vector<uint32_t> eventful_;
  // When the segment was sent that the ack under work measures by; 0 for none.
  uint64_t rtt_from_us_ = 0;
  bool new_hole_ = false;  // told of by the ack under work
  uint64_t cookies_until_us_ = 0;
  uint64_t flushed_us_ = 0;  // when Flush was last called
  uint64_t reset_second_ = 0;
  uint32_t resets_ = 0;
  bool connected_ = false;  // ever: the endpoints that are not listened at
                            // are closed ports
  Totals totals_;
  LegMtus leg_mtus_{};
};

}  // namespace lwt

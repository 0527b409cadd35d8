// One outer flow that reached the hub and has not proven itself: from its first
// byte to a lane, or to an alert.
//
// Lives in a table of fixed size made at start. Until the first message proves
// the shared key, a flow keeps at most kHelloBytes of its stream, copied, and
// nothing else is allocated for it. Control thread.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "control/base/remote_log.h"
#include "control/fallback/relay.h"
#include "control/handshake/door_limits.h"
#include "control/handshake/hub_handshake.h"
#include "control/handshake/lane_join.h"
#include "control/session/patience.h"
#include "control/session/stream_assembler.h"
#include "control/workers/peer_host.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

class HubFlow {
 public:
  static constexpr uint64_t kTimeoutUs = 10'000'000;
  // The first flight of a prober's is ten segments.
  static constexpr uint64_t kHelloBytes = 16 * 1024;
  // A hello that is not whole by then is none.
  static constexpr int kHelloLooks = 4;
  // From the answer to a join until its first record is whole.
  static constexpr uint64_t kJoinUs = 5'000'000;
  // Of the first record of a join: any that fits one segment.
  static constexpr size_t kMaxFirstRecord = 2048;

  // Shared by all flows of a hub; outlives them.
  struct Context {
    WorkerLink& link;
    PeerHost& host;
    handshake::HubDoor& door;
    handshake::DoorLimits& limits;
    loop::RemoteLog& log;
    ProberDoor* probers;  // null: whom we turn away meets an alert
    StreamMemory& memory;
  };

  enum class State : uint8_t {
    kFree,
    kHello,         // nothing proven
    kHandshake,     // the key is proven, waiting for message 3
    kAwaitVerdict,  // handshake() says who it is: call Finish
    kJoinAsked,     // hello() may be a lane join: call AnswerJoin or Refuse
    kJoinAnswered,  // waiting for ChangeCipherSpec and the first record
    kJoinSaid,      // first_record() is there: HandOver, or Refuse
    kOver,          // refused: FIN is on its way
    kTaken,         // the probers' door has the flow: call Free
  };

  HubFlow() = default;
  HubFlow(const HubFlow&) = delete;
  HubFlow& operator=(const HubFlow&) = delete;
  ~HubFlow() { Free(); }

  // `up` is of kind kFlowUp. Who proves the key gets so much more time for its
  // words as the SYN-ACK's round trip took.
  void Open(const Context& context, const Event& up, uint64_t now_us);
  void OnStream(const PuntedStream& stream, uint64_t now_us);
  // Leaves the flow to the probers' door, or else: alert, FIN. `why` is for
  // the log.
  void Refuse(std::string_view why, uint64_t now_us) {
    Refuse(why, now_us, nullptr);
  }
  // The same of one that proved nothing, which is charged to its source.
  void Fail(std::string_view why, uint64_t now_us) {
    Fail(why, now_us, nullptr);
  }
  // Its time is over, and it has not said a whole hello: leaves it to the
  // probers' door, or else ends it as a server ends a silent connection.
  void GiveUp(uint64_t now_us);
  // Forgets all without a word to the peer.
  void Free();

  State state() const { return state_; }
  FlowId flow() const { return flow_; }
  uint8_t leg() const { return leg_; }
  const Endpoint& local() const { return local_; }
  const Endpoint& remote() const { return remote_; }
  uint64_t deadline_us() const { return deadline_us_; }

  // In kAwaitVerdict.
  handshake::HubHandshake& handshake() { return *proven_->handshake; }
  // Sends what Finish() of the handshake wrote; closes when it was refused.
  void SendVerdict(handshake::ByteVector bytes, bool accepted);

  // In kJoinAsked.
  const handshake::HelloFields& hello() const { return *hello_; }
  void AnswerJoin(uint64_t session_id, handshake::LaneJoinAnswer answer,
                  uint64_t now_us);

  // Whether it waits to become this lane. Whoever repeats a hello comes that
  // far too, so nothing is the flow's before its first record verifies.
  bool Joins(uint64_t session_id, handshake::LaneId lane_id) const;
  // Then.
  uint64_t session_id() const { return proven_->session_id; }
  const handshake::JoinedLane& joined() const { return proven_->joined; }
  // In kJoinSaid.
  std::span<const uint8_t> first_record() const { return proven_->first; }

  // The flow's lane is installed: sealed records that came early go to the
  // worker, the flow itself is not ours any more.
  void HandOver();

 private:
  // What exists for a flow that proved the key only.
  struct Proven {
    std::optional<handshake::HubHandshake> handshake;
    uint64_t session_id = 0;
    handshake::JoinedLane joined;
    handshake::ByteVector ccs;    // of a join, so far
    handshake::ByteVector first;  // record of a join
    uint64_t records_at = 0;      // stream offset where sealed records begin
  };

  void OnHelloBytes(const PuntedStream& stream, uint64_t now_us);
  void Judge(handshake::FirstFlight flight, const PuntedStream& latest,
             uint64_t now_us);
  void Refuse(std::string_view why, uint64_t now_us,
              const PuntedStream* latest);
  void Fail(std::string_view why, uint64_t now_us, const PuntedStream* latest);
  void LogRefusal(std::string_view why);
  bool TakenAsProber(uint64_t now_us, const PuntedStream* latest);
  void BeginProven(size_t hello_size);
  void OnProvenBytes(const PuntedStream& stream);
  void FeedHandshake(std::span<const uint8_t> bytes);
  void FeedJoin(std::span<const uint8_t> bytes);
  void ReadFirstRecord();
  void Send(handshake::ByteVector bytes);
  void CloseFlow();

  const Context* context_ = nullptr;
  State state_ = State::kFree;
  FlowId flow_ = kNullFlow;
  uint8_t leg_ = 0;  // of the uplink
  Endpoint local_;
  Endpoint remote_;
  uint64_t deadline_us_ = 0;
  Patience patience_;
  std::optional<StreamAssembler> stream_;
  int looks_ = 0;
  size_t hello_size_ = 0;
  std::optional<handshake::HelloFields> hello_;
  std::unique_ptr<Proven> proven_;
};

}  // namespace lwt::peer

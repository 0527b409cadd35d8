// A session after its handshake, the same on both sides: lanes, key epochs,
// the channel of control messages.
//
// Sans-IO except for the two seams: a WorkerLink takes commands, a PeerHost
// follows next hops. Owned by ClientSession or HubSessions. Control thread.
#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/remote_log.h"
#include "control/handshake/control_channel.h"
#include "control/handshake/lane_join.h"
#include "control/handshake/rate_limit.h"
#include "control/handshake/rekey.h"
#include "control/handshake/session_secrets.h"
#include "control/session/loss_pool.h"
#include "control/session/message_table.h"
#include "control/session/reset_trial.h"
#include "control/session/worker_road.h"
#include "control/workers/peer_host.h"
#include "dataplane/exchange/event.h"

namespace lwt::peer {

struct SessionLane {
  LaneName name;
  handshake::LaneId id;      // the session's, never used twice
  handshake::LaneSlot slot;  // its place among those that we send on
  FlowId flow;
  Endpoint local;
  Endpoint remote;
  uint8_t leg = 0;  // of the uplink
  handshake::LaneNonces nonces;
  uint64_t installed_us = 0;
  uint64_t remove_at_us = UINT64_MAX;  // replaced: only receives until then
  bool suspect = false;                // others take over while there are any
  ResetTrial trial;                    // of a hub's
};

class Session {
 public:
  // What all sessions of a gateway share; outlives them.
  struct Context {
    WorkerRoad& road;
    PeerHost& host;
    loop::RemoteLog& log;
    handshake::RekeyRole role;
    handshake::RekeyConfig rekey;
    const MessageTable& messages;
    std::string_view version = {};  // ours, to tell peers; empty: none is told
  };

  // `owner` gets what comes of its lanes and their flows; `name` is for the
  // log.
  Session(const Context& context, FlowOwner& owner, PeerIndex peer,
          std::string name, handshake::SessionSecrets secrets, uint64_t now_us);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();  // removes its lanes, each with a FIN

  // Gives the flow's worker the keys of a new lane, made in `epoch`, which from
  // now on is the one of its slot that we send on; `lane` has no name yet.
  // Those that had the slot are removed after `old_lane_us`: a client's with a
  // FIN; a hub's without a word, for nobody is there who did not close it.
  // False when the worker has no lane free or the epoch is not open.
  bool InstallLane(SessionLane lane, uint32_t epoch, uint64_t now_us,
                   uint64_t old_lane_us);
  // Whether the record, the first on a flow that may become this lane, was
  // sealed by the peer for it. Nothing changes.
  bool Opens(const SessionLane& lane, uint32_t epoch,
             std::span<const uint8_t> record) const;
  // With a FIN, or without a word.
  void RemoveLane(LaneName name, bool close_flow = true);

  // Control messages that a peer may send in a second; those beyond are not
  // taken, and come again since nobody acknowledged them. Two of them renew the
  // keys (0.2 ms), which is more than any peer needs.
  static constexpr handshake::Rate kMessages{100, 200};
  // A record of kind control or close that this session's lane opened.
  void OnRecord(uint8_t kind, std::span<const uint8_t> bytes, uint64_t now_us);
  // kEpochDue, kEpochSpent, kPathChanged and kUnknownKind.
  void OnEvent(const Event& event, uint64_t now_us);
  // A RST that a kernel would obey came on a lane's flow, whose probes may take
  // `rto_us` to be answered: the lane is put on trial, and goes without a word
  // where the peer says nothing. The session stays, for the peer to join again.
  void OnReset(FlowId flow, uint64_t rto_us, uint64_t now_us);
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const;
  // When keys are renewed from now on.
  void SetRekeyLimits(const handshake::RekeyConfig& limits) {
    rekey_.SetLimits(limits.interval_us, limits.max_records);
    owner_.OnSessionDue();
  }

  // Puts a message on the channel, to leave at the next OnTimer. False, and
  // nothing is sent, when the peer does not understand its type; or when it has
  // long acknowledged nothing, which ends the session.
  template <handshake::ControlBody M>
  bool Send(const M& message) {
    return M::kUnderstoodBy(secrets_.peer) && Queue(M::kType, message.Build());
  }
  // Of what was sent, something is repeated until the peer acknowledges it.
  bool AwaitsAcknowledgement() const { return !channel_.AllAcknowledged(); }
  // Handlers of the message table.
  template <handshake::ControlBody M>
  bool TakeRekey(const M& message, uint64_t now_us) {
    std::vector<handshake::RekeyAction> actions;
    if (!rekey_.Receive(message, now_us, &actions)) return false;
    Apply(actions);
    return true;
  }
  void TakeNotice(const handshake::Notice& notice, uint64_t now_us);

  // When the peer was last heard of, when inner traffic was last sent on a lane
  // that is, and when one was last used so, or made.
  struct Activity {
    uint64_t heard_us = 0;
    uint64_t sent_us = 0;
    uint64_t used_us = 0;
  };
  Activity LastActivity() const;

  // Has the round trip of a lane that is new or in use measured, at most every
  // kMeasureUs; kReportAnswer brings it.
  static constexpr uint64_t kMeasureUs = 5'000'000;
  void Measure(uint64_t now_us);
  // Tells each lane what all of them lose, at most every kShareUs.
  static constexpr uint64_t kShareUs = 1'000'000;
  void ShareLoss(uint64_t now_us);
  // Asks the peer for a sign of life on a lane.
  void Probe(LaneName lane);
  // Whether the lane is one to send on only when there is no other.
  void SetSuspect(LaneName lane, bool suspect);

  // What a responder says right behind its verdict may come before the other
  // end has made the lane, and would count as lost: it waits for a message, or
  // that long.
  static constexpr uint64_t kFirstWordUs = 500'000;

  // Looks again at what the flows of its lanes take. The peer hears of it, and
  // workers and the device go by it, within kTellUs; call it now and then, for
  // an event may be lost.
  static constexpr uint64_t kTellUs = 250'000;
  void FollowPath(uint64_t now_us);
  // Tells the peer what it found once more, though it is nothing new.
  void TellPathAgain(uint64_t now_us) {
    told_mtu_ = 0;
    TellPath(now_us);
  }
  // The largest inner packet of the session now: what both ends agreed on, or
  // less where the way to the peer or the way back takes less in one segment.
  uint16_t inner_mtu() const { return std::min(own_mtu_, peer_mtu_); }
  // What the peer tells of the way to us. Handler of the message table.
  bool TakeMtu(uint16_t mtu);

  // What the peer says of itself. Handler of the message table.
  void TakeAbout(const handshake::About& about) { about_ = about; }
  // Empty before it has said something.
  const std::optional<handshake::About>& about() const { return about_; }

  // When the peer said last that another host has its static key.
  std::optional<uint64_t> twin_told_us() const { return twin_told_us_; }

  // What is set for this peer alone: for lanes that are and will be.
  void SetTuning(const PeerTuning& tuning);
  const PeerTuning& tuning() const { return tuning_; }

  // Tells the peer that we close; lanes go with the destructor.
  void SendClose(std::string_view reason,
                 handshake::CloseReason code = handshake::CloseReason::kNormal);

  // Not empty when the session has to be dropped, with the reason.
  const std::string& end_reason() const { return end_reason_; }
  // The peer has another session with our key: somebody took our place, or we
  // did.
  bool replaced() const { return replaced_; }

  const std::vector<SessionLane>& lanes() const { return lanes_; }
  // Of those we send on the one last heard of; control messages take it.
  // nullptr when there is none.
  const SessionLane* sending_lane() const;
  // The lanes that workers should send on: the newest of each slot, without
  // the suspect ones where others are not. Oldest first.
  std::vector<const SessionLane*> SendingLanes() const;
  // The newest lane of a slot, or nullptr.
  const SessionLane* LaneOfSlot(handshake::LaneSlot slot) const;
  const SessionLane* FindFlow(FlowId flow) const;

  PeerIndex peer() const { return peer_; }
  const std::string& name() const { return name_; }
  void SetName(std::string name) { name_ = std::move(name); }
  const handshake::SessionSecrets& secrets() const { return secrets_; }
  uint64_t created_us() const { return created_us_; }
  // By slot: the id of its newest lane, 0 before one joined.
  std::span<const handshake::LaneId> newest_lane_ids() const {
    return {newest_lane_ids_.data(), secrets_.lanes};
  }
  uint32_t send_epoch() const { return rekey_.send_epoch(); }
  uint64_t receive_epochs() const { return receive_epochs_; }
  uint64_t send_epochs() const { return send_epochs_; }
  LaneReading ReadingOf(const SessionLane& lane) const {
    return link().ReadLane(lane.name);
  }
  // Sums over lanes that are and were; newest times.
  LaneReading Totals() const;

 private:
  // To a lane's worker, about it.
  template <typename OfLane>
  void SendTo(const SessionLane& lane, OfLane command) {
    command.lane = lane.name.index;
    link().Send(lane.name.worker, Command(std::move(command)));
  }
  WorkerLink& link() const { return context_.road.link; }
  EpochKeys KeysOf(const SessionLane& lane, uint32_t epoch, bool send) const;
  void Apply(const std::vector<handshake::RekeyAction>& actions);
  void ApplyToLanes(const handshake::RekeyAction& action);
  // When the first control message may leave.
  uint64_t first_word_us() const {
    const bool waits =
        context_.role == handshake::RekeyRole::kResponder && !peer_spoke_;
    return waits ? created_us_ + kFirstWordUs : 0;
  }
  bool Queue(handshake::ControlType type, handshake::ByteVector body);
  void Deliver(const handshake::ControlMessage& message, uint64_t now_us);
  void OnClose(std::span<const uint8_t> bytes);
  void TickTrials(uint64_t now_us);
  bool WaitsForWorkers(uint64_t now_us);
  void Flush(uint64_t now_us);
  void Notify(handshake::NoticeCode code, std::string text);
  // session_path.cc
  void TellPath(uint64_t now_us);
  void TellAbout();
  void SettleMtu(uint16_t before);

  const Context context_;
  FlowOwner& owner_;
  const PeerIndex peer_;
  std::string name_;
  handshake::SessionSecrets secrets_;  // its roots live in rekey_
  handshake::Rekey rekey_;
  handshake::ControlChannel channel_;
  handshake::TokenBucket messages_{kMessages};
  std::vector<SessionLane> lanes_;  // oldest first
  const uint64_t created_us_;
  std::array<handshake::LaneId, handshake::kMaxLanes> newest_lane_ids_{};
  uint64_t next_measure_us_ = 0;
  LossPool loss_pool_;
  uint64_t next_share_us_ = 0;
  // Nothing that the peer may answer by sealing with a new epoch leaves before
  // all workers can open it.
  std::optional<CommandMark> unopened_;
  uint64_t next_flush_us_ = UINT64_MAX;  // while that is awaited
  uint32_t probe_token_ = 0;
  bool peer_spoke_ = false;  // by a control message
  uint64_t receive_epochs_ = 1;
  uint64_t send_epochs_ = 1;
  LaneReading removed_;  // sums over lanes that are gone
  std::string end_reason_;
  bool replaced_ = false;
  std::optional<uint64_t> twin_told_us_;
  // Of inner packets: what our way to the peer takes, what the peer's to us,
  // and what the peer believes of ours.
  uint16_t own_mtu_;
  uint16_t peer_mtu_;
  uint16_t told_mtu_;
  uint64_t next_tell_us_ = 0;
  PeerTuning tuning_;
  std::optional<handshake::About> about_;
  bool told_about_ = false;
};

}  // namespace lwt::peer

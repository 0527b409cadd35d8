// One attempt of a client to bring up an outer flow and prove itself on it: by
// a handshake, or by joining a lane to a session that stands.
//
// Sans-IO except for the seams. Owned by ClientSession; lives 10 s at most, and
// six round trips where these are longer.
// Control thread. Destroying it before kDone closes the flow.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "control/handshake/client_handshake.h"
#include "control/handshake/lane_join.h"
#include "control/session/patience.h"
#include "control/session/stream_assembler.h"
#include "control/session/worker_road.h"
#include "control/workers/peer_host.h"

namespace lwt::peer {

// What a join needs of the session.
struct JoinTicket {
  uint64_t session_id = 0;
  handshake::LaneId lane_id;
  handshake::LaneSlot slot;
  handshake::KeyPair join_keys;
  handshake::SecretKey join_mask;
};

class ClientAttempt {
 public:
  static constexpr uint64_t kTimeoutUs = 10'000'000;
  // A hub of which nothing comes in order for so long will not finish: bytes
  // that somebody put into the stream have taken the place of true ones, or a
  // forged ack took them for arrived. Time for two losses of one segment in a
  // row; on a long way three round trips.
  static constexpr uint64_t kQuietUs = 5'000'000;
  static constexpr uint64_t kLinkPollUs = 50'000;

  struct Context {
    WorkerRoad& road;
    ClientHost& host;
    // `offer.mtu` is set by the attempt; its psk has to stay while that lives.
    handshake::ClientConfig handshake;
  };

  enum class State : uint8_t {
    kNextHop,     // waiting for the neighbour
    kConnecting,  // waiting for the TCP handshake
    kExchange,    // waiting for the hub's words
    kDone,
    kFailed,
  };

  // `owner` gets what comes of the flow. A ticket makes it a join.
  ClientAttempt(const Context& context, FlowOwner& owner,
                const Endpoint& remote, std::optional<JoinTicket> ticket,
                const PortWish& wish, uint64_t now_us);
  ClientAttempt(const ClientAttempt&) = delete;
  ClientAttempt& operator=(const ClientAttempt&) = delete;
  ~ClientAttempt();

  // `rtt_us` is the SYN's round trip, 0 where it is not known.
  void OnFlowUp(FlowId flow, uint64_t rtt_us, uint64_t now_us);
  void OnFlowDown(FlowDownReason reason);
  void OnStream(const PuntedStream& stream, uint64_t now_us);
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const;

  State state() const { return state_; }
  // Nobody has answered yet.
  bool is_calling() const {
    return state_ == State::kNextHop || state_ == State::kConnecting;
  }
  bool is_join() const { return ticket_.has_value(); }
  // Of the lane that it is to bring up, which is that of the worker.
  handshake::LaneSlot slot() const {
    return ticket_ ? ticket_->slot : handshake::LaneSlot{};
  }
  uint32_t token() const { return token_; }
  bool has_local() const { return has_local_; }
  FlowId flow() const { return flow_; }
  const Endpoint& local() const { return local_; }
  const Endpoint& remote() const { return remote_; }
  // After kFailed: the sentence for the operator, whose code means nothing,
  // and the two failures that are more than that.
  const absl::Status& status() const { return status_; }
  bool session_unknown() const { return session_unknown_; }  // of a join
  // Nobody was there to say anything of it: the connection never stood, and
  // nobody refused it.
  bool unheard() const { return quiet_at_us_ == UINT64_MAX && !refused_; }
  // The hub did not prove to have the shared key: it may have another.
  bool key_unproven() const { return exchange_ && exchange_->key_unproven(); }
  std::optional<handshake::PublicKey> changed_hub_key() const {
    return exchange_ ? exchange_->changed_key() : std::nullopt;
  }

  // After kDone, each once. The flow and the local endpoint are the caller's
  // from TakeFlow on; Reinject hands sealed records that came early to the
  // worker, once it knows of the lane.
  handshake::SessionSecrets TakeSession() { return exchange_->TakeSession(); }
  const handshake::JoinedLane& joined() const { return joined_; }
  void TakeFlow() { taken_ = true; }
  void Reinject() {
    context_.road.peers.Hold(flow_);
    assembler_.Reinject(context_.road.link, flow_, records_at_);
  }

 private:
  void TryConnect(uint64_t now_us);
  void Fail(absl::Status status);
  void FailUnknown(std::string_view why);
  void Send(handshake::ByteVector bytes);
  void FeedHandshake(std::span<const uint8_t> bytes);
  void FeedJoin(std::span<const uint8_t> bytes);

  const Context context_;
  FlowOwner& owner_;
  const Endpoint remote_;
  const uint32_t token_;
  const std::optional<JoinTicket> ticket_;
  uint64_t deadline_us_;
  Patience patience_;
  uint64_t next_try_us_ = 0;
  uint64_t quiet_at_us_ = UINT64_MAX;  // since the hub spoke last
  State state_ = State::kNextHop;
  absl::Status status_;
  bool session_unknown_ = false;
  bool refused_ = false;
  Endpoint local_;
  bool has_local_ = false;
  bool taken_ = false;
  FlowId flow_ = kNullFlow;
  StreamMemory memory_{StreamAssembler::kMaxStream};
  StreamAssembler assembler_{memory_};
  uint64_t records_at_ = 0;  // stream offset where sealed records begin
  std::optional<handshake::ClientHandshake> exchange_;
  handshake::LaneJoinRequest request_;
  handshake::ByteVector answer_;  // of a join, so far
  handshake::JoinedLane joined_;
};

}  // namespace lwt::peer

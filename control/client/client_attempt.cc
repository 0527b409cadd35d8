#include "control/client/client_attempt.h"

#include <algorithm>
#include <utility>

#include "control/base/text.h"

namespace lwt::peer {
namespace {

using handshake::ClientProgress;
using handshake::LaneJoinProgress;

std::string_view WhyDown(FlowDownReason reason) {
  switch (reason) {
    case FlowDownReason::kTimedOut:
      return "does not answer: the hub does not run there, or a firewall does "
             "not let its TCP port through";
    case FlowDownReason::kRefused:
      return "refuses the connection: the hub does not run there, or a "
             "firewall answers for it";
    case FlowDownReason::kClosedByPeer:
      return "closed the connection before the handshake was done";
    case FlowDownReason::kClosed:
      break;
  }
  return "lost the connection before the handshake was done";
}

}  // namespace

ClientAttempt::ClientAttempt(const Context& context, FlowOwner& owner,
                             const Endpoint& remote,
                             std::optional<JoinTicket> ticket,
                             const PortWish& wish, uint64_t now_us)
    : context_(context),
      owner_(owner),
      remote_(remote),
      token_(context.road.owners.NewToken(owner)),
      ticket_(std::move(ticket)),
      deadline_us_(now_us + kTimeoutUs) {
  absl::StatusOr<Endpoint> local = context_.host.OpenLocal(remote_, wish);
  if (!local.ok()) {
    Fail(local.status());
    return;
  }
  local_ = *local;
  has_local_ = true;
  context_.road.peers.AddFlow(local_, remote_, WorkerIndex{slot().value});
  TryConnect(now_us);
}

ClientAttempt::~ClientAttempt() {
  context_.road.owners.ForgetToken(token_);
  if (has_local_) context_.road.peers.RemoveFlow(local_, remote_);
  if (taken_) return;
  if (flow_ != kNullFlow) {
    context_.road.owners.ForgetFlow(flow_, owner_);
    context_.road.link.Send(CloseFlowCommand{flow_});
  }
  if (has_local_) context_.host.CloseLocal(local_);
}

void ClientAttempt::TryConnect(uint64_t now_us) {
  std::optional<wire::LinkHeader> link = context_.host.LinkTo(remote_.address);
  if (!link) {
    next_try_us_ = now_us + kLinkPollUs;
    return;
  }
  state_ = State::kConnecting;
  // By then all workers know whose the flow is.
  context_.road.peers.SendAfter(WorkerIndex{slot().value},
                                ConnectCommand{token_, local_, remote_, *link,
                                               WorkerIndex{slot().value}});
}

void ClientAttempt::OnTimer(uint64_t now_us) {
  if (state_ == State::kNextHop && now_us >= next_try_us_) TryConnect(now_us);
  if (state_ == State::kDone || state_ == State::kFailed) return;
  if (now_us < std::min(deadline_us_, quiet_at_us_)) return;
  std::string to = ToString(remote_);
  if (state_ == State::kNextHop) {
    Fail(absl::UnavailableError(config::Concat(
        "no way to ", to, ": ", context_.host.LinkProblem(remote_.address))));
  } else if (state_ == State::kConnecting) {
    Fail(absl::UnavailableError(config::Concat(
        "no answer from ", to,
        ": the hub does not run there, or a firewall does not let TCP port ",
        remote_.port, " through")));
  } else {
    Fail(absl::DeadlineExceededError(config::Concat(
        to, " took the connection but did not finish the handshake")));
  }
}

uint64_t ClientAttempt::NextDeadline() const {
  if (state_ == State::kDone || state_ == State::kFailed) return UINT64_MAX;
  if (state_ == State::kNextHop) return std::min(next_try_us_, deadline_us_);
  return std::min(deadline_us_, quiet_at_us_);
}

void ClientAttempt::Fail(absl::Status status) {
  if (state_ == State::kDone || state_ == State::kFailed) return;
  state_ = State::kFailed;
  status_ = std::move(status);
}

// The hub itself turned the join down.
void ClientAttempt::FailUnknown(std::string_view why) {
  session_unknown_ = true;
  Fail(absl::UnauthenticatedError(config::Concat(ToString(remote_), " ", why)));
}

void ClientAttempt::Send(handshake::ByteVector bytes) {
  if (bytes.empty()) return;
  context_.road.link.Send(SendStreamCommand{flow_, std::move(bytes)});
}

void ClientAttempt::OnFlowUp(FlowId flow, uint64_t rtt_us, uint64_t now_us) {
  if (state_ != State::kConnecting) return;
  flow_ = flow;
  context_.road.owners.ForgetToken(token_);
  context_.road.owners.OwnFlow(flow_, owner_);
  patience_ = Patience(rtt_us);
  quiet_at_us_ = now_us + patience_.ForWord(kQuietUs);
  deadline_us_ = std::max(deadline_us_, now_us + patience_.ForExchange(0));
  state_ = State::kExchange;
  if (ticket_) {
    request_ = handshake::MakeLaneJoin(ticket_->join_mask, ticket_->join_keys,
                                       ticket_->session_id, ticket_->lane_id,
                                       ticket_->slot, context_.host.UnixMs(),
                                       context_.handshake.random);
    Send(handshake::BuildClientHello(request_.hello,
                                     context_.handshake.server_name));
    return;
  }
  handshake::ClientConfig config = context_.handshake;
  config.offer.mtu =
      std::min(config.offer.mtu, context_.host.MaxInnerMtu(remote_));
  exchange_.emplace(config);
  Send(exchange_->Start(context_.host.UnixMs()));
}

void ClientAttempt::OnFlowDown(FlowDownReason reason) {
  context_.road.owners.ForgetFlow(std::exchange(flow_, kNullFlow), owner_);
  const std::string_view why = WhyDown(reason);
  refused_ = reason == FlowDownReason::kRefused;
  if (state_ == State::kExchange && ticket_ &&
      reason == FlowDownReason::kClosedByPeer) {
    FailUnknown(why);
  } else {
    Fail(absl::UnavailableError(config::Concat(ToString(remote_), " ", why)));
  }
}

void ClientAttempt::OnStream(const PuntedStream& stream, uint64_t now_us) {
  assembler_.Add(stream);
  while (state_ == State::kExchange) {
    std::span<const uint8_t> bytes = assembler_.Next();
    if (bytes.empty()) return;
    quiet_at_us_ = now_us + patience_.ForWord(kQuietUs);
    if (ticket_) {
      FeedJoin(bytes);
    } else {
      FeedHandshake(bytes);
    }
  }
}

void ClientAttempt::FeedHandshake(std::span<const uint8_t> bytes) {
  handshake::ByteVector output;
  ClientProgress progress =
      exchange_->Feed(bytes, context_.host.UnixMs(), &output);
  Send(std::move(output));
  if (progress == ClientProgress::kFailed) Fail(exchange_->status());
  if (progress != ClientProgress::kDone) return;
  state_ = State::kDone;
  records_at_ = assembler_.position() - exchange_->leftover().size();
}

void ClientAttempt::FeedJoin(std::span<const uint8_t> bytes) {
  answer_.insert(answer_.end(), bytes.begin(), bytes.end());
  size_t consumed = 0;
  LaneJoinProgress progress = handshake::ReadLaneJoinAnswer(
      ticket_->join_keys, request_, answer_, &joined_, &consumed);
  if (progress == LaneJoinProgress::kFailed) {
    FailUnknown("does not know our session any more");
  }
  if (progress != LaneJoinProgress::kDone) return;
  const auto& ccs = handshake::kChangeCipherSpecRecord;
  Send({ccs.begin(), ccs.end()});
  state_ = State::kDone;
  records_at_ = consumed;
}

}  // namespace lwt::peer

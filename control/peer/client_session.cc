#include "control/peer/client_session.h"

#include <algorithm>
#include <utility>

#include "control/peer/snapshot_builder.h"

namespace lwt::peer {
namespace {

constexpr uint32_t kHubPeer = 0;

std::string_view WhyDown(uint8_t detail) {
  switch (static_cast<FlowDownReason>(detail)) {
    case FlowDownReason::kTimedOut:
      return "does not answer; is the server running, and does a firewall let "
             "its TCP port through?";
    case FlowDownReason::kRefused:
      return "refuses the connection; is the server running there?";
    case FlowDownReason::kClosedByPeer:
      return "closed the connection before the handshake was done";
    case FlowDownReason::kClosed:
      break;
  }
  return "lost the connection before the handshake was done";
}

}  // namespace

ClientSession::ClientSession(Config config, LaneSlots& slots,
                             const loop::Log& log, uint64_t now_us)
    : config_(std::move(config)),
      slots_(slots),
      log_(log),
      backoff_(config_.rekey.random),
      phase_deadline_us_(now_us) {
  Publish();
}

void ClientSession::Begin(uint64_t now_us) {
  phase_ = Phase::kResolving;
  phase_deadline_us_ = now_us + kResolveTimeoutUs;
  config_.attempt.host.Resolve();
}

void ClientSession::OnResolved(absl::StatusOr<std::vector<Endpoint>> endpoints,
                               uint64_t now_us) {
  if (phase_ != Phase::kResolving) return;
  if (!endpoints.ok()) {
    Retry(std::string(endpoints.status().message()), now_us);
    return;
  }
  if (*endpoints != endpoints_) next_endpoint_ = 0;
  endpoints_ = *std::move(endpoints);
  tried_ = 0;
  StartAttempt(now_us);
}

void ClientSession::StartAttempt(uint64_t now_us) {
  const Endpoint& remote = endpoints_[next_endpoint_ % endpoints_.size()];
  std::optional<JoinTicket> ticket;
  if (session_ != nullptr && join_possible_ &&
      session_->highest_lane_id() < UINT16_MAX) {
    ticket = JoinTicket{session_->secrets().session_id,
                        static_cast<uint16_t>(session_->highest_lane_id() + 1),
                        session_->secrets().join_keys};
    session_->UseLaneId(ticket->lane_id);
  } else {
    ++tried_;
  }
  log_.Debug(ticket ? "joining a new flow to the session with " : "calling ",
             ToString(remote));
  if (session_ == nullptr) remote_ = remote;
  phase_ = Phase::kAttempt;
  attempt_ = std::make_unique<ClientAttempt>(
      config_.attempt, remote, next_token_++, std::move(ticket), now_us);
  CheckAttempt(now_us);
}

void ClientSession::CheckAttempt(uint64_t now_us) {
  if (attempt_ == nullptr) return;
  if (attempt_->state() == ClientAttempt::State::kFailed) {
    OnAttemptFailed(now_us);
  } else if (attempt_->state() == ClientAttempt::State::kDone) {
    if (attempt_->is_join()) {
      OnJoined(now_us);
    } else {
      OnHandshakeDone(now_us);
    }
  }
}

void ClientSession::OnAttemptFailed(uint64_t now_us) {
  absl::Status status = attempt_->status();
  bool was_join = attempt_->is_join();
  if (status.code() == absl::StatusCode::kFailedPrecondition && !was_join &&
      config_.on_key_changed) {
    status = config_.on_key_changed(attempt_->hub_key());
  }
  attempt_.reset();
  if (was_join) {
    join_possible_ = false;
    log_.Info("lane join failed: ", status.message());
    if (status.code() == absl::StatusCode::kUnauthenticated) {
      StartAttempt(now_us);
      return;
    }
  }
  ++next_endpoint_;
  if (tried_ < endpoints_.size() && !was_join) {
    log_.Info(status.message());
    StartAttempt(now_us);
    return;
  }
  Retry(std::string(status.message()), now_us);
}

void ClientSession::Retry(std::string why, uint64_t now_us) {
  uint64_t delay = backoff_.NextUs();
  log_.Warn(why, "; next attempt in ", (delay + 99'999) / 100'000 / 10, ".",
            (delay + 99'999) / 100'000 % 10, " s");
  reason_ = std::move(why);
  phase_ = Phase::kWaiting;
  phase_deadline_us_ = now_us + delay;
}

void ClientSession::OnHandshakeDone(uint64_t now_us) {
  handshake::SessionSecrets secrets = attempt_->TakeSession();
  absl::Status pinned = config_.on_hub_key(secrets.peer_key);
  if (!pinned.ok()) {
    attempt_.reset();
    Retry(std::string(pinned.message()), now_us);
    return;
  }
  config_.attempt.handshake.expected_hub_key = secrets.peer_key;
  SessionLane lane;
  lane.flow = attempt_->flow();
  lane.local = attempt_->local();
  lane.remote = attempt_->remote();
  lane.nonces = secrets.lane0;
  uint16_t mtu = secrets.mtu;
  Session::Context context{
      config_.attempt.link,          config_.attempt.host, slots_, log_,
      handshake::RekeyRole::kClient, config_.rekey};
  auto session = std::make_unique<Session>(context, kHubPeer, "hub",
                                           std::move(secrets), now_us);
  if (!session->InstallLane(lane, 0, now_us)) {
    attempt_.reset();
    Retry("no lane is free for the new session", now_us);
    return;
  }
  std::swap(session_, session);  // the old one's lanes go at the end
  up_since_us_ = now_us;
  config_.attempt.host.SetInnerMtu(mtu);
  SettleLane(now_us);
  session.reset();
  ReleaseLocals();
  log_.Info("tunnel up: session with ", ToString(*remote_), ", inner MTU ",
            mtu);
}

void ClientSession::OnJoined(uint64_t now_us) {
  SessionLane lane;
  lane.id = attempt_->joined().lane_id;
  lane.flow = attempt_->flow();
  lane.local = attempt_->local();
  lane.remote = attempt_->remote();
  lane.nonces = attempt_->joined().nonces;
  if (!session_->InstallLane(lane, attempt_->joined().epoch, now_us)) {
    attempt_.reset();
    join_possible_ = false;
    Retry("the new lane could not be installed", now_us);
    return;
  }
  session_->RetireOldLanes(now_us, kOldLaneUs);
  SettleLane(now_us);
  log_.Info("tunnel up: the session goes on over a new flow from ",
            ToString(lane.local), " to ", ToString(lane.remote));
}

void ClientSession::SettleLane(uint64_t now_us) {
  attempt_->TakeFlow();
  locals_.push_back(attempt_->local());
  remote_ = attempt_->remote();
  Publish();
  attempt_->Reinject();
  attempt_.reset();
  liveness_.emplace(config_.rekey.random, now_us);
  phase_ = Phase::kSettled;
  phase_deadline_us_ = UINT64_MAX;
  reason_.clear();
}

void ClientSession::OnEvent(const Event& event, uint64_t now_us) {
  switch (event.kind) {
    case EventKind::kFlowUp:
      if (attempt_ != nullptr && event.token == attempt_->token()) {
        attempt_->OnFlowUp(event.flow);
      } else {
        config_.attempt.link.Send(ReleaseFlowCommand{event.flow});
      }
      break;
    case EventKind::kFlowDown:
      OnFlowDown(event, now_us);
      break;
    case EventKind::kResetHint:
      if (liveness_ && session_ != nullptr && session_->FindFlow(event.flow)) {
        liveness_->Hint(now_us);
        next_tick_us_ = now_us;
      }
      break;
    case EventKind::kReportAnswer:
      if (session_ != nullptr && session_->HasLane(event.lane)) {
        rtt_us_ = event.value;
      }
      break;
    case EventKind::kEpochDue:
    case EventKind::kEpochSpent:
    case EventKind::kUnknownKind:
      if (session_ != nullptr && session_->HasLane(event.lane)) {
        session_->OnEvent(event, now_us);
      }
      break;
  }
  CheckAttempt(now_us);
  CheckSession(now_us);
}

void ClientSession::OnFlowDown(const Event& event, uint64_t now_us) {
  if (attempt_ != nullptr &&
      (attempt_->flow() == kNullFlow ? event.token == attempt_->token()
                                     : event.flow == attempt_->flow())) {
    attempt_->OnFlowDown(WhyDown(event.detail));
    return;
  }
  if (session_ == nullptr) return;
  const SessionLane* lane = session_->FindFlow(event.flow);
  if (lane == nullptr) return;
  bool sending = lane == session_->sending_lane();
  session_->RemoveLane(lane->index);
  ReleaseLocals();
  Publish();
  if (!sending) return;
  liveness_.reset();
  Suspect("the connection to the hub was closed", now_us);
}

void ClientSession::OnStream(const PuntedStream& stream, uint64_t now_us) {
  if (attempt_ != nullptr && attempt_->flow() == stream.flow) {
    attempt_->OnStream(stream);
    CheckAttempt(now_us);
  } else if (session_ != nullptr && session_->FindFlow(stream.flow)) {
    // Punted before the worker had the lane.
    ReinjectFrame(config_.attempt.link, stream, stream.flow, 0);
  } else {
    config_.attempt.link.FreeFrame(stream.frame);
  }
}

void ClientSession::OnRecord(const PuntedRecord& record, uint64_t now_us) {
  if (session_ == nullptr || !session_->HasLane(record.lane)) return;
  session_->OnRecord(record.kind, {record.data(), record.length}, now_us);
  CheckSession(now_us);
}

void ClientSession::CheckSession(uint64_t now_us) {
  if (session_ == nullptr || session_->end_reason().empty()) return;
  std::string why = session_->end_reason();
  DropSession(why, now_us);
}

void ClientSession::DropSession(std::string_view why, uint64_t now_us) {
  reason_ = why;
  bool good = now_us - up_since_us_ >= kGoodServiceUs;
  session_.reset();
  liveness_.reset();
  join_possible_ = false;
  ReleaseLocals();
  Publish();
  attempt_.reset();
  if (!good) {
    Retry(std::string(why), now_us);
    return;
  }
  log_.Warn(why, "; calling again");
  backoff_.Reset();
  Begin(now_us);
}

void ClientSession::Suspect(std::string why, uint64_t now_us) {
  if (phase_ != Phase::kSettled) return;
  log_.Warn(why, "; opening another flow");
  reason_ = std::move(why);
  if (now_us - up_since_us_ >= kGoodServiceUs) backoff_.Reset();
  join_possible_ = true;
  Begin(now_us);
}

void ClientSession::OnSourceChanged(const IpAddress& source, uint64_t now_us) {
  const SessionLane* lane =
      session_ == nullptr ? nullptr : session_->sending_lane();
  if (lane == nullptr || lane->local.address == source) return;
  Suspect(config::Concat("our address changed to ", ToString(source)), now_us);
}

void ClientSession::TickLiveness(uint64_t now_us) {
  const SessionLane* lane =
      session_ == nullptr ? nullptr : session_->sending_lane();
  if (lane == nullptr || !liveness_) return;
  session_->Measure(now_us);
  LaneReading reading = config_.attempt.link.ReadLane(lane->index);
  reading.last_rx_us = std::max(reading.last_rx_us, lane->installed_us);
  Liveness::State before = liveness_->state();
  if (liveness_->Tick(reading, now_us)) {
    session_->Probe();
  }
  Liveness::State after = liveness_->state();
  if (after == before) return;
  if (after == Liveness::State::kSuspect) {
    config_.attempt.host.SuspectPath(lane->remote.address);
    Suspect("no answer through the tunnel", now_us);
  } else if (after == Liveness::State::kDead) {
    log_.Warn("the path to ", ToString(lane->remote), " is dead");
    while (!session_->lanes().empty()) {
      session_->RemoveLane(session_->lanes().back().index);
    }
    liveness_.reset();
    ReleaseLocals();
    Publish();
  } else if (phase_ != Phase::kSettled) {
    log_.Info("the path to ", ToString(lane->remote), " answers again");
    attempt_.reset();
    phase_ = Phase::kSettled;
    phase_deadline_us_ = UINT64_MAX;
    reason_.clear();
  }
}

void ClientSession::OnTimer(uint64_t now_us) {
  if (attempt_ != nullptr) {
    attempt_->OnTimer(now_us);
    CheckAttempt(now_us);
  }
  if (session_ != nullptr) {
    size_t lanes = session_->lanes().size();
    session_->OnTimer(now_us);
    if (session_->lanes().size() != lanes) ReleaseLocals();
    CheckSession(now_us);
  }
  if (now_us >= next_tick_us_) {
    next_tick_us_ = now_us + Liveness::kTickUs;
    TickLiveness(now_us);
    if (liveness_) next_tick_us_ = liveness_->NextTick(now_us);
  }
  if (now_us < phase_deadline_us_) return;
  if (phase_ == Phase::kWaiting) {
    Begin(now_us);
  } else if (phase_ == Phase::kResolving) {
    Retry(config::Concat("the name ", config_.hub_name,
                         " could not be looked up in time"),
          now_us);
  }
}

uint64_t ClientSession::NextDeadline() const {
  uint64_t next = UINT64_MAX;
  if (phase_ == Phase::kWaiting || phase_ == Phase::kResolving) {
    next = phase_deadline_us_;
  }
  if (attempt_ != nullptr) next = std::min(next, attempt_->NextDeadline());
  if (session_ != nullptr) {
    next = std::min({next, session_->NextDeadline(), next_tick_us_});
  }
  return next;
}

bool ClientSession::Close(std::string_view reason) {
  attempt_.reset();
  if (session_ == nullptr || session_->lanes().empty()) return false;
  session_->SendClose(reason);
  session_.reset();
  liveness_.reset();
  return true;
}

std::string_view ClientSession::state() const {
  if (session_ != nullptr && session_->sending_lane() != nullptr) {
    return phase_ == Phase::kSettled ? "up" : "suspect";
  }
  return phase_ == Phase::kWaiting ? "down" : "connecting";
}

void ClientSession::ReleaseLocals() {
  auto unused = [&](const Endpoint& local) {
    if (session_ != nullptr) {
      for (const SessionLane& lane : session_->lanes()) {
        if (lane.local == local) return false;
      }
    }
    config_.attempt.host.CloseLocal(local);
    return true;
  };
  std::erase_if(locals_, unused);
}

void ClientSession::Publish() {
  SnapshotBuilder builder(1);
  for (const IpPrefix& prefix : config_.tunnel_addresses) {
    builder.Route(prefix, kHubPeer);
    builder.RefuseHost(prefix.address);
  }
  if (session_ != nullptr) builder.Peer(*session_);
  config_.attempt.link.Publish(builder.Build(++snapshot_version_, false));
}

}  // namespace lwt::peer

#include "control/client/client_session.h"

#include <algorithm>
#include <utility>

namespace lwt::peer {

using loop::Cause;
namespace {

constexpr std::string_view kBadRoutes =
    "the peer broke the protocol of networks behind it";

}  // namespace

ClientSession::ClientSession(Config config, const loop::Log& log,
                             uint64_t now_us)
    : config_(std::move(config)),
      log_(log),
      backoff_(config_.rekey.random),
      twin_backoff_(config_.rekey.random, kTwinFirstUs),
      phase_deadline_us_(now_us),
      hubs_(std::move(config_.hubs)),
      peer_(*road().peers.Add({.networks = config_.tunnel_addresses})),
      lanes_(config_.rekey.random),
      routes_(config_.tunnel_addresses, config_.routing),
      default_route_(config_.tunnel_addresses, config_.routing),
      dns_(config_.routing.accept_dns) {
  road().peers.SetOwn(config_.tunnel_addresses);
  TakeMessages();
}

void ClientSession::TakeMessages() {
  config_.messages.Add<handshake::RoutesMessage>(
      kBadRoutes, [this](Session&, const handshake::RoutesMessage& message,
                         uint64_t now_us) {
        routes_.OnRoutes(message, now_us);
        return true;
      });
  config_.messages.Add<handshake::RoutesAnswer>(
      kBadRoutes,
      [this](Session&, const handshake::RoutesAnswer& answer, uint64_t) {
        routes_.OnAnswer(answer, log_);
        return true;
      });
  config_.messages.Add<handshake::DnsMessage>(
      "the hub broke the protocol of name servers",
      [this](Session&, const handshake::DnsMessage& message, uint64_t) {
        dns_.OnMessage(message);
        LeadNames();
        return true;
      });
}

ClientSession::~ClientSession() {
  DropAttempts();
  session_.reset();
  road().peers.Remove(peer_);
  road().peers.SetPeerNetworks({});
}

void ClientSession::Apply(Settings settings, uint64_t now_us) {
  config_.rekey.interval_us = settings.rekey.interval_us;
  config_.rekey.max_records = settings.rekey.max_records;
  LeadDefault(default_route_.Apply(settings.routing));
  dns_.Apply(settings.routing.accept_dns);
  LeadNames();
  if (routes_.Apply(std::move(settings.routing), session_.get(),
                    config_.attempt.host.ConnectedNetworks(), log_)) {
    LeadNetworks();
  }
  handshake::ClientConfig& handshake = config_.attempt.handshake;
  handshake.server_name = std::move(settings.server_name);
  handshake.offer.mtu = settings.offered_mtu;
  if (session_ != nullptr) session_->SetRekeyLimits(config_.rekey);
  if (phase_ == Phase::kWaiting) phase_deadline_us_ = now_us;
  const bool changed = hubs_.SetHubs(std::move(settings.hubs));
  const bool shaking = attempt_ != nullptr && !attempt_->is_join();
  if (changed && (phase_ == Phase::kResolving || shaking)) {
    // The hub that it is about to use may not be wanted any more.
    DropAttempts();
    Begin(now_us);
  }
}

// A round of all hubs. One that turned our join down may take another: its
// clock may have been wrong, as it must not be for a handshake either.
void ClientSession::Begin(uint64_t now_us) {
  hubs_.Begin();
  if (session_ != nullptr && now_us < stands_until_us_) join_possible_ = true;
  CallHub(now_us);
}

// A session needs no name for a further flow: it goes to where the last one
// did, and elsewhere once the name says so.
void ClientSession::CallHub(uint64_t now_us) {
  phase_ = Phase::kResolving;
  phase_deadline_us_ = now_us + kResolveTimeoutUs;
  const config::HostPort& address = hubs_.hub().address;
  asked_ = true;
  config_.attempt.host.Resolve(address.host, address.port);
  const auto known = known_.find(hubs_.hub().Name());
  if (CanJoin()) {
    endpoints_ = {*remote_};
  } else if ((default_route_.leads() || !names_.servers.empty()) &&
             known != known_.end() && !known->second.empty()) {
    // The answer may have to come through the tunnel.
    endpoints_ = known->second;
  } else {
    return;
  }
  tried_ = 0;
  StartAttempt(now_us);
}

// The hub in turn will not do: the next one's turn, or all over again later.
void ClientSession::OnHubFailed(const std::string& why, uint64_t now_us) {
  const std::string name = hubs_.hub().Name();
  if (!hubs_.Next(why)) {
    Retry(hubs_.failures(), now_us);
    return;
  }
  log_.Tell(loop::LogLevel::kInfo, Cause::Peer(kHub),
            loop::EventKind::kPeerDown, "hub ", name, ": ", why, "; calling ",
            hubs_.hub().Name());
  reason_ = hubs_.failures();
  CallHub(now_us);
}

void ClientSession::OnResolved(absl::StatusOr<std::vector<Endpoint>> endpoints,
                               uint64_t now_us) {
  const bool joins =
      phase_ == Phase::kAttempt && attempt_ != nullptr && attempt_->is_join();
  asked_ = false;
  std::vector<Endpoint>& known = known_[hubs_.hub().Name()];
  if (phase_ != Phase::kResolving && !joins) {
    if (endpoints.ok()) known = *std::move(endpoints);  // the next call's
    return;
  }
  if (endpoints.ok()) {
    known = *endpoints;
  } else if (joins) {
    return;
  } else if (known.empty()) {
    OnHubFailed(std::string(endpoints.status().message()), now_us);
    return;
  } else {
    log_.Warn(Cause::Peer(kHub), endpoints.status().message(),
              "; trying the addresses of before");
    endpoints = known;
  }
  const bool moved = *endpoints != endpoints_;
  if (moved) next_endpoint_ = 0;
  endpoints_ = *std::move(endpoints);
  if (routes_.GiveWay(endpoints_)) LeadNetworks();
  OnHostNetworks();
  if (joins) {
    const auto called =
        std::find(endpoints_.begin(), endpoints_.end(), attempt_->remote());
    if (called != endpoints_.end()) {
      next_endpoint_ = static_cast<size_t>(called - endpoints_.begin());
      return;
    }
    DropAttempts();
  }
  tried_ = 0;
  StartAttempt(now_us);
}

void ClientSession::StartAttempt(uint64_t now_us) {
  const Endpoint& remote = endpoints_[next_endpoint_ % endpoints_.size()];
  std::optional<JoinTicket> ticket;
  if (CanJoin()) ticket = TicketFor(handshake::LaneSlot{});
  ++tried_;
  if (!ticket) {
    called_us_ = now_us;
    TakeKey();
    config_.attempt.handshake.expected_hub_key = hubs_.hub().key;
  }
  log_.Debug(Cause::Peer(kHub),
             ticket ? "joining a new flow to the session with " : "calling ",
             ToString(remote));
  if (session_ == nullptr) remote_ = remote;
  phase_ = Phase::kAttempt;
  race_at_us_ = now_us + kRaceUs;
  Launch(remote, std::move(ticket), now_us);
}

// A copy: the ring may change while the attempt lives.
void ClientSession::TakeKey() {
  const std::span<const handshake::KeyRing::Key> keys = config_.keys.keys();
  if (key_at_ >= keys.size()) key_at_ = 0;
  attempt_key_ = keys[key_at_];
  config_.attempt.handshake.psk = &attempt_key_.psk;
}

// A hub that was told of another key later, or not yet, takes one before.
bool ClientSession::TryNextKey(const absl::Status& status, uint64_t now_us) {
  if (key_at_ + 1 >= config_.keys.keys().size()) return false;
  log_.Info(Cause::Peer(kHub), status.message(),
            "; trying a shared key of before");
  ++key_at_;
  --tried_;
  StartAttempt(now_us);
  return true;
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
  const bool was_join = attempt_->is_join();
  const bool session_unknown = attempt_->session_unknown();
  const bool key_unproven = attempt_->key_unproven();
  const bool unheard = attempt_->unheard();
  if (OnRunnerFailed(status, attempt_->has_local(), now_us)) return;
  if (phase_ == Phase::kSettled) {
    log_.Info(Cause::Peer(kHub), "a further lane failed: ", status.message());
    lanes_.OnFailed(attempt_->slot(), now_us);
    DropAttempts();
    // The hub may have lost the session, and then the other lanes are dead as
    // well: have them prove that they are not.
    if (session_unknown) {
      for (const SessionLane& lane : session_->lanes()) {
        lanes_.Hint(lane.slot, now_us);
      }
    }
    return;
  }
  const auto changed = attempt_->changed_hub_key();
  if (changed && config_.on_key_changed) {
    status = config_.on_key_changed(hubs_.hub(), *changed);
  }
  DropAttempts();
  if (was_join) {
    // A hub that was not reached may have the session as before.
    join_possible_ = unheard;
    log_.Info(Cause::Peer(kHub), "lane join failed: ", status.message());
    if (session_unknown) {
      --tried_;
      StartAttempt(now_us);
      return;
    }
    if (asked_) {  // it may be elsewhere by now
      phase_ = Phase::kResolving;
      phase_deadline_us_ = now_us + kResolveTimeoutUs;
      return;
    }
  }
  if (key_unproven && TryNextKey(status, now_us)) return;
  key_at_ = 0;
  ++next_endpoint_;
  if (tried_ < endpoints_.size()) {
    log_.Info(Cause::Peer(kHub), status.message());
    StartAttempt(now_us);
    return;
  }
  OnHubFailed(std::string(status.message()), now_us);
}

void ClientSession::Retry(std::string why, uint64_t now_us) {
  OnAllDown();
  uint64_t delay = backoff_.NextUs();
  log_.Tell(loop::LogLevel::kWarn, Cause::Peer(kHub),
            loop::EventKind::kPeerDown, why, "; next attempt in ",
            (delay + 99'999) / 100'000 / 10, ".",
            (delay + 99'999) / 100'000 % 10, " s");
  reason_ = std::move(why);
  phase_ = Phase::kWaiting;
  phase_deadline_us_ = now_us + delay;
}

void ClientSession::OnHandshakeDone(uint64_t now_us) {
  handshake::SessionSecrets secrets = attempt_->TakeSession();
  const handshake::PublicKey hub_key = secrets.peer_key;
  if (hubs_.hub().pinned_by == handshake::PinnedBy::kFirstContact) {
    const absl::Status pinned = config_.on_hub_key(hub_key);
    if (!pinned.ok()) {
      DropAttempts();
      OnHubFailed(std::string(pinned.message()), now_us);
      return;
    }
  }
  if (!TakeLease(secrets.leased, now_us)) return;
  join_mask_ = attempt_key_.join_mask;
  key_at_ = 0;
  SessionLane lane;
  lane.flow = attempt_->flow();
  lane.local = attempt_->local();
  lane.remote = attempt_->remote();
  lane.nonces = secrets.lane0;
  uint16_t mtu = secrets.mtu;
  Session::Context context{config_.attempt.road,
                           config_.attempt.host,
                           log_,
                           handshake::RekeyRole::kInitiator,
                           config_.rekey,
                           config_.messages,
                           config_.version};
  auto session = std::make_unique<Session>(
      context, *this, peer_, std::string(kHub), std::move(secrets), now_us);
  if (!session->InstallLane(lane, 0, now_us, kOldLaneUs)) {
    DropAttempts();
    Retry("no lane is free for the new session", now_us);
    return;
  }
  // The hub that loses us for another one need not wait for what never comes.
  if (session_ != nullptr && !hubs_.InUse()) {
    session_->SendClose("the client has gone to another hub");
  }
  hubs_.OnSession(hub_key);
  Adopt(std::move(session), mtu, now_us);
  log_.Tell(loop::LogLevel::kInfo, Cause::Peer(kHub), loop::EventKind::kPeerUp,
            "tunnel up: session with ", ToString(*remote_), ", inner MTU ", mtu,
            attempt_key_.place == handshake::KeyRing::Place::kBefore
                ? ", by a shared key of before"
                : "",
            hubs_.several() ? config::Concat(", hub ", hubs_.hub().Name()) : "",
            hubs_.failures().empty() ? "" : "; not ", hubs_.failures());
  // Its time may be over while the session lasts.
  if (attempt_ == nullptr) attempt_key_ = {};
}

// The session takes the place of the one before.
void ClientSession::Adopt(std::unique_ptr<Session> session, uint16_t mtu,
                          uint64_t now_us) {
  std::swap(session_, session);  // the old one's lanes go at the end
  if (routes_.OnSession(*session_)) LeadNetworks();
  if (!handshake::DnsMessage::kUnderstoodBy(session_->secrets().peer)) {
    dns_.OnNoneTold();
  }
  lanes_.Begin(session_->secrets().lanes);
  last_lane_id_ = handshake::LaneId::kFirst;
  up_since_us_ = now_us;
  PeerTable::Entry& entry = road().peers.Change(peer_);
  entry.session = session_.get();
  entry.device_mtu = mtu;
  entry.device_follows = true;
  SettleLane(now_us);
  SayTwin();
  session.reset();
  ReleaseLocals();
}

void ClientSession::SettleLane(uint64_t now_us) {
  attempt_->TakeFlow();
  locals_.push_back(attempt_->local());
  remote_ = attempt_->remote();
  lanes_.OnUp(attempt_->slot(), now_us);
  OnHostNetworks();  // the hub may be elsewhere now
  LeadDefault(default_route_.OnUp());
  dns_.OnUp();
  LeadNames();
  attempt_->Reinject();
  DropAttempts();
  phase_ = Phase::kSettled;
  phase_deadline_us_ = UINT64_MAX;
  reason_.clear();
}

void ClientSession::OnEvent(const Event& event, uint64_t now_us) {
  switch (event.kind) {
    case EventKind::kFlowUp:
      OnFlowUp(event, now_us);
      break;
    case EventKind::kFlowDown:
      OnFlowDown(event, now_us);
      break;
    case EventKind::kResetHint:
      if (session_ == nullptr) break;
      if (const SessionLane* lane = session_->FindFlow(event.flow)) {
        if (event.detail == static_cast<uint8_t>(FlowHint::kReset)) {
          lanes_.OnReset(lane->slot, now_us);
        } else {
          lanes_.Hint(lane->slot, now_us);
        }
      }
      break;
    default:
      break;  // a client relays nothing
  }
  CheckAttempt(now_us);
  CheckSession(now_us);
}

void ClientSession::OnLaneEvent(LaneName lane, const Event& event,
                                uint64_t now_us) {
  if (session_ == nullptr) return;
  if (event.kind == EventKind::kReportAnswer) {
    OnProbeAnswered(lane, event.value, now_us);
  } else {
    session_->OnEvent(event, now_us);
  }
  CheckSession(now_us);
}

void ClientSession::OnProbeAnswered(LaneName name, uint64_t rtt_us,
                                    uint64_t now_us) {
  for (const SessionLane& lane : session_->lanes()) {
    if (lane.name != name) continue;
    rtt_us_ = rtt_us;
    lanes_.OnAnswer(lane.slot, now_us);
  }
}

void ClientSession::OnFlowDown(const Event& event, uint64_t now_us) {
  if (OnRunnerDown(event)) return;
  if (attempt_ != nullptr &&
      (attempt_->flow() == kNullFlow ? event.token == attempt_->token()
                                     : event.flow == attempt_->flow())) {
    attempt_->OnFlowDown(static_cast<FlowDownReason>(event.detail));
    return;
  }
  if (session_ == nullptr) return;
  const SessionLane* lane = session_->FindFlow(event.flow);
  if (lane == nullptr) return;
  const handshake::LaneSlot slot = lane->slot;
  const bool newest = lane == session_->LaneOfSlot(slot);
  session_->RemoveLane(lane->name);
  ReleaseLocals();
  if (!newest) return;
  lanes_.OnDown(slot, now_us);
  OnLaneLost("the connection to the hub was closed", now_us);
}

void ClientSession::OnStream(const PuntedStream& stream, uint64_t now_us) {
  if (attempt_ != nullptr && attempt_->flow() == stream.flow) {
    attempt_->OnStream(stream, now_us);
    CheckAttempt(now_us);
  } else if (session_ != nullptr && session_->FindFlow(stream.flow)) {
    // Punted before the worker had the lane.
    Reinject(road().link, stream, 0);
  }
}

void ClientSession::OnRecord(LaneName, const PuntedRecord& record,
                             uint64_t now_us) {
  if (session_ == nullptr) return;
  session_->OnRecord(record.kind, record.bytes, now_us);
  CheckSession(now_us);
}

void ClientSession::Suspect(std::string why, uint64_t now_us) {
  if (phase_ != Phase::kSettled) return;
  log_.Tell(loop::LogLevel::kWarn, Cause::Peer(kHub), loop::EventKind::kPath,
            why, "; opening another flow");
  reason_ = std::move(why);
  if (now_us - up_since_us_ >= kGoodServiceUs) backoff_.Reset();
  DropAttempts();
  join_possible_ = true;
  stands_until_us_ = now_us + kStandsUs;
  Begin(now_us);
}

void ClientSession::OnSourceChanged(const IpAddress& source, uint64_t now_us) {
  if (attempt_ != nullptr && attempt_->has_local() && remote_ &&
      attempt_->remote().address == remote_->address &&
      attempt_->local().address != source) {
    // What it waits for goes to an address that is not ours any more.
    const bool alone = phase_ == Phase::kAttempt;
    if (alone && !attempt_->is_join()) tried_ -= 1 + runners_.size();
    DropAttempts();
    if (alone) StartAttempt(now_us);
  }
  const SessionLane* lane =
      session_ == nullptr ? nullptr : session_->sending_lane();
  if (lane == nullptr || lane->local.address == source) return;
  lanes_.OnMoved();
  Suspect(config::Concat("our address changed to ", ToString(source)), now_us);
}

void ClientSession::OnResumed(uint64_t now_us) {
  lanes_.HintAll(now_us);
  if (phase_ == Phase::kWaiting) phase_deadline_us_ = now_us;
}

void ClientSession::OnTimer(uint64_t now_us) {
  log_.Report();
  if (attempt_ != nullptr) {
    attempt_->OnTimer(now_us);
    CheckAttempt(now_us);
  }
  TickRunners(now_us);
  if (session_ != nullptr) {
    if (now_us >= routes_.NextDeadline() &&
        routes_.OnTimer(*session_, config_.attempt.host.ConnectedNetworks(),
                        log_, now_us)) {
      LeadNetworks();
    }
    size_t lanes = session_->lanes().size();
    session_->OnTimer(now_us);
    if (session_->lanes().size() != lanes) ReleaseLocals();
    CheckSession(now_us);
  }
  if (now_us >= lanes_.next_tick_us()) TickLiveness(now_us);
  BuildLane(now_us);
  if (now_us < phase_deadline_us_) return;
  if (phase_ == Phase::kWaiting) {
    Begin(now_us);
  } else if (phase_ == Phase::kResolving) {
    OnResolved(absl::DeadlineExceededError(
                   config::Concat("the name ", hubs_.hub().address.host,
                                  " could not be looked up in time")),
               now_us);
  }
}

uint64_t ClientSession::NextDeadline() const {
  uint64_t next = UINT64_MAX;
  if (phase_ == Phase::kWaiting || phase_ == Phase::kResolving) {
    next = phase_deadline_us_;
  }
  if (attempt_ != nullptr) next = std::min(next, attempt_->NextDeadline());
  for (const auto& runner : runners_) {
    next = std::min(next, runner->NextDeadline());
  }
  if (phase_ == Phase::kAttempt && tried_ < endpoints_.size()) {
    next = std::min(next, race_at_us_);
  }
  if (session_ != nullptr) {
    next = std::min({next, session_->NextDeadline(), lanes_.next_tick_us(),
                     routes_.NextDeadline()});
    if (phase_ == Phase::kSettled && attempt_ == nullptr) {
      next = std::min(next, lanes_.NextWanted());
    }
  }
  return next;
}

size_t ClientSession::Close(std::string_view reason) {
  phase_ = Phase::kClosed;
  phase_deadline_us_ = UINT64_MAX;
  DropAttempts();
  if (session_ == nullptr) return 0;
  const size_t flows = session_->lanes().size();
  session_->SendClose(reason);
  session_.reset();
  lanes_.End();
  return flows;
}

std::string_view ClientSession::state() const {
  if (session_ != nullptr && session_->sending_lane() != nullptr) {
    return phase_ == Phase::kSettled ? "up" : "suspect";
  }
  return phase_ == Phase::kWaiting ? "down" : "connecting";
}

}  // namespace lwt::peer

// The lanes of a client's session, from the wish for one to its end.
#include <utility>

#include "control/client/client_session.h"

namespace lwt::peer {

using loop::Cause;

// One at a time, while the session stands on others.
void ClientSession::BuildLane(uint64_t now_us) {
  if (phase_ != Phase::kSettled || attempt_ != nullptr) return;
  const std::optional<handshake::LaneSlot> slot = lanes_.Wanted(now_us);
  if (!slot) return;
  std::optional<JoinTicket> ticket = TicketFor(*slot);
  if (!ticket) {
    lanes_.OnFailed(*slot, now_us);
    return;
  }
  Launch(*remote_, std::move(ticket), now_us);
}

// Nullopt when the session has used up its lane ids.
std::optional<JoinTicket> ClientSession::TicketFor(handshake::LaneSlot slot) {
  if (last_lane_id_.value == UINT16_MAX) return std::nullopt;
  ++last_lane_id_.value;
  return JoinTicket{session_->secrets().session_id, last_lane_id_, slot,
                    session_->secrets().join_keys, join_mask_};
}

PortWish ClientSession::WishFor(handshake::LaneSlot slot) const {
  PortWish wish;
  wish.workers = config_.attempt.handshake.offer.lanes;
  wish.worker = {slot.value};
  if (session_ == nullptr) return wish;
  wish.hub_workers = session_->secrets().peer.lanes;
  for (const SessionLane* lane : session_->SendingLanes()) {
    if (lane->slot == slot) continue;
    const uint32_t ports = uint32_t{lane->local.port} + lane->remote.port;
    wish.hub_taken |= 1u << ports % wish.hub_workers;
  }
  return wish;
}

void ClientSession::Launch(const Endpoint& remote,
                           std::optional<JoinTicket> ticket, uint64_t now_us) {
  const PortWish wish = WishFor(ticket ? ticket->slot : handshake::LaneSlot{});
  attempt_ = std::make_unique<ClientAttempt>(config_.attempt, *this, remote,
                                             std::move(ticket), wish, now_us);
  CheckAttempt(now_us);
}

void ClientSession::OnJoined(uint64_t now_us) {
  const bool further = phase_ == Phase::kSettled;
  SessionLane lane;
  lane.id = attempt_->joined().lane_id;
  lane.slot = attempt_->joined().slot;
  lane.flow = attempt_->flow();
  lane.local = attempt_->local();
  lane.remote = attempt_->remote();
  lane.nonces = attempt_->joined().nonces;
  if (!session_->InstallLane(lane, attempt_->joined().epoch, now_us,
                             kOldLaneUs)) {
    DropAttempts();
    if (further) {
      lanes_.OnFailed(lane.slot, now_us);
      return;
    }
    join_possible_ = false;
    Retry("the new lane could not be installed", now_us);
    return;
  }
  // Whoever takes the session's place from here on is not us, who called
  // before.
  called_us_ = 0;
  // The hub takes the flow for a lane once a record on it verifies.
  if (const SessionLane* joined = session_->LaneOfSlot(lane.slot)) {
    session_->Probe(joined->name);
  }
  SettleLane(now_us);
  if (further) {
    log_.Tell(loop::LogLevel::kInfo, Cause::Peer(kHub), loop::EventKind::kPath,
              "lane ", lane.slot.value + 1, " of ",
              session_->secrets().lanes + 0, " is up: ", ToString(lane.local),
              " to ", ToString(lane.remote));
  } else {
    log_.Tell(loop::LogLevel::kInfo, Cause::Peer(kHub), loop::EventKind::kPath,
              "tunnel up: the session goes on over a new flow from ",
              ToString(lane.local), " to ", ToString(lane.remote));
  }
}

// Others carry on, and a new one is built beside them; or there are none.
void ClientSession::OnLaneLost(std::string why, uint64_t now_us) {
  if (lanes_.AnySound()) {
    log_.Warn(Cause::Peer(kHub), "one lane of several: ", why);
    BuildLane(now_us);
  } else {
    Suspect(std::move(why), now_us);
  }
}

void ClientSession::TickLiveness(uint64_t now_us) {
  if (session_ == nullptr) return;
  session_->Measure(now_us);
  session_->ShareLoss(now_us);
  session_->FollowPath(now_us);
  for (const ClientLanes::Change& change :
       lanes_.Tick(*session_, road().link, now_us)) {
    OnLaneState(change, now_us);
  }
}

void ClientSession::OnLaneState(const ClientLanes::Change& change,
                                uint64_t now_us) {
  const SessionLane* const changed = session_->LaneOfSlot(change.slot);
  if (changed == nullptr) return;
  const SessionLane lane = *changed;
  session_->SetSuspect(lane.name, change.state != Liveness::State::kAlive);
  if (change.state == Liveness::State::kSuspect) {
    config_.attempt.host.SuspectPath(lane.remote.address);
    // What ails one may ail all: they are asked now, not when they are used.
    for (const SessionLane& other : session_->lanes()) {
      if (other.slot != change.slot) lanes_.Hint(other.slot, now_us);
    }
    OnLaneLost("no answer through the tunnel", now_us);
  } else if (change.state == Liveness::State::kDead) {
    log_.Tell(loop::LogLevel::kWarn, Cause::Peer(kHub), loop::EventKind::kPath,
              "the path to ", ToString(lane.remote), " is dead");
    while (const SessionLane* dead = session_->LaneOfSlot(change.slot)) {
      session_->RemoveLane(dead->name);
    }
    lanes_.OnDown(change.slot, now_us);
    ReleaseLocals();
  } else {
    log_.Tell(loop::LogLevel::kInfo, Cause::Peer(kHub), loop::EventKind::kPath,
              "the path to ", ToString(lane.remote), " answers again");
    const bool needed = phase_ == Phase::kSettled && attempt_ != nullptr &&
                        attempt_->slot() != change.slot;
    if (!needed) DropAttempts();
    if (phase_ != Phase::kSettled) hubs_.Begin();  // its round is over
    phase_ = Phase::kSettled;
    phase_deadline_us_ = UINT64_MAX;
    reason_.clear();
  }
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

}  // namespace lwt::peer

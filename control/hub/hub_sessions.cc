#include "control/hub/hub_sessions.h"

#include <algorithm>
#include <utility>

#include "control/base/text.h"
#include "control/telemetry/status.h"

namespace lwt::peer {
namespace {

using handshake::PublicKey;
using loop::Cause;

}  // namespace

HubSessions::HubSessions(const Config& config, const loop::Log& log,
                         uint64_t now_us)
    : config_(config),
      log_(log),
      door_(config.door),
      flow_context_{config.road.link, config.host,   door_, limits_, log_,
                    config.probers,   stream_memory_},
      book_(config.door.offer.addresses),
      unproven_(config.road.owners, *this),
      clients_(config.max_clients),
      deadlines_(config.max_clients),
      began_us_(now_us),
      next_sweep_us_(NextSweep(now_us)) {
  for (uint32_t at = 0; at < config.max_clients; ++at) {
    clients_[at].hub = this;
    free_.insert(at);
  }
  book_.Restore(config.held, now_us, config.host.UnixMs());
  config_.held.clear();
  book_.SetReserved(config_.rules.reserved());
  book_.SetPool(config_.rules.pool());
  for (const IpAddress& address : book_.Contested()) {
    book_.Forget(IpPrefix{address, static_cast<uint8_t>(address.size() * 8)});
  }
  config_.road.owners.SetAcceptor(this);
  config_.road.peers.SetForwarding(true);
  config_.road.peers.SetOwn(config_.door.offer.addresses);
  routes_.SetGranted(config_.routing.granted);
  RestoreRoutes(now_us);
  TakeRouteMessages();
  TellPeerNetworks();
  LeadBeside();
  SetTellInterval(config_.tell_interval_us, now_us);
}

HubSessions::~HubSessions() { config_.road.owners.SetAcceptor(nullptr); }

Session::Context HubSessions::SessionContext() {
  return {config_.road,   config_.host,
          log_,           handshake::RekeyRole::kResponder,
          config_.rekey,  config_.messages,
          config_.version};
}

HubSessions::Client* HubSessions::FindBySessionId(uint64_t id) {
  const std::optional<uint32_t> at = index_.OfSession(id);
  return at ? &clients_[*at] : nullptr;
}

HubSessions::Client* HubSessions::FindByKey(const PublicKey& key) {
  const std::optional<uint32_t> at = index_.OfKey(key);
  return at ? &clients_[*at] : nullptr;
}

void HubSessions::OnEvent(const Event& event, uint64_t now_us) {
  if (event.kind == EventKind::kFlowUp) {
    OpenFlow(event, now_us);
  } else if (event.kind == EventKind::kFlowDown) {
    if (HubFlow* flow = unproven_.Find(event.flow)) {
      link().Send(CloseFlowCommand{event.flow});
      unproven_.Remove(*flow);
    }
  }
}

void HubSessions::OnStream(const PuntedStream& stream, uint64_t now_us) {
  if (HubFlow* flow = unproven_.Find(stream.flow)) {
    flow->OnStream(stream, now_us);
    Advance(*flow, now_us);
  }
}

// That nothing is acknowledged is the client's to find out, who alone can open
// another flow; a RST may mean that there is no client any more.
void HubSessions::Client::OnEvent(const Event& event, uint64_t now_us) {
  if (event.kind == EventKind::kFlowDown) {
    hub->OnLaneDown(*this, event.flow, now_us);
  } else if (event.kind == EventKind::kResetHint &&
             event.detail == static_cast<uint8_t>(FlowHint::kReset)) {
    session->OnReset(event.flow, event.value, now_us);
    hub->AfterWork(*this, now_us);
  }
}

void HubSessions::Client::OnLaneEvent(LaneName, const Event& event,
                                      uint64_t now_us) {
  if (event.kind == EventKind::kReportAnswer) {
    rtt_us = event.value;
    return;
  }
  session->OnEvent(event, now_us);
  hub->AfterWork(*this, now_us);
}

// Punted before the worker had the lane.
void HubSessions::Client::OnStream(const PuntedStream& stream, uint64_t) {
  Reinject(hub->link(), stream, 0);
}

void HubSessions::Client::OnRecord(LaneName, const PuntedRecord& record,
                                   uint64_t now_us) {
  session->OnRecord(record.kind, record.bytes, now_us);
  hub->AfterWork(*this, now_us);
}

// The session outlives its flows: the client may join a new one.
void HubSessions::OnLaneDown(Client& client, FlowId flow, uint64_t now_us) {
  client.session->RemoveLane(client.session->FindFlow(flow)->name);
  if (client.session->lanes().empty()) {
    log_.Tell(loop::LogLevel::kInfo, Cause::Peer(client.session->name()),
              loop::EventKind::kPeerDown, client.session->name(),
              ": its connection was closed");
  }
  AfterWork(client, now_us);
}

void HubSessions::EndSession(Client& client) {
  const handshake::SessionSecrets& secrets = client.session->secrets();
  index_.ForgetSession(secrets.session_id, secrets.peer_key);
  const PublicKey key = secrets.peer_key;
  const uint32_t slot = SlotOf(client);
  free_.insert(slot);
  deadlines_.Set(slot, loop::Deadlines::kNever);
  client.session.reset();
  config_.road.peers.Remove(client.peer);
  if (config_.rotation != nullptr) config_.rotation->OnGone(key);
}

void HubSessions::Drop(Client& client, std::string_view why, uint64_t now_us) {
  log_.Tell(loop::LogLevel::kInfo, Cause::Peer(client.session->name()),
            loop::EventKind::kPeerDown, client.session->name(),
            " dropped: ", why);
  book_.Release(client.session->secrets().peer_key, now_us);
  EndRoutes(client, now_us);
  EndSession(client);
  client.addresses.clear();
}

// A session that has ended is dropped; another's deadline may have moved.
void HubSessions::AfterWork(Client& client, uint64_t now_us) {
  if (!client.session) return;
  if (!client.session->end_reason().empty()) {
    const std::string why = client.session->end_reason();
    Drop(client, why, now_us);
    return;
  }
  Schedule(client);
}

void HubSessions::Schedule(Client& client) {
  if (!client.session) return;
  client.work_at_us =
      std::min(client.session->NextDeadline(), client.routes.NextDeadline());
  SetDeadline(client);
}

void HubSessions::SetDeadline(const Client& client) {
  deadlines_.Set(SlotOf(client),
                 std::min(client.work_at_us, client.look_at_us));
}

void HubSessions::OnTimer(uint64_t now_us) {
  due_.clear();
  while (const auto due = deadlines_.TakeDue(now_us)) due_.push_back(*due);
  for (const uint32_t slot : due_) Visit(clients_[slot], now_us);
  if (now_us >= next_sweep_us_) {
    Sweep(now_us);
  } else if (keeping_) {
    KeepAddresses(now_us);
  }
  TellAgain(now_us);
  if (told_routes_ != routes_.version()) TellPeerNetworks();
}

void HubSessions::Visit(Client& client, uint64_t now_us) {
  ++visits_;
  if (!client.session) return;
  if (now_us < client.work_at_us) {
    if (LookAt(client, now_us)) {
      AfterWork(client, now_us);
    } else if (client.session) {
      SetDeadline(client);
    }
    return;
  }
  if (client.routes.NextDeadline() <= now_us) TickRoutes(client, now_us);
  if (client.session->NextDeadline() <= now_us) client.session->OnTimer(now_us);
  if (client.look_at_us <= now_us) LookAt(client, now_us);
  AfterWork(client, now_us);
}

// Whether the session had work: one that nobody uses has none.
bool HubSessions::LookAt(Client& client, uint64_t now_us) {
  const Session::Activity last = client.session->LastActivity();
  if (now_us > last.heard_us && now_us - last.heard_us > kIdleUs) {
    client.session->SendClose("nothing was heard of you");
    Drop(client, "nothing was heard of it", now_us);
    return true;
  }
  // Once more after the last use.
  const bool works = last.used_us + 2 * (kIdleLookUs + kSweepUs) >= now_us;
  const bool watched = works || last.sent_us > last.heard_us ||
                       client.liveness->waits() ||
                       client.liveness->state() != Liveness::State::kAlive;
  if (watched) Watch(client, last, now_us);
  const bool in_use =
      last.used_us + kIdleLookUs >= now_us || client.liveness->waits();
  if (works) {
    client.session->Measure(now_us);
    client.session->ShareLoss(now_us);
    client.session->FollowPath(now_us);
  }
  client.look_at_us = NextSweep(std::min(
      now_us + (in_use ? 0 : kIdleLookUs - kSweepUs), last.heard_us + kIdleUs));
  return works || watched;
}

// A client that is sent to and says nothing is asked, and known for gone within
// seconds. Its session stays, for it to come back with.
void HubSessions::Watch(Client& client, const Session::Activity& last,
                        uint64_t now_us) {
  const SessionLane* const lane = client.session->sending_lane();
  if (lane == nullptr) return;
  LaneReading reading = client.session->ReadingOf(*lane);
  reading.last_rx_us = last.heard_us;
  reading.last_data_tx_us = last.sent_us;
  const Liveness::State before = client.liveness->state();
  const bool probe = client.liveness->Tick(reading, now_us);
  const Liveness::State after = client.liveness->state();
  // Its flow sends the ones before again, and these are answered.
  if (probe && after != Liveness::State::kDead) {
    client.session->Probe(lane->name);
  }
  const std::string& name = client.session->name();
  if (after == before) return;
  if (after == Liveness::State::kDead) {
    log_.Tell(
        loop::LogLevel::kInfo, Cause::Peer(name), loop::EventKind::kPath, name,
        " does not answer: ", telemetry::SecondsSince(last.heard_us, now_us),
        " s since it was last heard");
  } else if (before == Liveness::State::kDead) {
    log_.Tell(loop::LogLevel::kInfo, Cause::Peer(name), loop::EventKind::kPath,
              name, " answers again");
  }
}

// One that has a new lane.
void HubSessions::LookSoon(Client& client, uint64_t now_us) {
  client.look_at_us = NextSweep(now_us);
  AfterWork(client, now_us);
}

// The first after that time.
uint64_t HubSessions::NextSweep(uint64_t from_us) const {
  return from_us - (from_us - began_us_) % kSweepUs + kSweepUs;
}

// Of flows that are not a lane yet, and of the log and the file.
void HubSessions::Sweep(uint64_t now_us) {
  next_sweep_us_ = NextSweep(now_us);
  log_.Report();
  unproven_.ForEach([&](HubFlow& flow) {
    if (now_us < flow.deadline_us()) return;
    if (flow.state() == HubFlow::State::kHello) {
      flow.GiveUp(now_us);
    } else {
      link().Send(CloseFlowCommand{flow.flow()});
    }
    unproven_.Remove(flow);
  });
  KeepAddresses(now_us);
  SweepRoutes(now_us);
}

// In portions: a crowd must not hold up a turn.
void HubSessions::KeepAddresses(uint64_t now_us) {
  if (!config_.on_held) return;
  if (!keeping_) {
    if (kept_version_ == book_.version()) return;
    kept_version_ = book_.version();
    keeping_.emplace();
  }
  if (book_.AddHeld(kKeepPortion, now_us, config_.host.UnixMs(),
                    keeping_->after, keeping_->held)) {
    return;
  }
  config_.on_held(std::exchange(keeping_, std::nullopt)->held);
}

void HubSessions::OnLinkChanged() {
  PeerTable& peers = config_.road.peers;
  for (const Client& client : clients_) {
    if (!client.session) continue;
    const uint16_t mtu = config_.host.MaxInnerMtu(client.remote);
    if (mtu != peers.Of(client.peer).device_mtu) {
      peers.Change(client.peer).device_mtu = mtu;
    }
  }
}

void HubSessions::Apply(Settings settings, uint64_t now_us) {
  config_.rekey.interval_us = settings.rekey.interval_us;
  config_.rekey.max_records = settings.rekey.max_records;
  config_.max_clients =
      std::min(settings.max_clients, static_cast<uint32_t>(clients_.size()));
  config_.multi_client = settings.multi_client;
  config_.routing = std::move(settings.routing);
  config_.rules = std::move(settings.rules);
  flow_context_.probers = settings.probers;
  door_.SetOfferedMtu(settings.offered_mtu);
  SetTellInterval(settings.tell_interval_us, now_us);
  const bool other_names = settings.names != config_.names;
  config_.names = std::move(settings.names);
  for (Client& client : clients_) {
    if (!client.session) continue;
    client.session->SetRekeyLimits(config_.rekey);
    if (other_names) client.session->Send(config_.names);
  }
  FollowRules(now_us);
  routes_.SetGranted(config_.routing.granted);
  JudgeAllAgain(now_us);
  TellPeerNetworks();
  LeadBeside();
  AnnounceRoutes();
}

// Those who are there are called, isolated and served by what is said of them
// now.
void HubSessions::FollowRules(uint64_t now_us) {
  book_.SetReserved(config_.rules.reserved());
  book_.SetPool(config_.rules.pool());
  for (const IpAddress& address : book_.Contested()) {
    FreeAddresses(IpPrefix{address, static_cast<uint8_t>(address.size() * 8)},
                  "tunnel address is reserved for another client now", now_us);
  }
  PeerTable& peers = config_.road.peers;
  for (const Client& client : clients_) {
    if (!client.session) continue;
    const PublicKey& key = client.session->secrets().peer_key;
    client.session->SetName(NameOf(client.session->secrets()));
    client.session->SetTuning(config_.rules.TuningOf(key));
    const bool isolated = config_.rules.IsIsolated(key);
    if (peers.Of(client.peer).isolated != isolated) {
      peers.Change(client.peer).isolated = isolated;
    }
  }
}

size_t HubSessions::Close(std::string_view reason, uint64_t now_us) {
  size_t flows = 0;
  KeepRoutes(now_us);  // as of those who are here
  for (Client& client : clients_) {
    if (!client.session) continue;
    flows += client.session->lanes().size();
    client.session->SendClose(reason);
    EndSession(client);
  }
  book_.ReleaseAll(now_us);
  if (config_.on_held) {
    config_.on_held(book_.Held(now_us, config_.host.UnixMs()));
  }
  return flows;
}

std::vector<IpAddress> HubSessions::Forget(const AddressesNamed& names,
                                           uint64_t now_us) {
  return FreeAddresses(names, "tunnel address was freed by the operator",
                       now_us);
}

std::vector<IpAddress> HubSessions::FreeAddresses(const AddressesNamed& names,
                                                  const std::string& why,
                                                  uint64_t now_us) {
  std::vector<IpAddress> addresses;
  for (const HeldAddress& forgotten : book_.Forget(names)) {
    addresses.push_back(forgotten.address);
    if (Client* client = FindByKey(forgotten.key)) {
      client->session->SendClose("your " + why);
      Drop(*client, "its " + why, now_us);
    }
  }
  return addresses;
}

bool HubSessions::Ban(const PublicKey& key, uint64_t now_us) {
  if (!config_.banned.contains(key) &&
      config_.banned.size() >= kMaxBannedKeys) {
    return false;
  }
  config_.banned.insert(key);
  if (Client* client = FindByKey(key)) {
    client->session->SendClose("this client was banned by the operator");
    Drop(*client, "it was banned by the operator", now_us);
  }
  book_.Forget(key);
  if (config_.on_banned) config_.on_banned(config_.banned);
  return true;
}

bool HubSessions::Unban(const PublicKey& key) {
  if (config_.banned.erase(key) == 0) return false;
  if (config_.on_banned) config_.on_banned(config_.banned);
  return true;
}

}  // namespace lwt::peer

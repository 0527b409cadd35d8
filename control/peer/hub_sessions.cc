#include "control/peer/hub_sessions.h"

#include <algorithm>
#include <utility>

#include "control/config/text.h"

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
                    config.visitors,  stream_memory_},
      book_(config.door.offer.addresses),
      unproven_(config.road.owners, *this),
      clients_(config.max_clients),
      next_sweep_us_(now_us + kSweepUs) {
  for (uint32_t at = 0; at < config.max_clients; ++at) {
    clients_[at].hub = this;
    free_.insert(at);
  }
  book_.Restore(config.held, now_us, config.host.UnixMs());
  config_.held.clear();
  config_.road.owners.SetAcceptor(this);
  config_.road.peers.SetForwarding(true);
}

HubSessions::~HubSessions() { config_.road.owners.SetAcceptor(nullptr); }

Session::Context HubSessions::SessionContext() {
  return {config_.road,  config_.host,
          log_,          handshake::RekeyRole::kResponder,
          config_.rekey, config_.messages};
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

void HubSessions::Client::OnEvent(const Event& event, uint64_t now_us) {
  switch (event.kind) {
    case EventKind::kFlowDown:
      hub->OnLaneDown(*this, event.flow);
      return;
    case EventKind::kResetHint:
      return;  // the client probes
    case EventKind::kReportAnswer:
      rtt_us = event.value;
      return;
    default:
      session->OnEvent(event, now_us);
      hub->CheckEnd(*this, now_us);
  }
}

// Punted before the worker had the lane.
void HubSessions::Client::OnStream(const PuntedStream& stream, uint64_t) {
  Reinject(hub->link(), stream, 0);
}

void HubSessions::Client::OnRecord(const PuntedRecord& record,
                                   uint64_t now_us) {
  session->OnRecord(record.kind, record.bytes, now_us);
  hub->CheckEnd(*this, now_us);
}

// The session outlives its flows: the client may join a new one.
void HubSessions::OnLaneDown(Client& client, FlowId flow) {
  client.session->RemoveLane(client.session->FindFlow(flow)->index);
  if (client.session->lanes().empty()) {
    log_.Info(Cause::Peer(client.session->name()), client.session->name(),
              ": its connection was closed");
  }
}

void HubSessions::EndSession(Client& client) {
  const handshake::SessionSecrets& secrets = client.session->secrets();
  index_.ForgetSession(secrets.session_id, secrets.peer_key);
  free_.insert(static_cast<uint32_t>(&client - clients_.data()));
  client.session.reset();
  config_.road.peers.Remove(client.peer);
}

void HubSessions::Drop(Client& client, std::string_view why, uint64_t now_us) {
  log_.Info(Cause::Peer(client.session->name()), client.session->name(),
            " dropped: ", why);
  book_.Release(client.session->secrets().peer_key, now_us);
  EndSession(client);
  client.addresses.clear();
}

void HubSessions::CheckEnd(Client& client, uint64_t now_us) {
  if (!client.session || client.session->end_reason().empty()) return;
  std::string why = client.session->end_reason();
  Drop(client, why, now_us);
}

void HubSessions::OnTimer(uint64_t now_us) {
  for (Client& client : clients_) {
    if (!client.session || client.session->NextDeadline() > now_us) continue;
    client.session->OnTimer(now_us);
    CheckEnd(client, now_us);
  }
  if (now_us >= next_sweep_us_) Sweep(now_us);
}

void HubSessions::Sweep(uint64_t now_us) {
  next_sweep_us_ = now_us + kSweepUs;
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
  for (Client& client : clients_) {
    if (!client.session) continue;
    uint64_t heard = std::max(client.session->Totals().last_rx_us,
                              client.session->created_us());
    if (now_us > heard && now_us - heard > kIdleUs) {
      client.session->SendClose("nothing was heard of you");
      Drop(client, "nothing was heard of it", now_us);
    } else {
      client.session->Measure(now_us);
      client.session->ShareLoss(now_us);
    }
  }
  KeepAddresses(now_us);
}

void HubSessions::KeepAddresses(uint64_t now_us) {
  if (kept_version_ == book_.version() || !config_.on_held) return;
  kept_version_ = book_.version();
  config_.on_held(book_.Held(now_us, config_.host.UnixMs()));
}

uint64_t HubSessions::NextDeadline() const {
  uint64_t next = next_sweep_us_;
  for (const Client& client : clients_) {
    if (client.session) {
      next = std::min(next, client.session->NextDeadline());
    }
  }
  return next;
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

bool HubSessions::Close(std::string_view reason, uint64_t now_us) {
  bool any = false;
  for (Client& client : clients_) {
    if (!client.session) continue;
    any = any || !client.session->lanes().empty();
    client.session->SendClose(reason);
    EndSession(client);
  }
  book_.ReleaseAll(now_us);
  KeepAddresses(now_us);
  return any;
}

std::vector<IpAddress> HubSessions::Forget(const AddressesNamed& names,
                                           uint64_t now_us) {
  std::vector<IpAddress> addresses;
  for (const HeldAddress& forgotten : book_.Forget(names)) {
    addresses.push_back(forgotten.address);
    if (Client* client = FindByKey(forgotten.key)) {
      client->session->SendClose(
          "your tunnel address was freed by the operator");
      Drop(*client, "its tunnel address was freed by the operator", now_us);
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

// HubSessions: the networks behind its clients, as [[peer]] entries grant them
// and as clients announce them, and those behind the hub, which clients are
// told of (docs/protocol.md, "Routes").
#include <algorithm>
#include <iterator>
#include <utility>

#include "control/config/networks.h"
#include "control/hub/hub_sessions.h"
#include "control/session/route_log.h"

namespace lwt::peer {
namespace {

using handshake::PublicKey;
using loop::Cause;

constexpr std::string_view kBadClientRoutes =
    "the client broke the protocol of networks behind it";

}  // namespace

void HubSessions::TakeRouteMessages() {
  config_.messages.Add<handshake::RoutesMessage>(
      kBadClientRoutes,
      [this](Session& session, const auto& message, uint64_t now) {
        if (Client* client = FindBySessionId(session.secrets().session_id)) {
          client->routes.OnRoutes(message, now);
        }
        return true;
      });
  config_.messages.Add<handshake::RoutesAnswer>(
      kBadClientRoutes, [this](Session& session, const auto& answer, uint64_t) {
        Client* client = FindBySessionId(session.secrets().session_id);
        if (client != nullptr && client->routes.OnAnswer(answer)) {
          LogRefusedBy(client->routes, session.name(), log_);
        }
        return true;
      });
}

// What a client had when it was here last stays its own until its list comes;
// one that cannot send any has none.
void HubSessions::BeginRoutes(Client& client, uint64_t now_us) {
  const handshake::SessionSecrets& secrets = client.session->secrets();
  const bool understood = handshake::RoutesMessage::kUnderstoodBy(secrets.peer);
  client.routes = routing::RouteExchange(understood);
  underlay_.Add(client.remote.address);
  if (understood) {
    routes_.Connected(secrets.peer_key, now_us);
  } else {
    routes_.Replace(secrets.peer_key, {}, {},
                    {config_.door.offer.addresses, underlay_, {}, {}}, now_us);
  }
  GiveWay(client.remote.address, now_us);
  LeadNetworks(client);
  client.routes.Announce(AnnouncedTo(client));
  clients_changed_ |= HasNetworks(client);
}

void HubSessions::EndRoutes(Client& client, uint64_t now_us) {
  clients_changed_ |= HasNetworks(client);
  routes_.Release(client.session->secrets().peer_key, now_us);
  underlay_.Remove(client.remote.address);
  client.routes = routing::RouteExchange();
  refused_.erase(SlotOf(client));
}

// That one is here or not is nothing to the others if none is behind it.
bool HubSessions::HasNetworks(const Client& client) const {
  return !config_.road.peers.Of(client.peer).networks.empty();
}

void HubSessions::MoveTo(Client& client, const Endpoint& remote,
                         uint64_t now_us) {
  if (client.remote.address != remote.address) {
    underlay_.Remove(client.remote.address);
    underlay_.Add(remote.address);
    GiveWay(remote.address, now_us);
  }
  client.remote = remote;
}

// The tunnel's own frames go to that address: no client may have taken it.
void HubSessions::GiveWay(const IpAddress& end, uint64_t now_us) {
  for (const PublicKey& owner : routes_.OwnersOf(end)) {
    Client* client = FindByKey(owner);
    if (client != nullptr && client->session && client->routes.judged()) {
      JudgeRoutes(*client, now_us);
      Schedule(*client);
      continue;
    }
    // It is away, or has not said yet what is behind it.
    for (const IpPrefix& network : routes_.Of(owner)) {
      if (network.Contains(end)) routes_.Withdraw(owner, network);
    }
  }
}

void HubSessions::TickRoutes(Client& client, uint64_t now_us) {
  if (const auto announcement = client.routes.TakeAnnouncement(now_us)) {
    client.session->Send(*announcement);
  }
  if (client.routes.TakeList(now_us) != nullptr) JudgeRoutes(client, now_us);
}

void HubSessions::JudgeRoutes(Client& client, uint64_t now_us) {
  const PublicKey& key = client.session->secrets().peer_key;
  const std::vector<IpPrefix> before = NetworksBehind(key);
  routing::RouteBook::Codes codes = routes_.Replace(
      key, client.routes.list().networks, config_.routing.settings.accept,
      {config_.door.offer.addresses, underlay_,
       config_.host.ConnectedNetworks(), config_.routing.settings.own},
      now_us);
  const bool said = codes == client.routes.codes();
  const bool same = client.routes.judged() && said;
  if (std::any_of(codes.begin(), codes.end(),
                  [](const auto& code) { return code.has_value(); })) {
    refused_.insert(SlotOf(client));
  } else {
    refused_.erase(SlotOf(client));
  }
  LeadNetworks(client);
  const std::vector<IpPrefix> now = NetworksBehind(key);
  if (now != before) LogAccepted(now, client.session->name(), log_);
  if (same) return;
  client.session->Send(client.routes.Judged(std::move(codes)));
  if (!said) LogRefused(client.routes, client.session->name(), log_);
}

void HubSessions::JudgeAllAgain(uint64_t now_us) {
  for (Client& client : clients_) {
    if (!client.session) continue;
    if (client.routes.judged()) {
      JudgeRoutes(client, now_us);
      Schedule(client);
    } else {
      LeadNetworks(client);
    }
  }
}

void HubSessions::JudgeRefusedAgain(uint64_t now_us) {
  const std::set<uint32_t> refused = refused_;
  for (const uint32_t slot : refused) {
    Client& client = clients_[slot];
    if (!client.session || !client.routes.judged()) continue;
    JudgeRoutes(client, now_us);
    Schedule(client);
  }
}

void HubSessions::OnHostNetworks(uint64_t now_us) {
  JudgeAllAgain(now_us);
  LeadBeside();
}

// A client that has all that has no other way has neither our host's networks
// nor what is never routed.
void HubSessions::LeadBeside() {
  const auto& granted = routes_.granted();
  const bool any =
      std::any_of(granted.begin(), granted.end(), [](const auto& each) {
        return std::any_of(each.second.begin(), each.second.end(),
                           config::IsHalf);
      });
  std::vector<IpPrefix> networks;
  if (any) {
    networks = config::NeverRouted();
    const auto here = config_.host.ConnectedNetworks();
    networks.insert(networks.end(), here.begin(), here.end());
    const std::vector<IpPrefix>& own = config_.routing.settings.own;
    networks.insert(networks.end(), own.begin(), own.end());
  }
  config_.road.peers.SetBeside(std::move(networks));
}

std::vector<IpPrefix> HubSessions::NetworksBehind(const PublicKey& key) const {
  std::vector<IpPrefix> networks;
  const auto granted = routes_.granted().find(key);
  if (granted != routes_.granted().end()) networks = granted->second;
  const size_t grants = networks.size();
  for (const IpPrefix& network : routes_.Of(key)) {
    const auto end = networks.begin() + static_cast<ptrdiff_t>(grants);
    if (std::find(networks.begin(), end, network) == end) {
      networks.push_back(network);
    }
  }
  return networks;
}

void HubSessions::LeadNetworks(Client& client) {
  config_.road.peers.SetNetworks(
      client.peer, NetworksBehind(client.session->secrets().peer_key));
}

// Ours first, so that they are told whatever clients announce.
std::vector<IpPrefix> HubSessions::AnnouncedTo(const Client& client) const {
  std::vector<IpPrefix> networks = config_.routing.settings.own;
  if (config_.road.peers.Of(client.peer).isolated) return networks;
  for (const IpPrefix& network : announced_) {
    const std::vector<IpPrefix>& own =
        config_.road.peers.Of(client.peer).networks;
    if (std::find(own.begin(), own.end(), network) == own.end()) {
      networks.push_back(network);
    }
  }
  return networks;
}

// What all clients that are here have behind them, told to each. No more of it
// is kept than one message takes.
void HubSessions::AnnounceRoutes() {
  announced_routes_ = routes_.version();
  clients_changed_ = false;
  std::set<IpPrefix, host::PrefixOrder> all;
  for (const Client& client : clients_) {
    if (!client.session) continue;
    const PeerTable::Entry& peer = config_.road.peers.Of(client.peer);
    if (peer.isolated) continue;
    std::copy_if(peer.networks.begin(), peer.networks.end(),
                 std::inserter(all, all.end()),
                 [](const IpPrefix& each) { return !config::IsHalf(each); });
  }
  announced_.assign(all.begin(), all.end());
  size_t left_out = 0;
  for (Client& client : clients_) {
    if (!client.session) continue;
    std::vector<IpPrefix> networks = AnnouncedTo(client);
    const size_t count = networks.size();
    left_out =
        std::max(left_out, count - client.routes.Announce(std::move(networks)));
    Schedule(client);
  }
  if (left_out > 0) {
    log_.Warn(Cause::Peer("announcements"), "clients are not told of ",
              left_out,
              " networks of other clients: one message takes no more");
  }
}

// By the settings and the host of now, which may be others.
void HubSessions::RestoreRoutes(uint64_t now_us) {
  routes_.Restore(
      config_.held_routes, config_.routing.settings.accept,
      {config_.door.offer.addresses, underlay_,
       config_.host.ConnectedNetworks(), config_.routing.settings.own},
      now_us, config_.host.UnixMs());
  config_.held_routes.clear();
  judged_freed_ = routes_.freed();
}

void HubSessions::KeepRoutes(uint64_t now_us) {
  if (kept_routes_ == routes_.version() || !config_.on_held_routes) return;
  kept_routes_ = routes_.version();
  config_.on_held_routes(routes_.Held(now_us, config_.host.UnixMs()));
}

void HubSessions::SweepRoutes(uint64_t now_us) {
  routes_.Expire(now_us);
  KeepRoutes(now_us);
  if (judged_freed_ != routes_.freed()) {
    JudgeRefusedAgain(now_us);
    judged_freed_ = routes_.freed();
  }
  if (clients_changed_ || announced_routes_ != routes_.version()) {
    AnnounceRoutes();
  }
}

void HubSessions::SetTellInterval(uint64_t interval_us, uint64_t now_us) {
  if (interval_us == config_.tell_interval_us && next_tell_us_ != UINT64_MAX) {
    return;
  }
  config_.tell_interval_us = interval_us;
  next_tell_us_ = interval_us == 0 ? UINT64_MAX : now_us + interval_us;
}

// In portions: what a crowd is told must not hold up a turn. A round that a
// short interval overtakes goes on to its end.
void HubSessions::TellAgain(uint64_t now_us) {
  if (!tell_from_) {
    if (now_us < next_tell_us_) return;
    next_tell_us_ = now_us + config_.tell_interval_us;
    tell_from_ = 0;
  }
  const auto slots = static_cast<uint32_t>(clients_.size());
  const uint32_t end = std::min(slots, *tell_from_ + kTellPortion);
  for (uint32_t slot = *tell_from_; slot < end; ++slot) {
    Client& client = clients_[slot];
    // What was not acknowledged is said again as it is; more would only fill
    // the channel of one that is silent.
    if (!client.session || client.session->AwaitsAcknowledgement()) continue;
    client.routes.AnnounceAgain();
    client.session->TellPathAgain(now_us);
    client.session->Send(config_.names);
    Schedule(client);
  }
  if (end < slots) {
    tell_from_ = end;
  } else {
    tell_from_.reset();
  }
}

void HubSessions::TellPeerNetworks() {
  told_routes_ = routes_.version();
  std::vector<IpPrefix> networks = config_.door.offer.addresses;
  for (const auto& [key, behind] : routes_.granted()) {
    networks.insert(networks.end(), behind.begin(), behind.end());
  }
  for (const auto& held : routes_.All()) networks.push_back(held.network);
  config_.road.peers.SetPeerNetworks(std::move(networks));
}

std::vector<routing::RouteBook::Entry> HubSessions::ForgetRoutes(
    const AddressesNamed& names) {
  return routes_.Forget(names);
}

}  // namespace lwt::peer

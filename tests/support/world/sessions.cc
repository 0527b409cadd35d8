// The two kinds of gateway of a fake world: what lies above their workers.
#include <algorithm>
#include <utility>

#include "tests/support/world/gateway.h"

namespace lwt::world {
namespace {

constexpr uint32_t kClientLanes = 4;

handshake::RekeyConfig RekeyOf(const GatewayOptions& options) {
  handshake::RekeyConfig rekey;
  rekey.max_records = options.rekey_records;
  rekey.random = WorldRandom;
  return rekey;
}

}  // namespace

ClientGateway::ClientGateway(Surroundings& around,
                             const GatewayOptions& options)
    : Gateway(around, options, kClientLanes) {
  std::vector<NamedHub> named = options.named_hubs;
  if (named.empty()) named = {{{{"hub.example", 443}}, options.hubs}};
  std::vector<peer::HubTarget> hubs;
  for (const NamedHub& hub : named) {
    hubs.push_back(hub.target);
    names_[hub.target.address.host] = hub.endpoints;
  }
  handshake::ClientConfig config;
  config.identity = &identity_;
  config.server_name = "www.example.com";
  config.offer.mtu = MaxInnerMtu(options.hubs.front());
  config.offer.addresses = {options.inner};
  config.offer.lanes = 1;
  config.random = WorldRandom;
  session_ = std::make_unique<peer::ClientSession>(
      peer::ClientSession::Config{
          .keys = keys_,
          .attempt = {road_, *this, config},
          .rekey = RekeyOf(options),
          .hubs = std::move(hubs),
          .tunnel_addresses = {options.inner},
          .routing = {},
          .on_hub_key =
              [](const handshake::PublicKey&) { return absl::OkStatus(); },
          .on_key_changed = {},
      },
      around.log, now());
}

ClientGateway::~ClientGateway() { session_.reset(); }

void ClientGateway::Close() {
  session_->Close("the world ends");
  session_.reset();
  road_.peers.PublishNow();
}

void ClientGateway::RunTimers() { session_->OnTimer(now()); }

uint64_t ClientGateway::SessionDeadline() const {
  return session_ == nullptr ? UINT64_MAX : session_->NextDeadline();
}

void ClientGateway::Answer(const std::string& name) {
  questions_.push_back({now(), name});
  if (session_ == nullptr) return;
  if (names_[name].empty()) {
    session_->OnResolved(absl::NotFoundError(name + " is no host"), now());
  } else {
    session_->OnResolved(names_[name], now());
  }
}

HubGateway::HubGateway(Surroundings& around, const GatewayOptions& options,
                       uint32_t max_clients)
    : Gateway(around, options, peer::HubSessions::LanesFor(max_clients)) {
  handshake::HubConfig door;
  door.keys = &keys_;
  door.identity = &identity_;
  door.offer.mtu = MaxInnerMtu(options.outer);
  door.offer.addresses = {options.inner};
  door.offer.lanes = 1;
  door.replay_capacity = 4096;
  door.random = WorldRandom;
  peer::HubSessions::Config config{
      .road = road_,
      .host = *this,
      .door = door,
      .rekey = RekeyOf(options),
      .max_clients = max_clients,
  };
  sessions_ = std::make_unique<peer::HubSessions>(config, around.log, now());
  link_.SendToAll(ListenCommand{Outers()});
}

HubGateway::~HubGateway() { sessions_.reset(); }

void HubGateway::Close() {
  sessions_->Close("the world ends", now());
  sessions_.reset();
  road_.peers.PublishNow();
}

size_t HubGateway::clients() const {
  if (sessions_ == nullptr) return 0;
  const auto& all = sessions_->clients();
  return static_cast<size_t>(std::count_if(
      all.begin(), all.end(),
      [](const auto& client) { return client.session != nullptr; }));
}

void HubGateway::RunTimers() { sessions_->OnTimer(now()); }

uint64_t HubGateway::SessionDeadline() const {
  return sessions_ == nullptr ? UINT64_MAX : sessions_->NextDeadline();
}

}  // namespace lwt::world

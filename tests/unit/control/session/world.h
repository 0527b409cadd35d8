// A hub and a client in memory, in fake time.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/client/client_session.h"
#include "control/handshake/psk.h"
#include "control/hub/hub_sessions.h"
#include "tests/unit/control/session/fake_net.h"

namespace lwt::peer {

inline constexpr uint64_t kSecond = 1'000'000;

inline Endpoint At(const char* text) { return *ParseEndpoint(text); }
inline IpPrefix Prefix(const char* text) { return *ParseIpPrefix(text); }

class FakeHost : public ClientHost {
 public:
  FakeHost(FakeNet& net, IpAddress address) : net_(net), address_(address) {}

  uint64_t UnixMs() override {
    return 1'750'000'000'000 + net_.now_us / 1000 +
           static_cast<uint64_t>(clock_off_ms);
  }
  void FollowNextHop(FlowId flow, const FlowWay&) override {
    followed.push_back(flow);
  }
  void ForgetNextHop(FlowId flow) override { std::erase(followed, flow); }
  void SuspectPath(const IpAddress&) override { ++suspected; }
  void SetInnerMtu(uint16_t value) override { mtu = value; }
  void SetTunnelAddresses(const std::vector<IpPrefix>& value) override {
    addresses = value;
  }
  void SetNetworks(const std::vector<IpPrefix>& value) override {
    networks = value;
  }
  std::span<const IpPrefix> ConnectedNetworks() override { return connected; }
  void Resolve(const std::string& name, uint16_t) override {
    ++resolved;
    resolve_pending = true;
    names.push_back(name);
  }
  absl::StatusOr<Endpoint> OpenLocal(const Endpoint& remote,
                                     const PortWish& wish) override {
    if (!route.ok()) return route;
    while (!wish.IsMet(uint32_t{next_port} + remote.port)) ++next_port;
    locals.push_back({address_, next_port++});
    return locals.back();
  }
  void CloseLocal(const Endpoint& local) override { std::erase(locals, local); }
  std::optional<wire::LinkHeader> LinkTo(const IpAddress&) override {
    if (!link_known) return std::nullopt;
    return wire::LinkHeader{};
  }
  std::string LinkProblem(const IpAddress&) override { return "no neighbour"; }
  uint16_t MaxInnerMtu(const Endpoint&) override { return path_mtu; }
  void MoveTo(IpAddress address) { address_ = address; }

  bool link_known = true;
  int64_t clock_off_ms = 0;
  absl::Status route;  // an error: OpenLocal fails with it
  bool resolve_pending = false;
  int resolved = 0;
  std::vector<std::string> names;  // that were asked for
  int suspected = 0;
  uint16_t mtu = 0;
  uint16_t path_mtu = 1409;
  std::vector<IpPrefix> networks;   // that lead to the tunnel device
  std::vector<IpPrefix> addresses;  // leased, of the tunnel device
  std::vector<IpPrefix> connected;  // here
  uint16_t next_port = 40000;
  std::vector<Endpoint> locals;
  std::vector<FlowId> followed;

 private:
  FakeNet& net_;
  IpAddress address_;
};

inline handshake::SecretKey TestPsk(uint8_t value) {
  handshake::SecretKey key;
  std::fill(key.bytes().begin(), key.bytes().end(), value);
  return key;
}

// A client with its worker; `psk` 1 is the hub's.
struct TestClient {
  TestClient(FakeNet& the_net, FakeWorker& hub_worker, const loop::Log& the_log,
             const char* tunnel_address, uint8_t psk_value = 1,
             uint64_t records = 1 << 20, uint32_t workers = 1)
      : net(the_net),
        worker(the_net),
        host(the_net, At("192.0.2.10:1").address),
        keys(TestPsk(psk_value)),
        identity(handshake::GenerateStaticKey()),
        road(worker, host, 4, workers),
        log(the_log),
        address(Prefix(tunnel_address)),
        max_records(records) {
    worker.hub = &hub_worker;
    worker.workers = workers;
    Make();
  }

  void Make() {
    handshake::ClientConfig config;
    config.identity = &identity;
    config.offer.mtu = 1400;
    if (!leases) config.offer.addresses = {address};
    config.offer.features = features;
    config.offer.lanes = static_cast<uint8_t>(worker.workers);
    handshake::RekeyConfig rekey;
    rekey.max_records = max_records;
    session.reset();
    road.peers.PublishNow();  // the hub has its number again
    session = std::make_unique<ClientSession>(
        ClientSession::Config{
            .keys = keys,
            .attempt = {road, host, config},
            .rekey = rekey,
            .messages = messages,
            .version = version,
            .hubs = Hubs(),
            .tunnel_addresses = config.offer.addresses,
            .routing = routing,
            .on_names = [this](const auto& now) { names.push_back(now); },
            .on_hub_key =
                [this](const handshake::PublicKey& key) {
                  hub_key = key;
                  return absl::OkStatus();
                },
            .on_key_changed =
                [this](const HubTarget&, const handshake::PublicKey& key) {
                  changed_keys.push_back(key);
                  return absl::UnavailableError("another key");
                },
        },
        log, net.now_us);
  }

  std::vector<HubTarget> Hubs() const {
    std::vector<HubTarget> hubs;
    for (const char* const name : hub_names) {
      hubs.push_back({{name, 9000}, expected_hub_key});
    }
    return hubs;
  }

  void Pump() {
    if (host.resolve_pending && answers_names) {
      host.resolve_pending = false;
      session->OnResolved(std::vector<Endpoint>{At("192.0.2.1:9000")},
                          net.now_us);
    }
    while (!worker.events.empty() || !worker.streams.empty() ||
           !worker.records.empty()) {
      PumpStreams();
      if (worker.events.empty()) continue;
      FakeEvent event = worker.events.front();
      worker.events.pop_front();
      road.owners.OnEvent(event.worker, event, net.now_us);
    }
    session->OnTimer(net.now_us);
    road.peers.Publish(net.now_us);
  }
  uint64_t NextDeadline() const {
    return std::min(session->NextDeadline(), road.peers.NextDeadline());
  }
  void PumpStreams() {
    while (!worker.streams.empty()) {
      PuntedStream stream = worker.streams.front();
      worker.streams.pop_front();
      road.owners.OnStream(stream, net.now_us);
    }
    while (!worker.records.empty()) {
      FakeRecord record = worker.records.front();
      worker.records.pop_front();
      road.owners.OnRecord(record.worker, record.record, net.now_us);
    }
  }
  bool up() const { return session->state() == "up"; }

  FakeNet& net;
  FakeWorker worker;
  FakeHost host;
  handshake::KeyRing keys;
  handshake::StaticKey identity;
  WorkerRoad road;
  const loop::Log& log;
  IpPrefix address;
  bool leases = false;            // Make takes it: the hub gives an address
  config::RoutingConfig routing;  // the same
  // That this host is to ask, as they changed.
  std::vector<handshake::DnsMessage> names;
  uint32_t features = handshake::kOwnFeatures;
  uint64_t max_records;
  handshake::PublicKey hub_key{};
  std::optional<handshake::PublicKey> expected_hub_key;  // Make takes it
  std::vector<const char*> hub_names = {"hub.test"};     // the same
  bool answers_names = true;                             // false: look-ups hang
  std::vector<handshake::PublicKey> changed_keys;
  MessageTable messages = CommonMessages();  // Make takes them
  std::string_view version;                  // that hubs are told; empty: none
  std::unique_ptr<ClientSession> session;
};

struct TestHub {
  TestHub(FakeNet& the_net, const loop::Log& the_log, bool multiple = true,
          uint32_t most = 4, uint32_t workers = 1)
      : net(the_net),
        worker(the_net),
        host(the_net, At("192.0.2.1:1").address),
        keys(TestPsk(1)),
        identity(handshake::GenerateStaticKey()),
        log(the_log),
        multi_client(multiple),
        max_clients(most) {
    worker.workers = workers;
    Make();
  }

  void Make() {
    sessions.reset();
    road.emplace(worker, host, HubSessions::LanesFor(max_clients),
                 worker.workers);
    handshake::HubConfig door;
    door.keys = &keys;
    door.identity = &identity;
    door.offer.mtu = 1409;
    door.offer.addresses = own;
    door.offer.lanes = static_cast<uint8_t>(worker.workers);
    door.offer.features = features;
    door.replay_capacity = 256;
    HubSessions::Config config{
        .road = *road,
        .host = host,
        .door = door,
        .rekey = {},
        .messages = messages,
        .version = version,
        .max_clients = max_clients,
        .multi_client = multi_client,
        .routing = {.settings = routing, .granted = networks},
        .rules = rules,
        .held = held,
        .on_held = [this](const auto& now_held) { held = now_held; },
        .held_routes = held_routes,
        .on_held_routes =
            [this](const auto& now_held) { held_routes = now_held; },
        .banned = banned,
        .on_banned = [this](const auto& all) { banned = all; },
        .names = names,
        .tell_interval_us = tell_interval_us,
        .rotation = rotation};
    sessions = std::make_unique<HubSessions>(config, log, net.now_us);
    worker.listening = true;
  }
  void Kill() {
    worker.Crash();
    sessions.reset();
    host.followed.clear();
  }

  void Pump() {
    while (!worker.events.empty() || !worker.streams.empty() ||
           !worker.records.empty()) {
      while (!worker.events.empty() &&
             worker.events.front().kind != EventKind::kFlowDown) {
        FakeEvent event = worker.events.front();
        worker.events.pop_front();
        road->owners.OnEvent(event.worker, event, net.now_us);
      }
      PumpStreams();
      if (worker.events.empty()) continue;
      FakeEvent event = worker.events.front();
      worker.events.pop_front();
      road->owners.OnEvent(event.worker, event, net.now_us);
    }
    if (sessions) sessions->OnTimer(net.now_us);
    road->peers.Publish(net.now_us);
  }
  uint64_t NextDeadline() const {
    const uint64_t next = road->peers.NextDeadline();
    return sessions ? std::min(next, sessions->NextDeadline()) : next;
  }
  void PumpStreams() {
    while (!worker.streams.empty()) {
      PuntedStream stream = worker.streams.front();
      worker.streams.pop_front();
      road->owners.OnStream(stream, net.now_us);
    }
    while (!worker.records.empty()) {
      FakeRecord record = worker.records.front();
      worker.records.pop_front();
      road->owners.OnRecord(record.worker, record.record, net.now_us);
    }
  }
  size_t count() const {
    size_t count = 0;
    for (const auto& client : sessions->clients()) {
      if (client.session) ++count;
    }
    return count;
  }

  FakeNet& net;
  FakeWorker worker;
  FakeHost host;
  handshake::KeyRing keys;
  handshake::StaticKey identity;
  std::optional<WorkerRoad> road;
  const loop::Log& log;
  // Granted to clients; Make takes them, and what is announced.
  std::map<handshake::PublicKey, std::vector<IpPrefix>> networks;
  config::RoutingConfig routing;
  rotation::HubRotation* rotation = nullptr;    // Make takes it
  ClientRules rules;                            // the same
  uint64_t tell_interval_us = 0;                // the same
  handshake::DnsMessage names;                  // the same
  uint32_t features = handshake::kOwnFeatures;  // the same
  std::vector<IpPrefix> own = {Prefix("10.0.0.1/24")};
  bool multi_client;
  uint32_t max_clients;
  MessageTable messages = CommonMessages();  // Make takes them
  std::string_view version;       // that clients are told; empty: none
  std::vector<HeldAddress> held;  // as the state directory keeps it
  std::vector<routing::HeldRoute> held_routes;  // the same
  BannedKeys banned;                            // the same
  std::unique_ptr<HubSessions> sessions;
};

// Runs a hub and its clients until `until_us` of fake time have passed, or
// `done` is true; returns whether it is.
template <typename Done>
bool RunWorld(FakeNet& net, TestHub& hub, std::vector<TestClient*> clients,
              uint64_t for_us, Done done) {
  uint64_t end_us = net.now_us + for_us;
  for (;;) {
    net.RunDue();
    hub.Pump();
    for (TestClient* client : clients) client->Pump();
    if (done()) return true;
    if (net.now_us >= end_us) return false;
    uint64_t next = std::min({end_us, net.next_us(), hub.NextDeadline()});
    for (TestClient* client : clients) {
      next = std::min(next, client->NextDeadline());
    }
    net.now_us = std::max(next, net.now_us + 1);
  }
}

inline void RunFor(FakeNet& net, TestHub& hub, std::vector<TestClient*> clients,
                   uint64_t for_us) {
  RunWorld(net, hub, std::move(clients), for_us, [] { return false; });
}

}  // namespace lwt::peer

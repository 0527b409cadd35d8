// The hub's clients: who may come in, who is there, what reaches whom.
//
// Sans-IO except for the seams. Owned by the gateway. Control thread. Sizes are
// fixed by max_clients. It owns the flows that arrive where the hub listens
// until they are lanes; then its clients do, each its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/hub/address_book.h"
#include "control/hub/banned_keys.h"
#include "control/hub/client_index.h"
#include "control/hub/client_rules.h"
#include "control/hub/hub_unproven.h"
#include "control/hub/join_budget.h"
#include "control/hub/twin_watch.h"
#include "control/loop/deadlines.h"
#include "control/rotation/hub_rotation.h"
#include "control/routing/route_book.h"
#include "control/routing/route_exchange.h"
#include "control/session/liveness.h"
#include "control/session/session.h"

namespace lwt::peer {

class HubSessions final : public FlowOwner {
 public:
  // Nothing verified for three idle probe intervals of a client.
  static constexpr uint64_t kIdleUs = 3 * 26'000'000ull;
  // All that is looked at by the clock is, of a client, when this period begins
  // again: of one in use each time, of an idle one every kIdleLookUs.
  static constexpr uint64_t kSweepUs = 500'000;
  static constexpr uint64_t kIdleLookUs = Session::kMeasureUs;
  // Of held addresses, put together for their file in one turn.
  static constexpr size_t kKeepPortion = 256;
  // Of slots of clients that are told again what they were told, in one turn.
  static constexpr uint32_t kTellPortion = 64;
  // What the unproven flows keep of their streams, beyond kOwnBytes each.
  static constexpr size_t kStreamBytes = 8 << 20;
  // Of one session, beside those that it sends on.
  static constexpr size_t kMaxOldLanes = 2;
  static constexpr uint64_t kOldLaneUs = 20'000'000;
  // Flows side by side that may become one lane of a session, until a record
  // tells which does.
  static constexpr size_t kMaxJoins = 4;
  // Lanes that each worker needs for `clients`.
  static constexpr uint32_t LanesFor(uint32_t clients) {
    return 2 * clients + 16;
  }

  // Networks behind us and behind clients.
  struct Routing {
    config::RoutingConfig settings;
    // What [[peer]] entries give to keys.
    routing::RouteBook::Granted granted;
  };

  struct Config {
    WorkerRoad& road;
    PeerHost& host;
    // Its offer has our addresses, MTU, and as lanes the number of workers.
    handshake::HubConfig door;
    handshake::RekeyConfig rekey;
    MessageTable messages = CommonMessages();
    std::string_view version = {};  // ours, for clients; outlives this
    uint32_t max_clients = 100;     // places are made for
    bool multi_client = true;
    Routing routing;
    ClientRules rules;
    ProberDoor* probers = nullptr;  // for whom we turn away
    // Tunnel addresses that the run before held, and where they are kept when
    // they have changed: within kSweepUs, and at Close.
    std::vector<HeldAddress> held;
    std::function<void(const std::vector<HeldAddress>&)> on_held;
    // The same of networks behind clients.
    std::vector<routing::HeldRoute> held_routes;
    std::function<void(const std::vector<routing::HeldRoute>&)> on_held_routes;
    // Who may not come in, and where it is kept when that has changed.
    BannedKeys banned;
    std::function<void(const BannedKeys&)> on_banned;
    // Name servers that clients are told of.
    handshake::DnsMessage names;
    // How often clients are told once more of all that, and of their path, for
    // one that lost it in whatever way; 0: never. A change is told at once.
    uint64_t tell_interval_us = 0;
    // Who is told of who comes and goes; may be null.
    rotation::HubRotation* rotation = nullptr;
  };

  // What may change while it runs, with the meaning that it has in Config.
  struct Settings {
    handshake::RekeyConfig rekey;
    uint32_t max_clients = 100;
    bool multi_client = true;
    Routing routing;
    ClientRules rules;
    ProberDoor* probers = nullptr;
    uint16_t offered_mtu = 0;
    handshake::DnsMessage names;
    uint64_t tell_interval_us = 0;
  };

  struct Client final : FlowOwner {
    void OnEvent(const Event& event, uint64_t now_us) override;
    void OnStream(const PuntedStream& stream, uint64_t now_us) override;
    void OnLaneEvent(LaneName lane, const Event& event,
                     uint64_t now_us) override;
    void OnRecord(LaneName lane, const PuntedRecord& record,
                  uint64_t now_us) override;

    void OnSessionDue() override { hub->Schedule(*this); }

    HubSessions* hub = nullptr;
    std::unique_ptr<Session> session;  // nullptr: a free slot
    uint64_t rtt_us = 0;
    uint64_t began_unix_ms = 0;  // our clock when its session was made
    std::vector<IpPrefix> addresses;
    Endpoint remote;
    JoinBudget joins;
    PeerIndex peer;  // of one with a session
    routing::RouteExchange routes;
    // When it has to be looked at by the clock, and when the session or what it
    // is told of routes has work.
    uint64_t look_at_us = UINT64_MAX;
    uint64_t work_at_us = UINT64_MAX;
    // Of all its lanes together, of one with a session.
    std::optional<Liveness> liveness;
    TwinWatch twins;  // of its key
  };

  HubSessions(const Config& config, const loop::Log& log, uint64_t now_us);
  ~HubSessions() override;

  // Of flows that are not a lane yet.
  void OnEvent(const Event& event, uint64_t now_us) override;
  void OnStream(const PuntedStream& stream, uint64_t now_us) override;
  // Does what is due, and touches no client of whom nothing is.
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const {
    if (keeping_ || tell_from_) return 0;
    return std::min({next_sweep_us_, deadlines_.Next(), next_tell_us_});
  }
  // Our own ways to clients may carry more or less now.
  void OnLinkChanged();
  // Networks of this host are others now.
  void OnHostNetworks(uint64_t now_us);
  // Touches each client once, and drops none. No more clients fit than those
  // that it was made for.
  void Apply(Settings settings, uint64_t now_us);

  // Says goodbye to all. How many flows that ends.
  size_t Close(std::string_view reason, uint64_t now_us);
  // Frees tunnel addresses, and drops the clients that have them. Which.
  std::vector<IpAddress> Forget(const AddressesNamed& names, uint64_t now_us);
  // Frees networks in a range, or of a key, whose clients are away. All that
  // are named, freed or not.
  std::vector<routing::RouteBook::Entry> ForgetRoutes(
      const AddressesNamed& names);
  // Keeps a key out for good, frees its addresses, and drops its client. False
  // when kMaxBannedKeys are.
  bool Ban(const handshake::PublicKey& key, uint64_t now_us);
  // False when it was not banned.
  bool Unban(const handshake::PublicKey& key);
  const BannedKeys& banned() const { return config_.banned; }
  const ClientRules& rules() const { return config_.rules; }

  const std::vector<Client>& clients() const { return clients_; }
  // Of a client that is connected, or nullptr.
  Session* SessionOf(const handshake::PublicKey& key) {
    const Client* client = FindByKey(key);
    return client == nullptr ? nullptr : client->session.get();
  }
  // Who has a tunnel address, connected or not.
  std::vector<handshake::PublicKey> KnownKeys() const { return book_.Keys(); }
  // With those of clients that are here.
  std::vector<HeldAddress> HeldAddresses(uint64_t now_us) const {
    return book_.Held(now_us, 0);
  }
  bool Knows(const handshake::PublicKey& key) const { return book_.Knows(key); }
  const routing::RouteBook& routes() const { return routes_; }
  // What is granted to a key, and bound to it by its own word; none twice.
  std::vector<IpPrefix> NetworksBehind(const handshake::PublicKey& key) const;
  // How many clients OnTimer has looked at so far: by this a test and a bench
  // see that nobody walks all of them.
  uint64_t visits() const { return visits_; }

 private:
  WorkerLink& link() const { return config_.road.link; }

  // hub_routes.cc: networks behind clients.
  void TakeRouteMessages();
  void BeginRoutes(Client& client, uint64_t now_us);
  void EndRoutes(Client& client, uint64_t now_us);
  void MoveTo(Client& client, const Endpoint& remote, uint64_t now_us);
  void GiveWay(const IpAddress& end, uint64_t now_us);
  void TickRoutes(Client& client, uint64_t now_us);
  void JudgeRoutes(Client& client, uint64_t now_us);
  void JudgeAllAgain(uint64_t now_us);
  void JudgeRefusedAgain(uint64_t now_us);
  bool HasNetworks(const Client& client) const;
  void LeadNetworks(Client& client);
  void AnnounceRoutes();
  std::vector<IpPrefix> AnnouncedTo(const Client& client) const;
  void SweepRoutes(uint64_t now_us);
  void SetTellInterval(uint64_t interval_us, uint64_t now_us);
  void TellAgain(uint64_t now_us);
  void RestoreRoutes(uint64_t now_us);
  void KeepRoutes(uint64_t now_us);
  void TellPeerNetworks();
  void LeadBeside();

  // hub_sessions.cc: who is there.
  Client* FindBySessionId(uint64_t id);
  Client* FindByJoin(const handshake::HelloFields& hello);
  std::optional<handshake::LaneJoinBlob> OpenJoin(
      const Client& client, const handshake::HelloFields& hello,
      uint64_t now_us);
  Client* FindByKey(const handshake::PublicKey& key);
  uint32_t SlotOf(const Client& client) const {
    return static_cast<uint32_t>(&client - clients_.data());
  }
  void OnLaneDown(Client& client, FlowId flow, uint64_t now_us);
  void EndSession(Client& client);
  void Drop(Client& client, std::string_view why, uint64_t now_us);
  void AfterWork(Client& client, uint64_t now_us);
  void Schedule(Client& client);
  void SetDeadline(const Client& client);
  void Visit(Client& client, uint64_t now_us);
  bool LookAt(Client& client, uint64_t now_us);
  void Watch(Client& client, const Session::Activity& last, uint64_t now_us);
  void LookSoon(Client& client, uint64_t now_us);
  uint64_t NextSweep(uint64_t from_us) const;
  void Sweep(uint64_t now_us);
  void KeepAddresses(uint64_t now_us);
  std::string NameOf(const handshake::SessionSecrets& secrets) const;
  void FollowRules(uint64_t now_us);
  std::vector<IpAddress> FreeAddresses(const AddressesNamed& names,
                                       const std::string& why, uint64_t now_us);
  Session::Context SessionContext();

  // hub_admission.cc: who may come in.
  void OpenFlow(const Event& event, uint64_t now_us);
  void Advance(HubFlow& flow, uint64_t now_us);
  void OnJoinAsked(HubFlow& flow, uint64_t now_us);
  std::vector<HubFlow*> JoinsOf(uint64_t session_id, handshake::LaneId lane_id);
  static HubFlow* GivesWay(const std::vector<HubFlow*>& joins,
                           const IpAddress& source);
  static void MakeRoomForLane(Session& session);
  void OnJoinSaid(HubFlow& flow, uint64_t now_us);
  void EndOtherJoins(const HubFlow& winner, uint64_t now_us);
  void Decide(HubFlow& flow, uint64_t now_us);
  void Replace(Client& client, const Endpoint& remote, uint64_t now_us);
  bool HasRoom(const Client* before, WorkerIndex worker);
  // `worker` is the flow's.
  handshake::Verdict Judge(const handshake::PublicKey& key,
                           const handshake::PeerOffer& offer, bool newest_key,
                           WorkerIndex worker, uint64_t now_us);
  void Admit(HubFlow& flow, handshake::SessionSecrets secrets,
             handshake::ByteVector verdict, uint64_t now_us);
  PeerTable::Entry EntryOf(const handshake::SessionSecrets& secrets,
                           const Endpoint& remote) const;
  std::unique_ptr<Session> MakeSession(Client& client, const HubFlow& flow,
                                       handshake::SessionSecrets secrets,
                                       uint64_t now_us);

  Config config_;
  loop::RemoteLog log_;
  handshake::HubDoor door_;
  handshake::DoorLimits limits_;
  StreamMemory stream_memory_{kStreamBytes};
  HubFlow::Context flow_context_;
  AddressBook book_;
  HubUnproven unproven_;
  std::vector<Client> clients_;  // max_clients slots
  std::set<uint32_t> free_;      // those of no session
  ClientIndex index_;
  loop::Deadlines deadlines_;  // by slot
  std::vector<uint32_t> due_;  // scratch
  uint64_t visits_ = 0;
  const uint64_t began_us_;
  uint64_t next_sweep_us_;
  uint64_t kept_version_ = 0;  // of the book
  struct Keeping {
    std::optional<IpAddress> after;
    std::vector<HeldAddress> held;
  };
  std::optional<Keeping> keeping_;  // what is being put together of it
  routing::RouteBook routes_;
  routing::Underlay underlay_;              // where clients are
  uint64_t told_routes_ = UINT64_MAX;       // versions of routes_
  uint64_t announced_routes_ = UINT64_MAX;  // ...
  uint64_t kept_routes_ = 0;                // ...
  uint64_t judged_freed_ = 0;
  std::vector<IpPrefix> announced_;  // behind all clients
  bool clients_changed_ = false;     // since these were put together
  std::set<uint32_t> refused_;       // clients of whom a network is refused
  uint64_t next_tell_us_ = UINT64_MAX;
  // The first slot that this round of telling has not come to.
  std::optional<uint32_t> tell_from_;
};

}  // namespace lwt::peer

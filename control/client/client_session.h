// A client's life: finds the hub, proves itself, keeps the session alive, and
// comes back after every failure, for ever.
//
//   waiting ─► resolving ─► attempt (handshake or lane join) ─► up
//      ▲           ▲  failed: the next hub │        suspect or lost │
//      │           ├───────────────────────┘                        │
//      │           └────────────────────────────────────────────────┤
//      └─ back-off 1 … 32 s, after a round of all hubs ─────────────┘
//
// A suspect path gets a second flow beside it, joined to the session; the old
// flow goes when the new one is up. When the hub no longer knows the session,
// a full handshake replaces it. A session that is up gets further lanes, and
// new ones for those that fail, by joins one at a time (ClientLanes); only when
// none answers any more does the round above begin again. Sans-IO except for
// the seams, with the time of the workers' clock. Owned by the gateway. Control
// thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/client/client_attempt.h"
#include "control/client/client_dns.h"
#include "control/client/client_lanes.h"
#include "control/client/client_routes.h"
#include "control/client/default_route.h"
#include "control/client/hub_round.h"
#include "control/handshake/key_ring.h"
#include "control/session/backoff.h"
#include "control/session/session.h"

namespace lwt::peer {

class ClientSession final : public FlowOwner {
 public:
  // A service of this length makes back-off begin at 1 s again.
  static constexpr uint64_t kGoodServiceUs = 10'000'000;
  static constexpr uint64_t kResolveTimeoutUs = 10'000'000;
  static constexpr uint64_t kOldLaneUs = 2'000'000;
  // An address of a hub that has not answered by then gets company of the next
  // one (RFC 8305 §5, where it is the Connection Attempt Delay).
  static constexpr uint64_t kRaceUs = 300'000;
  // How long a hub may have a session yet that has become doubtful here: until
  // we give up its last lane, and kIdleUs of the hub's from then.
  static constexpr uint64_t kStandsUs = 90'000'000;
  // The first wait of one whose place another host with its key took, and the
  // service that makes it the first again.
  static constexpr uint64_t kTwinFirstUs = 10'000'000;
  static constexpr uint64_t kUndisturbedUs = 600'000'000;

  struct Config {
    const handshake::KeyRing& keys;
    // The lanes of its offer are our workers; its psk is this object's.
    ClientAttempt::Context attempt;
    handshake::RekeyConfig rekey;
    MessageTable messages = CommonMessages();
    std::string_view version = {};           // ours, for the hub; outlives this
    std::vector<HubTarget> hubs;             // at least one, in their order
    std::vector<IpPrefix> tunnel_addresses;  // none: the hub leases them
    config::RoutingConfig routing;
    // Called with the name servers that this host is to ask, when they are
    // others; none: as without us. May be empty.
    std::function<void(const handshake::DnsMessage&)> on_names;
    // Called with the hub's key after each handshake with one of which the
    // first contact decides: pins it.
    std::function<absl::Status(const handshake::PublicKey&)> on_hub_key;
    // The sentence for a hub whose key is not the expected one.
    std::function<absl::Status(const HubTarget&, const handshake::PublicKey&)>
        on_key_changed;
  };

  // What may change while it runs, with the meaning that it has in Config.
  struct Settings {
    handshake::RekeyConfig rekey;
    config::RoutingConfig routing;
    // For the next handshake.
    std::vector<HubTarget> hubs;
    std::string server_name;
    uint16_t offered_mtu = 0;
  };

  ClientSession(Config config, const loop::Log& log, uint64_t now_us);
  ~ClientSession() override;

  void OnResolved(absl::StatusOr<std::vector<Endpoint>> endpoints,
                  uint64_t now_us);
  void OnEvent(const Event& event, uint64_t now_us) override;
  void OnStream(const PuntedStream& stream, uint64_t now_us) override;
  void OnLaneEvent(LaneName lane, const Event& event, uint64_t now_us) override;
  void OnRecord(LaneName lane, const PuntedRecord& record,
                uint64_t now_us) override;
  void OnTimer(uint64_t now_us);
  uint64_t NextDeadline() const;
  // The session that is up goes on. What is to be tried later is tried now.
  void Apply(Settings settings, uint64_t now_us);
  // The way to the hub leads from another address now: roam.
  void OnSourceChanged(const IpAddress& source, uint64_t now_us);
  // The host was suspended: the hub may have given us up, and what was to be
  // tried later is tried now.
  void OnResumed(uint64_t now_us);
  // Networks of this host are others now.
  void OnHostNetworks();
  // The first router on the way was gone and is back, and so, mostly, is what
  // it knew of our flows.
  void OnWayBack(uint64_t now_us) { OnResumed(now_us); }

  // Says goodbye to the hub, and begins nothing any more. How many flows that
  // ends.
  size_t Close(std::string_view reason);

  // "connecting", "up", "suspect" or "down".
  std::string_view state() const;
  // Why it is not up.
  const std::string& reason() const { return reason_; }
  const Session* session() const { return session_.get(); }
  // To the hub. False when none is connected, or it does not understand.
  template <handshake::ControlBody M>
  bool Tell(const M& message) {
    return session_ != nullptr && session_->Send(message);
  }
  const HubRound& hubs() const { return hubs_; }
  // The hub of the session, else the one that is called, or was last.
  const HubTarget& hub() const {
    return session_ != nullptr ? *hubs_.used() : hubs_.hub();
  }
  // Where the hub is, as far as known.
  const std::optional<Endpoint>& remote() const { return remote_; }
  uint64_t rtt_us() const { return rtt_us_; }
  const ClientRoutes& routes() const { return routes_; }
  // Ours; none before the hub has leased some.
  const std::vector<IpPrefix>& tunnel_addresses() const {
    return config_.tunnel_addresses;
  }
  const DefaultRoute& default_route() const { return default_route_; }
  const ClientDns& dns() const { return dns_; }

 private:
  WorkerRoad& road() const { return config_.attempt.road; }
  enum class Phase : uint8_t {
    kWaiting,
    kResolving,
    kAttempt,
    kSettled,
    kClosed
  };
  static constexpr std::string_view kHub = "hub";  // for the log

  // client_session.cc: the session as a whole.
  void TakeMessages();
  void LeadNetworks();
  void LeadDefault(bool changed);
  void LeadNames();
  void OnAllDown();
  void Begin(uint64_t now_us);
  void CallHub(uint64_t now_us);
  void OnHubFailed(const std::string& why, uint64_t now_us);
  bool CanJoin() const {
    return session_ != nullptr && join_possible_ && hubs_.InUse();
  }
  void StartAttempt(uint64_t now_us);
  void TakeKey();
  bool TryNextKey(const absl::Status& status, uint64_t now_us);
  void CheckAttempt(uint64_t now_us);
  void OnAttemptFailed(uint64_t now_us);
  void OnHandshakeDone(uint64_t now_us);
  bool TakeLease(const std::vector<IpPrefix>& leased, uint64_t now_us);
  void SettleLane(uint64_t now_us);
  void Adopt(std::unique_ptr<Session> session, uint16_t mtu, uint64_t now_us);
  void Retry(std::string why, uint64_t now_us);
  void OnProbeAnswered(LaneName name, uint64_t rtt_us, uint64_t now_us);
  void OnFlowDown(const Event& event, uint64_t now_us);
  void Suspect(std::string why, uint64_t now_us);

  // client_session_race.cc: the addresses of a hub.
  void Race(uint64_t now_us);
  void OnFlowUp(const Event& event, uint64_t now_us);
  bool OnRunnerDown(const Event& event);
  void TickRunners(uint64_t now_us);
  bool OnRunnerFailed(const absl::Status& status, bool begun, uint64_t now_us);
  void DropAttempts();

  // client_session_end.cc
  void CheckSession(uint64_t now_us);
  void EndSession();
  void DropSession(std::string_view why, uint64_t now_us);
  void OnReplaced(const std::string& why, uint64_t now_us);
  void SayTwin();

  // client_session_lanes.cc
  void BuildLane(uint64_t now_us);
  std::optional<JoinTicket> TicketFor(handshake::LaneSlot slot);
  PortWish WishFor(handshake::LaneSlot slot) const;
  void Launch(const Endpoint& remote, std::optional<JoinTicket> ticket,
              uint64_t now_us);
  void OnJoined(uint64_t now_us);
  void OnLaneLost(std::string why, uint64_t now_us);
  void TickLiveness(uint64_t now_us);
  void OnLaneState(const ClientLanes::Change& change, uint64_t now_us);
  void ReleaseLocals();

  Config config_;
  loop::RemoteLog log_;
  Backoff backoff_;
  Backoff twin_backoff_;
  bool had_twin_ = false;         // and the hub has not been told
  uint64_t called_us_ = 0;        // the last handshake began
  uint64_t stands_until_us_ = 0;  // the hub may have the session
  Phase phase_ = Phase::kWaiting;
  uint64_t phase_deadline_us_ = 0;
  HubRound hubs_;
  std::vector<Endpoint> endpoints_;  // of the hub in turn
  // Where each hub was when its name was found last, for as long as it is not.
  std::map<std::string, std::vector<Endpoint>> known_;
  bool asked_ = false;  // for its name, and there is no answer yet
  size_t next_endpoint_ = 0;
  size_t tried_ = 0;      // endpoints, since the last look-up
  const PeerIndex peer_;  // the hub, in the table of peers
  size_t key_at_ = 0;     // of the ring, that the endpoint is tried with
  handshake::KeyRing::Key attempt_key_;
  std::unique_ptr<ClientAttempt> attempt_;
  // Begun before it, in the race with it: none has a connection.
  std::vector<std::unique_ptr<ClientAttempt>> runners_;
  uint64_t race_at_us_ = UINT64_MAX;  // the next address joins
  std::unique_ptr<Session> session_;
  handshake::SecretKey join_mask_;  // of the key that the session began by
  ClientLanes lanes_;
  ClientRoutes routes_;
  DefaultRoute default_route_;
  ClientDns dns_;
  handshake::DnsMessage names_;     // that this host is to ask
  bool join_possible_ = false;      // at the hub of the session
  handshake::LaneId last_lane_id_;  // the session's, given to a join
  uint64_t up_since_us_ = 0;
  std::vector<Endpoint> locals_;  // of the session's flows
  std::optional<Endpoint> remote_;
  std::string reason_ = "starting";
  uint64_t rtt_us_ = 0;
};

}  // namespace lwt::peer

// The gateway's side towards the outside network: local endpoints held,
// guarded and steered to us, next hops followed, names looked up.
//
// Implements what sessions ask of their host. Owned by the gateway. Control
// thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "control/base/remote_log.h"
#include "control/host/guard/port_reservation.h"
#include "control/host/net/tunnel_keeper.h"
#include "control/loop/component.h"
#include "control/name_lookups.h"
#include "control/next_hops.h"
#include "control/platform/platform.h"
#include "control/uplink_follower.h"
#include "control/workers/peer_host.h"
#include "control/workers/worker_link.h"
#include "dataplane/clock.h"

namespace lwt {

class OuterSide final : public loop::Component, public peer::ClientHost {
 public:
  // A closed flow's endpoint stays ours this long, so that the last segments
  // of its peer meet no kernel that would answer them with a RST.
  static constexpr uint64_t kLingerUs = 30'000'000;

  OuterSide(const config::Config& config, Platform& platform,
            peer::WorkerLink& link, NameLookups& names, const loop::Log& log);

  // A hub's: holds the ports, takes SYNs at them on all their addresses.
  absl::Status Listen(std::span<const Endpoint> locals);

  void OnHostChanges(const host::HostChanges& changes,
                     uint64_t now_us) override;
  absl::Status Apply(const config::Config& config, uint64_t now_us) override;
  void OnTimer(uint64_t now_us) override;
  uint64_t NextDeadline() const override;

  // Our address on the way to `remote`; nullopt when there is no way.
  std::optional<IpAddress> SourceTo(const IpAddress& remote);
  // Who gets the answer to Resolve; an empty one: nobody any more.
  void OnHubFound(NameLookups::Handler handler) {
    on_hub_found_ = std::move(handler);
  }

  // What is called when the tunnel device was deleted.
  void OnTunnelLost(std::function<void()> handler) {
    on_tunnel_lost_ = std::move(handler);
  }
  // What is called when the uplink is another one; an empty one: nothing.
  void OnUplinkMoved(std::function<void()> handler) {
    on_uplink_moved_ = std::move(handler);
  }
  // What is called when a next hop that was silent answers again, a link that
  // had lost its carrier has it back, or there is a way to the hub where there
  // was none, or another one; an empty one: nothing.
  void OnWayBack(std::function<void()> handler) {
    hops_.OnWayBack(handler);
    on_way_back_ = std::move(handler);
  }

  void Report(telemetry::Status& status, uint64_t now_us) const override;

  uint64_t UnixMs() override;
  void FollowNextHop(FlowId flow, const peer::FlowWay& way) override;
  void ForgetNextHop(FlowId flow) override;
  void SuspectPath(const IpAddress& remote) override;
  void SetInnerMtu(uint16_t mtu) override;
  void SetTunnelAddresses(const std::vector<IpPrefix>& addresses) override;
  void SetNetworks(const std::vector<IpPrefix>& networks) override;
  std::span<const IpPrefix> ConnectedNetworks() override;
  std::vector<IpPrefix> NetworksElsewhere() override;
  void Resolve(const std::string& name, uint16_t port) override;
  absl::StatusOr<Endpoint> OpenLocal(const Endpoint& remote,
                                     const peer::PortWish& wish) override;
  void CloseLocal(const Endpoint& local) override;
  std::optional<wire::LinkHeader> LinkTo(const IpAddress& remote) override;
  std::string LinkProblem(const IpAddress& remote) override;
  uint16_t MaxInnerMtu(const Endpoint& remote) override;

 private:
  struct Local {
    host::PortReservation reservation;
    IpAddress remote;
    uint64_t close_at_us = UINT64_MAX;
  };

  static uint64_t NowUs() { return MonotonicUs(); }
  // How frames get to the hub.
  struct Way {
    host::Route route;
    bool carrier = false;
    friend bool operator==(const Way&, const Way&) = default;
  };

  SetLinkMtuCommand MtusNow() const;
  void TellMtus(const SetLinkMtuCommand& now);
  void FollowMtus();
  void OnMoved(uint64_t now_us);
  void FollowWay();
  void FollowOverlap();
  std::vector<IpAddress> Destinations() const;
  absl::Status UpdateListenAddresses();
  absl::Status ApplyEndpoints();

  const config::Config& config_;
  Platform& platform_;
  peer::WorkerLink& link_;
  NameLookups& names_;
  const loop::Log& log_;
  loop::RemoteLog remote_log_;  // of what sessions ask for
  UplinkFollower follower_;
  NextHops hops_;
  SetLinkMtuCommand mtus_;  // that the workers were told
  host::TunnelKeeper tunnel_keeper_;
  std::vector<IpPrefix> addresses_;                 // in the tunnel
  std::vector<IpPrefix> networks_;                  // behind peers
  std::optional<std::vector<IpPrefix>> connected_;  // as long as they hold
  NameLookups::Handler on_hub_found_;
  NameLookups::Question lookup_;  // of a hub
  std::vector<Local> locals_;     // a client's
  std::vector<host::PortReservation> listening_;
  std::vector<Endpoint> listen_addresses_;  // none of them unspecified
  std::vector<Endpoint> applied_;
  std::function<void()> on_way_back_;
  std::function<void()> on_uplink_moved_;
  std::function<void()> on_tunnel_lost_;
  std::string overlap_;           // of the tunnel's network, since the start
  bool moved_ = false;            // and nobody was told yet
  std::optional<IpAddress> hub_;  // where the last flow went, of a client
  std::optional<Way> way_;        // to there
};

}  // namespace lwt

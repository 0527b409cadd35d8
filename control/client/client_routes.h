// The networks behind a client's hub, as the hub announces them, and those
// behind the client, as it announces them (docs/protocol.md, "Routes").
//
// What was accepted leads to the hub also while it is away: no packet for it
// leaves by another way. Sans-IO. Owned by ClientSession. Control thread.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "control/base/remote_log.h"
#include "control/config/config.h"
#include "control/routing/route_exchange.h"
#include "control/routing/route_rules.h"
#include "control/session/session.h"

namespace lwt::peer {

class ClientRoutes {
 public:
  // Of a family, that the hub's list may bring into use: each costs every
  // packet a look-up.
  static constexpr size_t kMostLengths = 24;

  // `own` are the tunnel addresses.
  ClientRoutes(std::vector<IpPrefix> own, config::RoutingConfig settings)
      : tunnel_(std::move(own)), settings_(std::move(settings)) {}

  // They are others from now on.
  void SetTunnel(std::vector<IpPrefix> own) { tunnel_ = std::move(own); }
  // A session begins. True where `accepted` is another now.
  bool OnSession(const Session& session);
  void OnRoutes(const handshake::RoutesMessage& message, uint64_t now_us) {
    exchange_.OnRoutes(message, now_us);
  }
  void OnAnswer(const handshake::RoutesAnswer& answer, loop::RemoteLog& log);
  // Sends and judges what is due; `here` are the networks of this host. True
  // where `accepted` is another now.
  bool OnTimer(Session& session, std::span<const IpPrefix> here,
               loop::RemoteLog& log, uint64_t now_us);
  uint64_t NextDeadline() const { return exchange_.NextDeadline(); }
  // Other settings, or another host: the hub's list is judged again.
  bool Apply(config::RoutingConfig settings, Session* session,
             std::span<const IpPrefix> here, loop::RemoteLog& log);
  // A hub is called at these: what contains one leads there no longer. True
  // where that changes `accepted`.
  [[nodiscard]] bool GiveWay(std::span<const Endpoint> hubs);
  bool JudgeAgain(Session& session, std::span<const IpPrefix> here,
                  loop::RemoteLog& log);

  // Networks that lead to the hub.
  const std::vector<IpPrefix>& accepted() const { return accepted_; }
  const routing::RouteExchange& exchange() const { return exchange_; }

 private:
  bool Judge(Session& session, std::span<const IpPrefix> here,
             loop::RemoteLog& log);
  std::optional<routing::RouteCode> CodeOf(
      const IpPrefix& network, const routing::Surroundings& around) const;

  std::vector<IpPrefix> tunnel_;
  config::RoutingConfig settings_;
  routing::RouteExchange exchange_;
  std::vector<IpAddress> called_;  // of the hub that was called last
  std::vector<IpPrefix> accepted_;
};

}  // namespace lwt::peer

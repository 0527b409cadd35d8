// ClientSession: what leads to the hub, and the addresses that it leases.
#include <utility>

#include "control/client/client_session.h"
#include "control/client/lease_rules.h"

namespace lwt::peer {

using loop::Cause;

// The tunnel's networks and those behind the hub lead to it, whether it is
// connected or not.
void ClientSession::LeadNetworks() {
  std::vector<IpPrefix> networks = config_.tunnel_addresses;
  const std::vector<IpPrefix>& behind = routes_.accepted();
  networks.insert(networks.end(), behind.begin(), behind.end());
  const std::vector<IpPrefix> all = default_route_.ToHub();
  networks.insert(networks.end(), all.begin(), all.end());
  road().peers.SetNetworks(peer_, std::move(networks));
  road().peers.SetPeerNetworks(default_route_.Nowhere());
}

void ClientSession::LeadDefault(bool changed) {
  if (!changed) return;
  log_.Info(Cause::Peer(kHub), default_route_.leads()
                                   ? "all traffic goes through the tunnel"
                                   : "traffic goes as without the tunnel");
  LeadNetworks();
}

void ClientSession::LeadNames() {
  handshake::DnsMessage wanted = dns_.Wanted(default_route_.leads());
  if (wanted == names_) return;
  names_ = std::move(wanted);
  if (config_.on_names) config_.on_names(names_);
}

// Each hub was called in vain, or must not be called for now.
void ClientSession::OnAllDown() {
  LeadDefault(default_route_.OnDown());
  dns_.OnDown();
  LeadNames();
}

void ClientSession::OnHostNetworks() {
  if (session_ != nullptr &&
      routes_.JudgeAgain(*session_, config_.attempt.host.ConnectedNetworks(),
                         log_)) {
    LeadNetworks();
  }
}

// False, and this hub has failed, where it leases what cannot be ours.
bool ClientSession::TakeLease(const std::vector<IpPrefix>& leased,
                              uint64_t now_us) {
  if (leased.empty() || leased == config_.tunnel_addresses) return true;
  const std::string against =
      AgainstLease(leased, attempt_->remote().address,
                   {.here = config_.attempt.host.ConnectedNetworks(),
                    .routed = config_.attempt.host.NetworksElsewhere()});
  if (!against.empty()) {
    attempt_.reset();
    OnHubFailed(against, now_us);
    return false;
  }
  config_.tunnel_addresses = leased;
  routes_.SetTunnel(leased);
  default_route_.SetTunnel(leased);
  road().peers.SetOwn(leased);
  config_.attempt.host.SetTunnelAddresses(leased);
  LeadNetworks();
  for (const IpPrefix& each : leased) {
    log_.Info(Cause::Peer(kHub), "the hub leases the tunnel address ",
              ToString(each));
  }
  return true;
}

}  // namespace lwt::peer

// What sessions ask of the gateway around them: clock, next hops, the tunnel
// device, and, for a client, names and ports. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dataplane/flow/flow_id.h"
#include "dataplane/names.h"
#include "dataplane/wire/ethernet.h"
#include "drivers/ip_endpoint.h"

namespace lwt::peer {

// What the way of a flow's frames depends on.
struct FlowWay {
  Endpoint local;
  IpAddress remote;
  uint8_t leg = 0;  // by which interface of the uplink it goes
};

class PeerHost {
 public:
  virtual ~PeerHost() = default;

  // Wall clock, milliseconds since 1970.
  virtual uint64_t UnixMs() = 0;
  // A proven flow: keep its link header right from now on.
  virtual void FollowNextHop(FlowId flow, const FlowWay& way) = 0;
  virtual void ForgetNextHop(FlowId flow) = 0;
  // The path may be dead: have the neighbour confirmed.
  virtual void SuspectPath(const IpAddress& remote) = 0;
  // What the tunnel device is to take; 0 where nobody is connected.
  virtual void SetInnerMtu(uint16_t mtu) = 0;
  // The networks behind all peers, those of the tunnel itself left out: they
  // lead to the tunnel device from now on, and no others. Nothing where there
  // is no kernel that routes.
  virtual void SetNetworks(const std::vector<IpPrefix>& networks) {}
  // The addresses of this host with their networks, those of the tunnel left
  // out. The span is good until the host changes.
  virtual std::span<const IpPrefix> ConnectedNetworks() { return {}; }
  // The largest inner MTU that the path to `remote` can carry, as far as this
  // side knows.
  virtual uint16_t MaxInnerMtu(const Endpoint& remote) = 0;
};

// What a local port should be like, so that its flow comes to the worker meant
// for it, here and at the hub: both see the sum of the flow's ports, modulo
// their number of workers, as long as no NAT changes them.
struct PortWish {
  uint32_t workers = 1;   // ours
  WorkerIndex worker{0};  // must be met
  uint32_t hub_workers = 1;
  uint32_t hub_taken = 0;  // a bit for each that has a flow: met if possible

  bool IsMet(uint32_t ports) const {
    return ports % workers == worker.value &&
           (hub_taken >> ports % hub_workers & 1) == 0;
  }
};

class ClientHost : public PeerHost {
 public:
  // Networks that routes of this host lead elsewhere than to the tunnel
  // device, default routes aside.
  virtual std::vector<IpPrefix> NetworksElsewhere() { return {}; }
  // The tunnel device's addresses from now on, in place of those before.
  virtual void SetTunnelAddresses(const std::vector<IpPrefix>& addresses) = 0;
  // Looks a hub's name up, instead of the one before that is not answered yet.
  // The answer comes by ClientSession::OnResolved.
  virtual void Resolve(const std::string& name, uint16_t port) = 0;
  // A local endpoint on a port of its own, held and steered to us until
  // CloseLocal; the caller closes it once per OpenLocal.
  virtual absl::StatusOr<Endpoint> OpenLocal(const Endpoint& remote,
                                             const PortWish& wish) = 0;
  virtual void CloseLocal(const Endpoint& local) = 0;
  // The link header for frames to an address that OpenLocal was called for;
  // nullopt while its next hop is not known.
  virtual std::optional<wire::LinkHeader> LinkTo(const IpAddress& remote) = 0;
  // Why not, for the operator.
  virtual std::string LinkProblem(const IpAddress& remote) = 0;
};

}  // namespace lwt::peer

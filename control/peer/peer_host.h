// What sessions ask of the gateway around them: clock, next hops, the tunnel
// device, and, for a client, names and ports. Control thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dataplane/session/flow_id.h"
#include "dataplane/wire/ethernet.h"
#include "drivers/ip_endpoint.h"

namespace lwt::peer {

class PeerHost {
 public:
  virtual ~PeerHost() = default;

  // Wall clock, milliseconds since 1970.
  virtual uint64_t UnixMs() = 0;
  // A proven flow: keep its link header right from now on.
  virtual void FollowNextHop(FlowId flow, const IpAddress& remote) = 0;
  virtual void ForgetNextHop(FlowId flow) = 0;
  // The path may be dead: have the neighbour confirmed.
  virtual void SuspectPath(const IpAddress& remote) = 0;
  // The inner MTU that the sessions agree on; 0 when there is none any more.
  virtual void SetInnerMtu(uint16_t mtu) = 0;
  // The largest inner MTU that the path to `remote` can carry.
  virtual uint16_t MaxInnerMtu(const Endpoint& remote) = 0;
};

class ClientHost : public PeerHost {
 public:
  // Looks the hub's name up. The answer comes by ClientSession::OnResolved.
  virtual void Resolve() = 0;
  // A local endpoint on a port of its own, held and steered to us until
  // CloseLocal; the caller closes it once per OpenLocal.
  virtual absl::StatusOr<Endpoint> OpenLocal(const Endpoint& remote) = 0;
  virtual void CloseLocal(const Endpoint& local) = 0;
  // The link header for frames to an address that OpenLocal was called for;
  // nullopt while its next hop is not known.
  virtual std::optional<wire::LinkHeader> LinkTo(const IpAddress& remote) = 0;
  // Why not, for the operator.
  virtual std::string LinkProblem(const IpAddress& remote) = 0;
};

}  // namespace lwt::peer

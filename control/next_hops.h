// The next hops of flows. A flow's frames go where the kernel would send them
// from the flow's own end, by the interface that the flow goes by: once it has
// a way there, and its neighbour answered, they follow both.
//
// Until then they go where the flow was opened to: the answers of a hub to the
// link address that the SYN came from, for who sent it there chose the way.
//
// Owned by OuterSide, which feeds it time and changes. Control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/base/remote_log.h"
#include "control/host/net/address_order.h"
#include "control/host/net/neighbour_keeper.h"
#include "control/platform/platform.h"
#include "control/workers/peer_host.h"
#include "control/workers/worker_link.h"

namespace lwt {

class NextHops {
 public:
  // All outlive it.
  NextHops(Platform& platform, peer::WorkerLink& link, loop::RemoteLog& log)
      : platform_(platform), link_(link), log_(log) {}

  // A far end that is about to be called: by the uplink, from the address that
  // the kernel chooses. Counted.
  void Add(const IpAddress& remote, uint64_t now_us);
  void Remove(const IpAddress& remote);
  // Of one that was added: nullopt while it is not known, and why.
  std::optional<wire::LinkHeader> LinkTo(const IpAddress& remote) const;
  std::string Problem(const IpAddress& remote) const;

  // A flow whose link header is to be right from now on. `by_source`: its own
  // end has a say in its way.
  void Follow(FlowId flow, const peer::FlowWay& way, bool by_source,
              uint64_t now_us);
  void Forget(FlowId flow);
  // The path there may be dead.
  void Suspect(const IpAddress& remote, uint64_t now_us);
  // Far ends of the flows that are followed.
  std::vector<IpAddress> Remotes() const;

  // Interfaces came, went, or have another name. Flows by one that is not
  // served any more go by the first.
  void UplinkMoved(uint64_t now_us);
  void HostChanged(const host::HostChanges& changes, uint64_t now_us);
  void OnTimer(uint64_t now_us);
  uint64_t next_deadline_us() const;

  // What is called when one that was silent answers again.
  void OnWayBack(std::function<void()> handler) {
    on_way_back_ = std::move(handler);
  }

 private:
  // Of all flows by one interface and from one end; that of any end, where it
  // has no say, is unspecified.
  struct LineName {
    uint8_t leg = 0;
    Endpoint local;
  };
  struct LineOrder {
    bool operator()(const LineName& a, const LineName& b) const;
  };
  struct Line {
    LineName name;
    std::optional<host::NeighbourKeeper> keeper;
    // Flows by their far end, and of these who is silent.
    std::map<IpAddress, std::set<uint64_t>, host::AddressOrder> flows;
    std::set<IpAddress, host::AddressOrder> silent;
    uint32_t added = 0;
  };
  struct Followed {
    LineName line;
    IpAddress remote;
  };
  using Lines = std::map<LineName, Line, LineOrder>;

  static LineName AnyEnd(uint8_t leg) {
    return {leg, {IpAddress::Any(Family::kIpv4), 0}};
  }
  Line& LineOf(const LineName& name);
  void DropIfEmpty(Lines::iterator line);
  absl::StatusOr<host::Route> FindRoute(const Line& line,
                                        const IpAddress& remote);
  void LeadToFirst(LineName name, uint64_t now_us);
  void OnNextHop(Line& line, const IpAddress& remote, const host::NextHop& hop);
  void NoteSilence(Line& line, const IpAddress& remote, bool silent);
  static wire::LinkHeader HeaderOf(const Line& line, const host::NextHop& hop);

  Platform& platform_;
  peer::WorkerLink& link_;
  loop::RemoteLog& log_;
  Lines lines_;
  std::unordered_map<uint64_t, Followed> followed_;
  std::function<void()> on_way_back_;
};

}  // namespace lwt

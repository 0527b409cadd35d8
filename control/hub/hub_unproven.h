// The flows of a hub that are not a lane yet: a table of fixed size, made at
// start, and the rule by which a full one takes one more.
//
// Control thread. Finding, taking and giving back walk small arrays of all
// places (a microsecond or two), whatever the peers do: there is no hash to
// aim at.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "control/hub/hub_flow.h"
#include "control/workers/flow_owners.h"

namespace lwt::peer {

class HubUnproven {
 public:
  static constexpr size_t kMaxFlows = 1024;
  static constexpr size_t kMaxPreferred = kMaxFlows / 2;

  // The flows here are `owner`'s.
  HubUnproven(FlowOwners& owners, FlowOwner& owner);
  HubUnproven(const HubUnproven&) = delete;
  HubUnproven& operator=(const HubUnproven&) = delete;
  ~HubUnproven();

  // Null for a flow that is none of these.
  HubFlow* Find(FlowId flow);

  // The one that Add pushes out for a flow from `source`; null while a place is
  // free. While kMaxPreferred have proven the key at most, none of these goes
  // where there is another: strangers do not push out who has the key, and who
  // has it does not keep all others out. Of the rest one goes of the network
  // (/24 or /56) that has the most, the new flow counted with its own; of
  // equals, and of one network's, the oldest. So a network that floods takes
  // its own places, and a flow from elsewhere keeps its place for as long as
  // its network has a share like any other.
  HubFlow* PushedOut(const IpAddress& source);

  // A place for a flow that opens. Where none is free the caller has removed
  // what PushedOut named.
  HubFlow& Add(FlowId flow, const IpAddress& source);

  // Frees the flow, if it is not free yet, and its place. Whoever took the flow
  // over keeps it.
  void Remove(HubFlow& flow);

  // Calls visit(HubFlow&) for each flow; it may remove the one it is given.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (size_t place = 0; place < kMaxFlows; ++place) {
      if (ids_[place] != kNullFlow) visit(flows_[place]);
    }
  }

 private:
  // A source network, and how many flows it has here.
  struct Source {
    uint64_t network = 0;
    uint32_t flows = 0;
  };
  static_assert(kMaxFlows <= UINT16_MAX);

  // Its index, whose `flows` are 0 where it is new.
  uint16_t SourceOf(const IpAddress& address) const;
  // Whether flow `a` is pushed out before flow `b`, both equally proven or not.
  bool GoesBefore(size_t a, size_t b, uint16_t newcomer) const;

  FlowOwners& owners_;
  FlowOwner& owner_;
  std::vector<HubFlow> flows_;                  // by place, as all of these
  std::array<FlowId, kMaxFlows> ids_{};         // kNullFlow: the place is free
  std::array<uint64_t, kMaxFlows> arrivals_{};  // grow from flow to flow
  std::array<uint16_t, kMaxFlows> source_of_{};
  // One more than flows, so that a newcomer's network always finds a place.
  std::array<Source, kMaxFlows + 1> sources_{};
  uint64_t next_arrival_ = 0;
};

}  // namespace lwt::peer

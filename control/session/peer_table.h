// What the workers are to know of all peers, put together from what sessions
// and those who own them contribute: the one place where a snapshot is made.
//
// Whoever changes something says so; at the end of a control turn one snapshot
// is made of all changes. A large one is made less often, so that a crowd that
// joins does not take the control thread: the time until the next grows with
// its size, to kMostWaitUs, and below kLeastWaitUs there is none. What was
// taken out keeps its number until a snapshot without it is out, so a number
// never means two peers, or two lanes, at once.
//
// One for each gateway. Control thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "control/workers/lane_slots.h"
#include "control/workers/ordered_link.h"
#include "control/workers/peer_host.h"
#include "dataplane/exchange/snapshot.h"
#include "drivers/ip_endpoint.h"

namespace lwt::peer {

class Session;

class PeerTable {
 public:
  static constexpr uint64_t kNever = UINT64_MAX;
  static constexpr uint64_t kLeastWaitUs = 1'000;
  static constexpr uint64_t kMostWaitUs = 100'000;
  // Ten times what it takes to make a snapshot, for each peer, route and flow
  // in it.
  static constexpr uint64_t kWaitNsEach = 2'000;

  struct Entry {
    const Session* session = nullptr;  // its lanes; null: nobody is connected
    std::vector<IpPrefix> addresses;   // its own, each one host's
    std::vector<IpPrefix> networks;    // behind it
    // What the tunnel device may take for this peer's sake; 0: not known yet.
    uint16_t device_mtu = 0;
    // The device follows what the way to this peer takes: a client's, which has
    // no other. A hub's does not, one of whose clients may be on a narrow line.
    bool device_follows = false;
    // The peer through which it is reached while it has no lane; whether this
    // one may be that of others. Nobody's any more once that one is removed.
    PeerIndex relay;
    bool may_relay = false;
    bool isolated = false;  // from all other peers
  };

  // `lanes` are taken and given back here. No more peers than `peers`.
  PeerTable(OrderedLink& link, PeerHost& host, LaneSlots& lanes, uint32_t peers,
            uint32_t workers);
  PeerTable(const PeerTable&) = delete;
  PeerTable& operator=(const PeerTable&) = delete;

  // A new peer's number; nullopt when there are too many.
  std::optional<PeerIndex> Add(Entry entry);
  void Remove(PeerIndex peer);
  // What a peer is, to be changed; its networks by SetNetworks.
  Entry& Change(PeerIndex peer);
  bool Has(PeerIndex peer) const {
    return peer.value < entries_.size() && entries_[peer.value].has_value();
  }
  const Entry& Of(PeerIndex peer) const { return entries_[peer.value]->entry; }
  // Other networks lie behind it.
  void SetNetworks(PeerIndex peer, std::vector<IpPrefix> networks);
  // The lanes of its session are others now.
  void LanesChanged(PeerIndex peer) {
    if (Has(peer)) Change(peer);
  }
  // A session is gone; its peer may stay.
  void Forget(const Session& session);

  // Of all peers together: addresses that are ours, and whether one peer's
  // packets may go to another.
  void SetOwn(std::vector<IpPrefix> addresses);
  void SetForwarding(bool between_peers);
  // Networks that are some peer's or nobody's: what is for a host in them that
  // no peer has goes nowhere.
  void SetPeerNetworks(std::vector<IpPrefix> networks);

  // Networks that a wider one of a peer does not take: what is for them is our
  // host's, and no peer sends from there.
  void SetBeside(std::vector<IpPrefix> networks);

  // A flow of ours that is not a lane yet: all workers are to know whose its
  // frames are.
  void AddFlow(const Endpoint& local, const Endpoint& remote,
               WorkerIndex worker);
  void RemoveFlow(const Endpoint& local, const Endpoint& remote);

  std::optional<LaneName> TakeLane(WorkerIndex worker);
  bool HasLane(WorkerIndex worker);
  // Of a lane that its worker was told to remove.
  void GiveLane(LaneName lane);

  // Commands of this flow wait until what was changed is out.
  void Hold(FlowId flow);
  // So does this one, where something was.
  void SendAfter(WorkerIndex worker, Command command);

  // Call it at the end of each turn: makes a snapshot if something was changed
  // and it is time.
  void Publish(uint64_t now_us);
  uint64_t NextDeadline() const { return dirty_ ? next_us_ : kNever; }
  // The same whenever it was made last.
  void PublishNow();

  // How many were made, and what is in the last one.
  uint64_t version() const { return version_; }
  size_t size() const { return size_; }
  // Those of them that had a session.
  size_t connected() const { return connected_; }

 private:
  // An entry, and what was made of it for the last snapshot.
  struct Slot {
    Entry entry;
    bool made = false;
    SnapshotPeer peer;
    std::vector<RouteTable::Route> routes;
    std::vector<FlowDirectory::Entry> flows;
  };
  struct Flow {
    Endpoint local;
    Endpoint remote;
    WorkerIndex worker;
  };
  void Make(PeerIndex peer, Slot& slot) const;
  std::unique_ptr<Snapshot> Build();
  void TellDevice();
  void TellNetworks();
  void Reuse();

  OrderedLink& link_;
  PeerHost& host_;
  LaneSlots& lanes_;
  const uint32_t most_;
  const uint32_t workers_;
  std::vector<std::optional<Slot>> entries_;  // by number
  std::set<PeerIndex> free_;                  // of those, the unused
  std::vector<PeerIndex> leaving_;            // in the last snapshot
  std::vector<LaneName> leaving_lanes_;
  std::vector<Flow> flows_;
  std::vector<IpPrefix> own_;
  std::vector<IpPrefix> peer_networks_;
  std::vector<IpPrefix> beside_;
  std::vector<IpPrefix> told_networks_;  // to the host, in order
  bool networks_changed_ = true;
  bool between_peers_ = false;
  bool dirty_ = true;
  uint64_t next_us_ = 0;
  uint64_t version_ = 0;
  size_t size_ = 0;
  size_t connected_ = 0;
};

}  // namespace lwt::peer

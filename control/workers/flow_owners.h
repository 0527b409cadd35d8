// Who gets what workers report: the owner of a flow that was asked for, of a
// flow that is up, of a lane, and of flows that others open to us.
//
// Owners outlive what they own here. One look-up in a hash table for each
// event, piece of a stream or record, however many owners there are: strangers
// cause such look-ups. What is hashed is numbers of our own choice. Control
// thread.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "control/workers/worker_link.h"
#include "dataplane/exchange/event.h"
#include "dataplane/flow/flow_id.h"

namespace lwt::peer {

// What an owner never gets it leaves as it is.
class FlowOwner {
 public:
  virtual ~FlowOwner() = default;
  // Of a flow.
  virtual void OnEvent(const Event& event, uint64_t now_us) {}
  // Of a lane.
  virtual void OnLaneEvent(LaneName lane, const Event& event, uint64_t now_us) {
  }
  // Bytes of a flow that its worker has no lane for.
  virtual void OnStream(const PuntedStream& stream, uint64_t now_us) {}
  // A session with lanes of this owner may be due sooner than it was.
  virtual void OnSessionDue() {}
  // A control or close record that a lane opened.
  virtual void OnRecord(LaneName lane, const PuntedRecord& record,
                        uint64_t now_us) {}
};

class FlowOwners {
 public:
  explicit FlowOwners(WorkerLink& link) : link_(link) {}
  FlowOwners(const FlowOwners&) = delete;
  FlowOwners& operator=(const FlowOwners&) = delete;

  // For a ConnectCommand: its answer is the owner's. Never 0.
  uint32_t NewToken(FlowOwner& owner);
  void ForgetToken(uint32_t token) { by_token_.erase(token); }

  // Whoever owned it before owns it no more.
  void OwnFlow(FlowId flow, FlowOwner& owner) { by_flow_[flow.value] = &owner; }
  // Unless it is another's by now.
  void ForgetFlow(FlowId flow, const FlowOwner& owner);

  void OwnLane(LaneName lane, FlowOwner& owner) { by_lane_[lane] = &owner; }
  void ForgetLane(LaneName lane) { by_lane_.erase(lane); }

  // Whose the flows are that arrive where we listen. Null: nobody's.
  void SetAcceptor(FlowOwner* acceptor) { acceptor_ = acceptor; }
  // Who is told of hosts of the LAN that packets wait for.
  void SetLan(FlowOwner* lan) { lan_ = lan; }

  // What a worker reports. A flow that is up and that nobody owns is let go;
  // all else that is nobody's any more is passed over.
  void OnEvent(WorkerIndex from, const Event& event, uint64_t now_us);
  void OnStream(const PuntedStream& stream, uint64_t now_us);
  void OnRecord(WorkerIndex from, const PuntedRecord& record, uint64_t now_us);

  // What is owned: nothing is left behind by who is gone.
  size_t tokens() const { return by_token_.size(); }
  size_t flows() const { return by_flow_.size(); }
  size_t lanes() const { return by_lane_.size(); }

 private:
  FlowOwner* Of(const Event& event) const;
  FlowOwner* OfToken(uint32_t token) const { return Find(by_token_, token); }
  FlowOwner* OfFlow(FlowId flow) const { return Find(by_flow_, flow.value); }
  FlowOwner* OfLane(LaneName lane) const { return Find(by_lane_, lane); }

  template <typename Map>
  static FlowOwner* Find(const Map& map, typename Map::key_type key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : found->second;
  }

  WorkerLink& link_;
  std::unordered_map<uint32_t, FlowOwner*> by_token_;
  std::unordered_map<uint64_t, FlowOwner*> by_flow_;
  std::unordered_map<LaneName, FlowOwner*> by_lane_;
  FlowOwner* acceptor_ = nullptr;
  FlowOwner* lan_ = nullptr;
  uint32_t last_token_ = 0;
};

}  // namespace lwt::peer

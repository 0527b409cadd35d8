// Which client of a hub may have a flow, a lane or a session's id, found in the
// same time however many clients there are: strangers cause such look-ups. And
// whose a key is, in a tree, since clients make their keys as they like.
//
// Tells where to look, not what is so: a flow or a lane that has ended stays
// here until its place in the worker's table is used again, so the caller asks
// the client. No more entries than those places, and ids of sessions that live.
// What is hashed is numbers of our own choice. Control thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>

#include "control/handshake/crypto.h"
#include "dataplane/session/flow_id.h"

namespace lwt::peer {

class ClientIndex {
 public:
  void NoteSession(uint64_t session_id, const handshake::PublicKey& key,
                   uint32_t client) {
    by_session_[session_id] = client;
    by_key_[key] = client;
  }
  void ForgetSession(uint64_t session_id, const handshake::PublicKey& key) {
    by_session_.erase(session_id);
    by_key_.erase(key);
  }
  void NoteLane(FlowId flow, uint32_t lane, uint32_t client) {
    by_flow_[PlaceOf(flow)] = {flow, client};
    by_lane_[lane] = client;
  }

  std::optional<uint32_t> OfSession(uint64_t session_id) const {
    const auto found = by_session_.find(session_id);
    if (found == by_session_.end()) return std::nullopt;
    return found->second;
  }
  std::optional<uint32_t> OfKey(const handshake::PublicKey& key) const {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    return found->second;
  }
  std::optional<uint32_t> OfFlow(FlowId flow) const {
    const auto found = by_flow_.find(PlaceOf(flow));
    if (found == by_flow_.end() || found->second.flow != flow) {
      return std::nullopt;
    }
    return found->second.client;
  }
  std::optional<uint32_t> OfLane(uint32_t lane) const {
    const auto found = by_lane_.find(lane);
    if (found == by_lane_.end()) return std::nullopt;
    return found->second;
  }

 private:
  struct FlowEntry {
    FlowId flow;
    uint32_t client = 0;
  };

  // The flow's name without its generation.
  static uint32_t PlaceOf(FlowId flow) {
    return flow.worker() << FlowId::kSlotBits | flow.slot();
  }

  std::unordered_map<uint64_t, uint32_t> by_session_;
  std::map<handshake::PublicKey, uint32_t> by_key_;
  std::unordered_map<uint32_t, FlowEntry> by_flow_;
  std::unordered_map<uint32_t, uint32_t> by_lane_;
};

}  // namespace lwt::peer

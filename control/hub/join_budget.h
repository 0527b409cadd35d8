// How many joins of each lane of one session the hub answers. A hello that is
// repeated uses up what its own lane has, and no other's. Control thread.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "control/handshake/lane_names.h"

namespace lwt::peer {

class JoinBudget {
 public:
  static constexpr uint8_t kAnswers = 32;  // of one lane id
  // Lanes that a client asked for in a row and that never verified.
  static constexpr size_t kLanes = 8;

  // False when there is none left for the lane. The lowest id makes room for
  // a new one and has none from then on, since ids only grow.
  bool Take(handshake::LaneId lane_id) {
    auto lane =
        std::find_if(lanes_.begin(), lanes_.end(),
                     [&](const Lane& held) { return held.id == lane_id; });
    if (lane == lanes_.end()) {
      lane = std::min_element(
          lanes_.begin(), lanes_.end(),
          [](const Lane& a, const Lane& b) { return a.id < b.id; });
      if (lane->id > lane_id) return false;
      *lane = {lane_id, 0};
    }
    if (lane->answers == kAnswers) return false;
    ++lane->answers;
    return true;
  }

 private:
  struct Lane {
    handshake::LaneId id;  // no lane that joins has this one
    uint8_t answers = 0;
  };
  std::array<Lane, kLanes> lanes_{};
};

}  // namespace lwt::peer

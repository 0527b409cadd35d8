// Whether two hosts have one static key, as two copies of a machine have: each
// comes and takes the other's place, by turns.
//
// Not told by one change: a client that was restarted, or that came back from
// elsewhere, takes its own place. Of two within kWithinUs, each of a session
// that was alive, by somebody at another address, one was no change of place;
// and a client that lost its own to another knows, and says so.
//
// Sans-IO, one a client. Control thread.
#pragma once

#include <cstdint>

#include "drivers/ip_endpoint.h"

namespace lwt::peer {

class TwinWatch {
 public:
  // Longer than a client stays away that lost its place
  // (ClientSession::kTwinFirstUs).
  static constexpr uint64_t kWithinUs = 900'000'000;
  // A session was alive that the peer was heard on in that time.
  static constexpr uint64_t kAliveUs = 30'000'000;
  static constexpr uint32_t kChanges = 2;

  // The session of one at `before` was replaced by one at `after`; its peer had
  // been heard `silent_us` ago.
  void OnReplaced(const IpAddress& before, const IpAddress& after,
                  uint64_t silent_us, uint64_t now_us) {
    if (before == after || silent_us > kAliveUs) return;
    if (now_us - last_us_ > kWithinUs) changes_ = 0;
    ++changes_;
    last_us_ = now_us;
  }
  bool seen(uint64_t now_us) const {
    return changes_ >= kChanges && now_us - last_us_ <= kWithinUs;
  }

 private:
  uint32_t changes_ = 0;  // the last of them:
  uint64_t last_us_ = 0;
};

}  // namespace lwt::peer

// When a queue is to tell who fills it: CoDel (RFC 8289). It goes by how long
// each packet waited, not by how many wait: a queue that empties now and then
// is left alone, one that stands for an interval is told of by one packet, then
// by more of them the longer it stands.
//
// A plain record of its queue; nanoseconds a packet except for the few that
// tell.
#pragma once

#include <cstdint>

namespace lwt::session {

class Codel {
 public:
  // RFC 8289 sections 4.2 and 4.3: what a queue may stand at, and how long
  // before it is told of, a round trip of most paths.
  static constexpr uint64_t kTargetUs = 5'000;
  static constexpr uint64_t kIntervalUs = 100'000;

  // Of each packet as it leaves the queue: whether this one tells its sender.
  // `last`: no more than a packet stays behind, so nobody waits for long,
  // however slow the line.
  bool Tells(uint64_t waited_us, bool last, uint64_t now_us);

 private:
  bool StandsAbove(uint64_t waited_us, bool last, uint64_t now_us);

  uint64_t above_until_us_ = 0;  // 0: below the target; then it is too long
  uint64_t next_us_ = 0;         // the next packet that tells
  uint32_t told_ = 0;            // since it began to tell, so to say
  uint32_t told_before_ = 0;     // told_ as it began
  bool telling_ = false;
};

}  // namespace lwt::session

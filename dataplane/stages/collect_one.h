// What Collect and CollectLan share: frames of a port of the inside become
// frames of the outbound burst.
#pragma once

#include <cstddef>

#include "dataplane/burst.h"
#include "dataplane/exchange/counters.h"
#include "dataplane/lan_state.h"

namespace lwt {

class Worker;

// Packets of one turn, each segment of a super-frame counted: the uplink has
// its turn after about 0.1 ms of them.
inline constexpr size_t kMostCollected = 256;
// What others hand over, what Collect reads and what CollectLan does.
static_assert(4 * kMostCollected <= PacketBurst::kCapacity);

// Moves the packet at `collected.next`, or as much of the super-frame there as
// there is room for, to the burst. Returns how many packets that makes.
size_t TakeOne(Worker& worker, CollectedPackets& collected,
               Counter& super_frames, size_t room, PacketBurst& packets);

}  // namespace lwt

// IPv4 packets of the inside that are larger than the peer's MTU and may be cut
// (RFC 791 §3.2).
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/burst.h"

namespace lwt {

class Worker;

// Puts the fragments of `packet` into `out`, no more than `room`, in its place.
// One that is not cut, for its options or want of room, goes as it is: its
// record leaves in parts. Takes the frame.
void CutPacket(Worker& worker, const Frame& packet, uint16_t mtu, size_t room,
               PacketBurst& out);

}  // namespace lwt

// Packets that go to every peer, where the gateway floods them; see
// FloodQueue.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/names.h"
#include "dataplane/wire/inner_packet.h"

namespace lwt {

class Worker;
struct Frame;

// Whether the packet is for whoever listens: multicast, the limited broadcast
// or that of the tunnel's network; what a link says to itself is not.
bool IsForMany(const Worker& worker, const wire::InnerPacket& inner,
               std::span<const uint8_t> packet);

// Has the packet copied to all peers but its source. It stays the caller's;
// what may not be is counted as dropped.
void CopyToAll(Worker& worker, const Frame& packet, PeerIndex source);

}  // namespace lwt

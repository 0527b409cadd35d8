// What is said to whoever sent a packet that goes no further, wherever it came
// from, and to control about hosts without a link-layer address.
//
// ICMP errors, as a router's: none about errors, none to what is not one host,
// and no more than IcmpBudget allows.
#pragma once

#include <rte_mbuf.h>

#include <cstdint>
#include <span>

#include "dataplane/burst.h"
#include "dataplane/route/lan_table.h"
#include "dataplane/wire/forwarding.h"

namespace lwt {

class Worker;

// To a LAN host, by the LAN port. `packet` lies behind the link header that it
// came with.
void AnswerLanHost(Worker& worker, const LanTable& lan, wire::Obstacle obstacle,
                   uint16_t mtu, std::span<const uint8_t> packet);

// To the sender behind a peer, by the outbound burst, whose frame it is then:
// one more than there was.
void AnswerPeer(Worker& worker, wire::Obstacle obstacle, uint16_t mtu,
                const Frame& packet);

// To the host, or whom it forwards for, by the tunnel device. `packet` came
// from there and begins in its mbuf.
void AnswerInside(Worker& worker, wire::Obstacle obstacle, uint16_t mtu,
                  const Frame& packet);

// Asks control for the link-layer address, not more often than is useful.
void AskForNeighbour(Worker& worker, Family family, const uint8_t* address);

}  // namespace lwt

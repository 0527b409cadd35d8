// Losses of a full line that were repaired, for AdmitInner.
#pragma once

#include <cstdint>
#include <span>

#include "dataplane/burst.h"
#include "dataplane/wire/inner_packet.h"

namespace lwt {

class Worker;

// A packet of a record that was lost on a full line and repaired: true where it
// has to be dropped for its sender to see it. One whose sender knows the
// congestion bits (RFC 3168) is marked instead and goes on.
[[nodiscard]] bool ShowsLoss(Worker& worker, const Frame& record,
                             std::span<uint8_t> packet,
                             const wire::InnerPacket& inner);

}  // namespace lwt

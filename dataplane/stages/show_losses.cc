// Tells who sends inside that a full line has lost something, though it was
// repaired: only the sender can make the line less full. Else a copy that comes
// a round trip late makes it take back its own slowing (RFC 3708, RFC 3522).
#include "dataplane/stages/show_losses.h"

#include <algorithm>

#include "dataplane/wire/forwarding.h"
#include "dataplane/wire/inner_packet.h"
#include "dataplane/wire/inner_transport.h"
#include "dataplane/worker_state.h"

namespace lwt {
namespace {

// Where no round trip is known, and the least that is believed.
constexpr uint64_t kUnknownTripUs = 100'000;
constexpr uint64_t kLeastTripUs = 5000;

}  // namespace

bool ShowsLoss(Worker& worker, const Frame& record, std::span<uint8_t> packet,
               const wire::InnerPacket& inner) {
  // What is neither TCP nor UDP has no sender that would slow down.
  if (!wire::ParseInnerTransport(packet)) return false;
  const uint64_t trip_us =
      worker.lane_counters[record.lane.value].srtt_us.Get();
  const uint64_t gap_us =
      trip_us == 0 ? kUnknownTripUs : std::max(trip_us, kLeastTripUs);
  if (!worker.inbound.shown.IsDue(wire::FlowHash(inner, packet), worker.now_us,
                                  gap_us)) {
    return false;
  }
  worker.lane_counters[record.lane.value].losses_shown.Add(1);
  // What came in a group may be held by the decoder, which reckons others from
  // its bytes as they came: it is not written to.
  return record.group.data != 0 || !wire::MarkCongestion(packet.data());
}

}  // namespace lwt

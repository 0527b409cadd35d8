#include "dataplane/flow/tcp_rtt.h"

#include <algorithm>

namespace lwt {

void MeasureRtt(OuterFlow& flow, uint64_t rtt_us) {
  const auto rtt =
      static_cast<uint32_t>(std::clamp<uint64_t>(rtt_us, 1, kMaxRtoUs));
  if (flow.srtt_us == 0) {
    flow.srtt_us = rtt;
    flow.rttvar_us = rtt / 2;
    flow.min_rtt_us = rtt;
  } else {
    const uint32_t distance =
        rtt > flow.srtt_us ? rtt - flow.srtt_us : flow.srtt_us - rtt;
    flow.rttvar_us += distance / 4 - flow.rttvar_us / 4;
    flow.srtt_us = std::max(1u, flow.srtt_us - flow.srtt_us / 8 + rtt / 8);
    flow.min_rtt_us = std::min(flow.min_rtt_us, rtt);
  }
  // The floor is under the variance alone, as Linux has it.
  flow.rto_us = std::min(flow.srtt_us + std::max(4 * flow.rttvar_us, kMinRtoUs),
                         kMaxRtoUs);
}

}  // namespace lwt

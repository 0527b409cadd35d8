// Round-trip time and retransmission timeout (RFC 6298).
#pragma once

#include <cstdint>

#include "dataplane/flow/outer_flow.h"

namespace lwt {

// The least that the variance adds to the timeout.
inline constexpr uint32_t kMinRtoUs = 200'000;
inline constexpr uint32_t kMaxRtoUs = 10'000'000;

// Takes one measurement of a segment that was sent once.
void MeasureRtt(OuterFlow& flow, uint64_t rtt_us);

}  // namespace lwt

// What is set for one peer in place of what is for all (exchange/tuning.h);
// empty: that. Plain data, which each lane of the peer gets a copy of.
#pragma once

#include <cstdint>
#include <optional>

#include "dataplane/fec/policy.h"

namespace lwt {

struct PeerTuning {
  std::optional<fec::Settings> fec;
  // Bytes a second to and from the peer, all its lanes together; 0: no limit.
  std::optional<uint64_t> rate;
  std::optional<uint64_t> rate_in;
  friend bool operator==(const PeerTuning&, const PeerTuning&) = default;
};

}  // namespace lwt

#include "control/peer/loss_pool.h"

#include <algorithm>
#include <cmath>

namespace lwt::peer {
namespace {

// As the policies of lanes forget.
constexpr double kHalfLifeUs = 2e6;
constexpr double kFewestLost = 2;

}  // namespace

void LossPool::Age(uint64_t now_us) {
  const double keep =
      std::exp2(-static_cast<double>(now_us - aged_us_) / kHalfLifeUs);
  aged_us_ = now_us;
  sealed_ *= keep;
  lost_ *= keep;
}

void LossPool::Add(uint32_t lane, const LaneReading& reading) {
  const Counted now = {reading.records_sealed, reading.peer_lost};
  const auto [at, is_new] = lanes_.try_emplace(lane, now);
  if (is_new) return;
  sealed_ += static_cast<double>(now.sealed - at->second.sealed);
  lost_ += static_cast<double>(now.lost - at->second.lost);
  at->second = now;
}

std::optional<double> LossPool::loss() const {
  if (lost_ < kFewestLost) return std::nullopt;
  return std::min(1.0, lost_ / sealed_);
}

}  // namespace lwt::peer

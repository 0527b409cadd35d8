#include "control/session/loss_pool.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

void LossPool::Add(LaneName lane, const LaneReading& reading) {
  const Counted now = {reading.records_sealed, reading.peer_lost};
  const auto at = lanes_.try_emplace(lane, now).first;
  const Counted before = std::exchange(at->second, now);
  // Until its worker has the lane, the counters are those of one before.
  if (now.sealed < before.sealed || now.lost < before.lost) return;
  sealed_ += static_cast<double>(now.sealed - before.sealed);
  lost_ += static_cast<double>(now.lost - before.lost);
}

std::optional<double> LossPool::loss() const {
  if (lost_ < kFewestLost) return std::nullopt;
  return std::min(1.0, lost_ / sealed_);
}

}  // namespace lwt::peer

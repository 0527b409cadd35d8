#include "tests/support/line/line_model.h"

#include <algorithm>

namespace lwt::testing {

uint64_t LineModel::queued_bytes(uint64_t now_us) const {
  const double wait_us = free_at_us_ - static_cast<double>(now_us);
  if (wait_us <= 0) return 0;
  return static_cast<uint64_t>(wait_us *
                               static_cast<double>(options_.rate_bps) / 8e6);
}

bool LineModel::Offer(const Packet& packet, uint64_t now_us) {
  ++counts_.offered;
  counts_.offered_bytes += packet.bytes;
  double sent_us = static_cast<double>(now_us);
  if (options_.rate_bps != 0) {
    // The packet being sent stands in no queue, so one more fits.
    if (queued_bytes(now_us) > options_.queue_bytes) {
      ++counts_.dropped;
      return false;
    }
    sent_us = std::max(free_at_us_, sent_us) +
              packet.bytes * 8e6 / static_cast<double>(options_.rate_bps);
    free_at_us_ = sent_us;
  }
  if (losses_.Next(random_)) {
    ++counts_.lost;
    return false;
  }
  counts_.carried_bytes += packet.bytes;
  under_way_.push_back(
      {static_cast<uint64_t>(sent_us) + options_.delay_us, packet});
  return true;
}

std::optional<LineModel::Packet> LineModel::Take(uint64_t now_us) {
  if (NextArrival() > now_us) return std::nullopt;
  const Packet packet = under_way_.front().packet;
  under_way_.pop_front();
  return packet;
}

}  // namespace lwt::testing

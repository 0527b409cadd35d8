#include "tests/support/bad_link/link_model.h"

#include <algorithm>
#include <utility>

namespace lwt::bad_link {

LinkModel::LinkModel(const LinkOptions& options)
    : options_(options), random_(options.seed) {}

bool LinkModel::Chance(double probability) {
  if (probability <= 0) return false;
  // 53 random bits as a fraction, the same on every library.
  const double fraction = static_cast<double>(random_() >> 11) * 0x1p-53;
  return fraction < probability;
}

void LinkModel::Offer(uint64_t now_us, Frame frame) {
  ++counts_.offered;
  if (Chance(options_.loss)) {
    ++counts_.lost;
    return;
  }
  uint64_t arrival_us = now_us + options_.delay_us;
  if (options_.jitter_us > 0) {
    arrival_us += random_() % (options_.jitter_us + 1);
  }
  arrival_us = std::max(arrival_us, last_arrival_us_);
  if (Chance(options_.reorder)) {
    ++counts_.reordered;
    arrival_us += options_.reorder_us;
  } else {
    last_arrival_us_ = arrival_us;
  }
  if (Chance(options_.duplicate)) {
    ++counts_.duplicated;
    Push(arrival_us, frame);
  }
  Push(arrival_us, std::move(frame));
}

void LinkModel::Push(uint64_t arrival_us, Frame frame) {
  if (queue_.size() >= options_.queue_frames) {
    ++counts_.overflowed;
    return;
  }
  queue_.push({arrival_us, next_order_++, std::move(frame)});
}

std::optional<Frame> LinkModel::Take(uint64_t now_us) {
  if (queue_.empty() || queue_.top().arrival_us > now_us) return std::nullopt;
  // top() is const only to keep the order, which the frame is no part of.
  Frame frame = std::move(const_cast<InFlight&>(queue_.top()).frame);
  queue_.pop();
  ++counts_.delivered;
  return frame;
}

std::optional<uint64_t> LinkModel::NextArrival() const {
  if (queue_.empty()) return std::nullopt;
  return queue_.top().arrival_us;
}

}  // namespace lwt::bad_link
